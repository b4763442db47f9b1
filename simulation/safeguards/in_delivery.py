"""Safeguards of delivery, taken out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest.mock import patch

from contract.messages import Stream
from delivery.engine import Engine
from delivery.journal import Journal
from delivery.node import Node
from delivery.outgoing import Outgoing
from delivery.streams import OutStream, Verdict
from delivery.taking import Taking
from delivery.transaction import Publication, Tx


def no_number_check() -> AbstractContextManager[Any]:
    return patch("delivery.taking.judge", lambda *_: Verdict.TAKE)


def gaps_are_taken() -> AbstractContextManager[Any]:
    def judge(taken: int, seq: int, floor: int) -> Verdict:  # noqa: ARG001
        return Verdict.DUPLICATE if seq <= taken else Verdict.TAKE

    return patch("delivery.taking.judge", judge)


@contextmanager
def marks_in_their_own_transaction() -> Iterator[None]:
    receive, mark = Engine.receive, Journal.mark
    late: list[tuple[Any, ...]] = []

    def received(self: Engine, batch: Any) -> None:
        late.clear()
        with patch.object(Journal, "mark", lambda _, *what: late.append(what)):
            receive(self, batch)
        if late:
            self.journal.db.execute("BEGIN IMMEDIATE")
            for what in late:
                mark(self.journal, *what)
            self.journal.db.execute("COMMIT")

    with patch.object(Engine, "receive", received):
        yield


@contextmanager
def acknowledged_before_commit() -> Iterator[None]:
    take, made = Taking._take_numbered, Node.__init__
    nodes: dict[int, Node] = {}

    def init(self: Node, engine: Engine, *args: Any, **more: Any) -> None:
        made(self, engine, *args, **more)
        nodes[id(engine.journal)] = self

    def taken(self: Taking, message: Any, *rest: Any) -> None:
        take(self, message, *rest)
        key = message.source, message.channel.stream.value, message.numbering.epoch
        if self.taken(key) == message.numbering.seq:
            node = nodes[id(self.receiver.journal)]
            node.engine._acknowledge(key, message.numbering.seq, False)
            node.link.publish(node.engine._publications.pop())

    with patch.object(Node, "__init__", init), patch.object(Taking, "_take_numbered", taken):
        yield


class _NothingIsCritical:
    CRITICAL = object()
    _real = Stream

    def __call__(self, value: str) -> object:
        return self._real(value)

    def __iter__(self) -> Iterator[object]:
        return iter(self._real)


def not_on_disk_before_it_is_said() -> AbstractContextManager[Any]:
    return patch("delivery.engine.Stream", _NothingIsCritical())


@contextmanager
def commits_not_synced() -> Iterator[None]:
    made = Journal.__init__

    def init(self: Journal, *args: Any, **more: Any) -> None:
        made(self, *args, **more)
        self.db.execute("PRAGMA synchronous=OFF")

    with patch.object(Journal, "__init__", init):
        yield


def marks_in_memory_only() -> AbstractContextManager[Any]:
    return patch.object(Journal, "mark", lambda self, key, taken, at: None)  # noqa: ARG005


@contextmanager
def one_epoch_for_ever() -> Iterator[None]:
    made = Engine.__init__

    def init(self: Engine, *args: Any, **more: Any) -> None:
        made(self, *args, **{**more, "epoch": "always"})

    with patch.object(Engine, "__init__", init):
        yield


@contextmanager
def never_sent_again() -> Iterator[None]:
    def rewind(self: OutStream) -> None:
        self._deadline = None

    with patch.object(OutStream, "rewind", rewind):
        yield


def forgotten_when_sent() -> AbstractContextManager[Any]:
    due = Outgoing.due

    def sent_is_done(self: Outgoing, now: float) -> list[Publication]:
        found = list(due(self, now))
        for stream in self.streams.values():
            if rows := [entry.row for entry in stream.pending if entry.row]:
                self._journal.db.execute("BEGIN IMMEDIATE")
                self._journal.forget(rows)
                self._journal.db.execute("COMMIT")
        return found

    return patch.object(Outgoing, "due", sent_is_done)


def memory_does_not_follow_the_disk() -> AbstractContextManager[Any]:
    return patch.object(Tx, "back_to", lambda self, *_: None)  # noqa: ARG005
