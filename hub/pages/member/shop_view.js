// Draws her list: screens d103 and d104 of the seed, with the camera above it.

import { $, make, picture, set } from "../shared/dom.js";

const TROUBLES = { refused: "camera_refused", none: "camera_none", busy: "camera_busy", broken: "camera_broken" };

export class ShopView {
  constructor({ shop, camera, scanner, exit }) {
    Object.assign(this, { _shop: shop, _camera: camera, _scanner: scanner, _exit: exit, _drawn: "", _counts: new Map(), _of: null });
  }

  draw(words, tab, leaving) {
    const { stage, cart, problem, away } = this._shop;
    const paid = stage === "paid";
    const listing = stage === "empty" || stage === "open";
    set("shop-title", words.say("shop"));
    $("shop-title").hidden = stage !== "empty" || this._camera.open;
    const trouble = problem !== null ? words.of(problem) : away ? words.say("failed") : this._shop.lapsed ? words.say("pay_lapsed") : "";
    $("shop-trouble").hidden = trouble === "";
    set("shop-trouble", trouble);
    $("shop-list").hidden = paid;
    $("shop-exit").hidden = !paid;
    const promise = this._promise(stage, cart);
    $("promise").hidden = promise === null;
    if (promise !== null) {
      set("promise-text", words.of(promise.text));
      $("promise").dataset.holds = String(promise.holds);
    }
    $("shop-add").hidden = !listing;
    set("product-label", words.say("product_code"));
    $("product").placeholder = words.say("product_hint");
    set("product-add", words.say("add_product"));
    $("shop-empty").hidden = stage !== "empty" || this._camera.open;
    for (const step of ["scan", "pay", "exit"]) set(`step-${step}`, words.say(`step_${step}`));
    this._finder(words, listing || leaving, leaving);
    this._sums(words, stage, cart);
    this._bar(words, stage, cart, tab);
    this._paying(words, stage);
    this._till(words, stage);
  }

  // Of the code for the till: what the exit brings if she pays there.
  _promise(stage, cart) {
    const { device } = this._shop;
    if (stage === "empty" || (stage === "paid" && this._exit.readAt !== null)) return null;
    return (device === null ? cart : device).promise ?? null;
  }

  // --- the camera

  _finder(words, listing, leaving) {
    const { state, open, hasLight, light } = this._camera;
    $("finder").hidden = !open || !listing;
    $("finder").dataset.state = state;
    $("light").hidden = !hasLight;
    $("light").ariaPressed = String(light);
    $("light").ariaLabel = words.say(light ? "light_off" : "light_on");
    $("finder-close").ariaLabel = words.say("camera_close");
    const trouble = TROUBLES[state];
    $("camera-trouble").hidden = trouble === undefined || !listing;
    set("camera-trouble", trouble === undefined ? "" : words.say(trouble));
    const { said } = this._scanner;
    const tell = {
      added: () => words.say("added", words.of(said.line.name), said.line.quantity, this._money(words, said.line.price_minor)),
      problem: () => words.of(said.problem), coupon: () => words.of(said.words),
      not_product: () => words.say("not_product"), not_coupon: () => words.say("not_coupon"), trouble: () => words.say("failed"),
    };
    set("finder-said", said === null ? words.say(state === "starting" ? "camera_starting" : leaving ? "camera_hint_coupon" : "camera_hint") : tell[said.kind]());
    $("finder-said").dataset.kind = said === null ? "hint" : ["added", "coupon"].includes(said.kind) ? "good" : "bad";
  }

  // --- the list

  _money(words, minor) {
    return words.money(minor, this._shop.currency);
  }

  _sums(words, stage, cart) {
    const some = stage === "open" || stage === "paying";
    $("lines").hidden = !some;
    $("shop-sums").hidden = !some;
    $("shop-cancel").hidden = stage !== "open";
    set("shop-cancel", words.say(this._shop.sure ? "cancel_sure" : "cancel_all"));
    $("shop-cancel").dataset.sure = String(this._shop.sure);
    if (!some) return;
    const fixed = stage === "paying";
    const as = JSON.stringify([words.language, cart.lines, cart.taxes, cart.prices_include_tax, fixed]);
    if (this._drawn === as) return;
    this._drawn = as;
    const before = this._counts;
    this._counts = new Map(cart.lines.map(({ product, quantity }) => [product, quantity]));
    const grown = cart.cart === this._of ? cart.lines.find(({ product, quantity }) => quantity > (before.get(product) ?? 0)) : undefined;
    this._of = cart.cart;
    $("lines").replaceChildren(...cart.lines.map((line) => this._line(words, line, fixed, line === grown)));
    if (this._camera.open) $("lines").querySelector(".grown")?.scrollIntoView({ block: "nearest" });
    const rate = ({ tax_per_mille: rate, taxed_minor: taxed, tax_minor: tax }) => [
      make("dt", { textContent: words.say("tax_rate", words.number(rate / 10), this._money(words, taxed)) }),
      make("dd", { textContent: words.say(cart.prices_include_tax ? "tax_in" : "tax_on", this._money(words, tax)) })];
    $("shop-sums").replaceChildren(...(cart.taxes ?? []).flatMap(rate));
  }

  _line(words, line, fixed, grown) {
    const { product, name, quantity, price_minor: price, amount_minor: amount } = line;
    const title = words.of(name);
    const button = (what, text, act, label) => Object.assign(
      make("button", { type: "button", textContent: text, hidden: fixed, onclick: act, ariaLabel: label }), { name: what });
    const shop = this._shop;
    const row = make("li", { className: grown ? "grown" : "" },
      make("strong", { textContent: title }),
      make("b", { className: "amount", textContent: this._money(words, amount) }),
      make("span", { className: "price", textContent: words.say("each", this._money(words, price)) }),
      make("span", { className: "steps" },
        button("remove", words.say("remove"), () => shop.remove(product), words.say("remove_it", title)),
        button("less", "−", () => shop.quantity(product, quantity - 1), words.say("less", title)),
        make("b", { className: "quantity", textContent: `${fixed ? "×" : ""}${quantity}` }),
        button("more", "+", () => shop.quantity(product, quantity + 1), words.say("more", title))));
    row.dataset.product = product;
    return row;
  }

  // --- what she can do now, below her thumb

  _bar(words, stage, cart, tab) {
    const { busy, provider } = this._shop;
    const showing = stage === "open" && this._shop.device !== null; // the list's code, and nothing else
    $("shop-bar").hidden = tab !== "shop" || showing || (stage !== "empty" && stage !== "open");
    $("exit-again").hidden = stage !== "empty" || cart?.state !== "paid" || cart.exit_code !== "ready";
    set("exit-again", words.say("exit_again"));
    const open = stage === "open";
    $("shop-total").hidden = !open;
    if (open) {
      set("total-label", words.say("total", words.number(cart.lines.reduce((sum, line) => sum + line.quantity, 0))));
      set("total", this._money(words, cart.total_minor));
      set("tax", words.say("tax", this._money(words, cart.tax_minor)));
    }
    set("scan-label", words.say(this._camera.open ? "camera_close" : open ? "scan_next" : "scan"));
    $("scan").className = open ? "second" : "act";
    $("shop-pay").hidden = !open || provider === null;
    $("shop-pay").disabled = busy;
    set("shop-pay", words.say(busy ? "wait" : "pay"));
    $("to-till").hidden = !open || provider !== null;
    set("to-till", words.say("pay_at_till"));
    $("till").hidden = !open || provider === null;
    set("till", words.say("till"));
  }

  _paying(words, stage) {
    const { open, provider } = this._shop;
    $("paying").hidden = stage !== "paying";
    set("paying-text", words.say("paying"));
    set("paying-sum", stage === "paying" ? this._money(words, this._shop.cart.total_minor) : "");
    $("paying-open").hidden = !open;
    if (open) $("paying-open").href = open;
    set("paying-open", words.say("paying_open"));
    $("paying-simulated").hidden = provider !== "simulated";
    set("paying-simulated", words.say("paying_simulated"));
    set("paying-cancel", words.say("paying_cancel"));
  }

  // The list's own code, for a settlement device.
  _till(words, stage) {
    const { device } = this._shop;
    const shown = stage === "open" && device !== null;
    $("device").hidden = !shown;
    set("device-title", words.say("device_title"));
    set("device-hint", words.say("device_hint"));
    set("device-digits", shown ? device.code : "");
    picture($("device-code"), shown ? device.svg : null);
    $("device-code").alt = words.say("device_title");
    set("device-close", words.say("close"));
  }
}
