"""Alerts and the clerks they were offered to."""

from __future__ import annotations

from dataclasses import dataclass
from sqlite3 import Connection


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One alert as stored; times as text."""

    alert: str
    visit: str
    kind: str
    customer: str
    state: str
    holder: str | None
    revision: int
    message_ja: str
    message_en: str
    raised: str
    expires: str
    changed: str
    cause: str | None


@dataclass(frozen=True, slots=True)
class Offer:
    """A clerk to whom an alert was offered."""

    clerk: str
    role: str
    declined: bool


_COLUMNS = ", ".join(f"alert.{name}" for name in AlertRow.__slots__)
_OPEN = "('offered', 'accepted', 'declined')"


def add(db: Connection, row: AlertRow, offers: tuple[Offer, ...]) -> None:
    """A new alert. Raises sqlite3.IntegrityError when the visit has one of this kind."""
    values = [getattr(row, name) for name in AlertRow.__slots__]
    db.execute(
        f"INSERT INTO alert ({', '.join(AlertRow.__slots__)}, sent) VALUES ({', '.join('?' * len(values))}, ?)",
        (*values, row.changed),
    )
    db.executemany(
        "INSERT INTO alert_clerk (alert, clerk, role) VALUES (?, ?, ?)", [(row.alert, o.clerk, o.role) for o in offers]
    )


def read(db: Connection, alert: str) -> AlertRow | None:
    """One alert, or None."""
    row = db.execute(f"SELECT {_COLUMNS} FROM alert WHERE alert = ?", (alert,)).fetchone()
    return AlertRow(*row) if row else None


def offers(db: Connection, alert: str) -> tuple[Offer, ...]:
    """To whom it was offered, the main clerk first."""
    rows = db.execute(
        "SELECT clerk, role, declined FROM alert_clerk WHERE alert = ? ORDER BY role DESC, clerk", (alert,)
    )
    return tuple(Offer(clerk, role, bool(declined)) for clerk, role, declined in rows)


def change(db: Connection, alert: str, state: str, holder: str | None, revision: int, at: str, cause: str | None,
           declined: frozenset[str]) -> None:  # fmt: skip
    """A new state."""
    db.execute(
        "UPDATE alert SET state = ?, holder = ?, revision = ?, changed = ?, sent = ?, cause = ? WHERE alert = ?",
        (state, holder, revision, at, at, cause, alert),
    )
    for clerk, was in db.execute("SELECT clerk, declined FROM alert_clerk WHERE alert = ?", (alert,)).fetchall():
        if bool(was) != (clerk in declined):
            db.execute("UPDATE alert_clerk SET declined = ? WHERE alert = ? AND clerk = ?", (not was, alert, clerk))


def of_clerk(db: Connection, clerk: str, changed_since: str) -> list[AlertRow]:
    """What a handheld that comes back must see: open alerts, and what ended lately; oldest first."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM alert JOIN alert_clerk USING (alert) WHERE clerk = ? "
        f"AND (state IN {_OPEN} OR changed >= ?) ORDER BY raised",
        (clerk, changed_since),
    )
    return [AlertRow(*row) for row in rows]


def to_send_again(db: Connection, sent_before: str, changed_since: str) -> list[AlertRow]:
    """Open alerts, and ended ones whose end is news, that were not sent lately."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM alert WHERE sent <= ? AND (state IN {_OPEN} OR changed >= ?) ORDER BY raised",
        (sent_before, changed_since),
    )
    return [AlertRow(*row) for row in rows]


def sent(db: Connection, alert: str, at: str) -> None:
    """It was sent again."""
    db.execute("UPDATE alert SET sent = ? WHERE alert = ?", (at, alert))


def over(db: Connection, now: str, gone_before: str) -> list[AlertRow]:
    """Alerts whose time has come: nobody accepted in time, or the customer has left."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM alert JOIN visit USING (visit) WHERE state IN {_OPEN} "
        "AND ((state != 'accepted' AND expires <= ?) OR gone_since <= ?)",
        (now, gone_before),
    )
    return [AlertRow(*row) for row in rows]


def open_count(db: Connection) -> int:
    """How many alerts are open."""
    count: int = db.execute(f"SELECT count(*) FROM alert WHERE state IN {_OPEN}").fetchone()[0]
    return count
