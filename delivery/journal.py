"""The SQLite file of one process: its outbox, the marks of what it has taken, and the application's own tables.

One file, one writer, WAL with `synchronous=FULL`: what is committed survives the loss of power (SQLite documentation,
"Write-Ahead Logging"; WAL with NORMAL may roll back the last commits). A commit costs one sync, so commits are grouped.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from delivery.streams import Entry

Migration = tuple[str, str]
"""Name and SQL script of one change of the schema; applied once, in order."""

_OWN: tuple[Migration, ...] = (
    (
        "delivery-1",
        """
        CREATE TABLE outbox (
            row INTEGER PRIMARY KEY AUTOINCREMENT,  -- order of sending over all epochs; never used twice
            peer TEXT NOT NULL, stream TEXT NOT NULL, epoch TEXT NOT NULL, seq INTEGER NOT NULL,
            topic TEXT NOT NULL, body BLOB NOT NULL,
            UNIQUE (peer, stream, epoch, seq)
        );
        CREATE TABLE inbox_mark (
            sender TEXT NOT NULL, stream TEXT NOT NULL, epoch TEXT NOT NULL,
            taken INTEGER NOT NULL, touched TEXT NOT NULL,
            PRIMARY KEY (sender, stream, epoch)
        ) WITHOUT ROWID;
        CREATE TABLE quarantine (
            row INTEGER PRIMARY KEY, at TEXT NOT NULL, topic TEXT NOT NULL, reason TEXT NOT NULL,
            detail TEXT NOT NULL, payload BLOB NOT NULL
        );
        """,
    ),
)
QUARANTINE_ROWS = 1000
"""The newest are kept; all are counted."""
QUARANTINE_BYTES = 4096
"""So much of a broken message is kept: enough to see who sends it and what is wrong."""
MARKS_PER_STREAM = 100
"""Epochs remembered per sender and stream. One is opened per start of the sender, and what it still holds of old ones is
sent first: an epoch that is 100 starts old is empty."""


def connect_file(path: Path | str) -> sqlite3.Connection:
    """A connection to the file at `path`; whoever calls says where transactions begin and end."""
    return sqlite3.connect(path, isolation_level=None, cached_statements=512)


def _sync_folders_above(path: Path) -> None:
    """SQLite syncs the folder of a file that it makes; if that folder is new too, its own name must not be lost either."""
    for folder in path.absolute().parent.parents:
        with suppress(OSError):  # not ours to read, so not made by us
            entry = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(entry)
            finally:
                os.close(entry)


class JournalError(RuntimeError):
    """The database can't be opened or is not ours; the sentence says which file and what to do."""


class Journal:
    """Opens (or makes) the file at `path` and brings its schema up to date. ":memory:" is for tests of cores.

    `connect` lets a simulation put a disk of its own under the same SQL.
    """

    def __init__(self, path: Path | str, migrations: Sequence[Migration] = (), *,
                 connect: Callable[[Path | str], sqlite3.Connection] = connect_file) -> None:  # fmt: skip
        self.path = path
        try:
            if str(path) != ":memory:":
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                if not Path(path).exists():
                    _sync_folders_above(Path(path))
            self.db = connect(path)
            self.db.execute("PRAGMA journal_mode=WAL")
            self.db.execute("PRAGMA synchronous=FULL")
            self.db.execute("PRAGMA foreign_keys=ON")
            self.db.execute(
                "PRAGMA temp_store=MEMORY"
            )  # else a savepoint of 64 KiB opens a file on the way to a commit
            self.db.execute("PRAGMA busy_timeout=5000")
            self._migrate((*_OWN, *migrations))
        except (sqlite3.Error, OSError, ValueError) as error:
            raise JournalError(f"{path}: {error}; check that the folder is writable, the disk is not full and "
                               "the file is a database of this program") from error  # fmt: skip

    def _migrate(self, migrations: Iterable[Migration]) -> None:
        self.db.execute(
            "CREATE TABLE IF NOT EXISTS migration (name TEXT PRIMARY KEY, at TEXT DEFAULT CURRENT_TIMESTAMP)"
        )
        done = {name for (name,) in self.db.execute("SELECT name FROM migration")}
        for name, script in migrations:
            if name not in done:
                quoted = name.replace("'", "''")
                self.db.executescript(
                    f"BEGIN IMMEDIATE; {script}; INSERT INTO migration (name) VALUES ('{quoted}'); COMMIT;"
                )

    def close(self) -> None:
        """Close the file; everything committed is on disk already."""
        self.db.close()

    # --- outbox

    def pending(self) -> Iterable[tuple[str, str, Entry]]:
        """(peer, stream, entry) of everything unacknowledged, oldest first. Bodies stay on disk until they are sent."""
        for row, peer, stream, epoch, seq, topic in self.db.execute(
            "SELECT row, peer, stream, epoch, seq, topic FROM outbox ORDER BY row"
        ):
            yield peer, stream, Entry(epoch, seq, topic, None, row)

    def body(self, row: int) -> bytes:
        """The bytes of one outbox row. Raises KeyError when it is gone."""
        found = self.db.execute("SELECT body FROM outbox WHERE row = ?", (row,)).fetchone()
        if found is None:
            raise KeyError(row)
        return bytes(found[0])

    def put(self, peer: str, stream: str, entry: Entry) -> int:
        """Write one message; returns its row. Inside a transaction of the caller."""
        row = self.db.execute(
            "INSERT INTO outbox (peer, stream, epoch, seq, topic, body) VALUES (?, ?, ?, ?, ?, ?)",
            (peer, stream, entry.epoch, entry.seq, entry.topic, entry.body),
        ).lastrowid
        assert row is not None
        return row

    def forget(self, rows: Iterable[int]) -> None:
        """Delete acknowledged or dropped messages."""
        self.db.executemany("DELETE FROM outbox WHERE row = ?", ((row,) for row in rows))

    # --- inbox

    def marks(self) -> dict[tuple[str, str, str], int]:
        """The highest number taken of every (sender, stream, epoch)."""
        return {(s, c, e): n for s, c, e, n in self.db.execute("SELECT sender, stream, epoch, taken FROM inbox_mark")}

    def mark(self, key: tuple[str, str, str], taken: int, at: str) -> None:
        """Remember that everything up to `taken` is taken. In the transaction that applies the effects.

        `at` orders the epochs of a sender; where a clock was set back, the newest time so far takes its place.
        """
        self.db.execute(
            "INSERT INTO inbox_mark (sender, stream, epoch, taken, touched) VALUES (?, ?, ?, ?, "
            "max(?, coalesce((SELECT max(touched) FROM inbox_mark WHERE sender = ? AND stream = ?), ''))) "
            "ON CONFLICT (sender, stream, epoch) DO UPDATE SET taken = excluded.taken, touched = excluded.touched",
            (*key, taken, at, *key[:2]),
        )

    def prune_marks(self, sender: str, stream: str, epoch: str) -> list[tuple[str, str, str]]:
        """Forget all but the newest epochs of a sender's stream and, whatever the clock says, `epoch`: it has just begun.

        Returns the forgotten keys.
        """
        old = self.db.execute(
            "SELECT sender, stream, epoch FROM inbox_mark WHERE sender = ? AND stream = ? AND epoch <> ? "
            "ORDER BY touched DESC LIMIT -1 OFFSET ?",
            (sender, stream, epoch, MARKS_PER_STREAM - 1),
        ).fetchall()
        self.db.executemany("DELETE FROM inbox_mark WHERE sender = ? AND stream = ? AND epoch = ?", old)
        return [(s, c, e) for s, c, e in old]

    def quarantine(self, at: str, topic: str, reason: str, detail: str, payload: bytes) -> None:
        """Keep a message that does not fit, with the reason, for whoever looks for its sender."""
        self.db.execute(
            "INSERT INTO quarantine (at, topic, reason, detail, payload) VALUES (?, ?, ?, ?, ?)",
            (at, topic[:500], reason, detail[:500], payload[:QUARANTINE_BYTES]),
        )
        self.db.execute("DELETE FROM quarantine WHERE row <= (SELECT max(row) FROM quarantine) - ?", (QUARANTINE_ROWS,))
