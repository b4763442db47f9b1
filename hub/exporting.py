"""`customers export`: all customers as a file that imports again, or everything that is known of one of them (rows A1, C11)."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection
from typing import Any, TextIO

from hub.database import whole
from hub.import_fields import COLUMNS
from hub.import_files import is_json

LISTS = ("deputies", "beacons")
EXPORTED = tuple(name for name in COLUMNS if name not in ("age", "average_purchase", "rotating_beacons"))
"""What follows from other columns is left out; an import would take it too. Keys of beacons are secrets, and stay here."""
BATCH = 2000


class NobodyThere(LookupError):
    """Nobody has this ID."""


def export_all(db: Connection, path: Path, progress: Callable[[int, int], None] | None = None) -> int:
    """All customers, CSV or JSON by the file's name; returns how many. The file is readable by its owner only."""
    total, done = whole.count(db), 0
    with _private(path) as file:
        write = _json_writer(file) if is_json(path) else _csv_writer(file)
        for batch in _batches(db):
            for record in batch:
                write(record)
            done += len(batch)
            if progress:
                progress(done, total)
        if is_json(path):
            file.write("\n]\n" if done else "[]\n")
    return done


@contextmanager
def _private(path: Path) -> Iterator[TextIO]:
    """Personal data: not for other users of the machine, and not half a file under this name."""
    part = path.with_name(f".{path.name}.part")
    part.touch(mode=0o600)
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def private_text(path: Path, text: str) -> None:
    """A file that its owner alone may read."""
    with _private(path) as file:
        file.write(text)


def _batches(db: Connection) -> Iterator[list[dict[str, Any]]]:
    last = ""
    while batch := whole.records(db, last, BATCH):
        yield batch
        last = batch[-1]["customer"]


def _csv_writer(file: TextIO) -> Callable[[dict[str, Any]], object]:
    writer = csv.writer(file)
    writer.writerow(EXPORTED)
    return lambda record: writer.writerow(
        [" ".join(record[name]) if name in LISTS else record[name] for name in EXPORTED]
    )


def _json_writer(file: TextIO) -> Callable[[dict[str, Any]], object]:
    """One object a line, so that a refused one is found by its line."""
    between = iter(["[\n"])
    return lambda record: file.write(
        next(between, ",\n") + json.dumps({name: record[name] for name in EXPORTED}, ensure_ascii=False)
    )


def export_one(db: Connection, customer: str) -> dict[str, Any]:
    """Everything that the hub's database knows of one customer, table by table. Raises NobodyThere."""
    found = whole.everything(db, customer)
    if "customer" not in found:
        raise NobodyThere(f"nobody has the ID {customer!r}")
    return {"type": "instore.customer.data", "customer": customer, "tables": found}
