// Shopping on this terminal: her list as the hub has it, what she does with it, and the exit code. The list lives at the hub;
// here is only what is on the screen.

import { newId } from "./contract.js";
import { Trouble } from "./api.js";

const SURE_MS = 5000;
const RETRY_MS = 600;

export class Shop {
  constructor({ api, draw }) {
    Object.assign(this, { _api: api, _draw: draw });
    this.clear();
  }

  clear() {
    clearTimeout(this._timer);
    Object.assign(this, { cart: null, provider: null, currency: "JPY", problem: null, away: false, busy: false, sure: false, exit: null, open: null, left: null, _seen: null, _shown: null, _timer: null });
  }

  // What the hub says of her list. An older state than the one on the screen is none.
  hear(cart) {
    if (cart === null || (this.cart !== null && cart.revision < this.cart.revision)) return;
    if (this.cart === null || cart.revision !== this.cart.revision) Object.assign(this, { sure: false });
    this.cart = cart;
    if (cart.state !== "paying") this.open = null;
    if (cart.state === "paid") this._exit(cart);
    else this._hide();
  }

  // The list that is worked on: none once it is paid and the exit is done, or cancelled.
  get stage() {
    const { cart } = this;
    if (cart === null || cart.state === "cancelled" || (cart.state === "paid" && this.left === cart.sale)) return "empty";
    return cart.state === "open" && cart.lines.length === 0 ? "empty" : cart.state;
  }

  async load() {
    await this._ask(() => this._api.cart());
  }

  add(product) {
    return this._command("add", { product });
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
    return this._do(() => this._api.shop("pay/cancel", { payment: this.cart.payment }));
  }

  simulate(outcome) {
    return this._do(() => this._api.shop("pay/simulate", { payment: this.cart.payment, outcome }));
  }

  // The customer is done with this screen.
  leave() {
    this.left = this.cart.sale;
    this._hide();
    this._draw();
  }

  // The same ID when the answer was lost: the hub does it once.
  _command(what, fields) {
    const command = newId();
    return this._do(() => this._api.shop(what, { command, ...fields }));
  }

  async _do(act) {
    if (this.busy) return;
    Object.assign(this, { busy: true, problem: null, away: false });
    this._draw();
    try {
      await this._ask(act, 1);
    } finally {
      this.busy = false;
      this._draw();
    }
  }

  async _ask(act, again = 0) {
    try {
      this._take(await act());
    } catch (trouble) {
      if (!(trouble instanceof Trouble)) throw trouble;
      if (trouble.status === 0 && again > 0) {
        await new Promise((done) => setTimeout(done, RETRY_MS));
        await this._ask(act, again - 1);
        return;
      }
      this.problem = trouble.problems[0] ?? null;
      this.away = this.problem === null;
    }
  }

  _take({ cart, pay, currency, open }) {
    Object.assign(this, { provider: pay, currency });
    this.hear(cart);
    if (open !== undefined) this.open = open;
  }

  // The exit code, renewed while it is shown. One that had been used before this page was opened is no news.
  _exit(cart) {
    if (cart.exit_code === "used" && this._seen !== cart.sale) this.left = cart.sale;
    else this._seen = cart.sale;
    if (cart.exit_code !== "ready" || this.left === cart.sale) this._hide();
    else if (this._shown !== cart.sale) {
      this._shown = cart.sale;
      this._renew();
    }
  }

  async _renew() {
    const sale = this._shown;
    let againS = 5;
    try {
      const answer = await this._api.exitCode();
      if (sale !== this._shown) return;
      this.exit = answer.exit;
      if (answer.exit === null) {
        this._take(answer);
        return;
      }
      againS = answer.exit.again_s;
    } catch (trouble) {
      if (!(trouble instanceof Trouble)) throw trouble;
    }
    if (sale !== this._shown) return;
    this._timer = setTimeout(() => this._renew(), againS * 1000);
    this._draw();
  }

  _hide() {
    clearTimeout(this._timer);
    Object.assign(this, { exit: null, _shown: null, _timer: null });
  }
}
