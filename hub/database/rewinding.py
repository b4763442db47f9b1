"""Back to an earlier moment, in a copy of the database: what sales, exits and visits since then have done is undone (row C8).

Never on the database of a hub that runs. What can't be known any more stays as it is now: imports of customers' records, consents,
clerks, groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from sqlite3 import Connection

from hub.database.sales import SaleRow

_SALE = ", ".join(f"sale.{name}" for name in SaleRow.__slots__)


@dataclass(frozen=True, slots=True)
class VisitHad:
    """A visit as it was; `alerted`: clerks were asked to attend to her."""

    visit: str
    customer: str
    day: str
    agent: str
    opened: str
    good: bool
    decided: str
    alerted: bool


@dataclass(frozen=True, slots=True)
class ScanHad:
    """A scan that opened, and how it ended."""

    scan: str
    sale: str
    agent: str
    lane: str
    decided: str
    ended: str | None
    passage: str | None


@dataclass(frozen=True, slots=True)
class CouponHad:
    """A coupon from purchase history."""

    customer: str
    rule: str
    amount_minor: int
    issued: str


@dataclass(frozen=True, slots=True)
class GivenHad:
    """What a sale has brought at the exit; `worth_minor` as it counts against budgets."""

    sale: str
    customer: str | None
    rule: str
    title_ja: str
    title_en: str
    worth_minor: int
    because: str


def visits(db: Connection, since: str, until: str) -> list[VisitHad]:
    """Of whoever is still known, in order of time."""
    rows = db.execute(
        "SELECT visit.visit, visit.customer, day, agent, opened, good, decided, EXISTS (SELECT 1 FROM alert "
        "WHERE alert.visit = visit.visit AND kind = 'service_request') FROM visit JOIN customer USING (customer) "
        "WHERE opened >= ? AND opened < ? ORDER BY opened, visit.visit",
        (since, until),
    )
    return [VisitHad(visit, customer, day, agent, opened, bool(good), decided, bool(alerted))
            for visit, customer, day, agent, opened, good, decided, alerted in rows]  # fmt: skip


def sales(db: Connection, since: str, until: str) -> list[SaleRow]:
    """In order of time, those that were voided later too."""
    rows = db.execute(f"SELECT {_SALE} FROM sale WHERE sold >= ? AND sold < ? ORDER BY sold, sale", (since, until))
    return [SaleRow(*row) for row in rows]


def voids(db: Connection, since: str, until: str) -> list[tuple[str, str, str]]:
    """(sale, void, when)"""
    return db.execute(
        "SELECT sale, void, voided FROM sale WHERE voided >= ? AND voided < ? ORDER BY voided", (since, until)
    ).fetchall()


def scans(db: Connection, since: str, until: str) -> list[ScanHad]:
    """Those that opened for a sale that is known, in order of time."""
    rows = db.execute(
        "SELECT scan, scan.sale, agent, lane, decided, ended, passage FROM scan JOIN sale USING (sale) "
        "WHERE decided >= ? AND decided < ? AND outcome = 'open' ORDER BY decided, scan",
        (since, until),
    )
    return [ScanHad(*row) for row in rows]


def coupons(db: Connection, since: str, until: str) -> list[CouponHad]:
    """Issued in this time to whoever is still known."""
    rows = db.execute(
        "SELECT customer, rule, amount_minor, issued FROM coupon WHERE issued >= ? AND issued < ? "
        "AND customer IS NOT NULL ORDER BY issued, coupon",
        (since, until),
    )
    return [CouponHad(*row) for row in rows]


def given(db: Connection, since: str, until: str) -> list[GivenHad]:
    """What was given to who passed, for scans in this time."""
    rows = db.execute(
        "SELECT incentive.sale, incentive.customer, incentive.rule, title_ja, title_en, coalesce((SELECT sum(worth_minor) FROM "
        "incentive_part AS part WHERE part.coupon = incentive.coupon), amount_minor), because FROM incentive "
        "JOIN scan USING (scan) WHERE decided >= ? AND decided < ? AND state = 'committed' ORDER BY reserved, incentive.coupon",
        (since, until),
    )
    return [GivenHad(*row) for row in rows]


def rewind(db: Connection, cut: str) -> None:
    """Undo what has happened since `cut`, in one transaction."""
    db.execute("BEGIN IMMEDIATE")
    # The triggers keep the sums of each day as these go; the parts before the coupon, whose state they ask.
    db.execute("CREATE TEMP TABLE gone AS SELECT coupon FROM incentive WHERE reserved >= ?", (cut,))
    _take_back_passages(db, cut)
    db.execute("DELETE FROM incentive_part WHERE coupon IN (SELECT coupon FROM gone)")
    db.execute("DELETE FROM incentive WHERE coupon IN (SELECT coupon FROM gone)")
    db.execute("DROP TABLE gone")
    db.execute("DELETE FROM scan WHERE decided >= ?", (cut,))
    db.execute(
        "UPDATE exit_code SET used = NULL, scan = NULL WHERE used >= ? OR scan NOT IN (SELECT scan FROM scan)", (cut,)
    )
    _take_back_sales(db, cut)
    db.execute("DELETE FROM exit_code WHERE sale NOT IN (SELECT sale FROM sale)")
    db.execute("DELETE FROM redemption WHERE at >= ?", (cut,))
    db.execute("DELETE FROM coupon WHERE issued >= ?", (cut,))
    db.execute(
        "UPDATE coupon SET state = 'offered' WHERE (state = 'expired' AND valid_until >= ?) "
        "OR (state = 'redeemed' AND coupon NOT IN (SELECT coupon FROM redemption))",
        (cut,),
    )
    db.execute("DELETE FROM visit WHERE opened >= ?", (cut,))
    db.execute("COMMIT")


def _take_back_passages(db: Connection, cut: str) -> None:
    """Exits, and the points that they brought."""
    db.execute(
        "UPDATE customer SET exits = max(0, exits - n) FROM (SELECT sale.customer AS who, count(*) AS n FROM exit_code "
        "JOIN sale USING (sale) JOIN scan ON scan.scan = exit_code.scan WHERE used >= ? AND passage = 'passed' "
        "GROUP BY sale.customer) WHERE customer = who",
        (cut,),
    )
    db.execute(
        "UPDATE customer SET points = max(0, points - n) FROM (SELECT customer AS who, sum(points) AS n FROM incentive "
        "WHERE coupon IN (SELECT coupon FROM gone) AND state = 'committed' GROUP BY customer) WHERE customer = who"
    )


def _take_back_sales(db: Connection, cut: str) -> None:
    """Those since `cut` go; those before that were voided since stand again."""
    # A visit counts once a day, and no day lies on both sides of the cut.
    counted = ("count(DISTINCT day) AS visits, sum(amount_minor) AS spent, sum(points) AS brought, "
               "sum(paid_on = 'terminal') AS paid")  # fmt: skip
    change = "visits = max(0, customer.visits {0} n.visits), spent_minor = max(0, spent_minor {0} n.spent), "
    change += "points = max(0, points {0} n.brought), terminal_payments = max(0, terminal_payments {0} n.paid)"
    db.execute(
        f"UPDATE customer SET {change.format('-')} FROM (SELECT customer AS who, {counted} FROM sale WHERE sold >= ? "
        "AND void IS NULL GROUP BY customer) AS n WHERE customer = n.who",
        (cut,),
    )
    again = "voided >= ? AND sold < ?"
    db.execute(
        f"UPDATE customer SET {change.format('+')} FROM (SELECT customer AS who, {counted} FROM sale AS one WHERE {again} "
        "GROUP BY customer) AS n WHERE customer = n.who",
        (cut, cut),
    )
    db.execute(f"UPDATE sale SET void = NULL, voided = NULL WHERE {again}", (cut, cut))
    db.execute("DELETE FROM sale WHERE sold >= ?", (cut,))
