"""Browsers of members that take notifications (RFC 8030). A subscription ends with the session of its terminal."""

from __future__ import annotations

from dataclasses import dataclass
from sqlite3 import Connection


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where to push to, and the browser's key and secret in base64url. `language` of the page; "" if it did not say."""

    endpoint: str
    session_hash: str
    customer: str
    p256dh: str
    auth: str
    made: str
    language: str


_COLUMNS = ", ".join(Subscription.__slots__)


def put(db: Connection, row: Subscription) -> None:
    """The one subscription of this terminal from now on; a browser that another member used before is hers now."""
    db.execute("DELETE FROM push_subscription WHERE session_hash = ? OR endpoint = ?", (row.session_hash, row.endpoint))
    values = [getattr(row, name) for name in Subscription.__slots__]
    db.execute(f"INSERT INTO push_subscription ({_COLUMNS}) VALUES ({', '.join('?' * len(values))})", values)


def of(db: Connection, customer: str) -> list[Subscription]:
    """All her terminals that take notifications."""
    rows = db.execute(f"SELECT {_COLUMNS} FROM push_subscription WHERE customer = ? ORDER BY made", (customer,))
    return [Subscription(*row) for row in rows]


def has(db: Connection, session_hash: str) -> bool:
    """Whether this terminal takes them."""
    row = db.execute("SELECT 1 FROM push_subscription WHERE session_hash = ?", (session_hash,)).fetchone()
    return row is not None


def remove(db: Connection, endpoint: str, customer: str | None = None) -> bool:
    """It is gone: the push service said so, or its owner (then `customer` is she)."""
    where, values = ("", (endpoint,)) if customer is None else (" AND customer = ?", (endpoint, customer))
    return db.execute(f"DELETE FROM push_subscription WHERE endpoint = ?{where}", values).rowcount > 0


def without_consent(db: Connection) -> int:
    """Subscriptions of who does not agree to them any more go; returns how many."""
    return db.execute(
        "DELETE FROM push_subscription WHERE NOT EXISTS (SELECT 1 FROM consent WHERE "
        "consent.customer = push_subscription.customer AND purpose = 'push' AND withdrawn IS NULL)"
    ).rowcount


def remove_of(db: Connection, session_hash: str) -> None:
    """This terminal takes no notifications any more."""
    db.execute("DELETE FROM push_subscription WHERE session_hash = ?", (session_hash,))
