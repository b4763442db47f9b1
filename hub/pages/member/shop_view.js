// Draws her list: screens d101 to d104 of the seed. Text reaches the page by textContent alone: a name is never markup.

const $ = (id) => document.getElementById(id);

function set(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

export class ShopView {
  constructor(shop) {
    this._shop = shop;
    this._drawn = "";
    this._svg = null;
  }

  draw(words) {
    const { stage, cart, problem, away, busy, sure, provider, open } = this._shop;
    set("shop-title", words.say("shop"));
    $("shop-trouble").hidden = problem === null && !away;
    set("shop-trouble", problem !== null ? words.of(problem) : away ? words.say("failed") : "");
    const paid = stage === "paid";
    $("shop-list").hidden = paid;
    $("shop-exit").hidden = !paid;
    $("shop-add").hidden = stage === "paying" || paid;
    set("product-label", words.say("product_code"));
    set("product-add", words.say("add_product"));
    $("product-add").disabled = busy;
    $("shop-empty").hidden = stage !== "empty";
    set("shop-empty", words.say("shop_empty"));
    const some = stage === "open" || stage === "paying";
    for (const id of ["lines", "shop-sums", "shop-acts"]) $(id).hidden = !some;
    $("promise").hidden = !(some || paid) || !cart?.promise;
    if (cart?.promise) {
      set("promise", words.of(cart.promise.text));
      $("promise").dataset.holds = String(cart.promise.holds);
    }
    if (some) this._list(words, cart, stage === "paying" || busy);
    set("shop-cancel", words.say(sure ? "cancel_sure" : "cancel_all"));
    set("shop-pay", words.say(busy ? "busy" : "pay"));
    $("shop-cancel").hidden = stage !== "open";
    $("shop-pay").hidden = stage !== "open" || provider === null;
    $("pay-at-till").hidden = stage !== "open" || provider !== null;
    set("pay-at-till", words.say("pay_at_till"));
    $("paying").hidden = stage !== "paying";
    set("paying-text", words.say("paying"));
    $("paying-open").hidden = !open;
    if (open) $("paying-open").href = open;
    set("paying-open", words.say("paying_open"));
    $("paying-simulated").hidden = provider !== "simulated";
    set("paying-simulated", words.say("paying_simulated"));
    set("paying-cancel", words.say("paying_cancel"));
    if (paid) this._exit(words, cart);
  }

  _money(words, minor) {
    const format = new Intl.NumberFormat(words.language, { style: "currency", currency: this._shop.currency });
    return format.format(minor / 10 ** format.resolvedOptions().maximumFractionDigits);
  }

  _list(words, cart, fixed) {
    set("total-label", words.say("total"));
    set("total", this._money(words, cart.total_minor));
    set("tax", words.say("tax", this._money(words, cart.tax_minor)));
    const as = JSON.stringify([words.language, cart.lines, fixed]);
    if (this._drawn === as) return;
    this._drawn = as;
    $("lines").replaceChildren(...cart.lines.map((line) => this._line(words, line, fixed)));
  }

  _line(words, { product, name, quantity, price_minor: price, amount_minor: amount }, fixed) {
    const title = words.of(name);
    const button = (what, text, act, label) => Object.assign(make("button", { type: "button", className: "quiet", textContent: text, disabled: fixed, onclick: act, ariaLabel: label }), { name: what });
    const shop = this._shop;
    const line = make("li", {},
      make("strong", { textContent: title }),
      make("span", { className: "price", textContent: words.say("each", this._money(words, price)) }),
      make("span", { className: "steps" },
        button("less", "−", () => shop.quantity(product, quantity - 1), words.say("less", title)),
        make("b", { textContent: String(quantity) }),
        button("more", "+", () => shop.quantity(product, quantity + 1), words.say("more", title)),
        button("remove", words.say("remove"), () => shop.remove(product), words.say("remove_it", title))),
      make("b", { className: "amount", textContent: this._money(words, amount) }));
    line.dataset.product = product;
    return line;
  }

  _exit(words, cart) {
    const { exit } = this._shop;
    const gone = cart.exit_code !== "ready";
    set("exit-title", words.say(gone ? "exit_read" : "exit"));
    set("exit-hint", gone ? "" : words.say("exit_hint"));
    set("exit-paid", words.say("paid", this._money(words, cart.total_minor)));
    $("exit-box").hidden = gone || exit === null;
    this._picture(gone ? null : exit);
    $("exit-code").alt = words.say("exit");
    set("exit-done", words.say("exit_done"));
  }

  _picture(exit) {
    const svg = exit?.svg ?? null;
    if (this._svg === svg) return;
    if ($("exit-code").src) URL.revokeObjectURL($("exit-code").src);
    this._svg = svg;
    if (svg === null) $("exit-code").removeAttribute("src");
    else $("exit-code").src = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  }
}
