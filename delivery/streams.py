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


class OutStream:
    """What one peer has not acknowledged yet, in order, and what of it to put on the wire now.

    `jitter` gives numbers in 0 … 1; it spreads the resends of many agents after a broker came back.
    """

    def __init__(self, *, jitter: Callable[[], float], window: int = WINDOW, first_s: float = RESEND_FIRST_S,
                 max_s: float = RESEND_MAX_S) -> None:  # fmt: skip
        self.pending: deque[Entry] = deque()
        self._sent = 0  # how many of `pending`, from the front, are on the way
        self._window = window
        self._jitter = jitter
        self._first_s, self._max_s = first_s, max_s
        self._wait_s = first_s
        self._deadline: float | None = None
        self._last_again = float("-inf")
        self.resends = 0

    def __len__(self) -> int:
        return len(self.pending)

    def add(self, entry: Entry) -> None:
        """Queue one message behind all others."""
        self.pending.append(entry)

    def drop_oldest(self) -> Entry | None:
        """Give up the oldest message (bounded buffers); the floor of what follows declares it."""
        if not self.pending:
            return None
        return self._pop()

    def _pop(self) -> Entry:
        entry = self.pending.popleft()
        entry.done = True
        self._sent = max(0, self._sent - 1)
        return entry

    def acknowledged(self, epoch: str, taken: int, again: bool, now: float) -> list[Entry]:
        """A receipt came: everything of `epoch` up to `taken` is the receiver's. Returns what may be forgotten."""
        done: list[Entry] = []
        while self.pending and self.pending[0].epoch == epoch and self.pending[0].seq <= taken:
            done.append(self._pop())
        if done:
            self._wait_s = self._first_s
            self._deadline = None if not self._sent else now + self._wait_s
        if again and now - self._last_again > 0.05:  # one gap is reported by every message behind it
            self._last_again = now
            self.rewind()
        return done

    def rewind(self) -> None:
        """Send everything unacknowledged again: the peer or the connection is new."""
        if self._sent:
            self.resends += 1
        self._sent = 0
        self._deadline = None
        self._wait_s = self._first_s

    def due(self, now: float) -> list[tuple[Entry, int]]:
        """Messages to put on the wire now, each with its floor: the lowest number of its epoch that is still held.

        An older epoch is finished first: so the order of the sender holds across its restarts.
        """
        if self._deadline is not None and now >= self._deadline:
            wait_s = min(self._wait_s * 2, self._max_s)
            self.rewind()
            self._wait_s = wait_s
        upto = min(self._window, len(self.pending))
        if self._sent >= upto:
            return []
        first = self.pending[0]
        found = [(entry, first.seq) for entry in islice(self.pending, self._sent, upto) if entry.epoch == first.epoch]
        if found:
            self._sent += len(found)
            if self._deadline is None:
                self._deadline = now + self._wait_s * (1 + 0.25 * self._jitter())
        return found

    def nudge(self, now: float) -> None:
        """The peer was heard again after a silence: do not wait for the end of a long back-off."""
        if self._deadline is not None and self._wait_s > self._first_s:
            self._wait_s = self._first_s
            self._deadline = now

    def next_deadline(self) -> float | None:
        """When `due` wants to be asked again even if nothing happens; None: never."""
        return self._deadline if self.pending else None
