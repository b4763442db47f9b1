// The coupons that this device keeps. Pure: what came, what is shown, what is to be announced; `store.js` keeps it.

const KEEP_OVER_MS = 24 * 3600 * 1000;
const MOST = 200;

// A coupon as `contract.decode` gives it, with `svg` (its picture, once it was drawn), `fresh` (not looked at yet) and
// `changed` (ms).
export class Shelf {
  constructor(kept = []) {
    this._coupons = new Map(kept.map((each) => [each.coupon, each]));
  }

  get kept() {
    return [...this._coupons.values()];
  }

  get(id) {
    return this._coupons.get(id) ?? null;
  }

  // Whether this is news; an older state than the one we have, or the same again, is none.
  hear(coupon, nowMs) {
    const before = this._coupons.get(coupon.coupon);
    if (before !== undefined && coupon.revision <= before.revision) return false;
    const isNew = before === undefined && coupon.state === "offered" && coupon.until > nowMs;
    const svg = before?.code === coupon.code ? before.svg : undefined;
    this._coupons.set(coupon.coupon, { ...coupon, svg, fresh: isNew || (before?.fresh === true && coupon.state === "offered"), changed: nowMs });
    return isNew;
  }

  stateOf(coupon, nowMs) {
    if (coupon.state === "offered" && coupon.until <= nowMs) return "expired";
    return coupon.state === "offered" && coupon.from > nowMs ? "later" : coupon.state;
  }

  // In the order in which they are shown: those that can be used, the first to end before the others; then the rest.
  rows(nowMs) {
    const open = (coupon) => ["offered", "later"].includes(this.stateOf(coupon, nowMs));
    return this.kept.sort((a, b) => open(b) - open(a) || (open(a) ? a.until - b.until : b.changed - a.changed));
  }

  get fresh() {
    return this.kept.filter((coupon) => coupon.fresh).length;
  }

  seen(id) {
    for (const coupon of this._coupons.values()) if (id === undefined || coupon.coupon === id) coupon.fresh = false;
  }

  drawn(id, svg) {
    const coupon = this._coupons.get(id);
    if (coupon !== undefined) coupon.svg = svg;
  }

  get undrawn() {
    return this.kept.filter((coupon) => coupon.svg === undefined && coupon.state === "offered" && coupon.code !== "");
  }

  // What is over goes after a day; of too many the ones that are over longest. Says whether anything went.
  tidy(nowMs) {
    const before = this._coupons.size;
    for (const coupon of this.kept) {
      const over = coupon.state === "offered" ? coupon.until : coupon.changed;
      if (over + KEEP_OVER_MS < nowMs) this._coupons.delete(coupon.coupon);
    }
    for (const coupon of this.rows(nowMs).slice(MOST)) this._coupons.delete(coupon.coupon);
    return this._coupons.size !== before;
  }
}
