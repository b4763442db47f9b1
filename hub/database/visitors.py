"""People counted without an identity, by day and counter."""

from __future__ import annotations

from dataclasses import dataclass
from sqlite3 import Connection


@dataclass(frozen=True, slots=True)
class Counted:
    """One counter on one day of the store."""

    day: str
    agent: str
    device: str
    entered: int
    left: int


def add(db: Connection, day: str, agent: str, device: str, entered: int, left: int) -> None:
    """Add to what this counter has counted on this day."""
    db.execute(
        'INSERT INTO visitors (day, agent, device, entered, "left") VALUES (?, ?, ?, ?, ?) '
        'ON CONFLICT (day, agent, device) DO UPDATE SET entered = entered + excluded.entered, "left" = "left" + excluded."left"',
        (day, agent, device, entered, left),
    )


def of_days(db: Connection, first: str, last: str) -> list[Counted]:
    """All counters on these days, both included, in order."""
    rows = db.execute(
        'SELECT day, agent, device, entered, "left" FROM visitors WHERE day BETWEEN ? AND ? ORDER BY day, agent, device',
        (first, last),
    )
    return [Counted(*row) for row in rows]
