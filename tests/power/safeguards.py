"""Each safeguard of delivery taken out, one at a time: the proof that the proof bites. Production code has no such switch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from delivery.engine import Engine, Publication
from delivery.journal import Journal
from delivery.streams import Entry
from delivery.taking import Taking
from tests.power.disk import Inode
from tests.power.machines import Machine
from tests.power.vfs import DiskConnection
from tests.power.workload import World

Prepare = Callable[[World], None]


def _sync_at_checkpoints_only(world: World) -> None:
    """`synchronous=NORMAL`, as most guides say for WAL: consistent, but the last commits may be undone."""
    execute = DiskConnection.execute

    def normal(self: DiskConnection, sql: str, values: Any = ()) -> Any:
        return execute(self, sql.replace("synchronous=FULL", "synchronous=NORMAL"), values)

    _patched(world, DiskConnection, "execute", normal)


def _acknowledge_before_the_commit(world: World) -> None:
    """The receipt goes out as soon as a message was handled, as MQTT clients do by default."""
    take = Taking.take

    def early(self: Taking, topic: str, payload: bytes) -> None:
        take(self, topic, payload)
        machine = next(m for m in world.machines.values() if m.engine._receiver is self.receiver)
        for key, again in self.receipts.items():
            machine.engine._acknowledge(key, self.taken(key), again)
        self.receipts.clear()
        _send_now(machine)

    _patched(world, Taking, "take", early)


def _send_now(machine: Machine) -> None:
    now: list[Publication]
    now, machine.engine._publications = machine.engine._publications, []
    for publication in now:
        machine.publish(publication.topic, publication.payload)


def _effects_and_mark_in_two_transactions(world: World) -> None:
    """The effects are committed first, then the mark: each whole, but not together."""
    mark = Journal.mark

    def apart(self: Journal, key: tuple[str, str, str], taken: int, at: str) -> None:
        self.db.execute("COMMIT")
        self.db.execute("BEGIN IMMEDIATE")
        mark(self, key, taken, at)

    _patched(world, Journal, "mark", apart)


def _answers_kept_in_memory(world: World) -> None:
    """No outbox: what a program has to say waits in its memory, as in an MQTT client."""
    bodies: dict[int, bytes] = {}

    def memory(self: Journal, peer: str, stream: str, entry: Entry) -> int:
        bodies[len(bodies) + 1_000_000] = entry.body or b""
        return len(bodies) + 999_999

    _patched(world, Journal, "put", memory)
    _patched(world, Journal, "body", lambda self, row: bodies[row])


def _numbers_begin_anew_in_the_same_epoch(world: World) -> None:
    """A sender that starts again counts from 1 without saying that it is a new count."""
    world.same_epoch = True


def _acknowledged_rows_forgotten_before_the_receipt(world: World) -> None:
    """A message leaves the outbox as soon as it is on the wire."""
    poll = Engine.poll

    def sent_is_done(self: Engine) -> list[Publication]:
        found = poll(self)
        for stream in self.outgoing.streams.values():
            rows = [entry.row for entry in stream.pending if entry.row]
            if rows and not self.journal.db.in_transaction:
                self.journal.db.execute("BEGIN IMMEDIATE")
                self.journal.forget(rows)
                self.journal.db.execute("COMMIT")
        return found

    _patched(world, Engine, "poll", sent_is_done)


def _disk_that_lies(world: World) -> None:
    """A disk (a cheap card, a virtual one with unsafe caching) that says "synced" and has it in its cache."""
    sync = Inode.sync

    def lie(self: Inode) -> None:
        if len(self.pending) > 200:
            sync(self)

    _patched(world, Inode, "sync", lie)


_RUNNING: list[Any] = []


def _patched(world: World, owner: type, name: str, to: Callable[..., Any]) -> None:
    patcher = patch.object(owner, name, to)
    patcher.start()
    _RUNNING.append(patcher)


@contextmanager
def put_back() -> Iterator[None]:
    """Whatever was taken out in this block is put back at its end."""
    try:
        yield
    finally:
        while _RUNNING:
            _RUNNING.pop().stop()


SAFEGUARDS: dict[str, Prepare] = {
    "synchronous=NORMAL instead of FULL": _sync_at_checkpoints_only,
    "acknowledged before the commit": _acknowledge_before_the_commit,
    "effects and mark in two transactions": _effects_and_mark_in_two_transactions,
    "no outbox on disk": _answers_kept_in_memory,
    "out of the outbox when sent, not when acknowledged": _acknowledged_rows_forgotten_before_the_receipt,
    "numbers from 1 again in the same epoch": _numbers_begin_anew_in_the_same_epoch,
    "a disk that lies about syncs": _disk_that_lies,
}
