"""What we have said with a number and no peer has acknowledged: in memory in order, and in the journal's outbox.

Critical messages are in the outbox before they come here; sightings reach it in groups (`flush`). What is acknowledged leaves
it with the next transaction that is written anyway, or with the next group.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence

from contract.messages import Stream
from contract.payloads import Receipt
from delivery.clock import Clock
from delivery.journal import Journal
from delivery.streams import DEEP, PORTION, WINDOW, Entry, OutStream
from delivery.transaction import Publication

SIGHTINGS_MAX = 200_000
"""Sightings kept while the hub is away: at 300 bytes 60 MB. Beyond, the oldest are dropped, counted and declared."""
FLUSH_S = 1.0
"""Sightings reach the disk in groups, at most one sync a second (SD cards wear)."""
FORGET_MOST, FORGET_AGAIN_S = 300, 0.05
"""Deleted in one transaction: some 3 ms, in which a scan waits. A backlog that is being acknowledged leaves the disk in many."""
BODIES_MAX = 2 * WINDOW
"""Beyond so many waiting messages per stream, bodies that are on disk leave the memory."""

Key = tuple[str, str]
"""Peer and stream."""
_STREAMS = tuple(stream.value for stream in Stream)


class Outgoing:
    """The streams to all peers. `counters` are the engine's, `jitter` gives numbers in 0 … 1."""

    def __init__(self, journal: Journal, clock: Clock, counters: Counter[str], jitter: Callable[[], float]) -> None:
        self.on_acknowledged: Callable[[str, float], None] | None = None
        """Called with the stream and the age in seconds of each message of this life that is acknowledged; never raises."""
        self.streams: dict[Key, OutStream] = {}
        self.flush_at: float | None = None
        """When `flush` is due (monotonic seconds); None: nothing waits for it."""
        self._journal, self._clock, self._counters, self._jitter = journal, clock, counters, jitter
        self._since = clock.monotonic()
        self._unsaved: deque[tuple[Key, Entry]] = deque()
        self._forget: list[int] = []
        for peer, stream, entry in journal.pending():
            self._stream((peer, stream)).add(entry)

    def _stream(self, key: Key) -> OutStream:
        stream = self.streams.get(key)
        if stream is None:
            stream = self.streams[key] = OutStream(jitter=self._jitter, patient=key[1] == Stream.SIGHTING)
        return stream

    # --- what comes in

    def add(self, posted: Sequence[tuple[Key, Entry]], now: float) -> None:
        """Queue the messages of a transaction that is on disk. Without a row: sightings, which get theirs at the next flush."""
        for key, entry in posted:
            stream = self._stream(key)
            stream.add(entry)
            if not entry.row:
                self._unsaved.append((key, entry))
                self._bound(stream)
                self._flush_soon(now)
            elif len(stream) > BODIES_MAX:
                entry.body = None

    def _bound(self, stream: OutStream) -> None:
        while len(stream) > SIGHTINGS_MAX and (oldest := stream.drop_oldest()) is not None:
            self._counters["dropped_sightings"] += 1
            if oldest.row:
                self._forget.append(oldest.row)

    def on_receipt(self, peer: str, receipt: Receipt, now: float) -> None:
        """`peer` has taken all up to a number."""
        stream = self.streams.get((peer, receipt.stream))
        if stream is None:
            return
        for entry in stream.acknowledged(receipt.epoch, receipt.taken, receipt.again, now):
            if entry.row:
                self._forget.append(entry.row)
            if self.on_acknowledged is not None and entry.queued:
                self.on_acknowledged(receipt.stream, now - entry.queued)
        if self._forget:
            self._flush_soon(now)

    def on_heard(self, peer: str, now: float) -> None:
        """Something came from `peer`: if it was away, what waits for it goes out at once."""
        for stream in _STREAMS:
            waiting = self.streams.get((peer, stream))
            if waiting is not None and waiting.pending:
                waiting.nudge(now)

    # --- the wire

    def rewind(self) -> None:
        """The connection is new: whatever is unacknowledged goes out again."""
        for stream in self.streams.values():
            stream.rewind()

    def due(self, now: float) -> Iterator[Publication]:
        """What to put on the wire now."""
        for key, stream in self.streams.items():
            if stream.pending and not self._waits(key):
                for entry, floor in stream.due(now):
                    yield Publication(entry.topic, self._bytes(entry, floor), 0)

    def _waits(self, key: Key) -> bool:
        """A backlog of sightings waits for a backlog of what is critical."""
        if len(self.streams[key].pending) <= DEEP or key[1] != Stream.SIGHTING:
            return False
        critical = self.streams.get((key[0], Stream.CRITICAL))
        return critical is not None and len(critical) > PORTION

    def _bytes(self, entry: Entry, floor: int) -> bytes:
        body = entry.body if entry.body is not None else self._journal.body(entry.row)
        own = b'"floor":%d,' % entry.seq
        return body if floor == entry.seq else body.replace(own, b'"floor":%d,' % floor, 1)

    # --- the disk

    def forget_some(self) -> int:
        """Delete what is acknowledged, in the running transaction; give the answer to `forgotten` after its commit."""
        some = self._forget[:FORGET_MOST]
        if some:
            self._journal.forget(some)
        return len(some)

    def forgotten(self, count: int) -> None:
        """The first so many are off the disk."""
        del self._forget[:count]

    def _flush_soon(self, now: float) -> None:
        if self.flush_at is None:
            self.flush_at = now + FLUSH_S

    def flush(self) -> None:
        """Sightings that are still unacknowledged reach the disk; acknowledged messages leave it. One sync."""
        self.flush_at = None
        waiting = [(key, entry) for key, entry in self._unsaved if not entry.done]
        self._unsaved.clear()
        if not waiting and not self._forget:
            return
        db = self._journal.db
        db.execute("BEGIN IMMEDIATE")
        try:
            for key, entry in waiting:
                entry.row = self._journal.put(*key, entry)
            forgotten = self.forget_some()
            db.execute("COMMIT")
        except sqlite3.Error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            for _, entry in waiting:
                entry.row = 0
            self._unsaved.extendleft(reversed(waiting))
            self._flush_soon(self._clock.monotonic())
            self._counters["flush_failed"] += 1
            raise
        self.forgotten(forgotten)
        if self._forget:
            self.flush_at = self._clock.monotonic() + FORGET_AGAIN_S
        for key, entry in waiting:
            if len(self.streams[key]) > BODIES_MAX:
                entry.body = None

    # --- to look at

    def next_deadline(self) -> float | None:
        """When a resend is due (monotonic seconds); None: never."""
        first = None
        for key, stream in self.streams.items():
            if stream.pending and not self._waits(key):
                deadline = stream.next_deadline()
                if deadline is not None and (first is None or deadline < first):
                    first = deadline
        return first

    def is_behind(self, patience_s: float) -> bool:
        """Whether some peer has a backlog of critical messages, or one that has waited longer than `patience_s`.

        How long a message of a former life has waited, nobody knows; it counts from our start.
        """
        latest = self._clock.monotonic() - patience_s
        return any(
            len(stream) > PORTION or (stream.pending[0].queued or self._since) < latest
            for (_, name), stream in self.streams.items()
            if name == Stream.CRITICAL and stream.pending
        )

    def waits_since(self) -> float | None:
        """Since when (monotonic seconds, of this process's life) something has waited for its acknowledgement; None: nothing does."""
        oldest = [stream.pending[0].queued or self._since for stream in self.streams.values() if stream.pending]
        return min(oldest) if oldest else None

    def __len__(self) -> int:
        return sum(len(stream) for stream in self.streams.values())

    def depths(self) -> dict[Key, tuple[int, float]]:
        """By peer and stream: how many wait, and the age of the oldest in this process's life, in seconds."""
        now = self._clock.monotonic()
        return {
            key: (len(stream), now - stream.pending[0].queued if len(stream) and stream.pending[0].queued else 0.0)
            for key, stream in self.streams.items()
        }
