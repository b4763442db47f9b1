"""Calls of lanes for a clerk, the clerks they were offered to, and what happened at lanes that nobody had let through."""

from __future__ import annotations

from dataclasses import dataclass
from sqlite3 import Connection

from hub.database.alerts import Offer


@dataclass(frozen=True, slots=True)
class CallRow:
    """One call; times as text. `call` is its ID at the lane."""

    alert: str
    agent: str
    lane: str
    call: str
    reason: str
    detail: str
    since: str
    day: str
    state: str
    holder: str | None
    outcome: str | None
    revision: int
    raised: str
    expires: str
    changed: str
    cause: str | None


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """One incident; `id` is that of the message that told it. `kind` as in `contract.payloads.LaneIncident`, or `code_twice`."""

    id: str
    agent: str
    lane: str
    kind: str
    direction: str | None
    count: int
    scan: str | None
    detail: str
    seen: str
    day: str


_CALL = ", ".join(CallRow.__slots__)
_INCIDENT = ", ".join(IncidentRow.__slots__)
OPEN = "state IN ('offered', 'accepted', 'declined')"  # word for word as in the index `lane_call_open`


def add(db: Connection, row: CallRow, offers: tuple[Offer, ...]) -> bool:
    """A new call; False when it is known."""
    values = [getattr(row, name) for name in CallRow.__slots__]
    made = db.execute(
        f"INSERT INTO lane_call ({_CALL}, sent) VALUES ({', '.join('?' * len(values))}, ?) ON CONFLICT DO NOTHING",
        (*values, row.changed),
    )
    if made.rowcount < 1:
        return False
    db.executemany(
        "INSERT INTO lane_call_clerk (alert, clerk) VALUES (?, ?)", [(row.alert, offer.clerk) for offer in offers]
    )
    return True


def read(db: Connection, alert: str) -> CallRow | None:
    """One call, or None."""
    row = db.execute(f"SELECT {_CALL} FROM lane_call WHERE alert = ?", (alert,)).fetchone()
    return CallRow(*row) if row else None


def offers(db: Connection, alert: str) -> tuple[Offer, ...]:
    """To whom it was offered, in order of their IDs."""
    rows = db.execute(
        "SELECT clerk, declined, coalesce(clerk.name, ''), left_on FROM lane_call_clerk LEFT JOIN clerk USING (clerk) "
        "WHERE alert = ? ORDER BY clerk",
        (alert,),
    )
    return tuple(Offer(clerk, "group", bool(declined), name, left_on) for clerk, declined, name, left_on in rows)


def change(db: Connection, row: CallRow, declined: frozenset[str]) -> None:
    """A new state, as in `row`."""
    db.execute(
        "UPDATE lane_call SET state = ?, holder = ?, outcome = ?, revision = ?, changed = ?, sent = ?, cause = ? WHERE alert = ?",
        (row.state, row.holder, row.outcome, row.revision, row.changed, row.changed, row.cause, row.alert),
    )
    marked = [(clerk in declined, clerk) for (clerk,) in db.execute(
        "SELECT clerk FROM lane_call_clerk WHERE alert = ?", (row.alert,))]  # fmt: skip
    db.executemany(
        "UPDATE lane_call_clerk SET declined = ? WHERE alert = ? AND clerk = ? AND declined != ?",
        [(now, row.alert, clerk, now) for now, clerk in marked],
    )


def past(db: Connection, now: str, accepted_before: str) -> list[CallRow]:
    """Open calls that nobody has accepted in time, and accepted ones that nobody has closed."""
    rows = db.execute(
        f"SELECT {_CALL} FROM lane_call WHERE {OPEN} AND (holder IS NULL AND expires <= ? OR holder IS NOT NULL AND changed <= ?)",
        (now, accepted_before),
    )
    return [CallRow(*row) for row in rows]


def to_send_again(db: Connection, before: str, news_since: str) -> list[CallRow]:
    """Open ones, and those that have just ended, which were sent last before this time."""
    rows = db.execute(
        f"SELECT {_CALL} FROM lane_call WHERE {OPEN} AND sent <= ? "
        f"UNION SELECT {_CALL} FROM lane_call WHERE changed >= ? AND sent <= ?",
        (before, news_since, before),
    )
    return [CallRow(*row) for row in rows]


def sent(db: Connection, alert: str, at: str) -> None:
    """It was sent again."""
    db.execute("UPDATE lane_call SET sent = ? WHERE alert = ?", (at, alert))


def of_clerk(db: Connection, clerk: str, news_since: str) -> list[CallRow]:
    """What is open for a clerk, and what has just ended."""
    rows = db.execute(
        f"SELECT {_CALL} FROM lane_call WHERE alert IN (SELECT alert FROM lane_call_clerk WHERE clerk = ?) "
        f"AND ({OPEN} OR changed >= ?)",
        (clerk, news_since),
    )
    return [CallRow(*row) for row in rows]


def open_of(db: Connection, agent: str, reason: str) -> list[CallRow]:
    """Open calls of an agent for one reason."""
    sql = f"SELECT {_CALL} FROM lane_call WHERE {OPEN} AND agent = ? AND reason = ?"
    return [CallRow(*row) for row in db.execute(sql, (agent, reason))]


def open_calls(db: Connection) -> list[CallRow]:
    """For the manager, oldest first."""
    return [
        CallRow(*row) for row in db.execute(f"SELECT {_CALL} FROM lane_call WHERE {OPEN} ORDER BY raised LIMIT 100")
    ]


# --- incidents


def add_incident(db: Connection, row: IncidentRow) -> bool:
    """A new one; False when it is known."""
    values = [getattr(row, name) for name in IncidentRow.__slots__]
    sql = f"INSERT INTO lane_incident ({_INCIDENT}) VALUES ({', '.join('?' * len(values))}) ON CONFLICT DO NOTHING"
    return db.execute(sql, values).rowcount > 0


def incidents(db: Connection, day: str, most: int) -> list[IncidentRow]:
    """Of a day, newest first."""
    rows = db.execute(f"SELECT {_INCIDENT} FROM lane_incident WHERE day = ? ORDER BY seen DESC LIMIT ?", (day, most))
    return [IncidentRow(*row) for row in rows]


def forget(db: Connection, before: str, most: int) -> int:
    """Old ones go, so many at a time; returns how many went."""
    gone = 0
    for table, key in (("lane_call", "alert"), ("lane_incident", "id")):
        sql = f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE day < ? LIMIT ?)"
        gone += db.execute(sql, (before, most)).rowcount
    return gone
