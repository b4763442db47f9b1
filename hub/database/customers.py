"""Customers, their beacons, and the clerks in charge."""

from __future__ import annotations

from dataclasses import dataclass
from sqlite3 import Connection


@dataclass(frozen=True, slots=True)
class Customer:
    """A record of row A1. Money in minor units."""

    customer: str
    name: str
    language: str
    note: str
    visits: int
    spent_minor: int
    points: int
    rank: str
    main_clerk: str | None
    terminal_payments: int
    exits: int
    preferences: str = ""

    @property
    def average_minor(self) -> int:
        """Average purchase per visit."""
        return self.spent_minor // self.visits if self.visits else 0


NOBODY = Customer("", "", "ja", "", 0, 0, 0, "", None, 0, 0)
"""Stands for a purchase without a customer ID."""

_COLUMNS = ", ".join(Customer.__slots__)


def customer(db: Connection, id: str) -> Customer | None:
    """One customer, or None."""
    row = db.execute(f"SELECT {_COLUMNS} FROM customer WHERE customer = ?", (id,)).fetchone()
    return Customer(*row) if row else None


def deputies(db: Connection, id: str) -> tuple[str, ...]:
    """The deputies of a customer, in order of their IDs."""
    return tuple(c for (c,) in db.execute("SELECT clerk FROM deputy WHERE customer = ? ORDER BY clerk", (id,)))


def known_by(db: Connection, id: str) -> int:
    """How many beacons and codes are hers."""
    count: int = db.execute("SELECT count(*) FROM customer_beacon WHERE customer = ?", (id,)).fetchone()[0]
    rotating: int = db.execute("SELECT count(*) FROM eid_key WHERE customer = ?", (id,)).fetchone()[0]
    return count + rotating


def owner(db: Connection, beacon: str) -> str | None:
    """Whose beacon this is."""
    row = db.execute("SELECT customer FROM customer_beacon WHERE beacon = ?", (beacon,)).fetchone()
    return row[0] if row else None


def bought(db: Connection, id: str, amount_minor: int, points: int, *, new_visit: bool, terminal: bool) -> int:
    """A purchase: counts once per transaction (row A3). The rank follows by `hub.ranking`. Returns her payments on the terminal."""
    db.execute(
        "UPDATE customer SET visits = visits + ?, spent_minor = spent_minor + ?, points = points + ?, "
        "terminal_payments = terminal_payments + ? WHERE customer = ?",
        (new_visit, amount_minor, points, terminal, id),
    )
    payments: int = db.execute("SELECT terminal_payments FROM customer WHERE customer = ?", (id,)).fetchone()[0]
    return payments


def took_back(db: Connection, id: str, amount_minor: int, points: int, *, visit: bool, terminal: bool) -> int:
    """A purchase does not stand any more. Returns how many of its points she has spent already."""
    row = db.execute("SELECT points FROM customer WHERE customer = ?", (id,)).fetchone()
    missing: int = max(0, points - row[0])
    db.execute(  # an import may have set lower totals meanwhile
        "UPDATE customer SET visits = max(0, visits - ?), spent_minor = max(0, spent_minor - ?), points = points - ?, "
        "terminal_payments = max(0, terminal_payments - ?) WHERE customer = ?",
        (visit, amount_minor, points - missing, terminal, id),
    )
    return missing


def left_with_code(db: Connection, id: str, points: int) -> None:
    """She has passed the lane with an exit code (rows B8, B11)."""
    db.execute("UPDATE customer SET exits = exits + 1, points = points + ? WHERE customer = ?", (points, id))
