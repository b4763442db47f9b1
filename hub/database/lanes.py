"""Scans at lanes and the incentives they reserve."""

from __future__ import annotations

from dataclasses import dataclass
from sqlite3 import Connection


@dataclass(frozen=True, slots=True)
class ScanRow:
    """One scan and the one decision on it. `decision` is the JSON that was sent."""

    scan: str
    code: str
    sale: str
    customer: str | None
    visit: str | None
    agent: str
    lane: str
    outcome: str
    reason: str
    decided: str
    decision: str
    coupon: str | None
    ended: str | None
    passage: str | None


@dataclass(frozen=True, slots=True)
class IncentiveRow:
    """What one purchase brings: reserved by a scan, committed by a passage, released otherwise (row C3)."""

    coupon: str
    code: str
    scan: str
    sale: str
    customer: str | None
    rule: str
    kind: str
    title_ja: str
    title_en: str
    amount_minor: int
    points: int
    give: str
    paper: str
    state: str
    reserved: str
    settled: str | None
    valid_until: str
    percent: int = 0
    product: str | None = None
    minimum_minor: int = 0
    valid_from: str = ""
    ways: str = "app"
    """Of `config.incentives.ELECTRONIC`, with spaces between: how it is brought to her when it is not on paper."""
    because: str = ""
    """Every rule and what became of it, for people."""


_SCAN = ", ".join(ScanRow.__slots__)


def used_since(db: Connection, agent: str, since: str) -> bool:
    """Whether somebody has held up a code at a lane of an agent since then."""
    return db.execute("SELECT 1 FROM scan WHERE agent = ? AND decided >= ?", (agent, since)).fetchone() is not None


_INCENTIVE = ", ".join(IncentiveRow.__slots__)


def scan(db: Connection, id: str) -> ScanRow | None:
    """One scan, or None."""
    row = db.execute(f"SELECT {_SCAN} FROM scan WHERE scan = ?", (id,)).fetchone()
    return ScanRow(*row) if row else None


def add_scan(db: Connection, row: ScanRow) -> None:
    """A decided scan."""
    values = [getattr(row, name) for name in ScanRow.__slots__]
    db.execute(f"INSERT INTO scan ({_SCAN}) VALUES ({', '.join('?' * len(values))})", values)


def end_scan(db: Connection, id: str, at: str, passage: str) -> None:
    """The lane's transaction is over."""
    db.execute("UPDATE scan SET ended = ?, passage = ? WHERE scan = ?", (at, passage, id))


def incentive_of_code(db: Connection, code: str) -> IncentiveRow | None:
    """The incentive of a code, if a scan ever reserved one."""
    row = db.execute(f"SELECT {_INCENTIVE} FROM incentive WHERE code = ?", (code,)).fetchone()
    return IncentiveRow(*row) if row else None


def incentive(db: Connection, coupon: str) -> IncentiveRow | None:
    """The incentive with this coupon ID, or None."""
    row = db.execute(f"SELECT {_INCENTIVE} FROM incentive WHERE coupon = ?", (coupon,)).fetchone()
    return IncentiveRow(*row) if row else None


def incentive_of_sale(db: Connection, sale: str) -> IncentiveRow | None:
    """What a sale has brought, or has reserved now."""
    row = db.execute(
        f"SELECT {_INCENTIVE} FROM incentive WHERE sale = ? AND state <> 'released' ORDER BY reserved LIMIT 1", (sale,)
    ).fetchone()
    return IncentiveRow(*row) if row else None


def given_to(db: Connection, customer: str, most: int) -> list[IncentiveRow]:
    """What one customer was given at lanes, newest first."""
    rows = db.execute(
        f"SELECT {_INCENTIVE} FROM incentive WHERE customer = ? AND state = 'committed' ORDER BY settled DESC LIMIT ?",
        (customer, most),
    )
    return [IncentiveRow(*row) for row in rows]


def write_incentive(db: Connection, row: IncentiveRow) -> None:
    """A reserved incentive, new or instead of what the same coupon was before."""
    values = [getattr(row, name) for name in IncentiveRow.__slots__]
    changed = ", ".join(
        f"{name} = excluded.{name}" for name in IncentiveRow.__slots__ if name not in ("coupon", "code")
    )
    db.execute(
        f"INSERT INTO incentive ({_INCENTIVE}) VALUES ({', '.join('?' * len(values))}) "
        f"ON CONFLICT (coupon) DO UPDATE SET {changed}",
        values,
    )


def reserve_again(db: Connection, coupon: str, scan: str, give: str) -> None:
    """Another scan of the same code holds it now."""
    db.execute(
        "UPDATE incentive SET state = 'reserved', scan = ?, give = ?, settled = NULL WHERE coupon = ?",
        (scan, give, coupon),
    )


def settle(db: Connection, coupon: str, state: str, at: str) -> None:
    """Committed or released."""
    db.execute("UPDATE incentive SET state = ?, settled = ? WHERE coupon = ?", (state, at, coupon))


def paper(db: Connection, coupon: str, outcome: str, give: str) -> None:
    """What became of the paper, and how the coupon is given after that."""
    db.execute("UPDATE incentive SET paper = ?, give = ? WHERE coupon = ?", (outcome, give, coupon))
