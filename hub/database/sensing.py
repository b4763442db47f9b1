"""What members' terminals were asked for and what was decided: never a reading (row C11)."""

from __future__ import annotations

from dataclasses import dataclass
from sqlite3 import Connection


@dataclass(frozen=True, slots=True)
class SensingRow:
    """One request. `readings`: names separated by spaces; `decided`: the rule, without values."""

    request: str
    visit: str
    customer: str
    consent: str
    readings: str
    sent: str
    deadline: str
    state: str
    rule: str
    treatment: str | None
    decided: str


_COLUMNS = ", ".join(SensingRow.__slots__)
_ASKED = "state = 'asked'"  # word for word as in the index `sensing_open`


def add(db: Connection, row: SensingRow) -> None:
    """A new request."""
    values = [getattr(row, name) for name in SensingRow.__slots__]
    db.execute(f"INSERT INTO sensing ({_COLUMNS}) VALUES ({', '.join('?' * len(values))})", values)


def read(db: Connection, request: str) -> SensingRow | None:
    """One request, or None."""
    row = db.execute(f"SELECT {_COLUMNS} FROM sensing WHERE request = ?", (request,)).fetchone()
    return SensingRow(*row) if row else None


def of_visit(db: Connection, visit: str) -> list[SensingRow]:
    """All requests of a visit, oldest first."""
    rows = db.execute(f"SELECT {_COLUMNS} FROM sensing WHERE visit = ? ORDER BY rowid", (visit,))
    return [SensingRow(*row) for row in rows]


def ended(db: Connection, request: str, state: str) -> None:
    """It was answered without readings, or not at all."""
    db.execute("UPDATE sensing SET state = ? WHERE request = ?", (state, request))


def decided(db: Connection, request: str, rule: str, treatment: str | None, words: str) -> None:
    """It was answered, and this came of it."""
    db.execute(
        "UPDATE sensing SET state = 'answered', rule = ?, treatment = ?, decided = ? WHERE request = ?",
        (rule, treatment, words, request),
    )


def silent(db: Connection, now: str) -> list[SensingRow]:
    """Requests whose time is over without an answer."""
    rows = db.execute(f"SELECT {_COLUMNS} FROM sensing WHERE {_ASKED} AND deadline <= ?", (now,))
    return [SensingRow(*row) for row in rows]


# --- when to ask: kept with the request for service, so that a visit's own transaction has nothing more to write


def plan(db: Connection, visit: str, at: str | None) -> None:
    """Ask in this visit at this time; None: not, or not again."""
    db.execute("UPDATE alert SET sense_at = ? WHERE visit = ? AND kind = 'service_request'", (at, visit))


def due(db: Connection, now: str, most: int) -> list[tuple[str, str, str | None]]:
    """(visit, customer, since when she is gone) of visits in which to ask now."""
    return db.execute(
        "SELECT visit, alert.customer, gone_since FROM alert JOIN visit USING (visit) "
        "WHERE sense_at IS NOT NULL AND sense_at <= ? ORDER BY sense_at LIMIT ?",
        (now, most),
    ).fetchall()


def here(db: Connection, customer: str, since: str) -> str | None:
    """The visit in which this customer is here, with a request for service raised since; None: there is none."""
    row = db.execute(
        "SELECT visit FROM alert JOIN visit USING (visit) WHERE alert.customer = ? AND kind = 'service_request' "
        "AND raised >= ? AND gone_since IS NULL ORDER BY raised DESC LIMIT 1",
        (customer, since),
    ).fetchone()
    return row[0] if row else None
