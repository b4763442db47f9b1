// The stream of views from the agent. Silence is told: a view that may no longer be true must not stay.

const SILENT_MS = 4000; // the agent says something every second
const BROKEN_MS = 1200; // after a broken connection: an agent that is started anew needs longer, a hiccup does not
const LOOK_MS = 200;
const AGAIN_MS = 1000;

export class Link {
  // `onView(view, first)`: first of this connection; `onLost()` once per loss.
  constructor(url, { onView, onLost }) {
    this._url = url;
    this._onView = onView;
    this._onLost = onLost;
    this._version = null;
    this._lost = false;
    this._first = true;
    this._until = performance.now() + SILENT_MS;
    this._open();
    setInterval(() => this._look(), LOOK_MS);
  }

  _open() {
    this._source?.close();
    const source = new EventSource(this._url);
    this._source = source;
    source.addEventListener("hello", (event) => this._hello(event.data));
    source.addEventListener("beat", () => this._heard());
    source.addEventListener("message", (event) => this._view(event.data));
    source.addEventListener("error", () => this._broken(source));
  }

  _hello(version) {
    this._version ??= version;
    if (this._version !== version) location.reload(); // the agent has another page now
    this._first = true;
    this._heard();
  }

  _heard() {
    this._until = performance.now() + SILENT_MS;
  }

  _view(text) {
    this._heard();
    this._lost = false;
    const first = this._first;
    this._first = false;
    this._onView(JSON.parse(text), first);
  }

  _broken(source) {
    this._until = Math.min(this._until, performance.now() + BROKEN_MS);
    // Refused or no longer there: a browser gives up on that by itself, a display must not.
    if (source === this._source && source.readyState === EventSource.CLOSED) setTimeout(() => source === this._source && this._open(), AGAIN_MS);
  }

  _look() {
    if (this._lost || performance.now() < this._until) return;
    this._lost = true;
    this._first = true;
    this._onLost();
    this._open(); // also when the browser believes that the connection stands
  }
}
