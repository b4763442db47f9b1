"""What all imports of lists share: batch by batch, one transaction each; a refused line is named, all others are taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub.import_fields import FieldRefused
from hub.import_files import ImportFailed, Line, count, read_text, records

REFUSED_SHOWN = 1000
"""Refused lines that are kept with their reasons; all are counted."""
BATCH = 2000
"""Records per transaction: the hub, which may run meanwhile, waits at most for one of them."""
Record = dict[str, Any]
Progress = Callable[[int, int], None]
"""(done, total)"""


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
    what: str = "customers"
    read: int = 0
    imported: int = 0
    refused_count: int = 0
    refused: list[RefusedLine] = field(default_factory=list)

    def refuse(self, line: int, field: str, why: str) -> None:
        """Note a line that is not imported."""
        self.refused_count += 1
        if len(self.refused) < REFUSED_SHOWN:
            self.refused.append(RefusedLine(line, field, why))

    def __str__(self) -> str:
        lines = [
            f"{self.path}: {self.imported} of {self.read} {self.what} imported, {self.refused_count} lines refused"
        ]
        lines += [f"{self.path}, line {each.line}, {each.field}: {each.why}" for each in self.refused]
        if self.refused_count > len(self.refused):
            lines.append(f"and {self.refused_count - len(self.refused)} more")
        return "\n".join(lines)


def import_lines(report: ImportReport, columns: Sequence[str], record: Callable[[Line], Record],
                 write: Callable[[list[tuple[int, Record]]], int], progress: Progress | None = None) -> ImportReport:  # fmt: skip
    """Import `report.path`, whose `columns` begin with the one that is needed. `record` checks a line or raises FieldRefused;
    `write` takes (line, record) with the same columns and says how many it has written. Raises ImportFailed."""
    text = read_text(report.path)
    total = count(report.path, text)
    for batch in _batches(records(report.path, text, columns, columns[0])):
        good: list[tuple[int, Record]] = []
        for line in batch:
            report.read += 1
            try:
                good.append((line.number, record(line)))
            except FieldRefused as refused:
                report.refuse(line.number, refused.field, refused.why)
        if good:
            report.imported += write(good)
        if progress:
            progress(report.read, max(total, report.read))
    return report


def _batches(lines: Iterator[Line]) -> Iterator[list[Line]]:
    """At most BATCH records with the same fields: one statement writes them all."""
    batch: list[Line] = []
    try:
        for line in lines:
            if len(batch) == BATCH or (batch and line.fields.keys() != batch[0].fields.keys()):
                yield batch
                batch = []
            batch.append(line)
    except ImportFailed:
        yield batch
        raise
    yield batch
