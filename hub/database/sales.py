"""Sales as the POS posted them, and the exit codes issued for them."""

from __future__ import annotations

from dataclasses import dataclass
from sqlite3 import Connection


@dataclass(frozen=True, slots=True)
class SaleRow:
    """A transaction (rows A3, B1). `fingerprint` tells a repetition from another sale under the same ID."""

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
    """Whether the customer has a sale on that day already."""
    return (
        db.execute("SELECT 1 FROM sale WHERE customer = ? AND day = ? LIMIT 1", (customer, day)).fetchone() is not None
    )


def add(
    db: Connection, row: SaleRow, lines: list[tuple[str, str, str, int, int]], tenders: list[tuple[str, int]]
) -> None:
    """A new sale with its lines (product, name, category, quantity, amount) and tenders (method, amount)."""
    values = [getattr(row, name) for name in SaleRow.__slots__]
    db.execute(f"INSERT INTO sale ({_SALE}) VALUES ({', '.join('?' * len(values))})", values)
    db.executemany(
        "INSERT INTO sale_line VALUES (?, ?, ?, ?, ?, ?, ?)", [(row.sale, n, *line) for n, line in enumerate(lines)]
    )
    db.executemany(
        "INSERT INTO sale_tender VALUES (?, ?, ?, ?)", [(row.sale, n, *each) for n, each in enumerate(tenders)]
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


def hold_code(db: Connection, code: str, scan: str | None) -> None:
    """A scan holds this code until its end is reported; None: nobody does."""
    db.execute("UPDATE exit_code SET scan = ? WHERE code = ?", (scan, code))


def use_code(db: Connection, code: str, scan: str, at: str) -> bool:
    """Its holder has passed. False when it was used before."""
    return (
        db.execute("UPDATE exit_code SET used = ?, scan = ? WHERE code = ? AND used IS NULL", (at, scan, code)).rowcount
        > 0
    )
