"""One transaction per batch: check numbers, apply effects, write what follows, commit; then acknowledge and send.

The engine has no asyncio, no thread and no clock of its own: `delivery.node` drives it in production, a simulation drives it
on a virtual clock with the same SQLite file.

Order of a received batch (design "Nothing lost, nothing twice"):

1. BEGIN IMMEDIATE, unless there are only receipts, which change nothing on the disk.
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
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from random import Random

import structlog

from contract.access import Principal
from contract.envelope import Message, Numbering, encode
from contract.messages import Role, Stream
from contract.payloads import Payload, Receipt
from delivery.clock import Clock
from delivery.complaints import Complaints
from delivery.journal import Journal
from delivery.outgoing import Outgoing
from delivery.routes import Routes
from delivery.streams import Entry
from delivery.taking import Handle, Receiver, Spoilt, Taking
from delivery.transaction import Publication, Tx

__all__ = ["Engine", "Publication", "Tx"]

log = structlog.get_logger()

Outlet = Callable[[str, Publication], None]
"""(customer, what to tell her terminals), called after the commit."""

CLOCKS_AGREE = timedelta(seconds=5)
"""NTP holds clocks much closer; a receipt is seldom so long on its way."""


class Engine:
    """The delivery of one program: its streams to each peer, its marks, and the transactions of its application.

    `me` is who we are at the broker; `handle(message, tx)` is the application. `rng` gives only jitter. `outlet`, if set, takes
    what is not for the broker (decision 0011).
    """

    def __init__(self, journal: Journal, me: Principal, store: str, handle: Handle, *, clock: Clock | None = None,
                 epoch: str | None = None, rng: Random | None = None) -> None:  # fmt: skip
        self.journal, self.me, self.store, self.handle = journal, me, store, handle
        self.clock = clock or Clock()
        self.epoch = epoch or secrets.token_hex(5)
        self.counters: Counter[str] = Counter()
        self.connected = False
        self.outgoing = Outgoing(journal, self.clock, self.counters, (rng or Random()).random)
        self._next: Counter[tuple[str, str]] = Counter()
        self._routes = Routes(me, store)
        self._ids = 0
        self._marks = journal.marks()
        self._receiver = Receiver(me, store, journal, self.outgoing, self._marks, Complaints())
        self._publications: list[Publication] = []
        self._receipts: list[tuple[tuple[str, str, str], int, bool]] = []
        self._peer_clocks: dict[str, tuple[datetime, float]] = {}
        self.outlet: Outlet | None = None

    # --- what the application says

    def _send(self, tx: Tx, name: str, data: Payload, visit: str | None, cause: str | None, ids: dict[str, str]) -> str:
        route = self._routes.find(name, ids)
        channel, key = route.channel, route.key
        message_id = self._new_id()
        numbering = None
        if key is not None:
            self._next[key] += 1
            numbering = Numbering(self.epoch, self._next[key], self._next[key])
            tx.on_rollback(lambda: self._take_back(key))
        body = encode(Message(channel, route.ids, data, message_id, route.source, tx.utc, visit, cause, numbering))
        if key is None or numbering is None:
            urgent = Role.CLERK in channel.subscribers and not channel.retain
            publication = Publication(route.topic, body, channel.qos, channel.retain, channel.expiry_s, urgent)
            if channel.at_broker:
                tx.published.append(publication)
            else:
                tx.to_terminals.append((route.ids[Role.CUSTOMER.value], publication))
            return message_id
        entry = Entry(self.epoch, numbering.seq, route.topic, body, queued=tx.now)
        if channel.stream is Stream.CRITICAL:
            entry.row = self.journal.put(*key, entry)
        tx.posted.append((key, entry))
        return message_id

    def _new_id(self) -> str:
        self._ids += 1
        return f"{self.me.username}.{self.epoch}.{self._ids}"

    def _take_back(self, key: tuple[str, str]) -> None:
        self._next[key] -= 1

    # --- transactions

    def _tx(self) -> Tx:
        return Tx(self.journal.db, self._send, self.clock.monotonic(), self.utc())

    @contextmanager
    def transaction(self) -> Iterator[Tx]:
        """One SQLite transaction of the application's own. Raises what the body raises, after a roll-back."""
        tx = self._tx()
        self.journal.db.execute("BEGIN IMMEDIATE")
        try:
            yield tx
            forgotten = self.outgoing.forget_some()
            self.journal.db.execute("COMMIT")
        except BaseException:
            self._roll_back(tx)
            raise
        self.outgoing.forgotten(forgotten)
        self._committed(tx)

    def _roll_back(self, tx: Tx) -> None:
        if self.journal.db.in_transaction:
            self.journal.db.execute("ROLLBACK")
        tx.back_to()

    def _committed(self, tx: Tx) -> None:
        self.outgoing.add(tx.posted, tx.now)
        if self.connected:
            self._publications += tx.published
        elif tx.published:
            self.counters["unsent_state"] += len(tx.published)  # state is said again on connection
        for customer, publication in tx.to_terminals:
            self._hand_out(customer, publication)
        for effect in tx.effects:
            effect()

    def _hand_out(self, customer: str, publication: Publication) -> None:
        """To a member's terminals. The transaction is kept already: nothing that goes wrong here may look as if it were not."""
        if self.outlet is None:
            self.counters["unsent_to_terminals"] += 1  # state too: a terminal is told at its next connection
            return
        try:
            self.outlet(customer, publication)
        except Exception as error:
            self.counters["outlet_errors"] += 1
            log.error("the outlet to members' terminals failed", topic=publication.topic, error=type(error).__name__)

    # --- what arrives

    def receive(self, batch: Sequence[tuple[str, bytes]]) -> None:
        """Take a batch of (topic, payload) in one transaction. Never raises for what a message contains.

        Raises sqlite3.Error when the disk fails: then nothing of the batch was taken, nothing is acknowledged, and the
        senders send it again.
        """
        try:
            self._receive(batch, careful=False)
        except Spoilt:
            self._receive(batch, careful=True)

    def from_terminal(self, customer: str, topic: str, payload: bytes) -> str:
        """Take one message that the terminal of `customer`, signed in, sent over the hub's WebSocket, in one transaction.

        Returns "", or the reason for which it was refused: a word of `contract.errors.ContractError`, `not_mine` (it speaks
        for another), `handler` (the application failed on it). What a terminal sends may be readings: of what does not fit
        only the reason is kept (row C11). Raises sqlite3.Error when the disk fails: then nothing was taken.
        """
        return self._receive([(topic, payload)], careful=True, terminal=customer)

    def _receive(self, batch: Sequence[tuple[str, bytes]], *, careful: bool, terminal: str | None = None) -> str:
        tx = self._tx()
        taking = Taking(self._receiver, self.handle, tx, careful=careful, terminal=terminal)
        try:
            for topic, payload in batch:
                taking.take(topic, payload)
            if taking.marks:
                pruned, forgotten = self._mark(taking), self.outgoing.forget_some()
            if taking.begun:
                self.journal.db.execute("COMMIT")
        except BaseException:
            self._roll_back(tx)
            raise
        if taking.marks:
            self._marks.update(taking.marks)
            for key in pruned:
                self._marks.pop(key, None)
            self.outgoing.forgotten(forgotten)
        for name, more in taking.counted.items():
            self.counters[name] += more
        self._committed(tx)
        for peer, utc in taking.clocks.items():
            self._peer_clocks[peer] = utc, tx.now
        for key, again in taking.receipts.items():
            self._receipts.append((key, taking.taken(key), again))
        return taking.refused

    def _mark(self, taking: Taking) -> list[tuple[str, str, str]]:
        """Write the new marks; returns those of old epochs that are forgotten for it."""
        pruned: list[tuple[str, str, str]] = []
        for key, taken in taking.marks.items():
            self.journal.mark(key, taken, taking.tx.utc.isoformat())
            if key not in self._marks:
                pruned += self.journal.prune_marks(*key)
        return pruned

    def _acknowledge(self, key: tuple[str, str, str], taken: int, again: bool) -> None:
        hub = self.me.role is Role.HUB
        sender, stream, epoch = key
        ids = {"agent": sender.partition("/")[2] if hub else self.me.id}
        route = self._routes.find("receipt_up" if hub else "receipt_down", ids)
        data = Receipt(stream=Stream(stream).value, epoch=epoch, taken=taken, again=again)
        body = encode(Message(route.channel, route.ids, data, self._new_id(), route.source, self.clock.utc()))
        self._publications.append(Publication(route.topic, body, 0))

    # --- the wire

    def link_up(self) -> None:
        """The connection to the broker is new: whatever is unacknowledged goes out again."""
        self.connected = True
        self.outgoing.rewind()

    def link_down(self) -> None:
        """The connection is gone. Numbered messages wait; state will be said again."""
        self.connected = False
        self._publications.clear()
        self._receipts.clear()

    def urgent(self) -> list[Publication]:
        """What a person waits for: to be on the wire before `poll` even looks for the rest."""
        if not self._publications:
            return []
        found = [publication for publication in self._publications if publication.urgent]
        if found:
            self._publications = [publication for publication in self._publications if not publication.urgent]
        return found

    def poll(self) -> list[Publication]:
        """What to publish now. Call after every transaction, batch, connection, and at `next_deadline`."""
        now = self.clock.monotonic()
        if self.outgoing.flush_at is not None and now >= self.outgoing.flush_at:
            self.flush()
        found = list(self.outgoing.due(now)) if self.connected else []
        for receipt in self._receipts:
            self._acknowledge(*receipt)
        found += self._publications
        self._receipts, self._publications = [], []
        return found

    def flush(self) -> None:
        """Sightings that are still unacknowledged reach the disk; acknowledged messages leave it. One sync."""
        self.outgoing.flush()

    def next_deadline(self) -> float | None:
        """When `poll` wants to be called again even if nothing happens (monotonic seconds); None: never."""
        due, flush = self.outgoing.next_deadline() if self.connected else None, self.outgoing.flush_at
        return due if flush is None else flush if due is None else min(due, flush)

    # --- to look at

    def utc(self) -> datetime:
        """The store's time. That is the hub's, as its newest receipt in this process's life told it, wherever ours is far off: a
        Pi has no battery clock, and what it tells of when would be taken for old news.

        It goes on by our monotonic clock, whatever is done to the wall clock of this machine. A receipt is an answer and is never
        retained, so it is as old as its way was long; our own clock is finer as long as the two agree.
        """
        own, told = self.clock.utc(), self._peer_clocks.get(Role.HUB.value)
        if told is None:
            return own
        by_hub = told[0] + timedelta(seconds=self.clock.monotonic() - told[1])
        return own if abs(own - by_hub) <= CLOCKS_AGREE else by_hub

    @property
    def knows_time(self) -> bool:
        """Whether the hub's clock was heard in this process's life."""
        return Role.HUB.value in self._peer_clocks

    def is_behind(self, patience_s: float) -> bool:
        """Whether our peer will hardly answer at once: critical messages of ours wait for so long, or are a backlog."""
        return self.outgoing.is_behind(patience_s)

    def unacknowledged(self) -> int:
        """Messages of ours that no peer has acknowledged yet."""
        return len(self.outgoing)

    def oldest_unacknowledged_s(self) -> float:
        """Age of the oldest of them in this process's life, in seconds."""
        return max((age_s for _, age_s in self.outgoing.depths().values()), default=0.0)
