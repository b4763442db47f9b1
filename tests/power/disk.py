"""A disk that remembers which of its writes would survive the loss of power.

A file system may keep any part of what was written since the last sync of a file, in any order, to the sector; it may have
let a file grow without its bytes (zeros). A new or deleted name is kept for certain only when the folder was synced: SQLite
does so with the first sync of a journal or WAL that it made (`os_unix.c`, UNIXFILE_DIRSYNC), never for the database.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

SECTOR = 512
KINDS = ("kept", "dropped", "torn", "subset", "sectors")
"""What of the unsynced operations survives: all; none; all, but the last write up to a sector boundary; a random part of
them; a random part of their sectors."""

Op = tuple[int, bytes | None]
"""(offset, bytes) of a write, or (size, None) of a truncation."""


def apply(data: bytearray, op: Op) -> None:
    """Do one operation to the bytes of a file."""
    at, written = op
    if written is None:
        del data[at:]
        return
    if len(data) < at:
        data.extend(bytes(at - len(data)))
    data[at : at + len(written)] = written


def sectors(op: Op) -> list[Op]:
    """A write cut at sector boundaries of the disk; a truncation is one piece."""
    at, written = op
    if written is None:
        return [op]
    cuts = [0, *range(SECTOR - at % SECTOR, len(written), SECTOR), len(written)]
    return [(at + a, written[a:b]) for a, b in pairwise(cuts)]


@dataclass(eq=False)
class Inode:
    """One file. `seen` is what the program reads, `safe` what is synced, `pending` what lies between."""

    seen: bytearray = field(default_factory=bytearray)
    safe: bytearray = field(default_factory=bytearray)
    pending: list[Op] = field(default_factory=list)

    def do(self, op: Op) -> None:
        apply(self.seen, op)
        self.pending.append(op)

    def sync(self) -> None:
        for op in self.pending:
            apply(self.safe, op)
        self.pending.clear()

    def after(self, kind: str, rng: Random) -> bytes:
        """Its bytes after the power has gone and come back."""
        if kind == "kept":
            return bytes(self.seen)
        if kind == "dropped" or not self.pending:
            return bytes(self.safe)
        data = bytearray(self.safe)
        match kind:
            case "torn":
                pieces = sectors(self.pending[-1])
                ops = self.pending[:-1] + pieces[: rng.randrange(len(pieces))]
            case "subset":
                ops = [op for op in self.pending if rng.random() < 0.5]
            case _:
                share = rng.random()
                ops = [piece for op in self.pending for piece in sectors(op) if rng.random() < share]
        for op in ops:
            apply(data, op)
        return bytes(data)


Names = dict[str, Inode]


class Disk:
    """The folder of one machine. `on_op(kind, name)` is called after each operation: there the power may go."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.on_op: Callable[[str, str], None] = lambda kind, name: None
        self.names: Names = {}
        self._safe: Names = {}
        self._past: list[Names] = []  # the folder after each unsynced change, oldest first

    def make(self, name: str) -> Inode:
        inode = self.names[name] = Inode()
        self._changed("create", name)
        return inode

    def delete(self, name: str, folder: bool) -> None:
        """`folder`: and sync the folder."""
        del self.names[name]
        self._changed("delete", name)
        if folder:
            self._sync_folder(name)

    def _changed(self, kind: str, name: str) -> None:
        self._past.append(dict(self.names))
        self.on_op(kind, name)

    def write(self, name: str, inode: Inode, offset: int, data: bytes) -> None:
        inode.do((offset, data))
        self.on_op("write", name)

    def truncate(self, name: str, inode: Inode, size: int) -> None:
        inode.do((size, None))
        self.on_op("truncate", name)

    def sync(self, name: str, inode: Inode, folder: bool) -> None:
        """`folder`: its name too."""
        inode.sync()
        if folder:
            self._sync_folder(name)
        else:
            self.on_op("sync", name)

    def killed(self) -> Disk:
        """The disk for a program that starts after another was killed: nothing is lost, and nothing was synced by that."""
        left = Disk(self.name)
        copies = {
            inode: Inode(bytearray(inode.seen), bytearray(inode.safe), list(inode.pending))
            for names in (self.names, self._safe, *self._past)
            for inode in names.values()
        }
        left.names, left._safe, *left._past = (
            {name: copies[inode] for name, inode in names.items()} for names in (self.names, self._safe, *self._past)
        )
        return left

    @classmethod
    def holding(cls, name: str, files: dict[str, bytes]) -> Disk:
        """A disk on which these files are safe."""
        disk = cls(name)
        disk.names = {file: Inode(bytearray(data), bytearray(data)) for file, data in files.items()}
        disk._safe = dict(disk.names)
        return disk

    @property
    def settled(self) -> bool:
        """Nothing could be lost now."""
        return not self._past and not any(inode.pending for inode in self.names.values())

    def _sync_folder(self, name: str) -> None:
        self._safe = dict(self.names)
        self._past.clear()
        self.on_op("sync", name)

    def after(self, kind: str, rng: Random) -> dict[str, bytes]:
        """The files after the power has gone and come back. Changes of the folder are kept in order (its own journal)."""
        match kind:
            case "kept" | "torn":
                names = self.names
            case "dropped":
                names = self._safe
            case _:
                names = rng.choice([self._safe, *self._past])
        return {name: inode.after(kind, rng) for name, inode in names.items()}
