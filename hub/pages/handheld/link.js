// One MQTT connection over WebSocket that comes back by itself. Every attempt is a client of its own, so that nothing is
// kept in a library's memory and said hours later; what has to be said again is the alert book's business.

import mqtt from "../vendor/mqtt.esm.js";
import { encodeStatus, newId, topics } from "./contract.js";

const KEEPALIVE_S = 10;
const RETRY_MS = [500, 10_000];
const REFUSED_RETRY_MS = 15_000;
const SILENT_MS = 15_000;
const NOT_GRANTED = 128;
const REFUSED_CODES = [4, 5];

const LOOPBACK = ["127.0.0.1", "localhost", "[::1]"];

// Where the broker is, by config.json and the address that the page came from. Loopback in config.json is the hub's own
// machine, not the phone: the page came from there, so the broker is sought there.
export function brokerUrl({ ws_url: given, ws_port: port }, page) {
  if (!given) return `${page.protocol === "https:" ? "wss" : "ws"}://${page.hostname}:${port}/mqtt`;
  const url = new URL(given);
  if (LOOPBACK.includes(url.hostname) && !LOOPBACK.includes(page.hostname)) url.hostname = page.hostname;
  return url.href;
}

// `onState({kind, detail})` hears connecting, connected, away, refused, forbidden; `onMessage(topic, bytes)` every message.
export class Link {
  constructor({ url, store, clerk, password, onState, onMessage }) {
    Object.assign(this, { url, store, clerk, password, onState, onMessage });
    this.topics = topics(store, clerk);
    this.connected = false;
    this._pauseMs = RETRY_MS[0];
    this._timer = null;
    this._client = null;
    this._lastHeard = 0;
  }

  start() {
    this._attempt();
  }

  // Sends at QoS 1 when connected; says whether it did.
  publish(topic, payload, retain = false) {
    if (!this.connected) return false;
    this._client.publish(topic, payload, { qos: 1, retain });
    return true;
  }

  sayReady() {
    this.publish(this.topics.status, encodeStatus(this.clerk, "ready"), true);
  }

  // The page is looked at again, or the network is back: do not wait for the next attempt, nor trust a connection that
  // has been silent through a phone's sleep.
  hurry() {
    if (this._timer !== null) {
      clearTimeout(this._timer);
      this._attempt();
    } else if (this.connected && Date.now() - this._lastHeard > SILENT_MS) {
      this._over("away", "silent");
      clearTimeout(this._timer);
      this._attempt();
    }
  }

  // Signs out: says so, then ends for good.
  stop() {
    clearTimeout(this._timer);
    const client = this._client;
    this._client = null;
    if (client === null) return;
    if (this.connected) {
      const bye = encodeStatus(this.clerk, "disconnected");
      client.publish(this.topics.status, bye, { qos: 1, retain: true }, () => client.end());
      setTimeout(() => client.end(true), 1000);
    } else {
      client.end(true);
    }
    this.connected = false;
  }

  _attempt() {
    this._timer = null;
    let client;
    try {
      client = mqtt.connect(this.url, this._options());
    } catch (error) {
      this._over("away", String(error.message ?? error));
      return;
    }
    this._client = client;
    const current = (act) => (...args) => {
      if (client === this._client) act(...args);
    };
    client.on("connect", current(() => this._subscribe(client, current)));
    client.on("packetreceive", current(() => (this._lastHeard = Date.now())));
    client.on("message", current((topic, bytes) => this.onMessage(topic, bytes)));
    client.on("error", current((error) => {
      const refused = REFUSED_CODES.includes(error.code);
      this._over(refused ? "refused" : "away", error.message ?? "");
    }));
    client.on("error", () => {}); // an old client's late error must not end the page's script
    client.on("close", current(() => this._over("away", "")));
  }

  _subscribe(client, current) {
    const wanted = { [this.topics.alert]: { qos: 1 }, [this.topics.hub]: { qos: 1 } };
    client.subscribe(wanted, current((error, _granted, packet) => {
      const denied = (packet?.granted ?? []).some((code) => code >= NOT_GRANTED);
      if (denied || error) {
        this._over(denied ? "forbidden" : "away", error?.message ?? this.topics.alert);
        return;
      }
      this.connected = true;
      this._pauseMs = RETRY_MS[0];
      this.sayReady();
      this.onState({ kind: "connected", detail: "" });
    }));
  }

  _over(kind, detail) {
    const client = this._client;
    this._client = null;
    this.connected = false;
    client?.end(true);
    const fixed = kind === "away" ? this._pauseMs : REFUSED_RETRY_MS;
    this._timer = setTimeout(() => this._attempt(), fixed * (0.5 + Math.random()));
    this._pauseMs = Math.min(this._pauseMs * 2, RETRY_MS[1]);
    this.onState({ kind, detail });
  }

  _options() {
    return {
      clientId: `clerk-${this.clerk}:page-${newId().slice(0, 8)}`,
      username: `clerk-${this.clerk}`,
      password: this.password,
      protocolVersion: 4,
      clean: true,
      keepalive: KEEPALIVE_S,
      connectTimeout: 5000,
      reconnectPeriod: 0,
      queueQoSZero: false,
      resubscribe: false,
      will: { topic: this.topics.status, payload: encodeStatus(this.clerk, "lost"), qos: 1, retain: true },
    };
  }
}
