"""`customers import FILE.csv`: thousands of lines a second, each checked, none silently lost; the same file again changes nothing.

Columns (any order, the first is needed): customer, name, gender, age, phone, email, language, visits, average_purchase
(minor units, per visit), points, rank, main_clerk, deputies, beacons (both separated by spaces), note. A column that is not
in the file leaves what the database has. UTF-8, or Shift_JIS as spreadsheets in Japan write it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from config.hub_settings import HubSettings, load_hub
from config.load import SettingsError
from config.rules import RulesFile
from delivery.journal import Journal
from hub.born import of_age
from hub.database import imports
from hub.database.schema import MIGRATIONS
from hub.days import store_day

COLUMNS = ("customer", "name", "gender", "age", "phone", "email", "language", "visits", "average_purchase", "points", "rank",
           "main_clerk", "deputies", "beacons", "note")  # fmt: skip
REFUSED_SHOWN = 1000
"""Refused lines that are kept with their reasons; all are counted."""
BATCH = 2000
"""Lines per transaction: the hub, which may run meanwhile, waits at most for one of them."""
FILE_MAX_BYTES = 512 * 1024 * 1024
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


class ImportFailed(ValueError):
    """The file as a whole can't be imported; the sentence says why."""


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """One line that was not imported."""

    line: int
    field: str
    why: str


@dataclass(slots=True)
class ImportReport:
    """What became of a file."""

    path: Path
    read: int = 0
    imported: int = 0
    refused_count: int = 0
    refused: list[RefusedLine] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{self.path}: {self.imported} of {self.read} customers imported, {self.refused_count} lines refused"]
        lines += [f"{self.path}, line {each.line}, {each.field}: {each.why}" for each in self.refused]
        if self.refused_count > len(self.refused):
            lines.append(f"and {self.refused_count - len(self.refused)} more")
        return "\n".join(lines)


class _Refused(Exception):
    def __init__(self, field: str, why: str) -> None:
        self.field, self.why = field, why


def import_customers(settings_path: Path, csv_path: Path, *, quiet: bool = False) -> ImportReport:
    """Import a file into the hub's database, with a progress bar on standard error; the hub may run.

    Raises SettingsError, JournalError, ImportFailed. Refused lines are in the report, everything else is imported.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    settings = load_hub(settings_path)
    journal = Journal(settings.database, MIGRATIONS)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        console = Console(stderr=True)
        shown = console.is_terminal and not quiet
        with Progress(*columns, console=console, transient=True, disable=not shown) as progress:
            task = progress.add_task(csv_path.name, total=None)
            return import_file(
                journal.db,
                csv_path,
                settings,
                lambda done, total: progress.update(task, completed=done, total=total),
            )
    finally:
        journal.close()


def import_file(
    db: Connection, path: Path, settings: HubSettings, progress: Callable[[int, int], None] | None = None
) -> ImportReport:
    """Import `path`; `progress(done, total)` is called after each batch, in lines."""
    text = _text(path)
    total = max(0, text.count("\n") - 1)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    check = _Lines(db, _header(path, reader), _ranks(settings), store_day(datetime.now(UTC), settings.store.zone))
    report = ImportReport(path)
    for batch in _batches(reader, path):
        good: list[dict[str, Any]] = []
        for line, cells in batch:
            report.read += 1
            try:
                good.append(check.record(line, cells))
            except _Refused as refused:
                report.refused_count += 1
                if len(report.refused) < REFUSED_SHOWN:
                    report.refused.append(RefusedLine(line, refused.field, refused.why))
        imports.write(db, good)
        report.imported += len(good)
        if progress:
            progress(report.read, max(total, report.read))
    return report


def _ranks(settings: HubSettings) -> tuple[str, ...]:
    from config.load import load

    return tuple(rank.name for rank in load(settings.rules, RulesFile).rank)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > FILE_MAX_BYTES:
            raise ImportFailed(f"{path}: larger than {FILE_MAX_BYTES // 2**20} MiB; split it")
        raw = path.read_bytes()
    except OSError as error:
        raise ImportFailed(f"{path}: {error.strerror}") from None
    for encoding in ("utf-8-sig", "cp932"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ImportFailed(f"{path}: neither UTF-8 nor Shift_JIS; save it as UTF-8 (CSV)")


def _header(path: Path, reader: Iterator[list[str]]) -> list[str]:
    try:
        names = [name.strip().lower() for name in next(reader)]
    except StopIteration:
        raise ImportFailed(f"{path}: is empty; the first line must name the columns: {', '.join(COLUMNS)}") from None
    except csv.Error as error:
        raise ImportFailed(f"{path}, line 1: {error}") from None
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        raise ImportFailed(f"{path}, line 1: {unknown[0][:70]!r} is no column; possible are {', '.join(COLUMNS)}")
    if "customer" not in names:
        raise ImportFailed(f"{path}, line 1: the column 'customer' is missing")
    if len(set(names)) != len(names):
        raise ImportFailed(f"{path}, line 1: a column stands there twice")
    if ("average_purchase" in names) != ("visits" in names):
        raise ImportFailed(f"{path}, line 1: average_purchase and visits belong together; give both or neither")
    return names


def _batches(reader: Any, path: Path) -> Iterator[list[tuple[int, list[str]]]]:
    batch: list[tuple[int, list[str]]] = []
    try:
        for cells in reader:
            if any(cells):
                batch.append((reader.line_num, cells))
            if len(batch) == BATCH:
                yield batch
                batch = []
    except csv.Error as error:
        yield batch
        raise ImportFailed(f"{path}, line {reader.line_num}: {error}; the lines before it are imported") from None
    yield batch


class _Lines:
    """Checks lines against the columns, the ranks, each other and the database."""

    def __init__(self, db: Connection, names: list[str], ranks: tuple[str, ...], today: str) -> None:
        self._names, self._ranks, self._today = names, ranks, today
        self._seen: dict[str, int] = {}
        self._owners = imports.beacon_owners(db)

    def record(self, line: int, cells: list[str]) -> dict[str, Any]:
        """One line as a record for `hub.database.imports.write`. Raises _Refused."""
        if len(cells) != len(self._names):
            raise _Refused("line", f"has {len(cells)} fields, the first line names {len(self._names)}")
        said = dict(zip(self._names, map(str.strip, cells), strict=True))
        record: dict[str, Any] = {name: _CHECKS[name](name, value) for name, value in said.items()}
        customer = record["customer"]
        if customer in self._seen:
            raise _Refused("customer", f"{customer!r} stands in line {self._seen[customer]} already")
        if record.get("rank") and record["rank"] not in self._ranks:
            raise _Refused("rank", f"{record['rank']!r} is no rank of the rules; possible are {', '.join(self._ranks)}")
        for beacon in record.get("beacons", ()):
            if self._owners.get(beacon, customer) != customer:
                raise _Refused("beacons", f"{beacon} belongs to {self._owners[beacon]!r} already")
        for beacon in record.get("beacons", ()):
            self._owners[beacon] = customer
        if "visits" in record:
            record["spent_minor"] = record["visits"] * record.pop("average_purchase")
        if "age" in record and (age := record.pop("age")) is not None:
            record["born"] = of_age(age, self._today)
        elif "age" in said:
            record["born"] = ""
        self._seen[customer] = line
        return record


def _id(name: str, value: str) -> str:
    if not _ID.fullmatch(value):
        raise _Refused(
            name, f"{value[:70]!r} is not 1 to 64 letters, digits, '_', '.', '-', beginning with a letter or digit"
        )
    return value


def _optional_id(name: str, value: str) -> str | None:
    return _id(name, value) if value else None


def _ids(name: str, value: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_id(name, part) for part in value.split()))


def _text_field(name: str, value: str) -> str:
    if len(value) > 200:
        raise _Refused(name, f"has {len(value)} characters, at most 200 are kept")
    return value


def _email(name: str, value: str) -> str:
    if value and not _EMAIL.fullmatch(value):
        raise _Refused(name, f"{value[:70]!r} is no e-mail address")
    return _text_field(name, value)


def _number(highest: int) -> Callable[[str, str], int]:
    def check(name: str, value: str) -> int:
        if not value:
            return 0
        if not (value.isascii() and value.isdigit() and len(value) < 16 and int(value) <= highest):
            raise _Refused(name, f"{value[:30]!r} is no whole number from 0 to {highest}")
        return int(value)

    return check


def _age(name: str, value: str) -> int | None:
    return _number(150)(name, value) if value else None


def _language(name: str, value: str) -> str:
    if value not in ("", "ja", "en"):
        raise _Refused(name, f"{value[:30]!r} is not ja or en")
    return value or "ja"


def _beacons(name: str, value: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(value.lower().split()))
    for beacon in found:
        if len(beacon) > 128 or not beacon.isascii() or ":" not in beacon:
            raise _Refused(name, f"{beacon[:70]!r} is no beacon, such as ibeacon:<uuid>:<major>:<minor>")
    return found


_CHECKS: dict[str, Callable[[str, str], Any]] = {
    "customer": _id,
    "name": _text_field,
    "gender": _text_field,
    "age": _age,
    "phone": _text_field,
    "email": _email,
    "language": _language,
    "visits": _number(10**6),
    "average_purchase": _number(10**9),
    "points": _number(10**12),
    "rank": _text_field,
    "main_clerk": _optional_id,
    "deputies": _ids,
    "beacons": _beacons,
    "note": _text_field,
}
__all__ = ["ImportFailed", "ImportReport", "RefusedLine", "SettingsError", "import_customers", "import_file"]
