"""From what ranks are decided, and which hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Any


@dataclass(frozen=True, slots=True)
class RankRow:
    """A customer's rank as it is, and what it is decided from. `spans`: (money, days with a purchase), in the asked order."""

    customer: str
    rank: str
    reason: str
    spent_minor: int
    visits: int
    imported: str
    imported_on: str
    spans: tuple[tuple[int, int], ...]


_ROW = "customer, rank, rank_reason, spent_minor, visits, rank_imported, rank_imported_on"


def of(db: Connection, ids: Sequence[str], spans: Sequence[tuple[str, str]]) -> list[RankRow]:
    """These customers, as far as they exist. `spans`: (first day, first day after it)."""
    chosen = json.dumps(ids)
    rows: list[tuple[Any, ...]] = db.execute(
        f"SELECT {_ROW} FROM customer WHERE customer IN (SELECT value FROM json_each(?))", (chosen,)
    ).fetchall()
    bought = _bought(db, chosen, spans) if spans else {}
    nothing = ((0, 0),) * len(spans)
    return [RankRow(*[*row, bought.get(row[0], nothing)]) for row in rows]


def _bought(db: Connection, chosen: str, spans: Sequence[tuple[str, str]]) -> dict[str, tuple[tuple[int, int], ...]]:
    sums = ", ".join(
        "sum(CASE WHEN day >= ? AND day < ? THEN amount_minor ELSE 0 END), "
        "count(DISTINCT CASE WHEN day >= ? AND day < ? THEN day END)"
        for _ in spans
    )
    days = [day for span in spans for day in (*span, *span)]
    rows = db.execute(
        f"SELECT customer, {sums} FROM sale WHERE customer IN (SELECT value FROM json_each(?)) AND day >= ? "
        "AND void IS NULL GROUP BY customer",
        (*days, chosen, min(first for first, _ in spans)),
    )
    return {row[0]: tuple(zip(row[1::2], row[2::2], strict=True)) for row in rows}


def change(db: Connection, changed: Sequence[tuple[str, str, str]]) -> None:
    """New ranks: (rank, reason, customer)."""
    db.executemany("UPDATE customer SET rank = ?, rank_reason = ? WHERE customer = ?", changed)


def forget_imported(db: Connection, ids: Sequence[str]) -> None:
    """What an import said of the ranks of these customers counts no more."""
    db.executemany(
        "UPDATE customer SET rank_imported = '', rank_imported_on = '' WHERE customer = ?", [(id,) for id in ids]
    )


def after(db: Connection, customer: str, most: int) -> list[str]:
    """The next customers in order of their IDs."""
    rows = db.execute("SELECT customer FROM customer WHERE customer > ? ORDER BY customer LIMIT ?", (customer, most))
    return [customer for (customer,) in rows]


def unranked(db: Connection, most: int) -> list[str]:
    """Some who have no rank yet: members who have just registered."""
    rows = db.execute("SELECT customer FROM customer WHERE rank = '' LIMIT ?", (most,))
    return [customer for (customer,) in rows]


def run(db: Connection) -> tuple[str, str, str, bool] | None:
    """How far the newest look at all ranks has come: its day, its rules, up to which customer, done?"""
    row = db.execute("SELECT day, rules, upto, done FROM rank_run").fetchone()
    return (*row[:3], bool(row[3])) if row else None


def set_run(db: Connection, day: str, rules: str, upto: str, done: bool) -> None:
    """It has come so far."""
    db.execute("DELETE FROM rank_run")
    db.execute("INSERT INTO rank_run VALUES (?, ?, ?, ?)", (day, rules, upto, done))
