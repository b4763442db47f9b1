// The terminal's WebSocket to the hub. It comes back by itself, and finds out when it is dead though nobody said so.

const RETRY_MS = [800, 20_000];
const CHECK_MS = 20_000;
const SIGNED_OUT = 4401;

// `onState(kind)` hears connecting, connected, away, signed_out; `onFrame(text)` every frame.
export class Link {
  constructor({ onState, onFrame }) {
    Object.assign(this, { onState, onFrame, connected: false });
    this._socket = null;
    this._pauseMs = RETRY_MS[0];
    this._timer = null;
    this._check = null;
    this._stopped = true;
  }

  start() {
    if (!this._stopped) return;
    this._stopped = false;
    this._check = setInterval(() => this.verify(), CHECK_MS);
    this._attempt();
  }

  stop() {
    this._stopped = true;
    clearTimeout(this._timer);
    clearInterval(this._check);
    this._drop();
  }

  // Says whether it was sent.
  send(text) {
    if (!this.connected) return false;
    this._socket.send(text);
    return true;
  }

  // The page is looked at again, or the network is back.
  hurry() {
    if (this._stopped) return;
    if (this.connected) this.verify();
    else {
      clearTimeout(this._timer);
      this._attempt();
    }
  }

  // A connection over a network that has silently gone stays open for minutes: ask in another way whether the hub is there.
  async verify() {
    const socket = this._socket;
    if (!this.connected || document.visibilityState !== "visible") return;
    try {
      await fetch("./api/about", { cache: "no-store", signal: AbortSignal.timeout?.(8000) });
    } catch {
      if (socket === this._socket) this._over("away");
    }
  }

  _attempt() {
    this._drop();
    this.onState("connecting");
    const url = new URL("./ws", location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = (this._socket = new WebSocket(url.href.split("#")[0]));
    const mine = (act) => (event) => {
      if (socket === this._socket) act(event);
    };
    socket.addEventListener("open", mine(() => {
      this.connected = true;
      this._pauseMs = RETRY_MS[0];
      this.onState("connected");
    }));
    socket.addEventListener("message", mine((event) => this.onFrame(event.data)));
    socket.addEventListener("close", mine((event) => this._over(event.code === SIGNED_OUT ? "signed_out" : "away")));
  }

  _over(kind) {
    this._drop();
    if (!this._stopped) this._timer = setTimeout(() => this._attempt(), this._pauseMs * (0.5 + Math.random()));
    this._pauseMs = Math.min(this._pauseMs * 2, RETRY_MS[1]);
    this.onState(kind);
  }

  _drop() {
    const socket = this._socket;
    this._socket = null;
    this.connected = false;
    socket?.close();
  }
}
