"""A person gets back to her record: by the one-time code from its mailbox, or at the counter (row A2).

A claim belongs to the terminal that began it (a secret in a cookie). It begins in the same way whether the record is there or
not. It is confirmed by the code that only the record's mailbox got, or by a clerk, who sees the person: the terminal shows a
number, the clerk enters it. Confirmed, it signs the terminal in to the record; a new record of that terminal which nothing
hangs on goes, and what she has agreed to on it goes with her.

Somebody may have registered with her address before she did. Whoever is proven to be the person therefore turns out all
terminals of the record that are not, with the member code that they show and the consents that they gave.
"""

from __future__ import annotations

import secrets as random
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from config.hub_settings import HubSettings
from delivery.engine import Tx
from hub.database import consents, customers, members, times
from hub.database.members import Claim
from hub.members import secrets
from hub.saying import count

TRIES = 5
"""Of a one-time code, in one claim."""
LETTERS_A_DAY = 3
"""To one record's mailbox. With 8 digits and 5 tries each, a guess succeeds once in 18,000 years."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A one-time code for a mailbox."""

    to: str
    language: str
    code: str
    minutes: int


@dataclass(frozen=True, slots=True)
class Begun:
    """`secret` is for the terminal's cookie, `number` for the clerk; `letter`, if any, is to be sent after the commit."""

    secret: str
    number: str
    letter: Letter | None


class State(StrEnum):
    NONE = "none"
    WAITING = "waiting"
    CONFIRMED = "confirmed"


class ClaimRefused(ValueError):
    """A claim that can't be confirmed; the sentence is for the clerk."""


class Claims:
    """`settings.members` says how long a claim holds and whether there is a mail server."""

    def __init__(self, settings: HubSettings, counters: Counter[str]) -> None:
        self._settings, self._counters = settings, counters
        self.minutes = settings.members.claim_minutes
        """How long a claim holds."""

    def begin(self, tx: Tx, record: str | None, *, joins: str | None) -> Begun:
        """A new claim to `record` (None: nobody's that we know) by a terminal whose new record is `joins`."""
        at, ends = times.text(tx.utc), times.text(tx.utc + timedelta(minutes=self.minutes))
        secret, number = secrets.new_secret(), self._free_number(tx)
        letter = self._letter(tx, record)
        code_hash = None if letter is None else secrets.hash_of(f"{secret}{letter.code}")
        members.add_claim(
            tx.db, Claim(secrets.hash_of(secret), number, code_hash, record, joins, 0, at, ends, None, None)
        )
        members.forget_claims(tx.db, times.text(tx.utc - timedelta(days=1)))
        return Begun(secret, number, letter)

    def _free_number(self, tx: Tx) -> str:
        while members.claim_numbered(tx.db, number := secrets.new_number(), "") is not None:
            pass
        return number

    def _letter(self, tx: Tx, record: str | None) -> Letter | None:
        if record is None or self._settings.members.mail is None:
            return None
        profile = members.profile(tx.db, record)
        if profile is None or not profile.email:
            return None
        if members.mailed_since(tx.db, record, times.text(tx.utc - timedelta(days=1))) >= LETTERS_A_DAY:
            count(tx, self._counters, "member_letters_withheld")
            return None
        return Letter(profile.email, profile.language, secrets.new_number(), self.minutes)

    # --- confirming

    def try_code(self, tx: Tx, secret: str, code: str) -> bool:
        """Whether the code is the one from the mailbox; then the claim is confirmed. After `TRIES` none is."""
        found = self._of(tx, secret)
        if found is None or found.tries >= TRIES:
            return False
        members.tried(tx.db, found.hash)
        right = found.code_hash is not None and found.customer is not None
        if not random.compare_digest(found.code_hash or "", secrets.hash_of(f"{secret}{code}")) or not right:
            count(tx, self._counters, "member_codes_wrong")
            return False
        members.confirm(tx.db, found.hash, found.customer or "", "mail", times.text(tx.utc))
        return True

    def waiting(self, tx: Tx) -> list[Claim]:
        """What clerks may confirm, newest first."""
        return members.claims_waiting(tx.db, times.text(tx.utc))

    def confirm(self, tx: Tx, number: str, by: str, record: str | None = None) -> str:
        """A clerk has seen the person: the claim with this number is hers. Returns the record.

        `record` names it where the hub knows none or another. Raises ClaimRefused.
        """
        found = members.claim_numbered(tx.db, secrets.digits(number) or number, times.text(tx.utc))
        if found is None or found.confirmed is not None:
            raise ClaimRefused(f"no terminal shows the number {number[:20]!r} now; let the customer begin again")
        record = record or found.customer
        if record is None:
            raise ClaimRefused(
                "no record has this e-mail address or phone number; look the customer up and give her ID"
            )
        if customers.customer(tx.db, record) is None or record == found.joins:
            raise ClaimRefused(f"{record!r} is no earlier record of a customer")
        members.confirm(tx.db, found.hash, record, by, times.text(tx.utc))
        count(tx, self._counters, "members_confirmed_at_counter")
        return record

    # --- what the terminal sees

    def state(self, tx: Tx, secret: str) -> State:
        found = self._of(tx, secret)
        return State.NONE if found is None else State.CONFIRMED if found.confirmed else State.WAITING

    def finish(self, tx: Tx, secret: str) -> str | None:
        """The record that a confirmed claim leads to; it works once. The terminal's unused new record goes."""
        found = self._of(tx, secret)
        if found is None or not found.confirmed or found.customer is None:
            return None
        members.end_claim(tx.db, found.hash, times.text(tx.utc))
        if members.close_unproved(tx.db, found.customer):
            self._turn_out(tx, found.customer)
        if found.joins is not None and found.joins != found.customer:
            self._join(tx, found.joins, found.customer)
        count(tx, self._counters, "members_joined")
        return found.customer

    def _turn_out(self, tx: Tx, record: str) -> None:
        members.drop_token(tx.db, record)
        for purpose in consents.purposes(tx.db, record):
            consents.withdraw(tx.db, record, purpose, times.text(tx.utc))
        count(tx, self._counters, "members_turned_out")

    def _join(self, tx: Tx, new: str, record: str) -> None:
        for purpose, consent in consents.purposes(tx.db, new).items():
            consents.give(tx.db, record, purpose, consents.wording(tx.db, consent), times.text(tx.utc))
        if members.is_unused(tx.db, new):
            members.remove(tx.db, new)

    def _of(self, tx: Tx, secret: str) -> Claim | None:
        if not 0 < len(secret) <= secrets.SECRET_MAX:
            return None
        return members.claim(tx.db, secrets.hash_of(secret), times.text(tx.utc))
