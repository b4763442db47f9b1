// Tones, made in the browser: no file to load, and they sound without a connection.

const VOLUME = 0.5;

export class Sound {
  constructor() {
    this._audio = null;
  }

  // Browsers let a page sound only after a first touch. Call it in the handler of one.
  enable() {
    const Audio = window.AudioContext ?? window.webkitAudioContext;
    if (Audio === undefined) return;
    this._audio ??= new Audio();
    if (this._audio.state !== "running") this._audio.resume().catch(() => {});
  }

  get ready() {
    return this._audio?.state === "running";
  }

  // Tones in Hz, one after the other.
  play(tones, { type = "sine", toneS = 0.2, volume = VOLUME } = {}) {
    if (!this.ready) return;
    const start = this._audio.currentTime + 0.02;
    tones.forEach((hertz, index) => {
      const tone = this._audio.createOscillator();
      const gain = this._audio.createGain();
      const from = start + index * toneS;
      tone.type = type;
      tone.frequency.value = hertz;
      gain.gain.setValueAtTime(0, from);
      gain.gain.linearRampToValueAtTime(volume, from + 0.02);
      gain.gain.linearRampToValueAtTime(0, from + toneS);
      tone.connect(gain).connect(this._audio.destination);
      tone.start(from);
      tone.stop(from + toneS);
    });
  }
}
