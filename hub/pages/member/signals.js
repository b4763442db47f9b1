// What the page sounds, shakes and says aloud: a coupon that came, a code that was read, the exit.

import { Sound } from "../shared/sound.js";

const SIGNS = {
  coupon: { tones: [784, 1047], shake: [120, 80, 240] },
  read: { tones: [1319], toneS: 0.09, shake: [60] },
  wrong: { tones: [262, 220], toneS: 0.16, shake: [90, 70, 90] },
  exit: { tones: [659, 880, 1175], toneS: 0.16, shake: [200] },
};

export class Signals {
  constructor() {
    this._sound = new Sound();
  }

  enableSound() {
    this._sound.enable();
  }

  read() {
    this._give("read");
  }

  wrong() {
    this._give("wrong");
  }

  // The exit code was read: as at the lane, also to be heard.
  exit(text, language) {
    this._give("exit");
    const voice = window.speechSynthesis;
    if (voice === undefined || !this._sound.ready || document.visibilityState !== "visible") return;
    voice.cancel();
    voice.speak(Object.assign(new SpeechSynthesisUtterance(text), { lang: language === "ja" ? "ja-JP" : "en-GB" }));
  }

  get canAskToNotify() {
    return "Notification" in window && Notification.permission === "default";
  }

  async askToNotify() {
    await Notification.requestPermission().catch(() => {});
  }

  async announce(title, body) {
    this._give("coupon");
    if (!("Notification" in window) || Notification.permission !== "granted" || document.visibilityState === "visible") return;
    const worker = await navigator.serviceWorker?.ready;
    await worker?.showNotification(title, { body, icon: "./icon-192.png", tag: "coupon" }).catch(() => {});
  }

  _give(name) {
    const { tones, toneS, shake } = SIGNS[name];
    navigator.vibrate?.(shake);
    this._sound.play(tones, { toneS });
  }
}
