// Shopping on this terminal: her list as the hub has it, and what she does with it. The list lives at the hub; here is only what
// is on the screen. What comes after payment is `exit.js`.

import { Trouble } from "./api.js";
import { newId } from "./contract.js";

const SURE_MS = 5000;
const RETRY_MS = 600;
const QUEUE_MAX = 20; // codes that were read while an answer was awaited

export class Shop {
  // `exit` hears of every state of the list. `memory` has kept() and keep().
  constructor({ api, draw, exit, memory }) {
    Object.assign(this, { _api: api, _draw: draw, _exit: exit, _memory: memory });
    this.clear();
  }

  clear() {
    Object.assign(this, {
      cart: null, provider: null, currency: "JPY", problem: null, away: false, busy: false, sure: false, open: null, device: null, lapsed: false, _queue: [], _stopped: null,
    });
    this._exit.clear();
  }

  // What the hub says of her list. An older state than the one on the screen is none.
  hear(cart) {
    if (cart === null || (this.cart !== null && cart.revision < this.cart.revision)) return;
    const changed = this.cart === null || cart.revision !== this.cart.revision;
    if (changed) this.sure = false;
    if (this.cart?.cart !== cart.cart || cart.state !== "open") this.device = null;
    else if (changed && this.device !== null) this.showDevice(() => this.device !== null); // what it brings may be another coupon now
    if (changed) this._hearPayment(cart);
    this.cart = cart;
    if (cart.state !== "paying") this.open = null;
    this._exit.hear(cart);
  }

  // `lapsed`: a payment came to nothing, and not because she stopped it; also while this page was closed.
  _hearPayment(cart) {
    const paying = paymentOf(this.cart) ?? this._memory.kept().paying ?? null;
    this.lapsed = paying !== null && paying.cart === cart.cart && cart.state === "open" && paying.payment !== this._stopped;
    const now = paymentOf(cart);
    if (paying?.payment !== now?.payment) this._memory.keep({ paying: now });
    else if (now !== null) this.open ??= this._memory.kept().paying?.open ?? null; // this page was loaded anew
  }

  // The list that is worked on: none once it is paid and the exit is done, or cancelled.
  get stage() {
    const { cart } = this;
    if (cart === null || cart.state === "cancelled" || (cart.state === "paid" && this._exit.over(cart))) return "empty";
    return cart.state === "open" && cart.lines.length === 0 ? "empty" : cart.state;
  }

  async load() {
    await this._ask(() => this._api.cart());
    if (this.away) this._exit.remember();
  }

  // One after the other: a camera may read faster than the hub answers. Says how it went.
  add(product) {
    if (this._queue.length >= QUEUE_MAX) return Promise.resolve(false);
    return new Promise((done) => {
      this._queue.push({ product, done });
      if (this._queue.length === 1) this._addAll();
    });
  }

  async _addAll() {
    while (this._queue.length > 0) {
      const { product, done } = this._queue[0];
      await this._command("add", { product });
      this._queue.shift();
      done(this.problem === null && !this.away);
    }
  }

  quantity(product, quantity) {
    return this._command("quantity", { product, quantity, cart: this.cart.cart });
  }

  remove(product) {
    return this._command("remove", { product, cart: this.cart.cart });
  }

  // Asks once.
  cancel() {
    if (this.sure) return this._command("cancel", { cart: this.cart.cart });
    this.sure = true;
    setTimeout(() => ((this.sure = false), this._draw()), SURE_MS);
    this._draw();
    return Promise.resolve();
  }

  pay() {
    return this._command("pay", { cart: this.cart.cart, revision: this.cart.revision });
  }

  stopPaying() {
    this._stopped = this.cart.payment;
    return this._do(() => this._api.shop("pay/cancel", { payment: this.cart.payment }));
  }

  // The list's code for a settlement device, with what the exit will bring if it is paid there. `still()`: whether it is wanted
  // once it has come.
  async showDevice(still = () => true) {
    try {
      const device = await this._api.device();
      if (still()) Object.assign(this, { device, problem: null, away: false });
    } catch (trouble) {
      if (!(trouble instanceof Trouble)) throw trouble;
      if (!still()) return;
      Object.assign(this, { device: null, problem: trouble.problems[0] ?? null, away: trouble.problems.length === 0 });
    }
    this._draw();
  }

  simulate(outcome) {
    return this._do(() => this._api.shop("pay/simulate", { payment: this.cart.payment, outcome }));
  }

  // The same ID when the answer was lost: the hub does it once.
  _command(what, fields) {
    const command = newId();
    return this._do(() => this._api.shop(what, { command, ...fields }));
  }

  async _do(act) {
    while (this.busy) await this._done;
    Object.assign(this, { busy: true, problem: null, away: false, lapsed: false });
    let done;
    this._done = new Promise((resolve) => (done = resolve));
    this._draw();
    try {
      await this._ask(act, 1);
    } finally {
      this.busy = false;
      done();
      this._draw();
    }
  }

  async _ask(act, again = 0) {
    try {
      this.take(await act());
      this.away = false;
    } catch (trouble) {
      if (!(trouble instanceof Trouble)) throw trouble;
      if (trouble.status === 0 && again > 0) {
        await new Promise((done) => setTimeout(done, RETRY_MS));
        await this._ask(act, again - 1);
        return;
      }
      if (trouble.cart !== undefined) this.hear(trouble.cart); // another terminal changed it: she sees what it is now
      this.problem = trouble.problems[0] ?? null;
      this.away = this.problem === null;
    }
  }

  take({ cart, pay, currency, open }) {
    Object.assign(this, { provider: pay, currency });
    this.hear(cart);
    if (open === undefined || cart?.state !== "paying") return;
    this.open = open;
    this._memory.keep({ paying: { ...paymentOf(cart), open } });
  }
}

function paymentOf(cart) {
  return cart?.state === "paying" ? { cart: cart.cart, payment: cart.payment } : null;
}
