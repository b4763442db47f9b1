// Draws what comes after payment: screens d101 and d102 of the seed, and the thanks once the code was read.

import { $, make, picture, set } from "../shared/dom.js";

export class ExitView {
  // `on` has choose(form)
  constructor({ shop, exit, nfc, camera, shelf, on }) {
    Object.assign(this, { _shop: shop, _exit: exit, _nfc: nfc, _camera: camera, _shelf: shelf, _on: on, _drawn: "", _given: "", before: new Set() });
  }

  draw(words, { me, tab, now }) {
    const { stage, cart } = this._shop;
    const paid = stage === "paid";
    const read = paid && this._exit.readAt !== null;
    $("exit-bar").hidden = !paid || tab !== "shop";
    $("shop-exit").dataset.read = String(read);
    if (!paid) return;
    set("exit-title", words.say(read ? (cart.exit_code === "used" ? "exit_thanks" : "exit_read") : "exit"));
    set("exit-paid", words.say("paid", words.money(cart.total_minor, this._shop.currency)));
    set("exit-done", words.say("exit_done"));
    $("exit-show").hidden = read;
    $("exit-after").hidden = !read;
    if (read) this._after(words, cart, me, now);
    else this._code(words, cart);
  }

  _code(words, cart) {
    const { code, form, away } = this._exit;
    const over = code === null && away;
    this._choices(words);
    set("exit-coupon-text", cart.promise?.holds ? words.say("coupon_follows", words.of(cart.promise.title)) : "");
    $("exit-coupon").hidden = !cart.promise?.holds;
    $("promise").hidden = true; // said here
    $("exit-box").hidden = code === null;
    $("exit-box").dataset.form = form;
    picture($("exit-code"), code !== null && form === "qr" ? code.svg : null);
    picture($("exit-bars"), code !== null && form === "bars" ? code.bars : null);
    $("exit-code").hidden = form !== "qr";
    $("exit-bars").hidden = form !== "bars";
    $("exit-nfc").hidden = form !== "nfc";
    $("exit-digits").hidden = form !== "digits" && form !== "bars";
    $("exit-code").alt = words.say("exit");
    $("exit-bars").alt = words.say("exit");
    this._digits(code?.digits ?? "");
    set("exit-nfc-state", words.say(`nfc_${this._nfc.state}`));
    set("exit-hint", over ? "" : words.say(`exit_hint_${form}`));
    $("exit-over").hidden = !over;
    set("exit-over", over ? words.say("exit_over") : "");
    this._time(words);
  }

  // Read aloud digit by digit, not as a number of billions.
  _digits(digits) {
    const groups = digits.match(/\d{4}/g) ?? [];
    if ($("exit-digits").dataset.digits === digits) return;
    $("exit-digits").dataset.digits = digits;
    $("exit-digits").ariaLabel = groups.map((group) => [...group].join(" ")).join(", ");
    $("exit-digits").replaceChildren(...groups.map((group) => make("span", { textContent: group })));
  }

  _time(words) {
    const { code, away } = this._exit;
    $("exit-time").hidden = code === null;
    if (code === null) return;
    const left = Math.ceil(this._exit.leftS());
    set("exit-left", away ? words.say("exit_left_away", left) : words.say("exit_next", Math.ceil(this._exit.nextS())));
    $("exit-left").dataset.away = String(away);
    Object.assign($("exit-meter"), { max: code.whole, value: left });
  }

  _choices(words) {
    const { forms, form } = this._exit;
    const as = JSON.stringify([words.language, forms, form]);
    if (this._drawn === as) return;
    this._drawn = as;
    $("exit-forms").ariaLabel = words.say("exit_forms");
    $("exit-forms").replaceChildren(...forms.map((each) => {
      const button = make("button", { type: "button", textContent: words.say(`form_${each}`), onclick: () => this._on.choose(each) });
      button.dataset.form = each;
      button.ariaPressed = String(each === form);
      return button;
    }));
  }

  // Thanks, what was given with its explanation, and her points. What is on paper, or in points only, is no coupon on her terminal.
  _after(words, cart, me, now) {
    set("exit-go", words.say(cart.exit_code === "used" ? "exit_bye" : "exit_go"));
    set("exit-points", words.say("points", words.number(me.points)));
    const since = this._exit.readAt - 3000;
    const given = this._shelf().rows(now).filter((each) => each.changed >= since && each.state === "offered");
    $("exit-coupon-read").hidden = cart.exit_code === "used" || this._camera.open || given.length > 0;
    set("exit-coupon-read", words.say("coupon_read"));
    const shown = new Set(given.map((each) => each.coupon));
    const brought = (me.brought ?? []).filter((each) => !this.before.has(each.coupon) && !shown.has(each.coupon));
    const as = JSON.stringify([words.language, given.map((each) => [each.coupon, each.revision]), brought]);
    if (this._given === as) return;
    this._given = as;
    $("exit-given").replaceChildren(...given.map((each) => this._coupon(words, each, now)), ...brought.map((each) => make("li", {},
      make("small", { textContent: words.say("brought_today") }),
      make("strong", { textContent: words.of(each.title) }),
      each.points > 0 ? make("span", { textContent: words.say("brought_points", words.number(each.points)) }) : null)));
  }

  _coupon(words, coupon, now) {
    return make("li", {}, make("button", { type: "button", onclick: () => this._on.open(coupon.coupon) },
      make("small", { textContent: words.say("given") }),
      make("strong", { textContent: words.of(coupon.title) }),
      coupon.text === null ? null : make("span", { textContent: words.of(coupon.text) }),
      make("small", { textContent: coupon.from > now ? words.say("from", words.day(coupon.from)) : words.say("until", words.day(coupon.until)) })));
  }
}
