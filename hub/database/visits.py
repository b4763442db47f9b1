"""Visits, and which agents hear a customer's beacons now."""

from __future__ import annotations

from sqlite3 import Connection


def of_day(db: Connection, customer: str, day: str) -> str | None:
    """The visit of a customer on one day of the store."""
    row = db.execute("SELECT visit FROM visit WHERE customer = ? AND day = ?", (customer, day)).fetchone()
    return row[0] if row else None


def latest(db: Connection, customer: str, since_day: str) -> str | None:
    """The newest visit of a customer, if it is not older than that day."""
    row = db.execute(
        "SELECT visit FROM visit WHERE customer = ? AND day >= ? ORDER BY day DESC LIMIT 1", (customer, since_day)
    ).fetchone()
    return row[0] if row else None


def open_visit(
    db: Connection, visit: str, customer: str, day: str, agent: str, opened: str, good: bool, decided: str
) -> None:
    """A new visit. Raises sqlite3.IntegrityError when the customer has one on that day."""
    db.execute(
        "INSERT INTO visit (visit, customer, day, agent, opened, good, decided, last_agent, last_heard) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (visit, customer, day, agent, opened, good, decided, agent, opened),
    )


def heard(
    db: Connection, beacon: str, agent: str, visit: str, epoch: str, at: str = "", distance_m: float | None = None
) -> None:
    """An agent began to hear a beacon, or heard it elsewhere: she is here. `epoch`: of the agent's start."""
    db.execute(
        "INSERT INTO presence (beacon, agent, visit, epoch, heard, distance_m) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (beacon, agent) DO UPDATE SET visit = excluded.visit, epoch = excluded.epoch, "
        "heard = excluded.heard, distance_m = excluded.distance_m",
        (beacon, agent, visit, epoch, at, distance_m),
    )
    db.execute("UPDATE visit SET gone_since = NULL WHERE visit = ? AND gone_since IS NOT NULL", (visit,))
    last(db, visit, agent, at)


def last(db: Connection, visit: str, agent: str, at: str) -> None:
    """She was heard by this agent; older news than what is known changes nothing."""
    db.execute(
        "UPDATE visit SET last_agent = ?, last_heard = ? WHERE visit = ? AND last_heard <= ?", (agent, at, visit, at)
    )


def where(db: Connection, visit: str) -> tuple[str, str, bool] | None:
    """(agent, when it heard her, whether it hears her still): of those that hear her now the one that she is nearest to, else
    the last that did. None for a visit that is not there."""
    now = db.execute(
        "SELECT agent, heard FROM presence WHERE visit = ? ORDER BY distance_m IS NULL, distance_m, heard DESC LIMIT 1",
        (visit,),
    ).fetchone()
    if now is not None:
        return now[0], now[1], True
    row = db.execute("SELECT last_agent, last_heard FROM visit WHERE visit = ?", (visit,)).fetchone()
    return (row[0], row[1], False) if row else None


def heard_in(db: Connection, beacon: str, agent: str) -> tuple[str, str] | None:
    """(visit, customer) in which this agent hears this beacon now."""
    row: tuple[str, str] | None = db.execute(
        "SELECT visit, customer FROM presence JOIN visit USING (visit) WHERE beacon = ? AND presence.agent = ?",
        (beacon, agent),
    ).fetchone()
    return row


def hears(db: Connection, agent: str, visit: str, beacon: str) -> bool:
    """Whether this agent hears the customer of this visit now, by something else than this beacon."""
    return (
        db.execute(
            "SELECT 1 FROM presence WHERE visit = ? AND agent = ? AND beacon != ?", (visit, agent, beacon)
        ).fetchone()
        is not None
    )


def going_on(db: Connection, customer: str, day: str, at: str, gone_after: str, heard_after: str) -> str | None:
    """The visit of an earlier day in which she is here still at this time: opened before it, not gone since `gone_after` or
    longer, heard since `heard_after`."""
    row = db.execute(
        "SELECT visit FROM visit WHERE customer = ? AND day < ? AND opened <= ? AND last_heard >= ? "
        "AND (gone_since IS NULL OR gone_since >= ?) ORDER BY day DESC LIMIT 1",
        (customer, day, at, heard_after, gone_after),
    ).fetchone()
    return row[0] if row else None


def no_longer_heard(db: Connection, beacon: str, agent: str, visit: str, since: str) -> bool:
    """An agent lost a beacon; True when no agent hears any beacon of this visit any more."""
    db.execute("DELETE FROM presence WHERE beacon = ? AND agent = ?", (beacon, agent))
    return (
        db.execute(
            "UPDATE visit SET gone_since = ? WHERE visit = ? AND NOT EXISTS (SELECT 1 FROM presence WHERE visit = ?)",
            (since, visit, visit),
        ).rowcount
        > 0
    )


def heard_before(db: Connection, agent: str, epoch: str) -> list[tuple[str, str]]:
    """(beacon, visit) that an agent heard before its present start."""
    return db.execute(
        "SELECT beacon, visit FROM presence WHERE agent = ? AND epoch != ? ORDER BY beacon", (agent, epoch)
    ).fetchall()


def heard_long_ago(db: Connection, agent: str, before: str) -> list[tuple[str, str]]:
    """(beacon, visit) that this agent heard last before that time."""
    return db.execute(
        "SELECT beacon, visit FROM presence WHERE agent = ? AND heard < ? ORDER BY beacon LIMIT 1000", (agent, before)
    ).fetchall()
