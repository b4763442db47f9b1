// The phone's camera as a reader of codes. It runs only while its picture is seen.

import { bestDecoder } from "./decoder.js";
import { Seen } from "./seen.js";

const PAUSE_MS = 80; // between two looks
const TROUBLE = {
  NotAllowedError: "refused", SecurityError: "refused", NotFoundError: "none", OverconstrainedError: "none", NotReadableError: "busy", AbortError: "busy",
};
const WANTED = { audio: false, video: { facingMode: { ideal: "environment" }, width: { ideal: 1280 }, height: { ideal: 720 } } };

// `state`: off, starting, on, refused (by her or the phone), none (no camera, or a page without https), busy (another program has
// it), broken (the decoder can't be loaded). `onCode(text)` hears each code that counts.
export class Camera {
  constructor({ video, onCode, draw }) {
    Object.assign(this, { _video: video, _onCode: onCode, _draw: draw, state: "off", light: false, looks: 0 });
    this._stream = null;
    this._decoder = null;
    this._run = 0;
    this._resumes = false;
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden" && this.open) this._pause();
      else if (document.visibilityState === "visible" && this._resumes) this.start();
    });
  }

  get open() {
    return this.state === "on" || this.state === "starting";
  }

  get possible() {
    return navigator.mediaDevices?.getUserMedia !== undefined;
  }

  async start() {
    if (this.open) return;
    const run = ++this._run;
    this._resumes = false;
    this._to("starting");
    try {
      if (!this.possible) throw new DOMException("no camera here", "NotFoundError");
      const stream = await navigator.mediaDevices.getUserMedia(WANTED);
      if (run !== this._run) return stop(stream); // closed meanwhile
      this._stream = stream;
      stream.getVideoTracks()[0].addEventListener("ended", () => run === this._run && this._end("busy"));
      this._video.srcObject = stream;
      await this._video.play();
      this._decoder ??= await bestDecoder();
    } catch (error) {
      if (run === this._run) this._end(TROUBLE[error.name] ?? "busy");
      return;
    }
    if (run !== this._run) return;
    this._to("on");
    this._look(run, new Seen());
  }

  stop() {
    this._resumes = false;
    this._end("off");
    this._decoder?.close();
    this._decoder = null;
  }

  get hasLight() {
    return this._stream?.getVideoTracks()[0]?.getCapabilities?.().torch === true;
  }

  async switchLight() {
    const track = this._stream?.getVideoTracks()[0];
    try {
      await track?.applyConstraints({ advanced: [{ torch: !this.light }] });
      this.light = !this.light;
    } catch {
      this.light = false;
    }
    this._draw();
  }

  _pause() {
    this._end("off");
    this._resumes = true;
  }

  _end(state) {
    this._run += 1;
    if (this._stream !== null) stop(this._stream);
    this._stream = null;
    this._video.srcObject = null;
    this.light = false;
    this._to(state);
  }

  _to(state) {
    this.state = state;
    this._draw();
  }

  async _look(run, seen) {
    let failures = 0;
    while (run === this._run) {
      try {
        if (this._video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA && this._video.videoWidth > 0) {
          const found = await this._decoder.read(this._video);
          if (run !== this._run) return;
          this.looks += 1;
          failures = 0;
          for (const text of seen.hear(found, performance.now())) this._onCode(text);
        }
      } catch {
        if (run !== this._run) return;
        failures += 1;
        if (failures >= 3) {
          this._decoder?.close();
          this._decoder = null;
          this._end("broken");
          return;
        }
      }
      await new Promise((done) => setTimeout(done, PAUSE_MS));
    }
  }
}

function stop(stream) {
  for (const track of stream.getTracks()) track.stop();
}
