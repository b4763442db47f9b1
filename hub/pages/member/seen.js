// Which codes before the camera count. Pure: what each frame shows goes in, what is new comes out.
//
// The same code counts once until it was away for a while, as at the store's readers. A one-dimensional code counts when two
// frames in a row agree: a single one is misread now and then.

export const AWAY_MS = 1500;

export class Seen {
  constructor() {
    this._codes = new Map(); // text → {at: seen last, in which frame, counted}
    this._frame = 0;
  }

  // `found` is [{text, linear}] of one frame.
  hear(found, nowMs) {
    this._frame += 1;
    for (const [text, { at }] of this._codes) if (nowMs - at >= AWAY_MS) this._codes.delete(text);
    const news = [];
    for (const { text, linear } of found) {
      const plain = plainOf(text);
      const known = this._codes.get(plain);
      const agreed = !linear || known?.frame === this._frame - 1;
      if (known?.counted !== true && agreed) news.push(plain);
      this._codes.set(plain, { at: nowMs, frame: this._frame, counted: known?.counted === true || agreed });
    }
    return news;
  }
}

// UPC-A is EAN-13 with a 0 before it; decoders say it either way.
function plainOf(text) {
  const trimmed = text.trim();
  return /^\d{12}$/.test(trimmed) ? `0${trimmed}` : trimmed;
}
