"""What a clerk's handheld knows about alerts, when it buzzes, and which answers it still has to say. Pure: no I/O, no clock.

Rules:

- An alert is state. The newest revision wins; the same revision again is a duplicate, a lower one is late: both ignored.
- A handheld buzzes once when an alert becomes open, then again as `Rules` say until somebody answers it or it is over.
- Held by somebody else means taken. Expired and closed are over. Declined may still be accepted, and what this clerk
  holds may be declined (given back) or closed with an outcome: served, not found, bought.
- An answer is repeated until the alert comes back in another state, at most `repeat_times`: the way to the hub may lose
  messages.
- After a reconnect only what the hub says again is still open. An alert that it does not confirm in
  `confirm_s` has lapsed (over). What this clerk holds never lapses by silence.
- At most `keep` alerts; those that are over go first, then the declined, the taken, the longest known first; what goes is counted.

`hub/pages/handheld/alert_book.js` is the same book in JavaScript.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from contract.payloads import Alert, AlertState

Answer = Literal["accept", "decline", "served", "not_found", "bought"]


class Status(StrEnum):
    """What an alert means to this clerk, in the order of the screen."""

    OPEN = "open"
    MINE = "mine"
    TAKEN = "taken"
    DECLINED = "declined"
    OVER = "over"


class Heard(StrEnum):
    """What became of one copy of an alert."""

    NEW = "new"
    CHANGED = "changed"
    DUPLICATE = "duplicate"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Rules:
    """Times in seconds. The second and later buzzes of an alert: after `remind_after_s`, then each `remind_every_s`."""

    remind_after_s: float = 20.0
    remind_every_s: float = 20.0
    reminders: int = 8
    repeat_after_s: float = 2.0
    repeat_at_most_s: float = 15.0
    repeat_times: int = 40
    confirm_s: float = 15.0
    show_over_s: float = 120.0
    keep: int = 100


@dataclass(frozen=True, slots=True)
class Pending:
    """An answer that the hub has not yet acted on. `id` stays the same in every repetition, so that it counts once."""

    alert: str
    answer: Answer
    id: str
    cause: str
    attempts: int
    at: float
    """When it is due (again)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One alert as this clerk sees it."""

    alert: Alert
    message_id: str
    status: Status
    since: float
    """When the request was raised, on our own clock: a wrong clock of the handheld changes no waiting time."""
    changed: float
    buzzes: int = 0
    buzz_at: float | None = None
    pending: Pending | None = None
    confirmed: bool = True

    @property
    def id(self) -> str:
        return self.alert.alert


@dataclass(frozen=True, slots=True)
class Due:
    """What to do now: alerts to buzz for, answers to send."""

    buzz: tuple[str, ...] = ()
    send: tuple[Pending, ...] = ()


_RANK = {status: rank for rank, status in enumerate(Status)}
_ALLOWED: dict[Answer, frozenset[Status]] = {
    "accept": frozenset({Status.OPEN, Status.DECLINED}),
    "decline": frozenset({Status.OPEN, Status.MINE}),
    "served": frozenset({Status.MINE}),
    "not_found": frozenset({Status.MINE}),
    "bought": frozenset({Status.MINE}),
}
_LAPSING = frozenset({Status.OPEN, Status.TAKEN, Status.DECLINED})


class AlertBook:
    """The alerts of one clerk. `now` is in seconds, monotonic."""

    def __init__(self, clerk: str, rules: Rules | None = None) -> None:
        self.clerk = clerk
        self.rules = rules or Rules()
        self.counts = {"duplicates": 0, "late": 0, "dropped": 0, "unheeded": 0}
        self._entries: dict[str, Entry] = {}
        self._confirm_by: float | None = None

    def hear(self, alert: Alert, message_id: str, waited_s: float, now: float) -> Heard:
        """Takes one copy of an alert. `waited_s` is how long the customer had waited when it arrived."""
        known = self._entries.get(alert.alert)
        if known is None:
            self._entries[alert.alert] = self._begin(alert, message_id, max(0.0, waited_s), now)
            self._bound()
            return Heard.NEW
        if alert.revision < known.alert.revision:
            self.counts["late"] += 1
            return Heard.LATE
        if alert.revision == known.alert.revision:
            self.counts["duplicates"] += 1
            self._entries[known.id] = replace(known, confirmed=True, status=self._status(known.alert))
            return Heard.DUPLICATE
        self._entries[known.id] = self._advance(known, alert, message_id, now)
        return Heard.CHANGED

    def allows(self, entry: Entry, answer: Answer) -> bool:
        """Whether the clerk can say this now. One answer at a time: a second waits for the first."""
        return entry.pending is None and entry.status in _ALLOWED[answer]

    def answer(self, alert_id: str, answer: Answer, answer_id: str, now: float) -> Pending | None:
        """Notes what the clerk decided; `due` sends it. None when this alert can't be answered so (now)."""
        entry = self._entries.get(alert_id)
        if entry is None or not self.allows(entry, answer):
            return None
        pending = Pending(alert_id, answer, answer_id, entry.message_id, 0, now)
        self._entries[alert_id] = replace(entry, pending=pending, buzz_at=None)
        return pending

    def due(self, now: float, connected: bool) -> Due:
        """What to do now; call it often. Without a connection nothing is sent and nobody is reminded."""
        self._lapse(now)
        if not connected:
            return Due()
        buzz: list[str] = []
        send: list[Pending] = []
        for entry in list(self._entries.values()):
            if entry.buzz_at is not None and now >= entry.buzz_at and entry.confirmed:
                buzz.append(entry.id)
                self._entries[entry.id] = self._buzzed(entry, now)
            elif entry.pending is not None and now >= entry.pending.at:
                pending = self._repeated(entry.pending, now)
                if pending is not None:
                    send.append(pending)
                self._entries[entry.id] = replace(entry, pending=pending)
        return Due(tuple(buzz), tuple(send))

    def connected(self, now: float) -> None:
        """The link is up (again): answers go out at once, and what the hub does not say again has lapsed."""
        for entry in list(self._entries.values()):
            pending = replace(entry.pending, at=now) if entry.pending else None
            self._entries[entry.id] = replace(entry, confirmed=entry.status is Status.OVER, pending=pending)
        self._confirm_by = now + self.rules.confirm_s

    def hub_away(self) -> None:
        """The hub is known to be away: nobody can confirm an alert, so none lapses until `connected` is called again."""
        self._confirm_by = None

    def rows(self, now: float) -> tuple[Entry, ...]:
        """What to show: open ones first, the longest waiting first; then mine, the taken, the declined, those that are just over."""
        shown = [e for e in self._entries.values()
                 if e.status is not Status.OVER or now - e.changed < self.rules.show_over_s]  # fmt: skip
        return tuple(sorted(shown, key=_order))

    def get(self, alert_id: str) -> Entry | None:
        return self._entries.get(alert_id)

    def __len__(self) -> int:
        return len(self._entries)

    def _status(self, alert: Alert) -> Status:
        if alert.state is AlertState.OFFERED:
            return Status.OPEN
        if alert.state is AlertState.ACCEPTED:
            return Status.MINE if alert.holder == self.clerk else Status.TAKEN
        if alert.state is AlertState.DECLINED:
            return Status.DECLINED
        return Status.OVER

    def _begin(self, alert: Alert, message_id: str, waited_s: float, now: float) -> Entry:
        status = self._status(alert)
        return Entry(alert, message_id, status, now - waited_s, now, buzz_at=now if status is Status.OPEN else None)

    def _advance(self, known: Entry, alert: Alert, message_id: str, now: float) -> Entry:
        status = self._status(alert)
        same = status is known.status
        opened = status is Status.OPEN and not same
        return replace(
            known,
            alert=alert,
            message_id=message_id,
            status=status,
            changed=known.changed if same else now,
            buzzes=0 if opened else known.buzzes,
            buzz_at=now if opened else known.buzz_at if same else None,
            pending=known.pending if same else None,
            confirmed=True,
        )

    def _buzzed(self, entry: Entry, now: float) -> Entry:
        rules = self.rules
        wait = rules.remind_after_s if entry.buzzes == 0 else rules.remind_every_s
        again = now + wait if entry.buzzes < rules.reminders else None
        return replace(entry, buzzes=entry.buzzes + 1, buzz_at=again)

    def _repeated(self, pending: Pending, now: float) -> Pending | None:
        if pending.attempts >= self.rules.repeat_times:
            self.counts["unheeded"] += 1
            return None
        # Doubling, so that a hub that is away for an hour is not flooded when it is back.
        wait = min(self.rules.repeat_at_most_s, self.rules.repeat_after_s * 2 ** min(pending.attempts, 16))
        return replace(pending, attempts=pending.attempts + 1, at=now + wait)

    def _lapse(self, now: float) -> None:
        if self._confirm_by is None or now < self._confirm_by:
            return
        self._confirm_by = None
        for entry in list(self._entries.values()):
            if not entry.confirmed and entry.status in _LAPSING and entry.pending is None:
                self._entries[entry.id] = replace(entry, status=Status.OVER, changed=now)

    def _bound(self) -> None:
        while len(self._entries) > self.rules.keep:
            first = min(self._entries.values(), key=lambda e: (-_RANK[e.status], e.changed, e.id))
            del self._entries[first.id]
            self.counts["dropped"] += 1


def _order(entry: Entry) -> tuple[int, float, str]:
    over = entry.status is Status.OVER
    return _RANK[entry.status], -entry.changed if over else entry.since, entry.id
