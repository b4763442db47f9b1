"""Members who registered by themselves: their records, sessions of their terminals, claims to an earlier record."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from sqlite3 import Connection

from hub.database import whole

_PHONE = "replace(replace(replace(replace(phone, '-', ''), ' ', ''), '(', ''), ')', '')"
"""As in the index `customer_by_phone`."""
SESSIONS_EACH = 10
"""Terminals of one member; the one that was used longest ago signs out."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What a member may see of her own record."""

    customer: str
    name: str
    gender: str
    born: str
    phone: str
    email: str
    language: str
    points: int


@dataclass(frozen=True, slots=True)
class Claim:
    """Somebody says: I am a member already. Times are RFC 3339 in UTC."""

    hash: str
    number: str
    code_hash: str | None
    customer: str | None
    joins: str | None
    tries: int
    begun: str
    expires: str
    confirmed: str | None
    confirmed_by: str | None


def add(
    db: Connection, customer: str, name: str, gender: str, born: str, phone: str, email: str, language: str, at: str
) -> None:
    """A new record. `born` as in `hub.born`; "" if she didn't say."""
    db.execute(
        "INSERT INTO customer (customer, name, gender, born, phone, email, language) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (customer, name, gender, born, phone, email, language),
    )
    db.execute("INSERT INTO member (customer, registered) VALUES (?, ?)", (customer, at))


def profile(db: Connection, customer: str) -> Profile | None:
    """One member's record, or None."""
    row = db.execute(
        "SELECT customer, name, gender, born, phone, email, language, points FROM customer WHERE customer = ?",
        (customer,),
    ).fetchone()
    return Profile(*row) if row else None


def known(db: Connection, email: str, phones: Iterable[str]) -> str | None:
    """The oldest record with this e-mail address or one of these phone numbers."""
    found: list[tuple[int, str]] = []
    if email:
        found += db.execute(
            "SELECT rowid, customer FROM customer WHERE lower(email) = ? AND email <> '' ORDER BY rowid LIMIT 1",
            (email.lower(),),
        ).fetchall()
    for phone in phones:
        found += db.execute(
            f"SELECT rowid, customer FROM customer WHERE {_PHONE} = ? AND phone <> '' ORDER BY rowid LIMIT 1", (phone,)
        ).fetchall()
    return min(found)[1] if found else None


def token(db: Connection, customer: str) -> str | None:
    """The token of her member code."""
    row = db.execute(
        "SELECT beacon FROM customer_beacon WHERE customer = ? AND beacon LIKE 'member:%'", (customer,)
    ).fetchone()
    return row[0].removeprefix("member:") if row else None


def add_token(db: Connection, customer: str, token: str) -> None:
    db.execute("INSERT INTO customer_beacon (beacon, customer) VALUES (?, ?)", (f"member:{token}", customer))


def drop_token(db: Connection, customer: str) -> None:
    """Her member code is worth nothing from now on."""
    db.execute("DELETE FROM customer_beacon WHERE customer = ? AND beacon LIKE 'member:%'", (customer,))


_OWN = {"customer", "member", "member_session", "member_claim", "customer_beacon", "consent", "push_subscription"}
"""What registration itself makes."""


def is_unused(db: Connection, customer: str) -> bool:
    """Whether a record was made by registration and nothing hangs on it: no sale, no visit, no coupon, nothing else."""
    if db.execute("SELECT 1 FROM member WHERE customer = ?", (customer,)).fetchone() is None:
        return False
    return not any(
        db.execute(f'SELECT 1 FROM "{table}" WHERE customer = ? LIMIT 1', (customer,)).fetchone()
        for table in whole.tables_about_customers(db)
        if table not in _OWN
    )


def remove(db: Connection, customer: str) -> None:
    """A record goes, with its consents, codes and sessions."""
    db.execute("DELETE FROM customer WHERE customer = ?", (customer,))


# --- sessions


def open_session(db: Connection, hash: str, customer: str, at: str, *, proved: bool) -> None:
    """A terminal is signed in; the oldest beyond `SESSIONS_EACH` is signed out."""
    db.execute(
        "INSERT INTO member_session (hash, customer, began, used, proved) VALUES (?, ?, ?, ?, ?)",
        (hash, customer, at, at, proved),
    )
    db.execute(
        "DELETE FROM member_session WHERE hash IN (SELECT hash FROM member_session WHERE customer = ? "
        "ORDER BY used DESC, began DESC LIMIT -1 OFFSET ?)",
        (customer, SESSIONS_EACH),
    )


def session(db: Connection, hash: str, not_before: str) -> tuple[str, str] | None:
    """(customer, last used) of a session that was used since."""
    row = db.execute(
        "SELECT customer, used FROM member_session WHERE hash = ? AND used >= ?", (hash, not_before)
    ).fetchone()
    return (row[0], row[1]) if row else None


def has_session(db: Connection, customer: str) -> bool:
    """Whether any terminal of hers is signed in."""
    return db.execute("SELECT 1 FROM member_session WHERE customer = ? LIMIT 1", (customer,)).fetchone() is not None


def session_used(db: Connection, hash: str, at: str) -> None:
    db.execute("UPDATE member_session SET used = ? WHERE hash = ?", (at, hash))


def close_session(db: Connection, hash: str) -> None:
    db.execute("DELETE FROM member_session WHERE hash = ?", (hash,))


def close_unproved(db: Connection, customer: str) -> int:
    """Terminals sign out of whose owner nobody knows who she is; returns how many."""
    return db.execute("DELETE FROM member_session WHERE customer = ? AND NOT proved", (customer,)).rowcount


def forget_sessions(db: Connection, before: str) -> int:
    """Those that nobody has used since; at most 1000 at a time."""
    return db.execute(
        "DELETE FROM member_session WHERE hash IN (SELECT hash FROM member_session WHERE used < ? LIMIT 1000)",
        (before,),
    ).rowcount


# --- claims

_CLAIM = ", ".join(Claim.__slots__)


def add_claim(db: Connection, claim: Claim) -> None:
    marks = ", ".join("?" * len(Claim.__slots__))
    values = [getattr(claim, name) for name in Claim.__slots__]
    db.execute(f"INSERT INTO member_claim ({_CLAIM}) VALUES ({marks})", values)


def claim(db: Connection, hash: str, at: str) -> Claim | None:
    """A claim that holds at this time, by the hash of what its terminal has."""
    row = db.execute(f"SELECT {_CLAIM} FROM member_claim WHERE hash = ? AND expires > ?", (hash, at)).fetchone()
    return Claim(*row) if row else None


def claim_numbered(db: Connection, number: str, at: str) -> Claim | None:
    """The same by its number."""
    row = db.execute(f"SELECT {_CLAIM} FROM member_claim WHERE number = ? AND expires > ?", (number, at)).fetchone()
    return Claim(*row) if row else None


def claims_waiting(db: Connection, at: str) -> list[Claim]:
    """Those that nobody has confirmed, newest first; at most 100."""
    rows = db.execute(
        f"SELECT {_CLAIM} FROM member_claim WHERE expires > ? AND confirmed IS NULL ORDER BY begun DESC LIMIT 100",
        (at,),
    )
    return [Claim(*row) for row in rows]


def mailed_since(db: Connection, customer: str, at: str) -> int:
    """How many codes went to this record's mailbox since."""
    return int(
        db.execute(
            "SELECT count(*) FROM member_claim WHERE customer = ? AND code_hash IS NOT NULL AND begun > ?",
            (customer, at),
        ).fetchone()[0]
    )


def tried(db: Connection, hash: str) -> None:
    db.execute("UPDATE member_claim SET tries = tries + 1 WHERE hash = ?", (hash,))


def confirm(db: Connection, hash: str, customer: str, by: str, at: str) -> None:
    db.execute(
        "UPDATE member_claim SET customer = ?, confirmed = ?, confirmed_by = ? WHERE hash = ?", (customer, at, by, hash)
    )


def end_claim(db: Connection, hash: str, at: str) -> None:
    """It holds no more; the row stays a day, so that codes to one mailbox can be counted."""
    db.execute("UPDATE member_claim SET expires = ? WHERE hash = ?", (at, hash))


def forget_claims(db: Connection, before: str) -> int:
    return db.execute(
        "DELETE FROM member_claim WHERE hash IN (SELECT hash FROM member_claim WHERE expires < ? LIMIT 1000)", (before,)
    ).rowcount
