"""All of a customer: the record as it is exported, and every row of every table that is about her (rows A1, C11)."""

from __future__ import annotations

from collections import defaultdict
from sqlite3 import Connection
from typing import Any

_RECORD = ("customer", "name", "gender", "born", "phone", "email", "language", "visits", "spent_minor AS spent", "points",
           "rank", "main_clerk", "note", "preferences", "terminal_payments", "exits")  # fmt: skip
BY_SALE = ("sale_line", "sale_tender", "exit_code", "redemption", "owed")
BY_VISIT = ("presence", "trace")
BY_CART = ("cart_line", "cart_code", "payment")
SECRETS = frozenset({"identity_key", "hash", "code_hash", "session_hash", "secret", "auth", "p256dh", "endpoint"})
"""Columns that open something: they are no data about her, and an export is a file that gets copied."""


def count(db: Connection) -> int:
    """How many customers there are."""
    found: int = db.execute("SELECT count(*) FROM customer").fetchone()[0]
    return found


def records(db: Connection, after: str, most: int) -> list[dict[str, Any]]:
    """The next customers in order of their IDs, in the terms of an import; `deputies` and `beacons` are lists."""
    rows = db.execute(
        f"SELECT {', '.join(_RECORD)} FROM customer WHERE customer > ? ORDER BY customer LIMIT ?", (after, most)
    )
    names = [column[0] for column in rows.description]
    found = [dict(zip(names, row, strict=True)) for row in rows]
    for record in found:
        record["main_clerk"] = record["main_clerk"] or ""
    if found:
        span = found[0]["customer"], found[-1]["customer"]
        for name, table, column in (("deputies", "deputy", "clerk"), ("beacons", "customer_beacon", "beacon")):
            several: dict[str, list[str]] = defaultdict(list)
            for customer, value in db.execute(
                f"SELECT customer, {column} FROM {table} WHERE customer BETWEEN ? AND ? ORDER BY {column}", span
            ):
                several[customer].append(value)
            for record in found:
                record[name] = several[record["customer"]]
    return found


def record(db: Connection, customer: str) -> dict[str, Any] | None:
    """One record, and why she has her rank."""
    before = db.execute("SELECT max(customer) FROM customer WHERE customer < ?", (customer,)).fetchone()[0] or ""
    found = records(db, before, 1)
    if not found or found[0]["customer"] != customer:
        return None
    reason = db.execute("SELECT rank_reason FROM customer WHERE customer = ?", (customer,)).fetchone()[0]
    return found[0] | {"rank_reason": reason}


def some(db: Connection, search: str, rank: str, most: int) -> list[dict[str, Any]]:
    """Customers in short, by a part of ID, name, phone or e-mail, and by rank."""
    rows = db.execute(
        "SELECT customer, name, rank, visits, spent_minor, points, main_clerk FROM customer WHERE "
        "(? = '' OR instr(lower(customer || char(10) || name || char(10) || phone || char(10) || email), lower(?))) "
        "AND (? = '' OR rank = ?) ORDER BY customer LIMIT ?",
        (search, search, rank, rank, most),
    )
    names = ("customer", "name", "rank", "visits", "spent", "points", "main_clerk")
    return [dict(zip(names, row, strict=True)) for row in rows]


def purchases(db: Connection, customer: str, most: int) -> list[dict[str, Any]]:
    """The newest sales with their lines."""
    rows = db.execute(
        "SELECT sale, day, sold, amount_minor, currency, void FROM sale WHERE customer = ? "
        "ORDER BY sold DESC, sale LIMIT ?",
        (customer, most),
    )
    found = [dict(zip(("sale", "day", "sold", "amount_minor", "currency", "void"), row, strict=True)) for row in rows]
    for sale in found:
        lines = db.execute(
            "SELECT product, name, category, quantity, amount_minor FROM sale_line WHERE sale = ? ORDER BY line",
            (sale["sale"],),
        )
        names = ("product", "name", "category", "quantity", "amount_minor")
        sale["lines"] = [dict(zip(names, line, strict=True)) for line in lines]
    return found


def tables_about_customers(db: Connection) -> list[str]:
    """Every table with a column `customer`; so a table that a later migration adds is among them."""
    names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    return [name for name in names if "customer" in columns(db, name)]


def columns(db: Connection, table: str) -> list[str]:
    """The columns of a table."""
    return [row[1] for row in db.execute(f'PRAGMA table_info("{table}")')]


def everything(db: Connection, customer: str) -> dict[str, list[dict[str, Any]]]:
    """Rows by table, of all tables that have some about her."""
    found: dict[str, list[dict[str, Any]]] = {}
    for table in tables_about_customers(db):
        _add(found, db, table, "customer = ?", customer)
    for table in BY_SALE:
        _add(found, db, table, "sale IN (SELECT sale FROM sale WHERE customer = ?)", customer)
    for table in BY_VISIT:
        _add(found, db, table, "visit IN (SELECT visit FROM visit WHERE customer = ?)", customer)
    for table in BY_CART:
        _add(found, db, table, "cart IN (SELECT cart FROM cart WHERE customer = ?)", customer)
    _add(found, db, "incentive_part", "coupon IN (SELECT coupon FROM incentive WHERE customer = ?)", customer)
    _add(found, db, "alert_clerk", "alert IN (SELECT alert FROM alert WHERE customer = ?)", customer)
    _add(found, db, "cart_line", "cart IN (SELECT cart FROM cart WHERE customer = ?)", customer)
    return found


def _add(found: dict[str, list[dict[str, Any]]], db: Connection, table: str, where: str, customer: str) -> None:
    rows = db.execute(f'SELECT * FROM "{table}" WHERE {where}', (customer,))
    names = [column[0] for column in rows.description]
    several = [
        {name: value for name, value in zip(names, row, strict=True) if name not in SECRETS} for row in rows.fetchall()
    ]
    if several:
        found[table] = several
