// What makes a clerk look up: vibration, two tones, a flash of the whole screen; and what keeps the screen on.

const PATTERNS = {
  service_request: { vibrate: [300, 120, 300, 120, 600], tones: [880, 1175], colour: "service" },
  special_treatment: { vibrate: [120, 80, 120, 80, 120, 80, 120], tones: [659, 988, 659, 988], colour: "special" },
  coupon: { vibrate: [200], tones: [784], colour: "coupon" },
  lane: { vibrate: [500, 150, 500], tones: [660, 660, 880], colour: "lane" },
  lost: { vibrate: [700], tones: [330], colour: "lost" },
  taken: { vibrate: [60], tones: [], colour: null },
};
const TONE_S = 0.22;
const VOLUME = 0.6;

export class Signals {
  constructor(flash) {
    this._flash = flash;
    this._audio = null;
    this._lock = null;
    this._flashEnd = null;
  }

  // Browsers let a page sound only after a first touch. Call it in the handler of one.
  enableSound() {
    const Audio = window.AudioContext ?? window.webkitAudioContext;
    if (Audio === undefined) return;
    this._audio ??= new Audio();
    if (this._audio.state !== "running") this._audio.resume().catch(() => {});
  }

  get soundReady() {
    return this._audio?.state === "running";
  }

  give(name) {
    const pattern = PATTERNS[name];
    navigator.vibrate?.(pattern.vibrate);
    if (this.soundReady) this._sound(pattern.tones);
    if (pattern.colour !== null) this._light(pattern.colour);
  }

  // Keeps the screen on while the page is seen. Works on https (or localhost) only; says whether it holds.
  async keepScreenOn() {
    if (document.visibilityState !== "visible" || !("wakeLock" in navigator)) return this.screenKept;
    try {
      if (!this.screenKept) this._lock = await navigator.wakeLock.request("screen");
    } catch {
      // A phone that saves its battery refuses; the footer shows it.
      this._lock = null;
    }
    return this.screenKept;
  }

  get screenKept() {
    return this._lock !== null && !this._lock.released;
  }

  letScreenSleep() {
    this._lock?.release().catch(() => {});
    this._lock = null;
  }

  _sound(tones) {
    const start = this._audio.currentTime + 0.02;
    tones.forEach((hertz, index) => {
      const tone = this._audio.createOscillator();
      const gain = this._audio.createGain();
      const from = start + index * TONE_S;
      tone.type = "triangle";
      tone.frequency.value = hertz;
      gain.gain.setValueAtTime(0, from);
      gain.gain.linearRampToValueAtTime(VOLUME, from + 0.02);
      gain.gain.linearRampToValueAtTime(0, from + TONE_S);
      tone.connect(gain).connect(this._audio.destination);
      tone.start(from);
      tone.stop(from + TONE_S);
    });
  }

  _light(colour) {
    clearTimeout(this._flashEnd);
    this._flash.dataset.colour = "";
    void this._flash.offsetWidth; // begins the animation anew
    this._flash.dataset.colour = colour;
    this._flashEnd = setTimeout(() => (this._flash.dataset.colour = ""), 1600);
  }
}
