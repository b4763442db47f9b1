"""What the store sells (row B1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Any

from hub.database.imports import transaction


@dataclass(frozen=True, slots=True)
class ProductRow:
    """A product. `price_minor` with or without tax, as the store's settings say; `tax_per_mille` None: the usual rate."""

    code: str
    name_ja: str
    name_en: str
    price_minor: int
    tax_per_mille: int | None
    category: str
    on_sale: bool


_COLUMNS = ", ".join(ProductRow.__slots__)


def product(db: Connection, code: str) -> ProductRow | None:
    """One product, or None."""
    row = db.execute(f"SELECT {_COLUMNS} FROM product WHERE code = ?", (code,)).fetchone()
    return _product(row) if row else None


def some(db: Connection, search: str, most: int) -> list[ProductRow]:
    """Products in order of their codes, by a part of code, name or category."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM product WHERE ? = '' OR instr(lower(code || char(10) || name_ja || char(10) || name_en "
        "|| char(10) || category), lower(?)) ORDER BY code LIMIT ?",
        (search, search, most),
    )
    return [_product(row) for row in rows]


def _product(row: tuple[Any, ...]) -> ProductRow:
    code, name_ja, name_en, price, tax, category, on_sale = row
    return ProductRow(code, name_ja, name_en, price, tax, category, bool(on_sale))


def known(db: Connection, codes: Sequence[str]) -> set[str]:
    """Which of these are there already."""
    marks = ", ".join("?" * len(codes))
    return {code for (code,) in db.execute(f"SELECT code FROM product WHERE code IN ({marks})", codes)}


def write(db: Connection, records: Sequence[dict[str, Any]]) -> None:
    """Insert or change products in one transaction; what a record does not name stays as it is. The records of products that
    are there already have the same keys, and so have those of new ones."""
    if not records:
        return
    with transaction(db):
        here = known(db, [record["code"] for record in records])
        old = [record for record in records if record["code"] in here]
        new = [record for record in records if record["code"] not in here]
        if old:
            changes = ", ".join(f"{name} = :{name}" for name in old[0])
            db.executemany(f"UPDATE product SET {changes} WHERE code = :code", old)
        if new:
            values = ", ".join(f":{name}" for name in new[0])
            db.executemany(f"INSERT INTO product ({', '.join(new[0])}) VALUES ({values})", new)
