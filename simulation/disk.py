"""The disk of a simulated machine: real SQLite files, killed at any commit, full, slow, or forgetful of what was not synced.

A commit that the loss of power interrupts is torn (`simulation.torn`): of its writes, which were not synced yet, any sectors
may be there. Then the file itself says whether the commit held.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from simulation.loop import Killed, Process
from simulation.torn import Files, Torn

SYNC_EVERY_S = 10.0
"""A system writes back what no program synced after this long."""
FULL = 2
"""`PRAGMA synchronous`: every commit is synced."""


@dataclass
class Disk:
    """The file of one program over all its lives. `full`: no commit is possible. `slow_s`: what a commit costs."""

    path: Path
    now: Callable[[], float]
    full: bool = False
    slow_s: float = 0.0
    on_commit: list[Callable[[], None]] = field(default_factory=list)
    on_rollback: list[Callable[[], None]] = field(default_factory=list)
    commits: int = 0
    """Of this life."""
    kill_before: int | None = None
    kill_after: int | None = None
    tear: tuple[int, Random] | None = None
    """The power goes within this commit, or the next one that writes."""
    on_torn: list[Callable[[bool | None], None]] = field(default_factory=list)
    """Told whether a torn commit held; None: the file is damaged."""
    _synced: bytes | None = None
    _synced_at: float = 0.0

    def connect(self, process: Process) -> Callable[[Path | str], sqlite3.Connection]:
        """For `Journal`: a connection of this process."""
        self.commits, self.kill_before, self.kill_after, self.tear = 0, None, None, None

        def make(path: Path | str) -> sqlite3.Connection:
            db = sqlite3.connect(path, factory=_Connection, isolation_level=None, cached_statements=512)
            db.bind(self, process)
            db.execute(
                "PRAGMA locking_mode=EXCLUSIVE"
            )  # nobody else opens the file: no locks in it at each transaction
            process.on_kill.append(db.power_off)
            return db

        return make

    def before_commit(self, db: _Connection) -> None:
        self.commits += 1
        if self.full:
            raise sqlite3.OperationalError("database or disk is full")
        if self.slow_s:
            db.process.freeze(self.slow_s)
        if self.commits == self.kill_before:
            db.process.kill()
            raise Killed

    def after_commit(self, db: _Connection) -> None:
        for tell in self.on_commit:
            tell()
        if self.commits == self.kill_after:
            db.process.kill()
            raise Killed

    def rolled_back(self) -> None:
        for tell in self.on_rollback:
            tell()

    def remember(self, db: sqlite3.Connection) -> None:
        """Without `synchronous=FULL` only what the system has written back by itself survives a loss of power."""
        if self.now() - self._synced_at >= SYNC_EVERY_S or self._synced is None:
            self._synced, self._synced_at = db.serialize(), self.now()

    def lies_torn(self, torn: Torn) -> None:
        """What the power left of a commit: all of it or nothing, as the file itself tells when it is opened."""
        torn.left.write(self.path)
        held = torn.held(self.path)
        for torn_is in self.on_torn:
            torn_is(held)
        for tell in self.on_commit if held else self.on_rollback:
            tell()

    def lose_unsynced(self) -> None:
        """After a loss of power of a program whose commits are not synced."""
        if self._synced is not None:
            for suffix in ("-wal", "-shm"):
                Path(f"{self.path}{suffix}").unlink(missing_ok=True)
            self.path.write_bytes(self._synced)


_execute = sqlite3.Connection.execute


def _of_the_dead(*_: object) -> sqlite3.Cursor:
    raise Killed


class _Connection(sqlite3.Connection):
    def bind(self, disk: Disk, process: Process) -> None:
        self.disk, self.process = disk, process
        self.unsynced = self.closed = False
        self.torn: Torn | None = None

    def close(self) -> None:
        self.closed = True
        super().close()

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        if sql[0] not in "CRP":  # all but COMMIT, ROLLBACK, PRAGMA and few others
            return _execute(self, sql, parameters)
        if sql == "COMMIT":
            self.disk.before_commit(self)
            cursor = self._commit()
            if self.unsynced:
                self.disk.remember(self)
            self.disk.after_commit(self)
            return cursor
        if sql == "ROLLBACK":
            self.disk.rolled_back()
        elif sql.startswith("PRAGMA synchronous"):
            cursor = super().execute(sql)
            self.unsynced = super().execute("PRAGMA synchronous").fetchone()[0] < FULL
            return cursor
        return _execute(self, sql, parameters)

    def _commit(self) -> sqlite3.Cursor:
        disk = self.disk
        if disk.tear is None or disk.commits < disk.tear[0]:
            return super().execute("COMMIT")
        before, rng = Files.read(disk.path), disk.tear[1]
        cursor = super().execute("COMMIT")
        after = Files.read(disk.path)
        if after == before:  # it had nothing to write
            return cursor
        self.torn = Torn(before, after, rng)
        self.process.kill()
        raise Killed

    def power_off(self) -> None:
        """What was not committed is gone; nobody reads or writes through this connection any more."""
        self.execute = _of_the_dead  # type: ignore[method-assign, assignment]
        if self.closed:  # it had ended by itself
            return
        if self.in_transaction:
            self.rollback()
        if self.torn is None:
            self.disk.rolled_back()
        # Closed a moment later: the step that is being killed may still look at it on its way out.
        self.process.loop.call_soon(self._close, context=self.process.loop.outside)

    def _close(self) -> None:
        self.close()
        if self.torn is not None:
            self.disk.lies_torn(self.torn)
        elif self.unsynced:
            self.disk.lose_unsynced()
