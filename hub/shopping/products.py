"""`products import FILE`: each record checked, none silently lost; the same again changes nothing (row B1).

CSV, or JSON (`.json`, `.jsonl`), with any of COLUMNS; `code` is needed, and for a product that is new, `price` and a name. A
field that is not in the file leaves what the database has. `name` is the name in both languages, `name_ja` and `name_en` in
one; `price` in minor units, with or without tax as the store's settings say; `tax` in percent (10, 8, 5.5; empty: the store's
usual rate); `category` is what coupons from purchase history go by; `on_sale` is yes or no.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from sqlite3 import Connection

from hub.database import products
from hub.import_fields import FieldRefused
from hub.import_files import Line
from hub.import_loop import ImportReport, Progress, Record, import_lines
from hub.shopping.codes import CodeRefused, product_code

COLUMNS = ("code", "name", "name_ja", "name_en", "price", "tax", "category", "on_sale")
NAME_MAX = 50
"""What a line of `contract.payloads.Cart` takes."""
PRICE_MAX = 10**9
_PERCENT = re.compile(r"(\d{1,2}|100)(?:\.(\d))?%?", re.ASCII)
_YES, _NO = ("yes", "true", "1", ""), ("no", "false", "0")


def import_products(db: Connection, path: Path, progress: Progress | None = None) -> ImportReport:
    """Import `path` into the hub's database; the hub may run. `progress(done, total)` after each batch. Raises ImportFailed."""
    report, seen = ImportReport(path, "products"), dict[str, int]()

    def write(good: list[tuple[int, Record]]) -> int:
        written = list(_complete(db, good, report))
        products.write(db, written)
        return len(written)

    return import_lines(report, COLUMNS, lambda line: _record(line, seen), write, progress)


def _record(line: Line, seen: dict[str, int]) -> Record:
    """One record for `hub.database.products.write`. Raises FieldRefused."""
    if line.wrong is not None:
        raise FieldRefused(*line.wrong)
    found: Record = {}
    for name in sorted(line.fields, key=COLUMNS.index):
        for column, checked in _CHECKS[name](name, line.fields[name]).items():
            if checked or column not in found:  # `name` stands for a language that says nothing
                found[column] = checked
    if found["code"] in seen:
        raise FieldRefused("code", f"{found['code']!r} stands in line {seen[found['code']]} already")
    seen[found["code"]] = line.number
    return found


def _complete(db: Connection, good: list[tuple[int, Record]], report: ImportReport) -> Iterator[Record]:
    """Without new products that have no name or no price."""
    named = {"name_ja", "name_en"}
    known = products.known(db, [record["code"] for _, record in good])
    for line, record in good:
        new = record["code"] not in known
        if (new or named <= record.keys()) and not any(record.get(name) for name in named):
            report.refuse(line, "name", "is missing; a product needs a name in one language at least")
        elif new and "price_minor" not in record:
            report.refuse(line, "price", "is missing; a new product needs one")
        else:
            if new or named <= record.keys():
                ja, en = record.get("name_ja", ""), record.get("name_en", "")
                record = {**record, "name_ja": ja or en, "name_en": en or ja}
            yield record


# --- fields: from text to columns


def _code(name: str, value: str) -> Record:
    try:
        return {"code": product_code(value)}
    except CodeRefused as refused:
        raise FieldRefused(name, str(refused)) from None


def _name(*columns: str) -> Callable[[str, str], Record]:
    def check(name: str, value: str) -> Record:
        if len(value) > NAME_MAX:
            raise FieldRefused(name, f"has {len(value)} characters, at most {NAME_MAX} are kept")
        if not value.isprintable():
            raise FieldRefused(name, f"{value[:30]!r} is not one line of visible characters")
        return dict.fromkeys(columns, value)

    return check


def _price(name: str, value: str) -> Record:
    if not (value.isascii() and value.isdigit() and len(value) < 16 and int(value) <= PRICE_MAX):
        raise FieldRefused(
            name, f"{value[:30]!r} is no whole number of minor units (yen: 1 = 1 yen) from 0 to {PRICE_MAX}"
        )
    return {"price_minor": int(value)}


def _tax(name: str, value: str) -> Record:
    found = _PERCENT.fullmatch(value) if value else None
    per_mille = int(found[1]) * 10 + int(found[2] or 0) if found else None
    if value and (per_mille is None or per_mille > 1000):
        raise FieldRefused(name, f"{value[:30]!r} is no rate in percent, such as 10, 8 or 5.5")
    return {"tax_per_mille": per_mille}


def _on_sale(name: str, value: str) -> Record:
    if value.lower() not in _YES + _NO:
        raise FieldRefused(name, f"{value[:30]!r} is not yes or no")
    return {"on_sale": value.lower() in _YES}


_CHECKS: dict[str, Callable[[str, str], Record]] = {
    "code": _code,
    "name": _name("name_ja", "name_en"),
    "name_ja": _name("name_ja"),
    "name_en": _name("name_en"),
    "price": _price,
    "tax": _tax,
    "category": _name("category"),
    "on_sale": _on_sale,
}
