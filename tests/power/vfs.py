"""SQLite on a `Disk`: an apsw VFS, and a connection with the methods of `sqlite3.Connection` that our programs use.

The module `sqlite3` and apsw each have a SQLite library of their own, so a VFS of apsw is unknown to `sqlite3`: what runs on
the recording disk is apsw's SQLite behind an adapter; what opens the files afterwards is the unchanged `sqlite3`.
The WAL index lives in memory (`locking_mode=EXCLUSIVE`), as it does not survive a loss of power anyway.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import apsw

from tests.power.disk import Disk, Inode

_JOURNALS = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL


class DiskVFS(apsw.VFS):
    """All files of one disk; names without their folder."""

    def __init__(self, disk: Disk) -> None:
        self.vfs_name = f"disk-{disk.name}-{id(self)}"
        self.disk = disk
        super().__init__(self.vfs_name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> DiskFile:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        assert path is not None  # no temporary files: everything fits the cache
        flags[1] = flags[0]
        return DiskFile(self.disk, Path(path).name, bool(flags[0] & _JOURNALS))

    def xDelete(self, name: str, syncdir: bool) -> None:
        self.disk.delete(Path(name).name, syncdir)

    def xAccess(self, name: str, flags: int) -> bool:
        return Path(name).name in self.disk.names

    def xFullPathname(self, name: str) -> str:
        return name


class DiskFile:
    """One open file. Nobody else has it open, so locks are nothing."""

    def __init__(self, disk: Disk, name: str, is_journal: bool) -> None:
        self._disk, self._name = disk, name
        self._sync_folder = is_journal and name not in disk.names
        self._inode: Inode = disk.names.get(name) or disk.make(name)

    def xRead(self, amount: int, offset: int) -> bytes:
        return bytes(self._inode.seen[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.write(self._name, self._inode, offset, bytes(data))

    def xTruncate(self, size: int) -> None:
        self._disk.truncate(self._name, self._inode, size)

    def xSync(self, flags: int) -> None:
        self._disk.sync(self._name, self._inode, self._sync_folder)
        self._sync_folder = False

    def xFileSize(self) -> int:
        return len(self._inode.seen)

    def xClose(self) -> None:
        pass

    def xLock(self, level: int) -> None:
        pass

    def xUnlock(self, level: int) -> None:
        pass

    def xCheckReservedLock(self) -> bool:
        return False

    def xFileControl(self, op: int, pointer: int) -> bool:
        return False

    def xSectorSize(self) -> int:
        return 4096

    def xDeviceCharacteristics(self) -> int:
        return apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE  # as the unix VFS says


class _Rows:
    """What `execute` gives back."""

    def __init__(self, db: apsw.Connection, cursor: apsw.Cursor, before: int) -> None:
        self._cursor = cursor
        self._found = list(cursor)
        self.lastrowid = db.last_insert_rowid()
        self.rowcount = db.total_changes() - before
        self._next = iter(self._found)

    def __iter__(self) -> Iterator[Any]:
        return self._next

    def fetchone(self) -> Any:
        return next(self._next, None)

    def fetchall(self) -> list[Any]:
        return list(self._next)


class DiskConnection:
    """A `sqlite3.Connection` in autocommit mode, as far as we use it."""

    def __init__(self, disk: Disk, path: Path | str, checkpoint_pages: int) -> None:
        self._vfs = DiskVFS(disk)
        try:
            self._db = apsw.Connection(str(path), vfs=self._vfs.vfs_name)
        except BaseException:
            self._vfs.unregister()
            raise
        self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
        self._db.execute(f"PRAGMA wal_autocheckpoint={checkpoint_pages}")

    def execute(self, sql: str, values: Iterable[Any] = ()) -> _Rows:
        before = self._db.total_changes()
        try:
            return _Rows(self._db, self._db.execute(sql, tuple(values)), before)
        except apsw.ConstraintError as error:
            raise sqlite3.IntegrityError(str(error)) from None
        except apsw.Error as error:
            raise sqlite3.OperationalError(str(error)) from None

    def executemany(self, sql: str, rows: Iterable[Iterable[Any]]) -> None:
        for row in rows:
            self.execute(sql, row)

    def executescript(self, sql: str) -> None:
        self.execute(sql)

    @property
    def in_transaction(self) -> bool:
        return bool(self._db.in_transaction)

    def close(self) -> None:
        try:
            self._db.close()
        finally:
            self._vfs.unregister()


def connect(disk: Disk, path: Path | str, checkpoint_pages: int) -> sqlite3.Connection:
    """For `Journal(connect=…)`."""
    return DiskConnection(disk, path, checkpoint_pages)  # type: ignore[return-value]
