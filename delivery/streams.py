"""The rules of a numbered stream, without I/O and without a clock.

A sender numbers the messages of one class to one peer 1, 2, 3 … within an epoch. It opens a new epoch at every start: then
it never matters whether its last numbers were synced before the power went, whether its disk is new or restored from a
backup. What is left of older epochs keeps its old numbers and goes out first.

The receiver takes each number once, in order, and answers with the highest it has committed. The sender forgets what is
acknowledged and goes back to the oldest unacknowledged one when a gap is reported, when the peer or the connection comes
back, or when nothing was acknowledged for a while (go-back-N, as TCP did before selective acknowledgement: paths reorder
almost never here, and the rule stays small enough to prove).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

WINDOW = 500
"""Unacknowledged messages on the way at once, per stream. 500 of 300 bytes are 150 kB: less than any broker's buffer."""
RESEND_FIRST_S = 1.0
"""Silence before the first resend. Ten times the slowest honest round trip (a commit on an SD card)."""
RESEND_MAX_S = 30.0
WINDOW_FIRST, WINDOW_LEAST = 64, 8
"""A path that is new, or that lost something, is tried with little: a broker that can't keep up would otherwise be buried
under resends of what it still holds (seen: 1,000 of them queued, and nothing new came through any more)."""
PATIENT_WINDOW, QUICK_S = 200, 0.1
"""Of a stream that may take its time, so many are on the way unless the round trip is shorter than that: then `WINDOW`. The
sightings of a hundred agents have room in a hub's inbox (`delivery.inbox`) so; with 500 of each, a third of what they sent when
they all came back was sent in vain. And while the hub answers in tens of milliseconds, two hundred of an agent keep it waiting."""
DEEP, DEEP_WINDOW = 1000, 128
"""More than so many waiting are a backlog of an absence. It goes out in portions, with fewer on the way, so that what is live
passes between them: at full speed it took whole processors at both ends."""
PORTION, PORTION_S = 30, 0.01
"""3,000 a second: 100,000 in 35 s."""
CATCH_UP_S = 0.05
"""A portion that comes late by more does not bring the next ones nearer."""
EPOCHS_KEPT = 50
"""Starts of a sender within one absence whose losses are all declared."""
SILENCE_S = 3.0
"""A peer that was not heard for so long was away: what waits is sent to it at once when it is heard again."""


class Verdict(StrEnum):
    """What a receiver does with a number."""

    TAKE = "take"
    DUPLICATE = "duplicate"
    GAP = "gap"


def judge(taken: int, seq: int, floor: int) -> Verdict:
    """Compare a number with the highest one `taken` (0: none). `floor`: what lies below will never come."""
    if seq <= taken:
        return Verdict.DUPLICATE
    return Verdict.TAKE if seq <= max(taken + 1, floor) else Verdict.GAP


def declared_lost(taken: int, seq: int) -> int:
    """How many numbers the sender declared as dropped when `seq` is taken after `taken`."""
    return seq - taken - 1


@dataclass(slots=True)
class Entry:
    """One message waiting for its acknowledgement. `row` is its row in the outbox, 0 while it is only in memory."""

    epoch: str
    seq: int
    topic: str
    body: bytes | None
    row: int = 0
    queued: float = 0.0
    done: bool = False
    sent: float = 0.0
    """When it was last put on the wire, and how often so far."""
    times: int = 0


class OutStream:
    """What one peer has not acknowledged yet, in order, and what of it to put on the wire now.

    `jitter` gives numbers in 0 … 1; it spreads the resends of many agents after a broker came back. `patient`: this stream
    makes room for others (`PATIENT_WINDOW`), and a backlog of it takes its time (`DEEP`).
    """

    def __init__(self, *, jitter: Callable[[], float], window: int = WINDOW, first_s: float = RESEND_FIRST_S,
                 max_s: float = RESEND_MAX_S, patient: bool = False) -> None:  # fmt: skip
        self.pending: deque[Entry] = deque()
        self._sent = 0  # how many of `pending`, from the front, are on the way
        self._window_max = window
        self._window = min(WINDOW_FIRST, window)
        self._jitter = jitter
        self._first_s, self._max_s = first_s, max_s
        self._wait_s = first_s
        self._round_trip_s = 0.0
        self._deadline: float | None = None
        self._asked_again: tuple[str, int] | None = None
        self._heard = float("-inf")
        self._patient, self._portion_at = patient, float("-inf")
        self.resends = 0

    def __len__(self) -> int:
        return len(self.pending)

    def add(self, entry: Entry) -> None:
        """Queue one message behind all others."""
        self.pending.append(entry)

    def drop_oldest(self) -> Entry | None:
        """Give up the oldest message (bounded buffers); the floor of what follows in its epoch declares it.

        The last of an older epoch is kept, since nothing would declare what was dropped before it: one message for each start
        of the sender, of up to `EPOCHS_KEPT`.
        """
        if not self.pending:
            return None
        at = 0
        while at < EPOCHS_KEPT and at + 1 < len(self.pending) and self.pending[at].epoch != self.pending[at + 1].epoch:
            at += 1
        if not 0 < at < min(EPOCHS_KEPT, len(self.pending) - 1):
            return self._pop()
        entry = self.pending[at]  # not on the way: of the epoch before it one message is left, and it goes out first
        del self.pending[at]
        entry.done = True
        return entry

    def _pop(self) -> Entry:
        entry = self.pending.popleft()
        entry.done = True
        self._sent = max(0, self._sent - 1)
        return entry

    def acknowledged(self, epoch: str, taken: int, again: bool, now: float) -> list[Entry]:
        """A receipt came: everything of `epoch` up to `taken` is the receiver's. Returns what may be forgotten."""
        self._heard = now
        done: list[Entry] = []
        full = self._sent >= self._window
        while self.pending and self.pending[0].epoch == epoch and self.pending[0].seq <= taken:
            done.append(self._pop())
        if done:
            self._learn(done[-1], now)
            self._widen(len(done), full)
            self._deadline = None if not self._sent else now + self._wait_s
        if again and self.pending:
            # One gap is reported by every message behind it: it is answered once. If the answer is lost too, time runs out.
            front = (self.pending[0].epoch, self.pending[0].seq)
            if front != self._asked_again:
                self._asked_again = front
                self._window = max(WINDOW_LEAST, self._window // 2)
                self._go_back()
        return done

    def _widen(self, by: int, full: bool) -> None:
        """More may be on the way; of a patient stream beyond the usual only where the window is in use, and while it is quick."""
        limit = self._most
        most = DEEP_WINDOW if self._is_deep else PATIENT_WINDOW if self._patient and not full else limit
        self._window = min(max(self._window, min(most, self._window + by)), limit)

    def _learn(self, entry: Entry, now: float) -> None:
        """The time to wait follows the round trip, measured on what was sent once (Karn's rule): a receipt for what was sent
        twice does not say for which of the two it is, and then the patience that was found necessary stays."""
        if entry.times == 1:
            took_s = now - entry.sent
            self._round_trip_s += (took_s - self._round_trip_s) / 4 if self._round_trip_s else took_s
            self._wait_s = self._patience_s

    @property
    def _patience_s(self) -> float:
        """To wait for an answer on a path that takes so long."""
        return min(self._max_s, max(self._first_s, 3 * self._round_trip_s))

    def _go_back(self) -> None:
        if self._sent:
            self.resends += 1
        self._sent = 0
        self._deadline = None

    def rewind(self) -> None:
        """Send everything unacknowledged again: the connection is new, nothing is known of it."""
        self._go_back()
        self._wait_s, self._round_trip_s = self._first_s, 0.0
        self._window = min(self._window, WINDOW_FIRST)
        self._asked_again = None

    def due(self, now: float) -> list[tuple[Entry, int]]:
        """Messages to put on the wire now, each with its floor: the lowest number of its epoch that is still held.

        An older epoch is finished first: so the order of the sender holds across its restarts.
        """
        if self._deadline is not None and now >= self._deadline:
            self._wait_s = min(self._wait_s * 2, self._max_s)
            self._window = max(WINDOW_LEAST, self._window // 4)
            self._asked_again = None
            self._go_back()
        upto = min(self._room(now), len(self.pending))
        if self._sent >= upto:
            return []
        first = self.pending[0]
        found = [(entry, first.seq) for entry in islice(self.pending, self._sent, upto) if entry.epoch == first.epoch]
        for entry, _ in found:
            entry.sent = now
            entry.times += 1
        if found:
            if self._is_deep:
                self._portion_at = max(self._portion_at, now - CATCH_UP_S) + PORTION_S
            self._sent += len(found)
            if self._deadline is None:
                self._deadline = now + self._wait_s * (1 + 0.25 * self._jitter())
        return found

    @property
    def _most(self) -> int:
        """So many may be on the way, as far as the path is known."""
        if not self._patient or 0.0 < self._round_trip_s < QUICK_S:
            return self._window_max
        return min(self._window_max, PATIENT_WINDOW)

    @property
    def _is_deep(self) -> bool:
        return self._patient and len(self.pending) > DEEP

    def _room(self, now: float) -> int:
        """How many may be on the way now."""
        if not self._is_deep:
            return self._window
        return min(self._window, DEEP_WINDOW, self._sent + PORTION) if now >= self._portion_at else self._sent

    def nudge(self, now: float) -> None:
        """The peer was heard. After a silence it was away: do not wait for the end of a long back-off. Who is only slow, and says
        something else meanwhile, is waited for: a hundred agents that all send again what is on the way would bury it."""
        silent_s, self._heard = now - self._heard, now
        if silent_s >= SILENCE_S and self._deadline is not None and self._wait_s > self._patience_s:
            self._wait_s = self._patience_s
            self._deadline = now

    def next_deadline(self) -> float | None:
        """When `due` wants to be asked again even if nothing happens; None: never."""
        if not self.pending:
            return None
        if not self._is_deep or self._sent >= min(self._window, DEEP_WINDOW):
            return self._deadline
        if self.pending[self._sent].epoch != self.pending[0].epoch:
            return self._deadline  # the older epoch is waited for
        return self._portion_at if self._deadline is None else min(self._portion_at, self._deadline)
