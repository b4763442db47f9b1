// What a clerk's handheld knows about alerts, when it buzzes, and which answers it still has to say. Pure: no page, no
// network, no clock. The same rules as handheld/alert_book.py, where they are written down; a test plays the same scripts
// to both and compares every answer. Times are in seconds.

export const RULES = Object.freeze({
  remind_after_s: 20,
  remind_every_s: 20,
  reminders: 8,
  repeat_after_s: 2,
  repeat_at_most_s: 15,
  repeat_times: 40,
  confirm_s: 15,
  show_over_s: 120,
  keep: 100,
});

// In the order of the screen.
const RANK = { open: 0, mine: 1, taken: 2, declined: 3, over: 4 };
const ALLOWED = { accept: ["open", "declined"], decline: ["open", "mine"], served: ["mine"], not_found: ["mine"], bought: ["mine"] };
const LAPSING = ["open", "taken", "declined"];

export class AlertBook {
  constructor(clerk, rules = {}) {
    this.clerk = clerk;
    this.rules = { ...RULES, ...rules };
    this.counts = { duplicates: 0, late: 0, dropped: 0, unheeded: 0 };
    this._entries = new Map();
    this._confirmBy = null;
  }

  // Takes one copy of an alert; says what became of it: new, changed, duplicate, late.
  hear(alert, messageId, waitedS, now) {
    const known = this._entries.get(alert.alert);
    if (known === undefined) {
      const status = this._status(alert);
      this._entries.set(alert.alert, {
        id: alert.alert, alert, messageId, status, since: now - Math.max(0, waitedS), changed: now,
        buzzes: 0, buzzAt: status === "open" ? now : null, pending: null, confirmed: true,
      });
      this._bound();
      return "new";
    }
    if (alert.revision < known.alert.revision) {
      this.counts.late += 1;
      return "late";
    }
    if (alert.revision === known.alert.revision) {
      this.counts.duplicates += 1;
      known.confirmed = true;
      known.status = this._status(known.alert);
      return "duplicate";
    }
    this._advance(known, alert, messageId, now);
    return "changed";
  }

  // Whether the clerk can say this now. One answer at a time: a second waits for the first.
  allows(entry, answer) {
    return entry.pending === null && ALLOWED[answer].includes(entry.status);
  }

  // Notes what the clerk decided; `due` sends it. False when this alert can't be answered so (now).
  answer(alertId, answer, answerId, now) {
    const entry = this._entries.get(alertId);
    if (entry === undefined || !this.allows(entry, answer)) return false;
    entry.pending = { alert: alertId, answer, id: answerId, cause: entry.messageId, attempts: 0, at: now };
    entry.buzzAt = null;
    return true;
  }

  // What to do now: alerts to buzz for, answers to send. Call it often.
  due(now, connected) {
    this._lapse(now);
    const found = { buzz: [], send: [] };
    if (!connected) return found;
    for (const entry of this._entries.values()) {
      if (entry.buzzAt !== null && now >= entry.buzzAt && entry.confirmed) {
        found.buzz.push(entry.id);
        this._buzzed(entry, now);
      } else if (entry.pending !== null && now >= entry.pending.at) {
        entry.pending = this._repeated(entry.pending, now);
        if (entry.pending !== null) found.send.push({ ...entry.pending });
      }
    }
    return found;
  }

  // The link is up (again): answers go out at once, and what the hub does not say again will have lapsed.
  connected(now) {
    for (const entry of this._entries.values()) {
      entry.confirmed = entry.status === "over";
      if (entry.pending !== null) entry.pending.at = now;
    }
    this._confirmBy = now + this.rules.confirm_s;
  }

  // The hub is away: nobody can confirm an alert, so none lapses until `connected` is called again.
  hubAway() {
    this._confirmBy = null;
  }

  rows(now) {
    return [...this._entries.values()]
      .filter((entry) => entry.status !== "over" || now - entry.changed < this.rules.show_over_s)
      .sort(inOrder);
  }

  get(alertId) {
    return this._entries.get(alertId);
  }

  get size() {
    return this._entries.size;
  }

  _status(alert) {
    if (alert.state === "offered") return "open";
    if (alert.state === "accepted") return alert.holder === this.clerk ? "mine" : "taken";
    return alert.state === "declined" ? "declined" : "over";
  }

  _advance(known, alert, messageId, now) {
    const status = this._status(alert);
    const same = status === known.status;
    const opened = status === "open" && !same;
    Object.assign(known, { alert, messageId, status, confirmed: true });
    if (same) return;
    known.changed = now;
    known.pending = null;
    known.buzzAt = opened ? now : null;
    if (opened) known.buzzes = 0;
  }

  _buzzed(entry, now) {
    const wait = entry.buzzes === 0 ? this.rules.remind_after_s : this.rules.remind_every_s;
    entry.buzzAt = entry.buzzes < this.rules.reminders ? now + wait : null;
    entry.buzzes += 1;
  }

  _repeated(pending, now) {
    if (pending.attempts >= this.rules.repeat_times) {
      this.counts.unheeded += 1;
      return null;
    }
    // Doubling, so that a hub that is away for an hour is not flooded when it is back.
    const wait = Math.min(this.rules.repeat_at_most_s, this.rules.repeat_after_s * 2 ** Math.min(pending.attempts, 16));
    return { ...pending, attempts: pending.attempts + 1, at: now + wait };
  }

  _lapse(now) {
    if (this._confirmBy === null || now < this._confirmBy) return;
    this._confirmBy = null;
    for (const entry of this._entries.values()) {
      if (!entry.confirmed && LAPSING.includes(entry.status) && entry.pending === null) {
        entry.status = "over";
        entry.changed = now;
      }
    }
  }

  _bound() {
    while (this._entries.size > this.rules.keep) {
      const [first] = [...this._entries.values()].sort(
        (a, b) => RANK[b.status] - RANK[a.status] || a.changed - b.changed || byText(a.id, b.id),
      );
      this._entries.delete(first.id);
      this.counts.dropped += 1;
    }
  }
}

function inOrder(a, b) {
  const rank = RANK[a.status] - RANK[b.status];
  if (rank !== 0) return rank;
  return (a.status === "over" ? b.changed - a.changed : a.since - b.since) || byText(a.id, b.id);
}

function byText(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}
