"""What a manager asks of the tables; reads only."""

from __future__ import annotations

from dataclasses import dataclass
from sqlite3 import Connection


@dataclass(frozen=True, slots=True)
class VisitLine:
    """One visit in a list; times as text."""

    visit: str
    customer: str
    name: str
    opened: str
    agent: str
    gone_since: str | None
    good: bool
    decided: str
    coupons: str


@dataclass(frozen=True, slots=True)
class AlertLine:
    """One alert of a visit in a list."""

    visit: str
    kind: str
    state: str
    holder: str | None
    outcome: str | None
    raised: str


def visits(db: Connection, day: str, search: str, most: int) -> list[VisitLine]:
    """Visits of a day, newest first; `search` in the customer's ID or name."""
    like = f"%{search.replace('%', '').replace('_', '')}%"
    rows = db.execute(
        "SELECT visit, customer, coalesce(name, ''), opened, agent, gone_since, good, decided, coalesce(coupons, '') "
        "FROM visit LEFT JOIN customer USING (customer) WHERE day = ? AND (customer LIKE ? OR name LIKE ?) "
        "ORDER BY opened DESC LIMIT ?",
        (day, like, like, most),
    )
    return [
        VisitLine(visit, customer, name, opened, agent, gone, bool(good), decided, coupons)
        for visit, customer, name, opened, agent, gone, good, decided, coupons in rows
    ]


def alerts(db: Connection, visits: list[str]) -> list[AlertLine]:
    """Alerts of these visits, in the order in which they were raised."""
    marks = ",".join("?" * len(visits))
    rows = db.execute(
        f"SELECT visit, kind, state, holder, outcome, raised FROM alert WHERE visit IN ({marks}) ORDER BY raised",
        visits,
    )
    return [AlertLine(*row) for row in rows]


def days(db: Connection, most: int) -> list[str]:
    """Days on which somebody came, newest first."""
    return [day for (day,) in db.execute("SELECT DISTINCT day FROM visit ORDER BY day DESC LIMIT ?", (most,))]


def latest_visit_of(db: Connection, customer: str) -> str | None:
    """Her newest visit."""
    row = db.execute("SELECT visit FROM visit WHERE customer = ? ORDER BY day DESC LIMIT 1", (customer,)).fetchone()
    return row[0] if row else None


def day_counts(db: Connection, day: str) -> dict[str, int]:
    """Numbers of a day."""
    asked = {
        "visits": "SELECT count(*) FROM visit WHERE day = ?",
        "good_customers": "SELECT count(*) FROM visit WHERE day = ? AND good",
        "here_now": "SELECT count(*) FROM visit WHERE day = ? AND gone_since IS NULL",
        "requests": "SELECT count(*) FROM alert JOIN visit USING (visit) WHERE day = ?",
        "requests_answered": "SELECT count(*) FROM alert JOIN visit USING (visit) WHERE day = ? AND holder IS NOT NULL",
        "requests_expired": "SELECT count(*) FROM alert JOIN visit USING (visit) WHERE day = ? AND state = 'expired'",
        "sales": "SELECT count(*) FROM sale WHERE day = ?",
        "sold_minor": "SELECT coalesce(sum(amount_minor), 0) FROM sale WHERE day = ?",
        "lane_calls": "SELECT count(*) FROM lane_call WHERE day = ?",
        "lane_incidents": "SELECT coalesce(sum(count), 0) FROM lane_incident WHERE day = ?",
    }
    return {name: db.execute(sql, (day,)).fetchone()[0] for name, sql in asked.items()}
