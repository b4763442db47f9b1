// What becomes of a code that the camera has read: a product for her list, or the coupon on a lane's display.

import { Trouble } from "./api.js";

const COUPON = /^COUPON:([A-Za-z0-9][A-Za-z0-9_.-]{0,63})$/;
const OURS = /^(IS1|MEMBER):/; // an exit code, a member card: neither is a product
const SHOWN_MS = 6000;

// `said` is what the last code brought: {kind: added, problem, coupon, not_product, not_coupon, trouble; …}, or null.
export class Scanner {
  // `leaving()`: whether she is at the exit, where only a coupon is meant; `claimed()` hears of one.
  constructor({ api, shop, signals, draw, leaving, claimed }) {
    Object.assign(this, { _api: api, _shop: shop, _signals: signals, _draw: draw, _leaving: leaving, _claimed: claimed, said: null, _timer: null });
  }

  async read(text) {
    const coupon = COUPON.exec(text);
    if (coupon !== null) await this._claim(coupon[1]);
    else if (this._leaving()) this._say({ kind: "not_coupon" }, false);
    else if (OURS.test(text)) this._say({ kind: "not_product" }, false);
    else await this._add(text);
  }

  clear() {
    clearTimeout(this._timer);
    this.said = null;
  }

  async _add(text) {
    const before = new Map((this._shop.cart?.lines ?? []).map((line) => [line.product, line.quantity]));
    const cart = this._shop.cart?.cart;
    if (await this._shop.add(text)) {
      const { lines, cart: now } = this._shop.cart;
      const line = lines.find((each) => now !== cart || each.quantity > (before.get(each.product) ?? 0));
      this._say({ kind: "added", line: line ?? lines.at(-1) }, true);
    } else {
      const problem = this._shop.problem;
      this._shop.problem = null; // said at the camera
      this._say(problem === null ? { kind: "trouble" } : { kind: "problem", problem, code: text }, false);
    }
  }

  async _claim(code) {
    try {
      this._say({ kind: "coupon", words: await this._api.claimCoupon(code) }, true);
      this._claimed();
    } catch (trouble) {
      if (!(trouble instanceof Trouble)) throw trouble;
      const [problem] = trouble.problems;
      this._say(problem === undefined ? { kind: "trouble" } : { kind: "problem", problem, code }, false);
    }
  }

  _say(said, good) {
    clearTimeout(this._timer);
    this.said = said;
    this._signals[good ? "read" : "wrong"]();
    this._timer = setTimeout(() => ((this.said = null), this._draw()), SHOWN_MS);
    this._draw();
  }
}
