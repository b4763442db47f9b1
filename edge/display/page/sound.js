// Short tones by WebAudio, sentences by the browser's own voice where there is one for the language.

const TONES = {
  read: [[1175, 0.09]],
  good: [[659, 0.14], [880, 0.22]],
  pass: [[784, 0.13], [988, 0.13], [1319, 0.3]],
  bad: [[392, 0.22], [311, 0.36]],
  call: [[587, 0.18], [740, 0.18], [587, 0.18], [740, 0.3]],
  alarm: [[960, 0.4], [700, 0.4], [960, 0.4], [700, 0.4], [960, 0.4], [700, 0.4]],
};
const LOUDEST = 0.6;
// eSpeak reads Japanese characters as "Chinese letter": tones alone say more.
const CAN_SPEAK = {
  ja: (voice) => /^ja/i.test(voice.lang) && !/espeak/i.test(`${voice.name} ${voice.voiceURI}`),
  en: (voice) => /^en/i.test(voice.lang),
};
const AFTER_HUSH_S = 0.08; // what is said right after a silencing is swallowed
const RATE = { ja: 1.05, en: 0.95 };

export class Sound {
  constructor() {
    this._last = null;
    this._playing = [];
    if ("speechSynthesis" in window) speechSynthesis.getVoices(); // asked once, they are there when they are needed
    this._audio = "AudioContext" in window ? new AudioContext() : null;
    // Without --autoplay-policy=no-user-gesture-required a touch lets it sound (docs/display.md).
    for (const touch of ["pointerdown", "keydown"]) addEventListener(touch, () => this._audio?.resume().catch(() => {}));
  }

  // Kept from sounding by the browser: an installer wants to see that.
  get muted() {
    return this._audio === null || this._audio.state !== "running";
  }

  // `first`: the view that a connection begins with is old news, unless it is an alarm.
  give(sound, languages, first) {
    const known = sound.id === this._last;
    this._last = sound.id;
    if (known || (first && sound.tone !== "alarm")) return;
    this._hush();
    if (sound.volume === 0 || sound.tone === "") return;
    const after_s = this._tones(TONES[sound.tone] ?? [], (sound.volume / 100) * LOUDEST);
    if (sound.say.length > 0) this._speak(sound, languages, after_s);
  }

  silence() {
    this._last = null;
    this._hush();
  }

  _hush() {
    clearTimeout(this._due);
    for (const tone of this._playing) tone.stop();
    this._playing = [];
    if ("speechSynthesis" in window) speechSynthesis.cancel();
  }

  _tones(tones, volume) {
    if (this.muted) return 0;
    let from = this._audio.currentTime + 0.02;
    for (const [hertz, lasts_s] of tones) {
      const tone = this._audio.createOscillator();
      const gain = this._audio.createGain();
      tone.type = "triangle";
      tone.frequency.value = hertz;
      gain.gain.setValueAtTime(0, from);
      gain.gain.linearRampToValueAtTime(volume, from + 0.015);
      gain.gain.setValueAtTime(volume, from + lasts_s - 0.04);
      gain.gain.linearRampToValueAtTime(0, from + lasts_s);
      tone.connect(gain).connect(this._audio.destination);
      tone.start(from);
      tone.stop(from + lasts_s);
      this._playing.push(tone);
      from += lasts_s;
    }
    return from - this._audio.currentTime;
  }

  _speak(sound, languages, after_s) {
    if (!("speechSynthesis" in window)) return;
    const voices = speechSynthesis.getVoices();
    const spoken = languages
      .map((language) => [language, voices.find(CAN_SPEAK[language])])
      .filter(([, voice]) => voice !== undefined);
    this._due = setTimeout(() => {
      for (const [language, voice] of spoken) {
        const sentences = sound.say.map((text) => text[language].replace(/[。.]+$/, ""));
        const words = new SpeechSynthesisUtterance(sentences.join(language === "ja" ? "。" : ". "));
        words.voice = voice;
        words.lang = voice.lang;
        words.rate = RATE[language];
        words.volume = sound.volume / 100;
        speechSynthesis.speak(words);
      }
    }, Math.max(after_s, AFTER_HUSH_S) * 1000);
  }
}
