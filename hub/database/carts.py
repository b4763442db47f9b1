"""Customers' lists while they shop, and what their terminals have asked for (row B1)."""

from __future__ import annotations

from dataclasses import dataclass
from sqlite3 import Connection


@dataclass(frozen=True, slots=True)
class CartRow:
    """A list; `revision` grows over all lists of a customer."""

    cart: str
    customer: str
    state: str
    revision: int
    payment: str | None
    sale: str | None
    opened: str
    changed: str


Line = tuple[str, str, str, str, int, int, int]
"""(product, name_ja, name_en, category, price, tax, quantity)"""
_CART = ", ".join(CartRow.__slots__)
_LINE = "product, name_ja, name_en, category, price_minor, tax_per_mille, quantity"


def newest(db: Connection, customer: str) -> CartRow | None:
    """A customer's newest list, whatever became of it."""
    row = db.execute(
        f"SELECT {_CART} FROM cart WHERE customer = ? ORDER BY revision DESC LIMIT 1", (customer,)
    ).fetchone()
    return CartRow(*row) if row else None


def cart(db: Connection, id: str) -> CartRow | None:
    """One list, or None."""
    row = db.execute(f"SELECT {_CART} FROM cart WHERE cart = ?", (id,)).fetchone()
    return CartRow(*row) if row else None


def of_sale(db: Connection, sale: str, customer: str) -> CartRow | None:
    """The list that became this sale."""
    row = db.execute(f"SELECT {_CART} FROM cart WHERE customer = ? AND sale = ?", (customer, sale)).fetchone()
    return CartRow(*row) if row else None


def lines(db: Connection, cart: str) -> list[Line]:
    """In the order of their registration."""
    return db.execute(f"SELECT {_LINE} FROM cart_line WHERE cart = ? ORDER BY line", (cart,)).fetchall()


def write(db: Connection, row: CartRow, lines: list[Line] | None) -> None:
    """The newest state of a list; `lines` None: as they are."""
    values = [getattr(row, name) for name in CartRow.__slots__]
    db.execute(
        f"INSERT INTO cart ({_CART}) VALUES ({', '.join('?' * len(values))}) ON CONFLICT (cart) DO UPDATE SET "
        "state = excluded.state, revision = excluded.revision, payment = excluded.payment, sale = excluded.sale, "
        "changed = excluded.changed",
        values,
    )
    if lines is not None:
        db.execute("DELETE FROM cart_line WHERE cart = ?", (row.cart,))
        db.executemany(
            f"INSERT INTO cart_line (cart, line, {_LINE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(row.cart, number, *line) for number, line in enumerate(lines)],
        )


def command(db: Connection, customer: str, id: str) -> str | None:
    """What a command of this ID said, if it was taken."""
    row = db.execute("SELECT what FROM cart_command WHERE customer = ? AND command = ?", (customer, id)).fetchone()
    return row[0] if row else None


def add_command(db: Connection, customer: str, id: str, what: str, at: str) -> None:
    """It was taken."""
    db.execute("INSERT INTO cart_command VALUES (?, ?, ?, ?)", (customer, id, what, at))


def idle(db: Connection, before: str, most: int) -> list[str]:
    """Open lists that nobody has touched since."""
    rows = db.execute("SELECT cart FROM cart WHERE state = 'open' AND changed < ? LIMIT ?", (before, most))
    return [cart for (cart,) in rows]


def forget(db: Connection, before: str, most: int) -> None:
    """Old commands, and the lines of lists that are long closed; a sale has its own lines. The newest list of everybody stays:
    her revisions go on from it."""
    db.execute(
        "DELETE FROM cart_command WHERE (customer, command) IN "
        "(SELECT customer, command FROM cart_command WHERE at < ? LIMIT ?)",
        (before, most),
    )
    db.execute(
        "DELETE FROM cart WHERE cart IN (SELECT cart FROM cart AS old WHERE state IN ('paid', 'cancelled') AND changed < ? "
        "AND EXISTS (SELECT 1 FROM cart WHERE customer = old.customer AND revision > old.revision) LIMIT ?)",
        (before, most),
    )


# --- codes for settlement devices


def code_of(db: Connection, cart: str) -> str | None:
    """The short code of a list, if it has one."""
    row = db.execute("SELECT code FROM cart_code WHERE cart = ?", (cart,)).fetchone()
    return row[0] if row else None


def of_code(db: Connection, code: str) -> str | None:
    """The list that has this code."""
    row = db.execute("SELECT cart FROM cart_code WHERE code = ?", (code,)).fetchone()
    return row[0] if row else None


def add_code(db: Connection, code: str, cart: str) -> None:
    """A list has a code from now on, for as long as it is kept."""
    db.execute("INSERT INTO cart_code VALUES (?, ?)", (code, cart))
