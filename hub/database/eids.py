"""Keys of rotating beacons, and the version of everything that recognition rests on."""

from __future__ import annotations

from collections.abc import Iterable
from sqlite3 import Connection

from hub.eid.table import EidKey

_COLUMNS = "beacon, identity_key, exponent, zero_s, drift_s, seen_s"


def version(db: Connection) -> int:
    """Changes whenever a beacon, a key or a consent was added, changed or removed, by whatever program."""
    found: int = db.execute("SELECT version FROM recognition").fetchone()[0]
    return found


def since(db: Connection, row: int, limit: int) -> list[tuple[int, EidKey]]:
    """Keys that were entered after that row, in order, each with its row."""
    rows = db.execute(f"SELECT row, {_COLUMNS} FROM eid_key WHERE row > ? ORDER BY row LIMIT ?", (row, limit))
    return [(number, EidKey(*key)) for number, *key in rows]


def owner(db: Connection, name: str) -> str | None:
    """Whose beacon this is, by its name (`eid:…`)."""
    row = db.execute("SELECT customer FROM eid_key WHERE beacon = ?", (name,)).fetchone()
    return row[0] if row else None


def gone(db: Connection, names: Iterable[str]) -> list[str]:
    """Those of these names that have no key any more."""
    wanted = list(names)
    marks = ",".join("?" * len(wanted))
    there = {name for (name,) in db.execute(f"SELECT beacon FROM eid_key WHERE beacon IN ({marks})", wanted)}
    return [name for name in wanted if name not in there]


def owners(db: Connection) -> dict[str, str]:
    """Customer by name of the beacon, of all."""
    return dict(db.execute("SELECT beacon, customer FROM eid_key"))


def replace(db: Connection, customer: str, keys: Iterable[EidKey]) -> None:
    """These are her rotating beacons. What is known of a beacon's clock stays, if its key and counter are the same as before."""
    wanted = {key.name: key for key in keys}
    for name, zero_s in db.execute("SELECT beacon, zero_s FROM eid_key WHERE customer = ?", (customer,)).fetchall():
        same = wanted.get(name)
        if same is not None and same.zero_s == zero_s:
            del wanted[name]
        else:
            db.execute("DELETE FROM eid_key WHERE beacon = ?", (name,))
    db.executemany(
        f"INSERT INTO eid_key (customer, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (customer, key.name, key.identity_key, key.exponent, key.zero_s, key.drift_s, key.seen_s)
            for key in wanted.values()
        ],
    )


def heard(db: Connection, name: str, drift_s: float, seen_s: float) -> None:
    """What is known of a beacon's clock."""
    db.execute("UPDATE eid_key SET drift_s = ?, seen_s = ? WHERE beacon = ?", (drift_s, seen_s, name))
