"""Customers for people at a terminal: a table of many, a card of one (row A1)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from sqlite3 import Connection
from typing import Any
from unicodedata import east_asian_width
from zoneinfo import ZoneInfo

from hub.born import age
from hub.database import consents, whole
from hub.days import store_day

PURCHASES_SHOWN = 20


def customers(db: Connection, search: str, rank: str, limit: int) -> list[dict[str, Any]]:
    """Some customers in short; `search` is part of ID, name, phone or e-mail."""
    return whole.some(db, search, rank, limit)


def customer(db: Connection, id: str, zone: ZoneInfo) -> dict[str, Any] | None:
    """The record of row A1: personal data, totals, rank and why, clerks, preferences, the newest purchases."""
    record = whole.record(db, id)
    if record is None:
        return None
    average = record["spent"] // record["visits"] if record["visits"] else 0
    agreed = sorted(purpose.value for purpose in consents.purposes(db, id))
    return {
        **record,
        "age": age(record["born"], store_day(datetime.now(UTC), zone)),
        "average_purchase": average,
        "consents": agreed,
        "purchases": whole.purchases(db, id, PURCHASES_SHOWN),
    }


def card(record: dict[str, Any]) -> str:
    """One customer on a screen."""
    lines = [f"{name:<18} {_shown(value)}" for name, value in record.items() if name != "purchases"]
    lines.append(f"purchases          the newest {len(record['purchases'])}")
    for sale in record["purchases"]:
        void = " (voided)" if sale["void"] else ""
        products = ", ".join(f"{line['quantity']} × {line['name'] or line['product']}" for line in sale["lines"])
        lines.append(f"  {sale['day']}  {sale['amount_minor']:>10,} {sale['currency']}{void}  {products}")
    return "\n".join(lines)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Columns side by side."""
    if not rows:
        return "none"
    cells = [list(rows[0])] + [[_shown(value) for value in row.values()] for row in rows]
    widths = [max(_width(row[n]) for row in cells) for n in range(len(cells[0]))]
    return "\n".join(
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(value)
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _width(text: str) -> int:
    """Japanese letters take two columns."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)
