// Puts a view on the screen. Texts only, never markup; what has not changed is left alone.

import { fit } from "./fit.js";
import { LANE, LEFT } from "./words.js";

const DIGITS = 12;
const $ = (id) => document.getElementById(id);

export class Stage {
  constructor(lane) {
    this._lane = lane;
    this._languages = ["ja", "en"];
    this._shown = "";
    this._of_s = 0;
    addEventListener("resize", () => fit($("main"), $("text")));
    document.fonts.ready.then(() => fit($("main"), $("text")));
    this._tick();
    setInterval(() => this._tick(), 5000);
  }

  show(view) {
    this._languages = view.languages ?? this._languages;
    const { screen, tone, head, lines, qr, typed } = view;
    const what = JSON.stringify([this._languages, screen, tone, head, lines, qr]);
    const changed = what !== this._shown;
    if (changed) {
      if (screen !== document.body.dataset.screen) this._of_s = 0;
      this._shown = what;
      document.documentElement.lang = this._languages[0];
      Object.assign(document.body.dataset, { screen, tone });
      $("head").replaceChildren(...this._texts(head));
      $("lines").replaceChildren(...lines.map((line) => this._line(line)));
      if (qr !== null) $("qr-code").src = qr;
      else $("qr-code").removeAttribute("src");
      $("lane").textContent = this._languages.map((language) => LANE[language](this._lane)).join(" · ");
    }
    this._dots(typed ?? null);
    this._count(view.left_s);
    if (changed) fit($("main"), $("text"));
  }

  _line({ kind, text }) {
    const item = document.createElement("li");
    item.className = kind;
    item.append(...this._texts(text));
    return item;
  }

  _texts(text) {
    return this._languages
      .filter((language) => text[language])
      .map((language, index) => {
        const words = document.createElement("span");
        words.lang = language;
        words.className = index === 0 ? "first" : "second";
        // A line ends after a clause if it can, and then between words.
        const clauses = language === "ja" ? text[language].split(/(?<=[、。！？])/) : [text[language]];
        words.append(...clauses.map((clause) => Object.assign(document.createElement("b"), { textContent: clause })));
        return words;
      });
  }

  // How many digits stand at the keypad; which ones is nobody's business.
  _dots(typed) {
    const row = $("digits");
    row.hidden = typed === null;
    if (row.children.length === 0) row.append(...Array.from({ length: DIGITS }, () => document.createElement("i")));
    [...row.children].forEach((dot, index) => dot.classList.toggle("there", index < typed));
  }

  // Seconds come with each view, so there is no clock here that could differ from the lane's.
  _count(left_s) {
    $("countdown").hidden = left_s === null;
    if (left_s === null) return;
    this._of_s = Math.max(this._of_s, left_s, 1);
    $("rest").style.setProperty("transform", `scaleX(${left_s / this._of_s})`);
    $("left").textContent = this._languages.map((language) => LEFT[language](left_s)).join("　");
  }

  _tick() {
    const now = new Date();
    $("clock").textContent = `${now.getHours()}:${String(now.getMinutes()).padStart(2, "0")}`;
  }
}
