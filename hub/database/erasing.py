"""A customer leaves every table (row C11): her rows go, what the books need stays without her."""

from __future__ import annotations

import json
from collections.abc import Callable
from sqlite3 import Connection
from typing import Any

from hub.database import whole

ANONYMISED = {
    "sale": "customer = NULL, unclaimed = NULL, fingerprint = ''",
    "coupon": "customer = NULL, state = CASE state WHEN 'offered' THEN 'withdrawn' ELSE state END",
    "incentive": "customer = NULL, because = ''",
}
"""Rows that stay, for the books: money, and coupons that are given or used. All other tables with a column `customer` lose hers."""
OWN_ORDER = ("customer", "erasure", "scan")
"""Tables with a way of their own."""


def wanted(db: Connection) -> list[str]:
    """Who asked to be forgotten and is not yet."""
    return [customer for (customer,) in db.execute("SELECT customer FROM erasure WHERE erased IS NULL ORDER BY asked")]


def ask(db: Connection, customer: str, at: str) -> None:
    """Somebody at the command line wants her forgotten; the running hub does it."""
    db.execute("INSERT INTO erasure VALUES (?, ?, NULL) ON CONFLICT DO UPDATE SET asked = ?, erased = NULL",
               (customer, at, at))  # fmt: skip


def done(db: Connection, customer: str, counts: dict[str, Any]) -> None:
    """It is done; whoever asked reads what, and takes the row away."""
    db.execute("UPDATE erasure SET erased = ? WHERE customer = ?", (json.dumps(counts), customer))


def answer(db: Connection, customer: str) -> dict[str, Any] | None:
    """What was erased, or None while it is not done; the row goes with the answer."""
    row = db.execute("SELECT erased FROM erasure WHERE customer = ?", (customer,)).fetchone()
    if row is None or row[0] is None:
        return None
    withdraw(db, customer)
    found: dict[str, Any] = json.loads(row[0])
    return found


def withdraw(db: Connection, customer: str) -> None:
    """Nobody waits for it any more."""
    db.execute("DELETE FROM erasure WHERE customer = ?", (customer,))


def forget_asked(db: Connection, before: str) -> None:
    """Answers that nobody has fetched."""
    db.execute("DELETE FROM erasure WHERE erased IS NOT NULL AND asked < ?", (before,))


def scans_of(db: Connection, customer: str) -> list[tuple[str, str, str | None]]:
    """(scan, decision, visit) of her scans at lanes."""
    return db.execute("SELECT scan, decision, visit FROM scan WHERE customer = ?", (customer,)).fetchall()


def visits_of(db: Connection, customer: str) -> list[str]:
    """Her visits."""
    return [visit for (visit,) in db.execute("SELECT visit FROM visit WHERE customer = ?", (customer,))]


def erase(db: Connection, customer: str, visits: list[str], scans: list[str]) -> dict[str, dict[str, int]]:
    """Her rows out of every table, in the transaction of the caller; how many rows of which table were erased, and changed."""
    erased: dict[str, int] = {}
    changed: dict[str, int] = {}
    for table, what in ANONYMISED.items():
        also = " OR unclaimed = ?" if table == "sale" else ""
        changed[table] = db.execute(
            f"UPDATE {table} SET {what} WHERE customer = ?{also}", (customer,) * (2 if also else 1)
        ).rowcount
    changed["scan"] = db.execute(
        "UPDATE scan SET customer = NULL, visit = NULL WHERE customer = ?", (customer,)
    ).rowcount
    traced = [*visits, *scans]
    erased["trace"] = sum(db.execute("DELETE FROM trace WHERE visit = ?", (each,)).rowcount for each in traced)
    for table, where in (
        ("presence", "visit IN (SELECT visit FROM visit WHERE customer = ?)"),
        ("alert_clerk", "alert IN (SELECT alert FROM alert WHERE customer = ?)"),
        ("member_claim", "joins = ?"),
    ):
        erased[table] = db.execute(f"DELETE FROM {table} WHERE {where}", (customer,)).rowcount
    hers = [table for table in whole.tables_about_customers(db) if table not in ANONYMISED and table not in OWN_ORDER]
    for table in [
        *sorted(hers, key=lambda name: name in ("visit", "member_session")),
        "customer",
    ]:  # what refers to a visit or a session before it, so that each row is counted
        rows = db.execute(f'DELETE FROM "{table}" WHERE customer = ?', (customer,)).rowcount
        erased[table] = erased.get(table, 0) + rows
    return {
        "erased": {table: count for table, count in erased.items() if count},
        "changed": {table: count for table, count in changed.items() if count},
    }


def left(db: Connection, customer: str) -> list[str]:
    """Tables that still name her as their customer: none, or something is wrong."""
    return [
        table
        for table in whole.tables_about_customers(db)
        if table != "erasure"
        and db.execute(f'SELECT 1 FROM "{table}" WHERE customer = ? LIMIT 1', (customer,)).fetchone()
    ]


def rewrite_scan(db: Connection, scan: str, decision: str) -> None:
    """A decision without her name: the same scan again gets the same decision, and not her name."""
    db.execute("UPDATE scan SET decision = ? WHERE scan = ?", (decision, scan))


def rewrite_outbox(db: Connection, rewritten: Callable[[bytes], bytes | None]) -> int:
    """Messages that wait for an agent; `rewritten` gives the new bytes, None: as they are. Returns how many were changed."""
    found = [(rewritten(bytes(body)), row) for row, body in db.execute("SELECT row, body FROM outbox")]
    changed = [(body, row) for body, row in found if body is not None]
    db.executemany("UPDATE outbox SET body = ? WHERE row = ?", changed)
    return len(changed)


def drop_quarantined(db: Connection, concerns: Callable[[str], bool]) -> int:
    """Broken messages and refused posts that say something of her; returns how many."""
    rows = db.execute("SELECT row, topic, detail, payload FROM quarantine").fetchall()
    hers = [
        (row,) for row, topic, detail, payload in rows
        if concerns(f"{topic}\n{detail}\n{bytes(payload).decode(errors='replace')}")
    ]  # fmt: skip
    db.executemany("DELETE FROM quarantine WHERE row = ?", hers)
    return len(hers)


def occurrences(db: Connection, needles: list[str]) -> dict[str, int]:
    """Rows, by `table.column`, whose text contains one of these: people of the same name, IDs that begin like hers."""
    found: dict[str, int] = {}
    for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for column in whole.columns(db, table):
            test = " OR ".join(f'instr(CAST("{column}" AS BLOB), CAST(? AS BLOB)) > 0' for _ in needles)
            count = db.execute(f'SELECT count(*) FROM "{table}" WHERE {test}', needles).fetchone()[0]
            if count:
                found[f"{table}.{column}"] = count
    return found


def marks(db: Connection, customer: str) -> list[str]:
    """Texts by which she is known: ID, name, phone, e-mail, beacons. Not what many share: rank, year of birth, notes."""
    row = db.execute("SELECT customer, name, phone, email FROM customer WHERE customer = ?", (customer,))
    beacons = db.execute(
        "SELECT beacon FROM customer_beacon WHERE customer = ? UNION SELECT beacon FROM eid_key WHERE customer = ?",
        (customer, customer),
    )
    found = [*(row.fetchone() or ()), *(beacon for (beacon,) in beacons)]
    return [mark for mark in dict.fromkeys(found) if mark]
