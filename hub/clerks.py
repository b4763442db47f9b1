"""`clerks import` and `clerks export`: who works in the store, in which groups, who has left (rows A1, C6)."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from hub.database import clerks, imports
from hub.import_fields import FieldRefused, identifier, identifiers, text
from hub.import_files import Line, is_json, read_text, records
from hub.import_loop import ImportReport

COLUMNS = ("clerk", "name", "groups", "left_on")


def import_clerks(db: Connection, path: Path, progress: Callable[[int, int], None] | None = None) -> ImportReport:
    """CSV or JSON; `clerk` is needed, a column that is not in the file stays as it is, `groups` are separated by spaces.

    Raises ImportFailed. Refused lines are in the report, everything else is imported, in one transaction.
    """
    report, content, seen = ImportReport(path, "clerks"), read_text(path), dict[str, int]()
    with imports.transaction(db):
        for line in records(path, content, COLUMNS, "clerk"):
            report.read += 1
            try:
                _import(db, line, seen)
                report.imported += 1
            except FieldRefused as refused:
                report.refuse(line.number, refused.field, refused.why)
            if progress:
                progress(report.read, report.read)
    return report


def _import(db: Connection, line: Line, seen: dict[str, int]) -> None:
    if line.wrong is not None:
        raise FieldRefused(*line.wrong)
    clerk = identifier("clerk", line.fields["clerk"])
    if clerk in seen:
        raise FieldRefused("clerk", f"{clerk!r} stands in line {seen[clerk]} already")
    values: dict[str, str | None] = {}
    if "name" in line.fields:
        values["name"] = text("name", line.fields["name"])
    if "left_on" in line.fields:
        values["left_on"] = _day(line.fields["left_on"])
    groups = identifiers("groups", line.fields["groups"]) if "groups" in line.fields else None
    clerks.write(db, clerk, values, groups)
    seen[clerk] = line.number


def _day(value: str) -> str | None:
    try:
        return date.fromisoformat(value).isoformat() if value else None
    except ValueError:
        raise FieldRefused("left_on", f"{value[:30]!r} is no day, such as 2026-03-31") from None


def as_records(db: Connection) -> list[dict[str, Any]]:
    """All clerks in the terms of an import."""
    return [
        {"clerk": row.clerk, "name": row.name, "groups": list(row.groups), "left_on": row.left_on or ""}
        for row in clerks.every(db)
    ]


def export_clerks(db: Connection, path: Path) -> int:
    """CSV or JSON by the file's name; returns how many."""
    found = as_records(db)
    if is_json(path):
        path.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    else:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows([{**each, "groups": " ".join(each["groups"])}[name] for name in COLUMNS] for each in found)
    return len(found)
