"""What an application may do inside one transaction of `delivery.engine`, and what comes out of it for the MQTT client."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from contract.payloads import Payload
from delivery.streams import Entry


@dataclass(frozen=True, slots=True)
class Publication:
    """Something to hand to the MQTT client now."""

    topic: str
    payload: bytes
    qos: int
    retain: bool = False
    expiry_s: int | None = None
    urgent: bool = False
    """A person waits for it: it leaves before everything else."""


Mark = tuple[int, int, int, int, int]
Say = Callable[["Tx", str, Payload, str | None, str | None, dict[str, str]], str]
"""(tx, name, data, visit, cause, ids) to the message's ID."""


class Tx:
    """What the application may do inside one transaction."""

    def __init__(self, db: sqlite3.Connection, say: Say, now: float, utc: datetime) -> None:
        self.db = db
        self.now = now
        """Monotonic seconds."""
        self.utc = utc
        self._say = say
        self.posted: list[tuple[tuple[str, str], Entry]] = []
        self.published: list[Publication] = []
        self.to_terminals: list[tuple[str, Publication]] = []
        """(customer, what to tell her terminals): never to the broker."""
        self.effects: list[Callable[[], None]] = []
        self.undo: list[Callable[[], None]] = []

    def send(self, name: str, data: Payload, *, visit: str | None = None, cause: str | None = None, **ids: str) -> str:
        """Say something; returns its message ID.

        `name` is a row of `contract.messages`, `ids` the levels of its topic other than our own. Numbered rows are stored
        in this transaction and sent until they are acknowledged; others are published once, after the commit. What is said to a
        member's terminal (`customer=ID`) goes to `Engine.outlet`, whether the broker is there or not.
        """
        return self._say(self, name, data, visit, cause, ids)

    def after_commit(self, effect: Callable[[], None]) -> None:
        """Do something to the world once this transaction is on disk."""
        self.effects.append(effect)

    def on_rollback(self, undo: Callable[[], None]) -> None:
        """Put something in memory right again if this transaction comes to nothing."""
        self.undo.append(undo)

    def mark(self) -> Mark:
        """Where this transaction is now, for `back_to`."""
        return len(self.posted), len(self.published), len(self.to_terminals), len(self.effects), len(self.undo)

    def back_to(self, mark: Mark = (0, 0, 0, 0, 0)) -> None:
        """Take back what came since: nothing of it is said or done, and what is in memory is put right, newest first."""
        posted, published, to_terminals, effects, undo = mark
        for put_right in reversed(self.undo[undo:]):
            put_right()
        del self.posted[posted:], self.published[published:], self.to_terminals[to_terminals:]
        del self.effects[effects:], self.undo[undo:]
