// Shopping, put together: her list, the camera, payment, the exit code; and the buttons of that part of the page.

import { $ } from "../shared/dom.js";
import { Awake } from "../shared/awake.js";
import { Camera } from "./camera.js";
import { Exit } from "./exit.js";
import { ExitView } from "./exit_view.js";
import { nfc } from "./nfc.js";
import { Scanner } from "./scanner.js";
import { Shop } from "./shop.js";
import { ShopView } from "./shop_view.js";

export class Shopping {
  // `app` has words, me, tab, shelf; `on` has draw(), on(id, event, act), refresh(), open(coupon)
  constructor({ app, api, memory, signals, on }) {
    Object.assign(this, { _app: app, _api: api, _memory: memory, _on: on });
    const { draw } = on;
    this.exit = new Exit({
      api, memory, nfc,
      on: { draw, taken: (answer) => this.shop.take(answer), read: (cart) => this._read(cart, signals), used: on.refresh },
    });
    this.shop = new Shop({ api, draw, exit: this.exit, memory });
    this.scanner = new Scanner({ api, shop: this.shop, signals, draw, leaving: () => this.leaving, claimed: () => this.leaving && this.camera.stop() });
    this.camera = new Camera({ video: $("camera"), onCode: (text) => this.scanner.read(text), draw });
    this._view = new ShopView(this);
    this._exitView = new ExitView({
      shop: this.shop, exit: this.exit, nfc, camera: this.camera, shelf: () => app.shelf, on: { choose: (form) => this.exit.choose(form), open: on.open },
    });
    this._awake = new Awake();
    this._wire(on.on);
  }

  // A lane has read her code: what is left is the coupon, perhaps on its display.
  get leaving() {
    return this.shop.stage === "paid" && this.exit.readAt !== null;
  }

  // Reads a coupon from a lane's display.
  readCoupon() {
    this.scanner.clear();
    scrollTo(0, 0);
    this.camera.start();
  }

  clear() {
    this.camera.stop();
    this.scanner.clear();
    this.shop.clear();
    this._awake.release();
    this._memory.keep({ exit: null, paying: null }); // the next one here is not shown this one's code
  }

  // The store can't be reached, perhaps since before this page was loaded.
  away() {
    if (this.shop.cart === null) this.exit.remember();
  }

  draw(words, now) {
    const { me, tab } = this._app;
    const working = tab === "shop" && (["empty", "open"].includes(this.shop.stage) || this.leaving);
    if (this.camera.open && !working) this.camera.stop();
    const bright = tab === "shop" && this.exit.code !== null;
    if (bright && document.body.dataset.bright !== "true") scrollTo(0, 0);
    Object.assign(document.body.dataset, { bright: String(bright), leaving: String(tab === "shop" && this.leaving), camera: String(this.camera.open) });
    if (bright || (this.camera.open && working)) this._awake.hold();
    else this._awake.release();
    this._view.draw(words, tab, this.leaving);
    this._exitView.draw(words, { me, tab, now });
    document.body.dataset.bar = String(!$("shop-bar").hidden || !$("exit-bar").hidden);
  }

  // Thanks are heard too.
  _read(cart, signals) {
    const { words, me } = this._app;
    this._exitView.before = new Set((me.brought ?? []).map(({ coupon }) => coupon));
    signals.exit(words.say(cart.promise?.holds ? "exit_aloud_coupon" : "exit_aloud"), words.language);
  }

  _wire(on) {
    const { shop, camera, scanner } = this;
    on("scan", "click", () => {
      scanner.clear();
      if (camera.open) camera.stop();
      else {
        scrollTo(0, 0);
        camera.start();
      }
    });
    on("finder-close", "click", () => camera.stop());
    on("light", "click", () => camera.switchLight());
    on("shop-add", "submit", async () => {
      const typed = $("product").value.trim();
      if (typed !== "" && (await shop.add(typed))) $("product").value = "";
    });
    on("shop-cancel", "click", () => shop.cancel());
    on("shop-pay", "click", () => {
      camera.stop();
      shop.pay();
    });
    on("till", "click", () => this._device());
    on("to-till", "click", () => this._device());
    on("device-close", "click", () => {
      shop.device = null;
      this._on.draw();
    });
    on("paying-cancel", "click", () => shop.stopPaying());
    on("paying-simulated", "click", () => shop.simulate("paid"));
    on("exit-coupon-read", "click", () => this.readCoupon());
    on("exit-again", "click", () => this.exit.again(shop.cart));
    on("exit-done", "click", () => this.exit.leave(shop.cart));
  }

  async _device() {
    this.camera.stop();
    await this.shop.showDevice();
    scrollTo(0, 0);
  }
}
