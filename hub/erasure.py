"""`customers forget`: a customer leaves the hub for good, and a certificate says what was erased and looked through (row C11).

The hub, if it runs, erases her itself, so that its memory and its messages are rid of her too; otherwise this program does.
Then the write-ahead log is emptied, and the database's files are searched, byte by byte, for all that she was known by.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import mmap
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from config.hub_settings import HubSettings
from delivery.journal import Journal
from hub.database import erasing, imports, times
from hub.database.schema import MIGRATIONS
from hub.forgetting import Eraser

HUB_PATIENCE_S = 30.0
SHORTEST = 3
"""Bytes: what is shorter stands by chance in any file."""
NOT_REACHED = (
    "Agents know no customers; what an agent has not yet delivered names a beacon only. An exit lane keeps the text of its "
    "display, which may greet her by name, until its next customer.",
    "What was printed or sent to her own terminal is hers. Backups, and copies of exported files, are not searched.",
    "Logs of the hub name no customers; files given with --search were searched as well.",
    "A disk may keep overwritten blocks; encrypt it if that matters.",
)


class ForgetFailed(ValueError):
    """She could not be forgotten; the sentence says why, and nothing is half done."""


def forget(settings: HubSettings, customer: str, search: Sequence[Path] = ()) -> dict[str, Any]:
    """Forget her; returns the certificate. `found` in it must be 0. Raises ForgetFailed, JournalError."""
    journal = Journal(settings.database, MIGRATIONS)
    db = journal.db
    try:
        db.execute("PRAGMA secure_delete=ON")
        if db.execute("SELECT 1 FROM customer WHERE customer = ?", (customer,)).fetchone() is None:
            raise ForgetFailed(f"nobody has the ID {customer!r}")
        marks = [mark for mark in erasing.marks(db, customer) if len(mark.encode()) >= SHORTEST]
        with _alone(settings.database) as alone:
            done = _here(db, customer) if alone else _by_the_hub(db, customer)
        left = erasing.left(db, customer)
        proof = _search(db, settings.database, marks, search)
        return {
            "type": "instore.customer.forgotten",
            "customer": customer,
            "at": times.text(datetime.now(UTC)),
            "by": "this program" if alone else "the running hub",
            **done,
            "left_in": left,
            "searched_for": len(marks),
            **proof,
            "not_reached": list(NOT_REACHED),
        }
    finally:
        journal.close()


@contextlib.contextmanager
def _alone(database: Path) -> Iterator[bool]:
    """Whether no hub runs on this database; none can start in this block."""
    with open(f"{database}.lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True


def _here(db: Connection, customer: str) -> dict[str, Any]:
    with imports.transaction(db):
        return Eraser(db, customer).erase(db)


def _by_the_hub(db: Connection, customer: str) -> dict[str, Any]:
    erasing.ask(db, customer, times.text(datetime.now(UTC)))
    until = time.monotonic() + HUB_PATIENCE_S
    while time.monotonic() < until:
        found = erasing.answer(db, customer)
        if found is not None:
            return found
        time.sleep(0.1)
    erasing.withdraw(db, customer)
    raise ForgetFailed(f"the hub runs and has not answered in {HUB_PATIENCE_S:.0f} s; nothing was erased, try again")


# --- the proof


def _search(db: Connection, database: Path, marks: list[str], more: Sequence[Path]) -> dict[str, Any]:
    needles = sorted({form for mark in marks for form in _forms(mark)})
    _checkpoint(db)
    found = _hits(_files(database), needles)
    others: dict[str, int] = {}
    if found:
        # Other people may have her name, and other IDs begin as hers does. What stands in live rows is theirs; the rest is
        # what SQLite moved from page to page, and goes when the file is written anew.
        others = erasing.occurrences(db, marks)
        live = _live(db, database, needles)
        if found > live:
            db.execute("VACUUM")
            _checkpoint(db)
            found = _hits(_files(database), needles)
        found = max(0, found - live)
    files = [*_files(database), *_below(more)]
    found += _hits(_below(more), needles)
    return {
        "searched": [{"file": str(file), "bytes": file.stat().st_size} for file in files],
        "found": found,
        "in_rows_of_others": others,
    }


def _checkpoint(db: Connection) -> None:
    """Empty the write-ahead log: it holds pages as they were before."""
    for _ in range(50):
        busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not busy:
            return
        time.sleep(0.1)
    raise ForgetFailed(
        "she is erased, but the write-ahead log can't be emptied: another program reads the database all the time"
    )


def _live(db: Connection, database: Path, needles: list[bytes]) -> int:
    """Hits in a copy that holds live rows only."""
    copy = database.with_name(f".{database.name}.live")
    copy.unlink(missing_ok=True)
    try:
        db.execute("VACUUM INTO ?", (str(copy),))
        return _hits([copy], needles)
    finally:
        copy.unlink(missing_ok=True)


def _files(database: Path) -> list[Path]:
    return [
        path
        for path in (database, *(Path(f"{database}{end}") for end in ("-wal", "-shm", "-journal")))
        if path.exists()
    ]


def _below(paths: Sequence[Path]) -> list[Path]:
    return [
        file for path in paths for file in ([path] if path.is_file() else sorted(path.rglob("*"))) if file.is_file()
    ]


def _forms(mark: str) -> set[bytes]:
    """A text as it stands in a database, and in JSON."""
    return {mark.encode(), json.dumps(mark)[1:-1].encode(), json.dumps(mark, ensure_ascii=False)[1:-1].encode()}


def _hits(files: Sequence[Path], needles: list[bytes]) -> int:
    found = 0
    for file in files:
        if not file.stat().st_size:
            continue
        with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as whole:
            for needle in needles:
                at = whole.find(needle)
                while at >= 0:
                    found += 1
                    at = whole.find(needle, at + 1)
    return found
