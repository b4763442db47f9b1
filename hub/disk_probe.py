"""Whether the database takes a write, found out by writing: with no customers in the store nothing else would tell."""

from __future__ import annotations

import sqlite3

import structlog

from delivery.node import Node

log = structlog.get_logger()

EVERY_S = 1.0
"""Whoever asks more often gets the last answer: a probe costs a sync."""


class DiskProbe:
    """`trouble()` is "" or what SQLite says. Runs in the loop that owns the connection."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._next = 0.0
        self._trouble = ""

    def trouble(self) -> str:
        """Probe the disk, at most once a second."""
        if self._node.disk_trouble:
            return self._node.disk_trouble
        now = self._node.engine.clock.monotonic()
        if now >= self._next:
            self._next = now + EVERY_S
            self._probe()
        return self._trouble

    def failed(self, error: sqlite3.Error) -> None:
        """Somebody else's write has failed."""
        self._next = self._node.engine.clock.monotonic() + EVERY_S
        self._note(str(error))

    def _probe(self) -> None:
        try:
            with self._node.engine.transaction() as tx:
                tx.db.execute("PRAGMA user_version = 1")  # used by nobody here, and written even if it is the same
        except sqlite3.Error as error:
            self._note(str(error))
        else:
            self._note("")

    def _note(self, trouble: str) -> None:
        path = str(self._node.engine.journal.path)
        if trouble and not self._trouble:
            log.error("the database can't be written; is the disk full?", path=path, error=trouble)
        elif self._trouble and not trouble:
            log.info("the database can be written again", path=path)
        self._trouble = trouble
