// Notifications while this page is closed (web push). Only when she asks for it; she ends it where she began it.

import { Trouble } from "./api.js";

// `store` is what the store says of it: its key, and `title` and `text` of what she agrees to.
// `state`: unknown, none (this browser or this store has no push), off, on, refused (by the browser's settings), failed
export class Push {
  constructor({ api, words }) {
    Object.assign(this, { _api: api, _words: words, state: "unknown", busy: false, store: null });
  }

  async look() {
    if (!("serviceWorker" in navigator) || !("PushManager" in window) || !("Notification" in window)) {
      this.state = "none";
      return;
    }
    try {
      this.store = await this._api.pushKey();
    } catch (trouble) {
      if (!(trouble instanceof Trouble)) throw trouble;
      if (trouble.status === 404) this.state = "none";
      return;
    }
    const subscription = await this._subscription();
    this.state = !this.store.key ? "none" : Notification.permission === "denied" ? "refused" : subscription && this.store.subscribed ? "on" : "off";
  }

  // At a touch of hers.
  async begin() {
    await this._doing(async () => {
      if ((await Notification.requestPermission()) !== "granted") return "refused";
      const worker = await navigator.serviceWorker.ready;
      const subscription = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(this.store.key) });
      const { endpoint, keys } = subscription.toJSON();
      await this._api.push({ endpoint, keys, language: this._words().language, wording: this.store.wording });
      return "on";
    });
  }

  async end() {
    await this._doing(async () => {
      const subscription = await this._subscription();
      if (subscription) {
        await this._api.noPush(subscription.endpoint);
        await subscription.unsubscribe();
      }
      return "off";
    });
  }

  async _subscription() {
    const worker = await navigator.serviceWorker.getRegistration();
    return (await worker?.pushManager.getSubscription()) ?? null;
  }

  async _doing(act) {
    if (this.busy) return;
    this.busy = true;
    try {
      this.state = await act();
    } catch {
      this.state = "failed"; // the browser's push service, or the store, can't be reached
    } finally {
      this.busy = false;
    }
  }
}

function bytes(base64url) {
  const plain = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (sign) => sign.charCodeAt(0));
}
