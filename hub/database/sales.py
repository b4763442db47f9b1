"""Sales as the POS posted them, and the exit codes issued for them."""

from __future__ import annotations

from dataclasses import dataclass
from sqlite3 import Connection


@dataclass(frozen=True, slots=True)
class SaleRow:
    """A transaction (rows A3, B1). `fingerprint` tells a repetition from another sale under the same ID; "" after an erasure.

    `points`: what it brought; `unclaimed`: whom the POS named, while nobody has that ID; `void`: the ID of its void.
    `paid_on`: terminal if all of it was paid there, else settlement; `registered_on`: the same of its goods, "" where nobody said;
    `payment_number`: which of her payments on the terminal it was.
    """

    sale: str
    customer: str | None
    amount_minor: int
    currency: str
    paid_on: str
    device: str
    sold: str
    day: str
    posted_by: str
    fingerprint: str
    points: int
    unclaimed: str | None
    void: str | None
    voided: str | None
    registered_on: str = ""
    payment_number: int | None = None


@dataclass(frozen=True, slots=True)
class CodeRow:
    """An exit code; `scan` holds it, `used` is when its holder passed."""

    code: str
    sale: str
    issued: str
    expires: str
    scan: str | None
    used: str | None


_SALE = ", ".join(SaleRow.__slots__)
_CODE = ", ".join(CodeRow.__slots__)


def sale(db: Connection, id: str) -> SaleRow | None:
    """One sale, or None."""
    row = db.execute(f"SELECT {_SALE} FROM sale WHERE sale = ?", (id,)).fetchone()
    return SaleRow(*row) if row else None


def bought_on(db: Connection, customer: str, day: str) -> bool:
    """Whether the customer has a sale on that day that stands."""
    found = db.execute("SELECT 1 FROM sale WHERE customer = ? AND day = ? AND void IS NULL LIMIT 1", (customer, day))
    return found.fetchone() is not None


def claim(db: Connection, sale: str, customer: str, points: int, payment_number: int | None = None) -> None:
    """The sale is this customer's, and has brought her so many points; `payment_number` as in SaleRow."""
    db.execute(
        "UPDATE sale SET customer = ?, unclaimed = NULL, points = ?, payment_number = ? WHERE sale = ?",
        (customer, points, payment_number, sale),
    )


def void(db: Connection, sale: str, void: str, at: str) -> None:
    """The sale does not stand any more."""
    db.execute("UPDATE sale SET void = ?, voided = ? WHERE sale = ?", (void, at, sale))


def voided_by(db: Connection, void: str) -> str | None:
    """The sale that this void is of."""
    row = db.execute("SELECT sale FROM sale WHERE void = ?", (void,)).fetchone()
    return row[0] if row else None


def given_for(db: Connection, sale: str) -> list[tuple[str, str]]:
    """Coupons that a sale has brought, or that were used in it: (coupon, how)."""
    return db.execute(
        "SELECT coupon, 'was given at the exit' FROM incentive WHERE sale = ? AND state = 'committed' "
        "UNION ALL SELECT coupon, 'was used in this sale' FROM redemption WHERE sale = ?",
        (sale, sale),
    ).fetchall()


def revoke(db: Connection, sale: str, holder: str, at: str) -> None:
    """Its exit codes count as used; what a scan has reserved for it is free."""
    db.execute("UPDATE exit_code SET used = ?, scan = ? WHERE sale = ? AND used IS NULL", (at, holder, sale))
    db.execute("UPDATE incentive SET state = 'released', settled = ? WHERE sale = ? AND state = 'reserved'", (at, sale))


def lines(db: Connection, sale: str) -> list[tuple[str, str, str, int, int]]:
    """(product, name, category, quantity, amount) in the order of the post."""
    return db.execute(
        "SELECT product, name, category, quantity, amount_minor FROM sale_line WHERE sale = ? ORDER BY line", (sale,)
    ).fetchall()


Paid = tuple[str, int, str, str]
"""(method, amount, where it was paid, on which device)"""


def tenders(db: Connection, sale: str) -> list[Paid]:
    """In the order of the post."""
    return db.execute(
        "SELECT method, amount_minor, paid_on, device FROM sale_tender WHERE sale = ? ORDER BY line", (sale,)
    ).fetchall()


def add(db: Connection, row: SaleRow, lines: list[tuple[str, str, str, int, int]], tenders: list[Paid]) -> None:
    """A new sale with its lines (product, name, category, quantity, amount) and tenders."""
    values = [getattr(row, name) for name in SaleRow.__slots__]
    db.execute(f"INSERT INTO sale ({_SALE}) VALUES ({', '.join('?' * len(values))})", values)
    db.executemany(
        "INSERT INTO sale_line VALUES (?, ?, ?, ?, ?, ?, ?)", [(row.sale, n, *line) for n, line in enumerate(lines)]
    )
    db.executemany(
        "INSERT INTO sale_tender (sale, line, method, amount_minor, paid_on, device) VALUES (?, ?, ?, ?, ?, ?)",
        [(row.sale, n, *each) for n, each in enumerate(tenders)],
    )


def code(db: Connection, id: str) -> CodeRow | None:
    """One exit code, or None."""
    row = db.execute(f"SELECT {_CODE} FROM exit_code WHERE code = ?", (id,)).fetchone()
    return CodeRow(*row) if row else None


def code_of_sale(db: Connection, sale: str) -> CodeRow | None:
    """The newest exit code of a sale."""
    row = db.execute(f"SELECT {_CODE} FROM exit_code WHERE sale = ? ORDER BY issued DESC LIMIT 1", (sale,)).fetchone()
    return CodeRow(*row) if row else None


def add_code(db: Connection, code: str, sale: str, issued: str, expires: str) -> None:
    """A new exit code; one that is known already stays as it is."""
    db.execute(
        "INSERT INTO exit_code (code, sale, issued, expires) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (code, sale, issued, expires),
    )


def renew_code(db: Connection, code: str, issued: str, expires: str) -> None:
    """The same code, signed anew for a later time: however often, it is used once."""
    db.execute("UPDATE exit_code SET issued = ?, expires = ? WHERE code = ?", (issued, expires, code))


def hold_code(db: Connection, code: str, scan: str | None) -> None:
    """A scan holds this code until its end is reported; None: nobody does."""
    db.execute("UPDATE exit_code SET scan = ? WHERE code = ?", (scan, code))


def use_code(db: Connection, code: str, scan: str, at: str) -> bool:
    """Its holder has passed. False when it was used before."""
    return (
        db.execute("UPDATE exit_code SET used = ?, scan = ? WHERE code = ? AND used IS NULL", (at, scan, code)).rowcount
        > 0
    )
