"""Coupons from purchase history, and where any coupon was used. What a lane reserves and gives is in `lanes`."""

from __future__ import annotations

from dataclasses import dataclass
from sqlite3 import Connection


@dataclass(frozen=True, slots=True)
class CouponRow:
    """One coupon as stored; times as text. `kept`: the revision that her terminal has kept, 0 for none."""

    coupon: str
    customer: str | None
    rule: str
    kind: str
    title_ja: str
    title_en: str
    text_ja: str
    text_en: str
    amount_minor: int
    points: int
    issued: str
    valid_from: str
    valid_until: str
    state: str
    revision: int
    to_terminal: int
    kept: int


@dataclass(frozen=True, slots=True)
class RedemptionRow:
    """Where and when a coupon was used."""

    coupon: str
    sale: str
    pos: str
    at: str


_COLUMNS = ", ".join(CouponRow.__slots__)


def add(db: Connection, row: CouponRow) -> None:
    """A new coupon."""
    values = [getattr(row, name) for name in CouponRow.__slots__]
    db.execute(f"INSERT INTO coupon ({_COLUMNS}) VALUES ({', '.join('?' * len(values))})", values)


def read(db: Connection, coupon: str) -> CouponRow | None:
    """One coupon, or None."""
    row = db.execute(f"SELECT {_COLUMNS} FROM coupon WHERE coupon = ?", (coupon,)).fetchone()
    return CouponRow(*row) if row else None


def change(db: Connection, coupon: str, state: str) -> CouponRow:
    """A new state, and so a new revision."""
    db.execute("UPDATE coupon SET state = ?, revision = revision + 1 WHERE coupon = ?", (state, coupon))
    row = read(db, coupon)
    assert row is not None
    return row


def kept(db: Connection, coupon: str, revision: int) -> None:
    """Her terminal has it in this revision; an older word of it changes nothing."""
    db.execute("UPDATE coupon SET kept = ? WHERE coupon = ? AND kept < ?", (revision, coupon, revision))


def for_terminal(db: Connection, customer: str) -> list[CouponRow]:
    """What a terminal that signs in must hear: open coupons, and changes that it has not kept; oldest first."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM coupon WHERE customer = ? AND to_terminal AND (state = 'offered' OR kept < revision) "
        "ORDER BY issued, coupon LIMIT 200",
        (customer,),
    )
    return [CouponRow(*row) for row in rows]


def past(db: Connection, now: str, most: int) -> list[CouponRow]:
    """Open coupons whose time is over."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM coupon WHERE state = 'offered' AND valid_until <= ? ORDER BY valid_until LIMIT ?",
        (now, most),
    )
    return [CouponRow(*row) for row in rows]


def issued_count(db: Connection, rule: str) -> int:
    """How many of this rule were issued and not taken back."""
    count: int = db.execute("SELECT count(*) FROM coupon WHERE rule = ? AND state != 'withdrawn'", (rule,)).fetchone()[
        0
    ]
    return count


def issued_to(db: Connection, rule: str, customer: str, since: str) -> int:
    """How many of this rule one customer got since then."""
    count: int = db.execute(
        "SELECT count(*) FROM coupon WHERE rule = ? AND customer = ? AND state != 'withdrawn' AND issued >= ?",
        (rule, customer, since),
    ).fetchone()[0]
    return count


def spent(db: Connection, rule: str, *, open_too: bool) -> int:
    """Money of this rule that was used, and with `open_too` what is out and may still be."""
    states = "('redeemed', 'offered')" if open_too else "('redeemed')"
    total: int = db.execute(
        f"SELECT coalesce(sum(amount_minor), 0) FROM coupon WHERE rule = ? AND state IN {states}", (rule,)
    ).fetchone()[0]
    return total


def redemption(db: Connection, coupon: str) -> RedemptionRow | None:
    """Where a coupon (of a lane or from history) was used, or None."""
    row = db.execute("SELECT coupon, sale, pos, at FROM redemption WHERE coupon = ?", (coupon,)).fetchone()
    return RedemptionRow(*row) if row else None


def redeem(db: Connection, row: RedemptionRow) -> None:
    """It was used. Raises sqlite3.IntegrityError when it was before."""
    db.execute("INSERT INTO redemption VALUES (?, ?, ?, ?)", (row.coupon, row.sale, row.pos, row.at))


# --- what a decision needs to know


def bought(db: Connection, customer: str, since_day: str) -> list[tuple[str, str, int, int]]:
    """Purchases since a day: category, day, amount, pieces."""
    return db.execute(
        "SELECT category, day, sum(sale_line.amount_minor), sum(quantity) FROM sale JOIN sale_line USING (sale) "
        "WHERE customer = ? AND day >= ? AND void IS NULL GROUP BY category, day",
        (customer, since_day),
    ).fetchall()


def born_and_gender(db: Connection, customer: str) -> tuple[str, str]:
    """As far as they are known, or "". `born` as `hub.born` reads it."""
    row = db.execute("SELECT born, gender FROM customer WHERE customer = ?", (customer,)).fetchone()
    return row if row else ("", "")


def undecided(db: Connection, most: int) -> list[tuple[str, str, str, bool]]:
    """Visits for which no coupon was decided: visit, customer, when it was opened, good customer?"""
    rows = db.execute(
        "SELECT visit, customer, opened, good FROM visit WHERE coupons IS NULL ORDER BY opened LIMIT ?", (most,)
    )
    return [(visit, customer, opened, bool(good)) for visit, customer, opened, good in rows]


def decide(db: Connection, visit: str, because: str) -> None:
    """What was decided for a visit."""
    db.execute("UPDATE visit SET coupons = ? WHERE visit = ?", (because, visit))
