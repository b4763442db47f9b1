// How a coupon announces itself: vibration, two tones, a notification when she has allowed them.

const TONES_HZ = [784, 1047];
const TONE_S = 0.2;
const VOLUME = 0.5;

export class Signals {
  constructor() {
    this._audio = null;
  }

  // Browsers let a page sound only after a first touch. Call it in the handler of one.
  enableSound() {
    const Audio = window.AudioContext ?? window.webkitAudioContext;
    if (Audio === undefined) return;
    this._audio ??= new Audio();
    if (this._audio.state !== "running") this._audio.resume().catch(() => {});
  }

  get canAskToNotify() {
    return "Notification" in window && Notification.permission === "default";
  }

  async askToNotify() {
    await Notification.requestPermission().catch(() => {});
  }

  async announce(title, body) {
    navigator.vibrate?.([120, 80, 240]);
    if (this._audio?.state === "running") this._sound();
    if (!("Notification" in window) || Notification.permission !== "granted" || document.visibilityState === "visible") return;
    const worker = await navigator.serviceWorker?.ready;
    await worker?.showNotification(title, { body, icon: "./icon-192.png", tag: "coupon" }).catch(() => {});
  }

  _sound() {
    const start = this._audio.currentTime + 0.02;
    TONES_HZ.forEach((hertz, index) => {
      const tone = this._audio.createOscillator();
      const gain = this._audio.createGain();
      const from = start + index * TONE_S;
      tone.frequency.value = hertz;
      gain.gain.setValueAtTime(0, from);
      gain.gain.linearRampToValueAtTime(VOLUME, from + 0.02);
      gain.gain.linearRampToValueAtTime(0, from + TONE_S);
      tone.connect(gain).connect(this._audio.destination);
      tone.start(from);
      tone.stop(from + TONE_S);
    });
  }
}
