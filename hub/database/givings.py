"""Coupons of lanes that are hers electronically, and the ways on which they are brought to her (rows B9, C4)."""

from __future__ import annotations

from dataclasses import dataclass
from sqlite3 import Connection


@dataclass(frozen=True, slots=True)
class GivenRow:
    """A lane's coupon on her terminals; times as text. `kept`: the revision that a terminal has kept, 0 for none."""

    coupon: str
    customer: str
    how: str
    state: str
    revision: int
    kept: int
    given: str
    valid_until: str
    stale: int


@dataclass(frozen=True, slots=True)
class GivingRow:
    """One way of one coupon. `due`: when to look at it next, None: it rests. `secret`: for its Message-ID and its link."""

    coupon: str
    way: str
    customer: str
    place: int
    state: str
    tries: int
    due: str | None
    until: str
    made: str
    changed: str
    detail: str
    secret: str


UNDER_WAY = "under way"
_GIVEN = ", ".join(GivenRow.__slots__)
_GIVING = ", ".join(GivingRow.__slots__)


def given(db: Connection, coupon: str) -> GivenRow | None:
    """A coupon that is hers electronically, or None."""
    row = db.execute(f"SELECT {_GIVEN} FROM given_coupon WHERE coupon = ?", (coupon,)).fetchone()
    return GivenRow(*row) if row else None


def add_given(db: Connection, row: GivenRow) -> None:
    """It is hers from now on."""
    values = [getattr(row, name) for name in GivenRow.__slots__]
    db.execute(f"INSERT INTO given_coupon ({_GIVEN}) VALUES ({', '.join('?' * len(values))})", values)


def change_given(db: Connection, coupon: str, state: str) -> None:
    """A new state, and so a new revision."""
    db.execute(
        "UPDATE given_coupon SET state = ?, revision = revision + 1, stale = 0 WHERE coupon = ?", (state, coupon)
    )


def fresh(db: Connection, coupon: str) -> None:
    """It was looked at and is as it was."""
    db.execute("UPDATE given_coupon SET stale = 0 WHERE coupon = ?", (coupon,))


def kept(db: Connection, coupon: str, revision: int) -> None:
    """A terminal of hers has it in this revision; an older word of it changes nothing."""
    db.execute("UPDATE given_coupon SET kept = ? WHERE coupon = ? AND kept < ?", (revision, coupon, revision))


def to_look_at(db: Connection, now: str, most: int) -> list[str]:
    """Coupons whose state may have changed: a till has used them, or their time is over."""
    rows = db.execute(
        "SELECT coupon FROM given_coupon WHERE stale = 1 "
        "UNION SELECT coupon FROM given_coupon WHERE state = 'offered' AND valid_until <= ? LIMIT ?",
        (now, most),
    )
    return [coupon for (coupon,) in rows]


def for_terminal(db: Connection, customer: str) -> list[GivenRow]:
    """What a terminal that signs in must hear: open coupons, and changes that it has not kept; oldest first."""
    rows = db.execute(
        f"SELECT {_GIVEN} FROM given_coupon WHERE customer = ? AND (state = 'offered' OR kept < revision) "
        "ORDER BY given, coupon LIMIT 200",
        (customer,),
    )
    return [GivenRow(*row) for row in rows]


def becomes_of(db: Connection, coupon: str, customer: str) -> None:
    """A lane's coupon that was nobody's is hers."""
    db.execute("UPDATE incentive SET customer = ? WHERE coupon = ? AND customer IS NULL", (customer, coupon))


# --- ways


def ways_of(db: Connection, coupon: str) -> list[GivingRow]:
    """All ways of a coupon, in the order in which they are tried."""
    rows = db.execute(f"SELECT {_GIVING} FROM giving WHERE coupon = ? ORDER BY place", (coupon,))
    return [GivingRow(*row) for row in rows]


def way(db: Connection, coupon: str, way: str) -> GivingRow | None:
    """One way, or None."""
    row = db.execute(f"SELECT {_GIVING} FROM giving WHERE coupon = ? AND way = ?", (coupon, way)).fetchone()
    return GivingRow(*row) if row else None


def add_way(db: Connection, row: GivingRow) -> None:
    """A way of a coupon."""
    values = [getattr(row, name) for name in GivingRow.__slots__]
    db.execute(f"INSERT INTO giving ({_GIVING}) VALUES ({', '.join('?' * len(values))})", values)


def set_way(db: Connection, coupon: str, way: str, state: str, due: str | None, at: str, detail: str) -> None:
    """What became of it, and when to look at it again."""
    db.execute(
        "UPDATE giving SET state = ?, due = ?, changed = ?, detail = ? WHERE coupon = ? AND way = ?",
        (state, due, at, detail[:300], coupon, way),
    )


def begin_way(db: Connection, coupon: str, way: str, at: str, until: str) -> None:
    """A way that waited for another is to be tried from now on."""
    db.execute(
        "UPDATE giving SET state = 'pending', due = ?, until = ?, changed = ? WHERE coupon = ? AND way = ?",
        (at, until, at, coupon, way),
    )


def try_way(db: Connection, coupon: str, way: str, due: str, at: str) -> None:
    """It is tried now; if nobody tells the outcome, again at `due`."""
    db.execute(
        "UPDATE giving SET tries = tries + 1, due = ?, changed = ?, detail = ? WHERE coupon = ? AND way = ?",
        (due, at, UNDER_WAY, coupon, way),
    )


def resume(db: Connection, at: str) -> int:
    """What was under way when the former process ended is tried again now; returns how many."""
    return db.execute(
        "UPDATE giving SET due = ? WHERE due IS NOT NULL AND state = 'pending' AND detail = ?", (at, UNDER_WAY)
    ).rowcount


def due(db: Connection, now: str, most: int) -> list[GivingRow]:
    """Ways to look at now, the longest due first."""
    rows = db.execute(
        f"SELECT {_GIVING} FROM giving WHERE due IS NOT NULL AND due <= ? ORDER BY due LIMIT ?", (now, most)
    )
    return [GivingRow(*row) for row in rows]


def by_secret(db: Connection, secret: str) -> GivingRow | None:
    """The way whose link somebody has opened."""
    row = db.execute(f"SELECT {_GIVING} FROM giving WHERE secret = ?", (secret,)).fetchone()
    return GivingRow(*row) if row else None


def waiting(db: Connection) -> dict[str, int]:
    """How many coupons are on their way or are to be tried again, by way, for metrics."""
    rows = db.execute("SELECT way, count(*) FROM giving WHERE due IS NOT NULL AND state = 'pending' GROUP BY way")
    return dict(rows)


def open_ways(db: Connection, most: int) -> list[tuple[str, str, str, int, str, str]]:
    """(coupon, way, state, tries, changed, detail) of what waits or has failed, the newest first."""
    return db.execute(
        "SELECT coupon, way, state, tries, changed, detail FROM giving WHERE state IN ('pending', 'failed') "
        "ORDER BY changed DESC, coupon, place LIMIT ?",
        (most,),
    ).fetchall()


def forget(db: Connection, before: str, most: int) -> int:
    """Ways that rest since then go, and coupons that are over since then; returns how many."""
    ways = db.execute(
        "DELETE FROM giving WHERE (coupon, way) IN (SELECT coupon, way FROM giving WHERE due IS NULL AND changed < ? LIMIT ?)",
        (before, most),
    ).rowcount
    coupons = db.execute(
        "DELETE FROM given_coupon WHERE coupon IN "
        "(SELECT coupon FROM given_coupon WHERE state <> 'offered' AND valid_until < ? LIMIT ?)",
        (before, most),
    ).rowcount
    return ways + coupons
