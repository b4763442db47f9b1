"""Payments on terminals, and the signed calls that were taken (row B4). A payment names no customer."""

from __future__ import annotations

from dataclasses import dataclass
from sqlite3 import Connection


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """`state`: begun, confirmed, failed, cancelled, expired. `post`: the sale that it becomes, as JSON, without the customer."""

    payment: str
    cart: str
    amount_minor: int
    provider: str
    state: str
    post: str
    begun: str
    expires: str
    settled: str | None
    sale: str | None


_PAYMENT = ", ".join(PaymentRow.__slots__)


def payment(db: Connection, id: str) -> PaymentRow | None:
    """One payment, or None."""
    row = db.execute(f"SELECT {_PAYMENT} FROM payment WHERE payment = ?", (id,)).fetchone()
    return PaymentRow(*row) if row else None


def add(db: Connection, row: PaymentRow) -> None:
    """A payment that begins."""
    values = [getattr(row, name) for name in PaymentRow.__slots__]
    db.execute(f"INSERT INTO payment ({_PAYMENT}) VALUES ({', '.join('?' * len(values))})", values)


def settle(db: Connection, id: str, state: str, at: str, sale: str | None = None) -> None:
    """It has ended."""
    db.execute("UPDATE payment SET state = ?, settled = ?, sale = ? WHERE payment = ?", (state, at, sale, id))


def overdue(db: Connection, now: str, most: int) -> list[PaymentRow]:
    """Begun, and not confirmed in time."""
    rows = db.execute(f"SELECT {_PAYMENT} FROM payment WHERE state = 'begun' AND expires <= ? LIMIT ?", (now, most))
    return [PaymentRow(*row) for row in rows]


def take_call(db: Connection, id: str, at: str) -> bool:
    """Note a signed call; False when it was taken before."""
    return db.execute("INSERT INTO payment_call VALUES (?, ?) ON CONFLICT DO NOTHING", (id, at)).rowcount > 0


def forget_calls(db: Connection, before: str) -> None:
    """Calls that are too old to be taken again anyway."""
    db.execute("DELETE FROM payment_call WHERE at < ?", (before,))
