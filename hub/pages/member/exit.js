// The exit code on this terminal: fetched when a list is paid, renewed while it is shown, gone once a lane has read it.
// Without a connection the code that was fetched stays until its time is over.

import { Trouble } from "./api.js";

const RETRY_S = 3;
const TYPING_S = 25; // a number is not taken away under the fingers of whoever types it
export const FORMS = ["qr", "bars", "digits", "nfc"];

// `on` has: draw(), taken(answer) with what the hub says of her list, read(cart) when a lane has read it, used() when she
// has passed. `memory` has
// kept() and keep(). `nfc` is `nfc.js`.
export class Exit {
  constructor({ api, memory, nfc, on }) {
    Object.assign(this, { _api: api, _memory: memory, _nfc: nfc, _on: on });
    const { form } = memory.kept();
    this.form = FORMS.includes(form) && (form !== "nfc" || nfc.possible) ? form : "qr";
    this.clear();
  }

  clear() {
    this._stop();
    Object.assign(this, { code: null, away: false, readAt: null, _seen: null, _left: null, _used: null });
  }

  get forms() {
    return FORMS.filter((form) => form !== "nfc" || this._nfc.possible);
  }

  // How long the code on the screen holds, and until the next one, in seconds.
  leftS(nowMs = performance.now()) {
    return this.code === null ? 0 : Math.max(0, (this.code.until - nowMs) / 1000);
  }

  nextS(nowMs = performance.now()) {
    return this.code === null ? 0 : Math.max(0, (this.code.next - nowMs) / 1000);
  }

  // Whether she is done with this list.
  over(cart) {
    return this._left === cart.sale;
  }

  choose(form) {
    this.form = form;
    this._memory.keep({ form });
    if (this.code !== null) this._schedule();
    this._tellNfc();
    this._on.draw();
  }

  // A state of her list. One that had been used before this page was opened is no news.
  hear(cart) {
    if (cart.state !== "paid") {
      this.readAt = null;
      this._hide();
      return;
    }
    if (cart.exit_code === "used" && this._seen !== cart.sale) this._left = cart.sale;
    else this._seen = cart.sale;
    if (cart.exit_code === "used" && this._used !== cart.sale && !this.over(cart)) {
      this._used = cart.sale;
      this._on.used();
    }
    const read = cart.exit_code === "read" || cart.exit_code === "used";
    if (!read) this.readAt = null;
    else if (this.readAt === null && !this.over(cart)) {
      this.readAt = Date.now();
      this._on.read(cart);
    }
    if (cart.exit_code !== "ready" || this.over(cart)) this._hide();
    else if (this._sale !== cart.sale) {
      this._sale = cart.sale;
      this._cart = cart;
      this._renew();
    }
  }

  // She is done with this screen.
  leave(cart) {
    this._left = cart.sale;
    this._hide();
    this._on.draw();
  }

  // She was done too early: nobody has read it yet.
  again(cart) {
    this._left = null;
    this.hear(cart);
    this._on.draw();
  }

  // The page was loaded anew and the store can't be reached: what was kept is still good until its time is over.
  remember() {
    const kept = this._memory.kept().exit;
    if (!kept || kept.until <= Date.now() || this._sale !== null) return;
    const left = kept.until - Date.now();
    this._on.taken({ cart: kept.cart, pay: null, currency: kept.currency });
    if (this._sale !== null && this.code === null) this._show(kept.exit, left / 1000, RETRY_S);
  }

  async _renew() {
    const sale = this._sale;
    let answer = null;
    try {
      answer = await this._api.exitCode();
    } catch (trouble) {
      if (!(trouble instanceof Trouble)) throw trouble;
    }
    if (sale !== this._sale) return;
    this.away = answer === null;
    if (answer === null) {
      this._timer = setTimeout(() => this._renew(), RETRY_S * 1000);
      if (this.leftS() === 0) this.code = null;
    } else if (answer.exit === null) {
      this.code = null;
      this._on.taken(answer);
    } else {
      const { left_s: left, again_s: again, ...exit } = answer.exit;
      this._memory.keep({ exit: { exit, cart: answer.cart, currency: answer.currency, until: Date.now() + left * 1000 } });
      this._show(exit, left, again);
    }
    this._on.draw();
  }

  _show(exit, leftS, againS) {
    const now = performance.now();
    this.code = { ...exit, until: now + leftS * 1000, again: now + againS * 1000, next: 0, whole: leftS };
    this._schedule();
    this._tellNfc();
  }

  _schedule() {
    clearTimeout(this._timer);
    const { again, until } = this.code;
    this.code.next = this.form === "digits" ? Math.max(again, until - TYPING_S * 1000) : again;
    this._timer = setTimeout(() => this._renew(), Math.max(0, this.code.next - performance.now()));
  }

  _tellNfc() {
    if (this.form === "nfc" && this.code !== null) this._nfc.offer(this.code.text, () => this._on.draw());
    else this._nfc.stop();
  }

  _stop() {
    clearTimeout(this._timer);
    this._nfc.stop();
    Object.assign(this, { _sale: null, _cart: null, _timer: null });
  }

  _hide() {
    if (this._sale !== null || this.code !== null) this._memory.keep({ exit: null });
    this._stop();
    Object.assign(this, { code: null, away: false });
  }
}
