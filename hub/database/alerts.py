"""Alerts and the clerks they were offered to."""

from __future__ import annotations

from dataclasses import dataclass
from sqlite3 import Connection


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One alert as stored; times as text. `subject`: which treatment or coupon it is about; `sense_at`: `hub.database.sensing`."""

    alert: str
    visit: str
    kind: str
    subject: str
    customer: str
    state: str
    holder: str | None
    outcome: str | None
    suggested: str | None
    revision: int
    message_ja: str
    message_en: str
    raised: str
    expires: str
    escalate_at: str | None
    sense_at: str | None
    changed: str
    cause: str | None


@dataclass(frozen=True, slots=True)
class Offer:
    """A clerk to whom an alert is, or was, offered. `left_on`: the day since which she works here no more."""

    clerk: str
    role: str
    declined: bool = False
    name: str = ""
    left_on: str | None = None


_COLUMNS = ", ".join(f"alert.{name}" for name in AlertRow.__slots__)
_OPEN = "state IN ('offered', 'accepted', 'declined')"  # word for word as in the index `alert_open`
_NEWS = f"(SELECT alert FROM alert WHERE {_OPEN} UNION SELECT alert FROM alert WHERE changed >= ?)"
"""Two indexes; with OR it would be a look at the alerts of all years."""


def add(db: Connection, row: AlertRow, offers: tuple[Offer, ...]) -> bool:
    """A new alert; False, and nothing is changed, when the visit has one of this kind and subject."""
    values = [getattr(row, name) for name in AlertRow.__slots__]
    made = db.execute(
        f"INSERT INTO alert ({', '.join(AlertRow.__slots__)}, sent) VALUES ({', '.join('?' * len(values))}, ?) "
        "ON CONFLICT DO NOTHING",
        (*values, row.changed),
    )
    if made.rowcount < 1:
        return False
    add_offers(db, row.alert, offers)
    return True


def add_offers(db: Connection, alert: str, offers: tuple[Offer, ...]) -> None:
    """It is offered to these as well."""
    db.executemany(
        "INSERT INTO alert_clerk (alert, clerk, role) VALUES (?, ?, ?)", [(alert, o.clerk, o.role) for o in offers]
    )


def read(db: Connection, alert: str) -> AlertRow | None:
    """One alert, or None."""
    row = db.execute(f"SELECT {_COLUMNS} FROM alert WHERE alert = ?", (alert,)).fetchone()
    return AlertRow(*row) if row else None


def of_visit(db: Connection, visit: str, kind: str) -> AlertRow | None:
    """The first alert of this kind in a visit, or None."""
    row = db.execute(
        f"SELECT {_COLUMNS} FROM alert WHERE visit = ? AND kind = ? ORDER BY raised LIMIT 1", (visit, kind)
    ).fetchone()
    return AlertRow(*row) if row else None


def offers(db: Connection, alert: str) -> tuple[Offer, ...]:
    """To whom it was offered: the main clerk, the deputies, the group; in each in order of their IDs."""
    rows = db.execute(
        "SELECT clerk, role, declined, coalesce(clerk.name, ''), left_on FROM alert_clerk LEFT JOIN clerk USING (clerk) "
        "WHERE alert = ? ORDER BY CASE role WHEN 'main' THEN 0 WHEN 'deputy' THEN 1 ELSE 2 END, clerk",
        (alert,),
    )
    return tuple(Offer(clerk, role, bool(declined), name, left_on) for clerk, role, declined, name, left_on in rows)


def in_charge(db: Connection, main_clerk: str | None, customer: str) -> tuple[Offer, ...]:
    """The main clerk and the deputies of a customer, those who have left among them."""
    rows = db.execute(
        "SELECT who.clerk, coalesce(clerk.name, ''), left_on FROM (SELECT ? AS clerk, 0 AS place UNION ALL "
        "SELECT clerk, 1 FROM deputy WHERE customer = ?) AS who LEFT JOIN clerk USING (clerk) "
        "WHERE who.clerk IS NOT NULL ORDER BY place, who.clerk",
        (main_clerk, customer),
    )
    found: dict[str, Offer] = {}
    for clerk, name, left_on in rows:
        found.setdefault(clerk, Offer(clerk, "main" if clerk == main_clerk else "deputy", False, name, left_on))
    return tuple(found.values())


def change(db: Connection, row: AlertRow, declined: frozenset[str]) -> None:
    """A new state, as in `row`."""
    db.execute(
        "UPDATE alert SET state = ?, holder = ?, outcome = ?, suggested = ?, revision = ?, changed = ?, sent = ?, "
        "escalate_at = ?, cause = ? WHERE alert = ?",
        (row.state, row.holder, row.outcome, row.suggested, row.revision, row.changed, row.changed, row.escalate_at,
         row.cause, row.alert),
    )  # fmt: skip
    for clerk, was in db.execute("SELECT clerk, declined FROM alert_clerk WHERE alert = ?", (row.alert,)).fetchall():
        if bool(was) != (clerk in declined):
            db.execute("UPDATE alert_clerk SET declined = ? WHERE alert = ? AND clerk = ?", (not was, row.alert, clerk))


def not_escalated(db: Connection, alert: str) -> None:
    """There is nobody to escalate it to: not tried again."""
    db.execute("UPDATE alert SET escalate_at = NULL WHERE alert = ?", (alert,))


def sent(db: Connection, alert: str, at: str) -> None:
    """It was sent again."""
    db.execute("UPDATE alert SET sent = ? WHERE alert = ?", (at, alert))


# --- what is due


def of_clerk(db: Connection, clerk: str, changed_since: str) -> list[AlertRow]:
    """What a handheld that comes back must see: open alerts, and what ended lately; oldest first."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM alert JOIN alert_clerk USING (alert) WHERE clerk = ? AND alert IN {_NEWS} ORDER BY raised",
        (clerk, changed_since),
    )
    return [AlertRow(*row) for row in rows]


def to_send_again(db: Connection, sent_before: str, changed_since: str) -> list[AlertRow]:
    """Open alerts, and ended ones whose end is news, that were not sent lately."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM alert WHERE sent <= ? AND alert IN {_NEWS} ORDER BY raised",
        (sent_before, changed_since),
    )
    return [AlertRow(*row) for row in rows]


def to_escalate(db: Connection, now: str) -> list[AlertRow]:
    """Alerts that nobody holds, whose time for a group has come."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM alert WHERE {_OPEN} AND state != 'accepted' AND escalate_at <= ?", (now,)
    )
    return [AlertRow(*row) for row in rows]


def left(db: Connection, gone_before: str) -> list[AlertRow]:
    """Open alerts of customers who have left."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM alert JOIN visit USING (visit) WHERE {_OPEN} AND gone_since <= ?", (gone_before,)
    )
    return [AlertRow(*row) for row in rows]


def past(db: Connection, now: str, raised_before: str) -> list[AlertRow]:
    """Open alerts that nobody has accepted in time, and accepted ones that were raised before a time."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM alert WHERE {_OPEN} AND ((state != 'accepted' AND expires <= ?) OR raised <= ?)",
        (now, raised_before),
    )
    return [AlertRow(*row) for row in rows]


def bought(db: Connection) -> list[tuple[AlertRow, str]]:
    """Accepted requests for service whose customer has bought since, of which nothing is suggested yet, each with the sale."""
    rows = db.execute(
        f"SELECT {_COLUMNS}, (SELECT sale FROM sale WHERE sale.customer = alert.customer AND day >= substr(visit, 1, 10) "
        f"AND sold >= raised AND void IS NULL LIMIT 1) AS found FROM alert WHERE {_OPEN} AND state = 'accepted' "
        "AND kind = 'service_request' AND suggested IS NULL"
    )
    return [(AlertRow(*row[:-1]), row[-1]) for row in rows if row[-1] is not None]


def open_of(db: Connection, customer: str) -> list[AlertRow]:
    """A customer's open alerts."""
    rows = db.execute(f"SELECT {_COLUMNS} FROM alert WHERE customer = ? AND {_OPEN}", (customer,))
    return [AlertRow(*row) for row in rows]


def open_count(db: Connection) -> int:
    """How many alerts are open."""
    count: int = db.execute(f"SELECT count(*) FROM alert WHERE {_OPEN}").fetchone()[0]
    return count
