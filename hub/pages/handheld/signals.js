// What makes a clerk look up: vibration, two tones, a flash of the whole screen; and what keeps the screen on.

import { Awake } from "../shared/awake.js";
import { Sound } from "../shared/sound.js";

const PATTERNS = {
  service_request: { vibrate: [300, 120, 300, 120, 600], tones: [880, 1175], colour: "service" },
  special_treatment: { vibrate: [120, 80, 120, 80, 120, 80, 120], tones: [659, 988, 659, 988], colour: "special" },
  coupon: { vibrate: [200], tones: [784], colour: "coupon" },
  lane: { vibrate: [500, 150, 500], tones: [660, 660, 880], colour: "lane" },
  lost: { vibrate: [700], tones: [330], colour: "lost" },
  taken: { vibrate: [60], tones: [], colour: null },
};

export class Signals {
  constructor(flash) {
    this._flash = flash;
    this._sound = new Sound();
    this._awake = new Awake();
    this._flashEnd = null;
  }

  // Browsers let a page sound only after a first touch. Call it in the handler of one.
  enableSound() {
    this._sound.enable();
  }

  get soundReady() {
    return this._sound.ready;
  }

  give(name) {
    const pattern = PATTERNS[name];
    navigator.vibrate?.(pattern.vibrate);
    this._sound.play(pattern.tones, { type: "triangle", toneS: 0.22, volume: 0.6 });
    if (pattern.colour !== null) this._light(pattern.colour);
  }

  // Says whether it holds; the footer shows it.
  keepScreenOn() {
    return this._awake.hold();
  }

  get screenKept() {
    return this._awake.held;
  }

  letScreenSleep() {
    this._awake.release();
  }

  _light(colour) {
    clearTimeout(this._flashEnd);
    this._flash.dataset.colour = "";
    void this._flash.offsetWidth; // begins the animation anew
    this._flash.dataset.colour = colour;
    this._flashEnd = setTimeout(() => (this._flash.dataset.colour = ""), 1600);
  }
}
