"""Files of records, as spreadsheets and programs write them: CSV with a first line of names, JSON, JSON lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE_MAX_BYTES = 512 * 1024 * 1024


class ImportFailed(ValueError):
    """The file as a whole can't be imported; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Line:
    """One record: its line in the file, its fields as text, or why it can't be read."""

    number: int
    fields: dict[str, str]
    wrong: tuple[str, str] | None = None
    """(field, why)"""


def read_text(path: Path) -> str:
    """The file, in UTF-8 or in Shift_JIS as spreadsheets in Japan write it. Raises ImportFailed."""
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
    raise ImportFailed(f"{path}: neither UTF-8 nor Shift_JIS; save it as UTF-8")


def is_json(path: Path) -> bool:
    """By its name."""
    return path.suffix.lower() in (".json", ".jsonl", ".ndjson")


def records(path: Path, text: str, columns: Sequence[str], key: str) -> Iterator[Line]:
    """All records. `columns` that are possible, `key` the one that must be there. Raises ImportFailed."""
    yield from _json(path, text, columns, key) if is_json(path) else _csv(path, text, columns, key)


def count(path: Path, text: str) -> int:
    """About how many records, for a progress bar."""
    return text.count("\n{") + text.count("[{") if is_json(path) else max(0, text.count("\n") - 1)


# --- CSV


def _csv(path: Path, text: str, columns: Sequence[str], key: str) -> Iterator[Line]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    names = _header(path, reader, columns, key)
    try:
        for cells in reader:
            if not any(cells):
                continue
            if len(cells) != len(names):
                why = f"has {len(cells)} fields, the first line names {len(names)}"
                yield Line(reader.line_num, {}, ("line", why))
            else:
                yield Line(reader.line_num, dict(zip(names, map(str.strip, cells), strict=True)))
    except csv.Error as error:
        raise ImportFailed(f"{path}, line {reader.line_num}: {error}; the lines before it are imported") from None


def _header(path: Path, reader: Iterator[list[str]], columns: Sequence[str], key: str) -> list[str]:
    try:
        names = [name.strip().lower() for name in next(reader)]
    except StopIteration:
        raise ImportFailed(f"{path}: is empty; the first line must name the columns: {', '.join(columns)}") from None
    except csv.Error as error:
        raise ImportFailed(f"{path}, line 1: {error}") from None
    unknown = [name for name in names if name not in columns]
    if unknown:
        raise ImportFailed(f"{path}, line 1: {unknown[0][:70]!r} is no column; possible are {', '.join(columns)}")
    if key not in names:
        raise ImportFailed(f"{path}, line 1: the column {key!r} is missing")
    if len(set(names)) != len(names):
        raise ImportFailed(f"{path}, line 1: a column stands there twice")
    return names


# --- JSON


def _json(path: Path, text: str, columns: Sequence[str], key: str) -> Iterator[Line]:
    """A list of objects, or objects one after the other."""
    decoder, at, line = json.JSONDecoder(), 0, 1
    while True:
        start = at
        while at < len(text) and text[at] in " \t\r\n[],":
            at += 1
        line += text.count("\n", start, at)
        if at == len(text):
            return
        try:
            value, end = decoder.raw_decode(text, at)
        except (json.JSONDecodeError, RecursionError, ValueError) as error:
            wrong = error.lineno if isinstance(error, json.JSONDecodeError) else line
            raise ImportFailed(f"{path}, line {wrong}: no valid JSON; the records before it are imported") from None
        yield _object(line, value, columns, key)
        line += text.count("\n", at, end)
        at = end


def _object(line: int, value: Any, columns: Sequence[str], key: str) -> Line:
    if not isinstance(value, dict):
        return Line(line, {}, ("record", "is no object {…}"))
    unknown = [name for name in value if name not in columns]
    if unknown:
        return Line(line, {}, (unknown[0][:70], f"is no field; possible are {', '.join(columns)}"))
    if key not in value:
        return Line(line, {}, (key, "is missing"))
    fields = {}
    for name, each in value.items():
        said = _as_text(each)
        if said is None:
            return Line(
                line, {}, (name, f"{json.dumps(each, ensure_ascii=False)[:70]} is no text, number or list of words")
            )
        fields[name] = said
    return Line(line, fields)


def _as_text(value: Any) -> str | None:
    if isinstance(value, str):
        return value.strip()
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list) and all(isinstance(each, str) and each.split() == [each] for each in value):
        return " ".join(value)
    return None
