"""What customers have agreed to, purpose by purpose (row C11)."""

from __future__ import annotations

import secrets
from enum import StrEnum
from sqlite3 import Connection


class Purpose(StrEnum):
    """What a customer's data may be used for. Without consent in force: not."""

    SERVICE = "service"
    """Being recognised on arrival, so that a clerk may attend."""
    SENSING = "sensing"
    """Readings of her terminal, used for special treatment and forgotten at once."""
    POSITION = "position"
    """Her terminal may say that it is inside the store."""
    FACE = "face"
    COUPONS = "coupons"
    """Coupons chosen by what she bought."""
    EMAIL = "email"
    """Coupons by e-mail."""
    PUSH = "push"
    """Coupons as notifications on her terminals."""


def in_force(db: Connection, customer: str, purpose: Purpose) -> str | None:
    """The ID of the consent that holds now, or None."""
    row = db.execute(
        "SELECT consent FROM consent WHERE customer = ? AND purpose = ? AND withdrawn IS NULL", (customer, purpose)
    ).fetchone()
    return row[0] if row else None


def give(db: Connection, customer: str, purpose: Purpose, wording: str, at: str) -> str:
    """Consent is given; returns its ID. What holds already stays, with its ID."""
    held = in_force(db, customer, purpose)
    if held is not None:
        return held
    consent = f"k-{secrets.token_hex(8)}"
    db.execute("INSERT INTO consent VALUES (?, ?, ?, ?, ?, NULL)", (consent, customer, purpose, wording, at))
    return consent


def wording(db: Connection, consent: str) -> str:
    """The ID of the text that a consent was given to; "" for one that is not there."""
    row = db.execute("SELECT wording FROM consent WHERE consent = ?", (consent,)).fetchone()
    return row[0] if row else ""


def withdraw(db: Connection, customer: str, purpose: Purpose, at: str) -> bool:
    """Consent ends. False when none was in force."""
    return (
        db.execute(
            "UPDATE consent SET withdrawn = ? WHERE customer = ? AND purpose = ? AND withdrawn IS NULL",
            (at, customer, purpose),
        ).rowcount
        > 0
    )


def any_known(db: Connection, customer: str) -> bool:
    """Whether she was ever asked: she registered by herself, or a consent of hers was recorded, perhaps withdrawn since. Who
    never was comes from the store's own records (decision 0012)."""
    row = db.execute(
        "SELECT EXISTS (SELECT 1 FROM consent WHERE customer = ?1) OR EXISTS (SELECT 1 FROM member WHERE customer = ?1)",
        (customer,),
    ).fetchone()
    return bool(row[0])


def may_recognise(db: Connection, customer: str) -> bool:
    """Whether she may be recognised on arrival: she agreed, or the store has her by its own records and she never objected."""
    return in_force(db, customer, Purpose.SERVICE) is not None or not any_known(db, customer)


def purposes(db: Connection, customer: str) -> dict[Purpose, str]:
    """All consents in force: ID by purpose."""
    rows = db.execute("SELECT purpose, consent FROM consent WHERE customer = ? AND withdrawn IS NULL", (customer,))
    return {Purpose(purpose): consent for purpose, consent in rows}
