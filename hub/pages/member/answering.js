// The store asks for readings: what this device answers. What was sent is held in memory, for her to see, and nowhere else.

import { sensingAnswer } from "./contract.js";

const SHOWN_MAX = 20;
const KNOWN_MAX = 50;
const PART_OF_THE_WAIT = 0.7;

// `say(frame)` says whether it was sent; `member()` is who is signed in now.
export class Answering {
  constructor({ senses, say, member }) {
    Object.assign(this, { senses, say, member, answered: [] });
    this._known = new Set(); // answered already: the hub may ask again what was lost on the way
  }

  // Only what carries her own ID comes here (`contract.decode`); without consent nothing is measured.
  async answer({ request, id, waitS }) {
    if (waitS <= 0 || this._known.has(request.request)) return;
    this._known.add(request.request);
    if (this._known.size > KNOWN_MAX) this._known.delete(this._known.values().next().value);
    const { customer, consents } = this.member();
    const found = consents.sensing ? await this.senses.measure(request.readings, waitS * 1000 * PART_OF_THE_WAIT) : {};
    const now = this.member(); // she may have withdrawn it, or signed out, meanwhile
    if (now?.customer !== customer) return;
    const refused = !now.consents.sensing ? "no_consent" : Object.keys(found).length === 0 ? "no_sensors" : undefined;
    const readings = refused ? {} : found;
    if (!this.say(sensingAnswer(customer, request.request, id, refused ? { refused } : { readings }))) {
      this._known.delete(request.request);
      return;
    }
    this.answered = [{ at: Date.now(), refused, readings }, ...this.answered].slice(0, SHOWN_MAX);
  }

  forget() {
    this.answered = [];
    this._known.clear();
  }
}
