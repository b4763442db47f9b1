"""One transaction per batch: check numbers, apply effects, write what follows, commit; then acknowledge and send.

The engine has no asyncio, no thread and no clock of its own: `delivery.node` drives it in production, a simulation drives it
on a virtual clock with the same SQLite file.

Order of a received batch (design "Nothing lost, nothing twice"):

1. BEGIN IMMEDIATE.
2. Each message: decode (or quarantine), compare its number with the highest taken, hand it to the application. What the
   application sends goes into the outbox of the same transaction. If the application fails on one, all is rolled back and
   done again with a savepoint around each message, so that only the broken one is put aside: savepoints cost every message
   time, and almost no batch has a broken one.
3. The new marks, COMMIT (synced).
4. Only now: effects, messages, cumulative acknowledgements.

A crash before 3 leaves no trace and the sender sends again; a crash after 3 is answered as a duplicate.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from random import Random

import structlog

from contract.access import Principal
from contract.envelope import Message, Numbering, decode, encode
from contract.errors import ContractError
from contract.messages import Role, Stream
from contract.payloads import Payload, Receipt
from delivery.clock import Clock
from delivery.complaints import Complaints
from delivery.journal import Journal
from delivery.routes import Routes
from delivery.streams import WINDOW, Entry, OutStream, Verdict, declared_lost, judge
from delivery.transaction import Publication, Tx

__all__ = ["Engine", "Publication", "Tx"]

log = structlog.get_logger()

SIGHTINGS_MAX = 200_000
"""Sightings kept while the hub is away: at 300 bytes 60 MB. Beyond, the oldest are dropped, counted and declared."""
FLUSH_S = 1.0
"""Sightings reach the disk in groups, at most one sync a second (SD cards wear)."""
BODIES_MAX = 2 * WINDOW
"""Beyond so many waiting messages per stream, bodies that are on disk leave the memory."""


Handle = Callable[[Message, Tx], None]


class _Spoilt(Exception):
    """The application failed on a message of a batch that has no savepoints."""


class Engine:
    """The delivery of one program: its streams to each peer, its marks, and the transactions of its application.

    `me` is who we are at the broker; `handle(message, tx)` is the application. `rng` gives only jitter.
    """

    def __init__(self, journal: Journal, me: Principal, store: str, handle: Handle, *, clock: Clock | None = None,
                 epoch: str | None = None, rng: Random | None = None) -> None:  # fmt: skip
        self.journal, self.me, self.store, self.handle = journal, me, store, handle
        self.clock = clock or Clock()
        self.epoch = epoch or secrets.token_hex(5)
        self.counters: Counter[str] = Counter()
        self.on_acknowledged: Callable[[str, float], None] | None = None
        """Called with the stream and the age in seconds of each message of this life that is acknowledged; never raises."""
        self.connected = False
        self._rng = rng or Random()
        self._streams: dict[tuple[str, str], OutStream] = {}
        self._next: Counter[tuple[str, str]] = Counter()
        self._routes = Routes(me, store)
        self._ids = 0
        self._complaints = Complaints()
        self._marks = journal.marks()
        self._unsaved: deque[tuple[tuple[str, str], Entry]] = deque()
        self._forget: list[int] = []
        self._flush_at: float | None = None
        self._publications: list[Publication] = []
        for peer, stream, entry in journal.pending():
            self._stream((peer, stream)).add(entry)

    # --- what the application says

    def _stream(self, key: tuple[str, str]) -> OutStream:
        stream = self._streams.get(key)
        if stream is None:
            stream = self._streams[key] = OutStream(jitter=self._rng.random)
        return stream

    def _send(self, tx: Tx, name: str, data: Payload, visit: str | None, cause: str | None, ids: dict[str, str]) -> str:
        route = self._routes.find(name, ids)
        channel, key = route.channel, route.key
        self._ids += 1
        message_id = f"{self.me.username}.{self.epoch}.{self._ids}"
        numbering = None
        if key is not None:
            self._next[key] += 1
            numbering = Numbering(self.epoch, self._next[key], self._next[key])
        body = encode(Message(channel, route.ids, data, message_id, route.source, tx.utc, visit, cause, numbering))
        if key is None or numbering is None:
            tx.published.append(Publication(route.topic, body, channel.qos, channel.retain, channel.expiry_s))
            return message_id
        entry = Entry(self.epoch, numbering.seq, route.topic, body, queued=tx.now)
        if channel.stream is Stream.CRITICAL:
            entry.row = self.journal.put(*key, entry)
        tx.posted.append((key, entry))
        return message_id

    # --- transactions

    def _tx(self) -> Tx:
        return Tx(self.journal.db, self._send, self.clock.monotonic(), self.clock.utc())

    @contextmanager
    def transaction(self) -> Iterator[Tx]:
        """One SQLite transaction of the application's own. Raises what the body raises, after a roll-back."""
        tx = self._tx()
        self.journal.db.execute("BEGIN IMMEDIATE")
        try:
            yield tx
            forgotten = self._forget_some()
            self.journal.db.execute("COMMIT")
        except BaseException:
            self._roll_back(tx)
            raise
        del self._forget[:forgotten]
        self._committed(tx)

    def _roll_back(self, tx: Tx) -> None:
        if self.journal.db.in_transaction:
            self.journal.db.execute("ROLLBACK")
        self._unpost(tx, 0)
        for undo in reversed(tx.undo):
            undo()

    def _unpost(self, tx: Tx, upto: int) -> None:
        for key, _ in tx.posted[upto:]:
            self._next[key] -= 1
        del tx.posted[upto:]

    def _committed(self, tx: Tx) -> None:
        for key, entry in tx.posted:
            stream = self._stream(key)
            stream.add(entry)
            if not entry.row:
                self._unsaved.append((key, entry))
                self._bound(stream)
                if self._flush_at is None:
                    self._flush_at = tx.now + FLUSH_S
            elif len(stream) > BODIES_MAX:
                entry.body = None
        if self.connected:
            self._publications += tx.published
        elif tx.published:
            self.counters["unsent_state"] += len(tx.published)  # state is said again on connection
        for effect in tx.effects:
            effect()

    def _bound(self, stream: OutStream) -> None:
        while len(stream) > SIGHTINGS_MAX and (oldest := stream.drop_oldest()) is not None:
            self.counters["dropped_sightings"] += 1
            if oldest.row:
                self._forget.append(oldest.row)

    def _forget_some(self) -> int:
        """Delete what is acknowledged, in the running transaction; the caller shortens the list after its commit."""
        self.journal.forget(self._forget)
        return len(self._forget)

    # --- what arrives

    def receive(self, batch: Sequence[tuple[str, bytes]]) -> None:
        """Take a batch of (topic, payload) in one transaction. Never raises for what a message contains.

        Raises sqlite3.Error when the disk fails: then nothing of the batch was taken, nothing is acknowledged, and the
        senders send it again.
        """
        try:
            self._receive(batch, careful=False)
        except _Spoilt:
            self._receive(batch, careful=True)

    def _receive(self, batch: Sequence[tuple[str, bytes]], *, careful: bool) -> None:
        tx = self._tx()
        marks: dict[tuple[str, str, str], int] = {}
        receipts: dict[tuple[str, str, str], bool] = {}
        counted: Counter[str] = Counter()
        pruned: list[tuple[str, str, str]] = []
        self.journal.db.execute("BEGIN IMMEDIATE")
        try:
            for topic, payload in batch:
                self._receive_one(topic, payload, tx, marks, receipts, counted, careful)
            at = tx.utc.isoformat()
            for key, taken in marks.items():
                self.journal.mark(key, taken, at)
                if key not in self._marks:
                    pruned += self.journal.prune_marks(*key)
            forgotten = self._forget_some() if marks else 0
            self.journal.db.execute("COMMIT")
        except BaseException:
            self._roll_back(tx)
            raise
        self._marks.update(marks)
        for key in pruned:
            self._marks.pop(key, None)
        del self._forget[:forgotten]
        self.counters.update(counted)
        self._committed(tx)
        self._acknowledge(receipts, marks)

    def _receive_one(self, topic: str, payload: bytes, tx: Tx, marks: dict[tuple[str, str, str], int],
                     receipts: dict[tuple[str, str, str], bool], counted: Counter[str], careful: bool) -> None:  # fmt: skip
        try:
            message = decode(topic, payload)
        except ContractError as error:
            counted["quarantined"] += 1
            counted[f"quarantined_{error.reason}"] += 1
            if self._complaints.may(topic, tx.now):
                self.journal.quarantine(tx.utc.isoformat(), topic, error.reason, error.detail, payload)
                log.warning("message quarantined", topic=error.topic, reason=error.reason, detail=error.detail)
            else:
                counted["quarantined_unkept"] += 1
            return
        if not self._is_for_us(message):
            counted["quarantined"] += 1
            counted["quarantined_not_mine"] += 1
            self.journal.quarantine(tx.utc.isoformat(), topic, "not_mine", f"not for {self.me.username}", payload)
            return
        if isinstance(message.data, Receipt):
            self._on_receipt(message, message.data, tx.now)
            return
        self._nudge(message, tx.now)
        hand_over = self._hand_over_carefully if careful else self._hand_over
        if message.numbering is None:
            hand_over(message, payload, topic, tx, counted)
            return
        assert message.channel.stream is not None
        key = (message.source, message.channel.stream.value, message.numbering.epoch)
        taken = marks.get(key, self._marks.get(key, 0))
        verdict = judge(taken, message.numbering.seq, message.numbering.floor)
        if verdict is Verdict.TAKE:
            if skipped := declared_lost(taken, message.numbering.seq):
                counted["declared_lost"] += skipped
            hand_over(message, payload, topic, tx, counted)
            marks[key] = message.numbering.seq
            receipts.setdefault(key, False)
        elif verdict is Verdict.DUPLICATE:
            counted["duplicates"] += 1
            receipts.setdefault(key, False)
        else:
            counted["gaps"] += 1
            receipts[key] = True

    def _is_for_us(self, message: Message) -> bool:
        """A broker with other rules than ours may bring what is for others: it is neither applied nor acknowledged."""
        own = self.me.role.value
        return (self.me.role in message.channel.subscribers and message.store == self.store
                and message.ids.get(own, self.me.id) == self.me.id)  # fmt: skip

    def _hand_over(self, message: Message, _payload: bytes, topic: str, tx: Tx, counted: Counter[str]) -> None:
        """Give a message to the application. Raises _Spoilt if that fails."""
        try:
            self.handle(message, tx)
        except sqlite3.OperationalError:
            raise  # the disk, not the message: the whole batch comes to nothing and will be sent again
        except Exception as error:
            raise _Spoilt(topic) from error
        counted["received"] += 1

    def _hand_over_carefully(self, message: Message, payload: bytes, topic: str, tx: Tx, counted: Counter[str]) -> None:
        """Give a message to the application; if that fails, undo it alone, keep it aside, and go on."""
        posted, published = len(tx.posted), len(tx.published)
        effects, undo = len(tx.effects), len(tx.undo)
        tx.db.execute("SAVEPOINT message")
        try:
            self.handle(message, tx)
            tx.db.execute("RELEASE message")
        except sqlite3.OperationalError:
            raise  # the disk, not the message: the whole batch comes to nothing and will be sent again
        except Exception as error:
            tx.db.execute("ROLLBACK TO message")
            tx.db.execute("RELEASE message")
            self._unpost(tx, posted)
            del tx.published[published:], tx.effects[effects:]
            for put_right in reversed(tx.undo[undo:]):
                put_right()
            del tx.undo[undo:]
            counted["quarantined"] += 1
            counted["quarantined_handler"] += 1
            if self._complaints.may(topic, tx.now):
                detail = f"{type(error).__name__}: {error}"
                self.journal.quarantine(tx.utc.isoformat(), topic, "handler", detail, payload)
                log.error("message could not be handled", topic=topic, id=message.id, error=repr(error), exc_info=True)
            else:
                counted["quarantined_unkept"] += 1
        counted["received"] += 1

    def _on_receipt(self, message: Message, receipt: Receipt, now: float) -> None:
        peer = "hub" if self.me.role is not Role.HUB else f"agent/{message.ids['agent']}"
        stream = self._streams.get((peer, receipt.stream))
        if stream is None:
            return
        for entry in stream.acknowledged(receipt.epoch, receipt.taken, receipt.again, now):
            if entry.row:
                self._forget.append(entry.row)
            if self.on_acknowledged is not None and entry.queued:
                self.on_acknowledged(receipt.stream, now - entry.queued)
        if self._forget and self._flush_at is None:
            self._flush_at = now + FLUSH_S

    def _nudge(self, message: Message, now: float) -> None:
        peer = "hub" if message.channel.publisher is Role.HUB else message.source
        for stream in Stream:
            waiting = self._streams.get((peer, stream.value))
            if waiting is not None and len(waiting):
                waiting.nudge(now)

    def _acknowledge(self, receipts: dict[tuple[str, str, str], bool], marks: dict[tuple[str, str, str], int]) -> None:
        hub = self.me.role is Role.HUB
        for key, again in receipts.items():
            sender, stream, epoch = key
            taken = marks.get(key, self._marks.get(key, 0))
            ids = {"agent": sender.partition("/")[2] if hub else self.me.id}
            route = self._routes.find("receipt_up" if hub else "receipt_down", ids)
            self._ids += 1
            data = Receipt(stream=Stream(stream).value, epoch=epoch, taken=taken, again=again)
            message_id = f"{self.me.username}.{self.epoch}.{self._ids}"
            body = encode(Message(route.channel, route.ids, data, message_id, route.source))
            self._publications.append(Publication(route.topic, body, 0))

    # --- the wire

    def link_up(self) -> None:
        """The connection to the broker is new: whatever is unacknowledged goes out again."""
        self.connected = True
        for stream in self._streams.values():
            stream.rewind()

    def link_down(self) -> None:
        """The connection is gone. Numbered messages wait; state will be said again."""
        self.connected = False
        self._publications.clear()

    def poll(self) -> list[Publication]:
        """What to publish now. Call after every transaction, batch, connection, and at `next_deadline`."""
        now = self.clock.monotonic()
        if self._flush_at is not None and now >= self._flush_at:
            self.flush()
        found, self._publications = self._publications, []
        if self.connected:
            for stream in self._streams.values():
                for entry, floor in stream.due(now):
                    found.append(Publication(entry.topic, self._bytes(entry, floor), 0))
        return found

    def _bytes(self, entry: Entry, floor: int) -> bytes:
        body = entry.body if entry.body is not None else self.journal.body(entry.row)
        own = b'"floor":%d,' % entry.seq
        return body if floor == entry.seq else body.replace(own, b'"floor":%d,' % floor, 1)

    def flush(self) -> None:
        """Sightings that are still unacknowledged reach the disk; acknowledged messages leave it. One sync."""
        self._flush_at = None
        waiting = [(key, entry) for key, entry in self._unsaved if not entry.done]
        self._unsaved.clear()
        if not waiting and not self._forget:
            return
        self.journal.db.execute("BEGIN IMMEDIATE")
        try:
            for key, entry in waiting:
                entry.row = self.journal.put(*key, entry)
            forgotten = self._forget_some()
            self.journal.db.execute("COMMIT")
        except sqlite3.Error:
            if self.journal.db.in_transaction:
                self.journal.db.execute("ROLLBACK")
            for _, entry in waiting:
                entry.row = 0
            self._unsaved.extendleft(reversed(waiting))
            self._flush_at = self.clock.monotonic() + FLUSH_S
            self.counters["flush_failed"] += 1
            raise
        del self._forget[:forgotten]
        for key, entry in waiting:
            if len(self._streams[key]) > BODIES_MAX:
                entry.body = None

    def next_deadline(self) -> float | None:
        """When `poll` wants to be called again even if nothing happens (monotonic seconds); None: never."""
        deadlines = [stream.next_deadline() for stream in self._streams.values()] if self.connected else []
        return min((d for d in (*deadlines, self._flush_at) if d is not None), default=None)

    # --- to look at

    def unacknowledged(self) -> int:
        """Messages of ours that no peer has acknowledged yet."""
        return sum(len(stream) for stream in self._streams.values())

    def depths(self) -> dict[tuple[str, str], tuple[int, float]]:
        """By peer and stream: how many wait, and the age of the oldest in this process's life, in seconds."""
        now = self.clock.monotonic()
        return {
            key: (len(stream), now - stream.pending[0].queued if len(stream) and stream.pending[0].queued else 0.0)
            for key, stream in self._streams.items()
        }

    def oldest_unacknowledged_s(self) -> float:
        """Age of the oldest of them in this process's life, in seconds."""
        now = self.clock.monotonic()
        ages = [now - s.pending[0].queued for s in self._streams.values() if len(s) and s.pending[0].queued]
        return max(ages, default=0.0)
