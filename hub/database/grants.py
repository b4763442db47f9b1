"""What rules have put into coupons, how much of each is out, and what is owed to who was let through before her sale was known."""

from __future__ import annotations

from dataclasses import dataclass
from sqlite3 import Connection


@dataclass(frozen=True, slots=True)
class PartRow:
    """What one rule has put into a coupon; `day` of the store. `number`: which exit or payment of hers it is for."""

    coupon: str
    rule: str
    day: str
    amount_minor: int
    percent: int
    points: int
    product: str | None
    worth_minor: int
    number: int | None


@dataclass(frozen=True, slots=True)
class OwedRow:
    """A code that was let through while its sale was not known; `passed`: when she went through, None: not yet."""

    code: str
    sale: str
    scan: str
    passed: str | None


_PART = ", ".join(PartRow.__slots__)
_OWED = ", ".join(OwedRow.__slots__)
_OUT = "(state <> 'released' OR paper = 'printed')"
"""As the triggers on `incentive` see it: a slip in her hand counts also while she has not passed."""


def out(db: Connection, rule: str, since_day: str) -> tuple[int, int]:
    """How many of a rule are reserved or given since that day of the store, and what they are worth."""
    count, worth = db.execute(
        "SELECT coalesce(sum(count), 0), coalesce(sum(worth_minor), 0) FROM incentive_day WHERE rule = ? AND day >= ?",
        (rule, since_day),
    ).fetchone()
    return count, worth


def hers(db: Connection, rule: str, customer: str, since_day: str) -> int:
    """How many of a rule one customer was given, or has reserved, since that day."""
    count: int = db.execute(
        f"SELECT count(*) FROM incentive JOIN incentive_part AS part USING (coupon) "
        f"WHERE customer = ? AND part.rule = ? AND part.day >= ? AND {_OUT}",
        (customer, rule, since_day),
    ).fetchone()[0]
    return count


def had(db: Connection, rule: str, customer: str, number: int) -> bool:
    """Whether a rule has given her something for this very exit or payment."""
    found = db.execute(
        f"SELECT 1 FROM incentive JOIN incentive_part AS part USING (coupon) "
        f"WHERE customer = ? AND part.rule = ? AND part.number = ? AND {_OUT} LIMIT 1",
        (customer, rule, number),
    )
    return found.fetchone() is not None


def parts(db: Connection, coupon: str) -> list[PartRow]:
    """What rules have put into a coupon."""
    return [PartRow(*row) for row in db.execute(f"SELECT {_PART} FROM incentive_part WHERE coupon = ?", (coupon,))]


def write_parts(db: Connection, coupon: str, rows: list[PartRow]) -> None:
    """These, instead of what was there; after the coupon itself, whose state says whether they count."""
    db.execute("DELETE FROM incentive_part WHERE coupon = ?", (coupon,))
    db.executemany(
        f"INSERT INTO incentive_part ({_PART}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [tuple(getattr(row, name) for name in PartRow.__slots__) for row in rows],
    )


def redeemed_worth(db: Connection, rule: str, since_day: str, until_day: str) -> int:
    """What those of a rule were worth that tills have taken, granted from one day to another."""
    worth: int = db.execute(
        "SELECT coalesce(sum(worth_minor), 0) FROM redeemed_day WHERE rule = ? AND day >= ? AND day <= ?",
        (rule, since_day, until_day),
    ).fetchone()[0]
    return worth


def redeemed(db: Connection, rule: str, since_day: str) -> tuple[int, int]:
    """How many of a rule tills have taken, of those granted since that day, and what they were worth."""
    count, worth = db.execute(
        "SELECT coalesce(sum(count), 0), coalesce(sum(worth_minor), 0) FROM redeemed_day WHERE rule = ? AND day >= ?",
        (rule, since_day),
    ).fetchone()
    return count, worth


def owe(db: Connection, row: OwedRow) -> None:
    """Let through, or only scanned as yet; the newest scan counts."""
    db.execute(f"INSERT INTO owed ({_OWED}) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET scan = excluded.scan, "
               "passed = excluded.passed", (row.code, row.sale, row.scan, row.passed))  # fmt: skip


def owed(db: Connection, code: str) -> OwedRow | None:
    """What is owed for a code, or None."""
    row = db.execute(f"SELECT {_OWED} FROM owed WHERE code = ?", (code,)).fetchone()
    return OwedRow(*row) if row else None


def owed_for(db: Connection, sale: str) -> list[OwedRow]:
    """Codes of a sale with which somebody has passed before it was known."""
    rows = db.execute(f"SELECT {_OWED} FROM owed WHERE sale = ? AND passed IS NOT NULL", (sale,))
    return [OwedRow(*row) for row in rows]


def settled(db: Connection, code: str) -> None:
    """Nothing is owed for this code any more."""
    db.execute("DELETE FROM owed WHERE code = ?", (code,))


def forget_owed(db: Connection, before: str) -> int:
    """Sales that never came."""
    return db.execute(
        "DELETE FROM owed WHERE passed < ? OR (passed IS NULL AND (SELECT decided FROM scan WHERE scan = owed.scan) < ?)",
        (before, before),
    ).rowcount
