"""Writing many customers at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from sqlite3 import Connection
from typing import Any

from hub.database import eids


def beacon_owners(db: Connection) -> dict[str, str]:
    """Customer by beacon, of all."""
    return dict(db.execute("SELECT beacon, customer FROM customer_beacon"))


def write(db: Connection, records: Sequence[dict[str, Any]], then: Callable[[], object] = lambda: None) -> None:
    """Insert or change customers in one transaction. All records have the same keys; what they don't name stays as it is.

    `deputies` and `beacons` (tuples) replace the former ones. `then` is called before the end of the transaction.
    """
    import sqlite_utils  # here: a hub that imports nothing starts without it

    if not records:
        return
    people = [
        {key: value for key, value in each.items() if key not in ("deputies", "beacons", "rotating_beacons")}
        for each in records
    ]
    with transaction(db):
        clerks = {each.get("main_clerk") for each in records} | {
            c for each in records for c in each.get("deputies", ())
        }
        db.executemany("INSERT INTO clerk (clerk) VALUES (?) ON CONFLICT DO NOTHING", [(c,) for c in clerks if c])
        sqlite_utils.Database(db, execute_plugins=False)["customer"].upsert_all(people, pk="customer", batch_size=500)
        for table, column, key in (("deputy", "clerk", "deputies"), ("customer_beacon", "beacon", "beacons")):
            if key in records[0]:
                db.executemany(f"DELETE FROM {table} WHERE customer = ?", [(each["customer"],) for each in records])
                rows = [(each["customer"], value) for each in records for value in each[key]]
                db.executemany(f"INSERT INTO {table} (customer, {column}) VALUES (?, ?)", rows)
        if "rotating_beacons" in records[0]:
            for each in records:
                eids.replace(db, each["customer"], each["rotating_beacons"])
        then()


@contextmanager
def transaction(db: Connection) -> Iterator[None]:
    """All of it or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
