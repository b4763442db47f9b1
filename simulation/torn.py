"""A commit of SQLite in WAL mode that a loss of power interrupts.

With `synchronous=FULL` a commit appends frames to the WAL and syncs it; now and then it then copies pages into the database
(a checkpoint) and syncs that. So of what one commit has written, either the WAL is unsynced and the database untouched, or the
WAL is whole and the database unsynced. Unsynced sectors are there or not, each by itself. The header of a WAL that begins anew
is synced before its frames. (That SQLite really writes and syncs in this order is what `tests/power` records.)
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

SECTOR_BYTES = 512
WAL_HEADER_BYTES = 32


@dataclass(frozen=True)
class Files:
    """The bytes of a database and of its WAL."""

    main: bytes
    wal: bytes

    @classmethod
    def read(cls, path: Path) -> Files:
        wal = Path(f"{path}-wal")
        return cls(path.read_bytes(), wal.read_bytes() if wal.exists() else b"")

    def write(self, path: Path) -> None:
        """Lay them out; nobody may have the database open."""
        path.write_bytes(self.main)
        Path(f"{path}-wal").write_bytes(self.wal)
        Path(f"{path}-shm").unlink(missing_ok=True)

    def content(self, path: Path) -> bytes:
        """The database as SQLite sees it when it opens these files, which it does beside `path`."""
        probe = path.with_suffix(".probe")
        self.write(probe)
        try:
            with closing(sqlite3.connect(probe)) as db:
                if db.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                    return b""
                return db.serialize()
        except sqlite3.DatabaseError:
            return b""
        finally:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{probe}{suffix}").unlink(missing_ok=True)


class Torn:
    """One such commit: `left` is what the disk has of it."""

    def __init__(self, before: Files, after: Files, rng: Random) -> None:
        self.before, self.after = before, after
        share = rng.choice([0.0, 0.1, 0.5, 0.9, 1.0])
        if after.main != before.main and rng.random() < 0.5:  # during its checkpoint
            self.left = replace(after, main=_some(before.main, after.main, share, rng))
        elif after.wal[:WAL_HEADER_BYTES] != before.wal[:WAL_HEADER_BYTES]:
            begun = after.wal[:WAL_HEADER_BYTES] + before.wal[WAL_HEADER_BYTES:]
            self.left = replace(before, wal=_some(begun, after.wal, share, rng))
        else:
            self.left = replace(before, wal=_some(before.wal, after.wal, share, rng))

    def held(self, path: Path) -> bool | None:
        """Whether the commit is there. None: neither what was before it nor what it wrote, which must not be."""
        found = self.left.content(path)
        if found and found == self.after.content(path):
            return True
        return False if found and found == self.before.content(path) else None


def _some(old: bytes, new: bytes, share: float, rng: Random) -> bytes:
    """`old`, with about this share of the sectors in which `new` differs."""
    found = bytearray(old.ljust(len(new), b"\0"))
    last = 0
    for at in range(0, len(new), SECTOR_BYTES):
        sector = new[at : at + SECTOR_BYTES]
        if old[at : at + SECTOR_BYTES] == sector:
            last = at + len(sector)
        elif rng.random() < share:
            found[at : at + len(sector)] = sector
            last = at + len(sector)
    return bytes(found[: max(last, len(old))])
