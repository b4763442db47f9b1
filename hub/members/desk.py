"""What the registration desk does, inside a transaction of the caller: new members, sign-in, consent (rows A2, C11).

Nobody learns here who is a member. Registration with the e-mail address or phone number of a record that is there makes a new
record all the same, with the same answer, and quietly begins a claim: the person whom the old record belongs to joins the two
by the one-time code that goes to its mailbox, or at the counter, where a clerk looks at her face and her card
(`hub.members.claims`). A stranger gets an empty record of his own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from config.hub_settings import HubSettings
from config.member_settings import Consents
from config.words import Words
from delivery.engine import Tx
from hub.database import consents, lanes, members, times
from hub.database.consents import Purpose
from hub.days import store_day
from hub.members import secrets
from hub.members.claims import Begun, Claims
from hub.members.fields import Person, Problem, read_person, same_numbers
from hub.members.picture import member_code, qr_svg
from hub.saying import count

BROUGHT_MOST = 5
"""Exits of which her page says what they have brought."""


class Refused(Exception):
    """What can't be taken, field by field, for the person who sent it."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{problem.field}: {problem.words.en}" for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Registered:
    """A new member: `session` goes into her terminal's cookie."""

    customer: str
    session: str
    claim: Begun


class Desk:
    """`wordings` is what members agree to."""

    def __init__(self, settings: HubSettings, wordings: Consents, counters: Counter[str]) -> None:
        self._settings, self.wordings, self._counters = settings, wordings, counters
        self.claims = Claims(settings, counters)

    # --- registration

    def register(self, tx: Tx, form: dict[str, Any]) -> Registered:
        """A new member from a form: the fields of `Person`, and `consents`: wording ID by purpose. Raises Refused."""
        person, problems = read_person(form, self._year(tx))
        given, more = self._consents(form.get("consents"))
        if person is None or more:
            raise Refused([*problems, *more])
        known = members.known(tx.db, person.email, same_numbers(person.phone) if person.phone else ())
        customer = self._add(tx, person, given)
        count(tx, self._counters, "members_registered")
        session = self.open_session(tx, customer)
        return Registered(customer, session, self.claims.begin(tx, known, joins=customer))

    def _add(self, tx: Tx, person: Person, given: dict[Purpose, str]) -> str:
        customer, at = secrets.new_customer(), times.text(tx.utc)
        born = "" if person.birth_year is None else str(person.birth_year)
        members.add(tx.db, customer, person.name, person.gender, born, person.phone, person.email, person.language, at)
        members.add_token(tx.db, customer, secrets.new_token())
        for purpose, wording in given.items():
            consents.give(tx.db, customer, purpose, wording, at)
        return customer

    def _year(self, tx: Tx) -> int:
        return tx.utc.astimezone(self._settings.store.zone).year

    def _consents(self, asked: Any) -> tuple[dict[Purpose, str], list[Problem]]:
        if asked is None:
            return {}, []
        try:
            return {purpose: self._wording(purpose, id) for purpose, id in _pairs(asked)}, []
        except Problem as problem:
            return {}, [problem]

    def _wording(self, purpose: Purpose, shown: Any) -> str:
        """The text that is in use, if it is the one that she was shown. Raises Problem."""
        current: str = getattr(self.wordings, purpose.value).id
        if shown != current:
            raise Problem("consents", Words(ja="同意の文面が新しくなりました。ページを読み込み直してください。",
                                            en="The text to agree to has changed. Please load the page again."))  # fmt: skip
        return current

    # --- sign-in

    def sign_in(self, tx: Tx, email: str, phone: str) -> Begun:
        """Begin a claim to the record with this address or number, if there is one; the answer doesn't tell."""
        return self.claims.begin(tx, members.known(tx.db, email, same_numbers(phone) if phone else ()), joins=None)

    def earlier(self, tx: Tx, customer: str) -> Begun:
        """Begin a claim of a signed-in terminal to an earlier record of the same person, if there is one."""
        mine = members.profile(tx.db, customer)
        known = (
            None if mine is None else members.known(tx.db, mine.email, same_numbers(mine.phone) if mine.phone else ())
        )
        return self.claims.begin(tx, None if known == customer else known, joins=customer)

    def open_session(self, tx: Tx, customer: str, *, proved: bool = False) -> str:
        """The secret of a new session. Whatever the terminal had before is worth nothing for it.

        `proved`: the person was seen to be who she says (`hub.members.claims`).
        """
        secret, at = secrets.new_secret(), times.text(tx.utc)
        members.open_session(tx.db, secrets.hash_of(secret), customer, at, proved=proved)
        return secret

    def signed_in(self, tx: Tx, session: str) -> str | None:
        """Whose session this is; notes, once a day, that it was used."""
        if not 0 < len(session) <= secrets.SECRET_MAX:
            return None
        hash = secrets.hash_of(session)
        found = members.session(tx.db, hash, times.text(tx.utc - timedelta(days=secrets.SESSION_DAYS)))
        if found is None:
            return None
        customer, used = found
        if used[:10] != times.text(tx.utc)[:10]:
            members.session_used(tx.db, hash, times.text(tx.utc))
        return customer

    def sign_out(self, tx: Tx, session: str) -> None:
        members.close_session(tx.db, secrets.hash_of(session))

    # --- what she sees and chooses

    def me(self, tx: Tx, customer: str) -> dict[str, Any] | None:
        """Her record and her choices, for her own terminal."""
        profile = members.profile(tx.db, customer)
        if profile is None:
            return None
        token = members.token(tx.db, customer)
        if token is None:  # a record from an import, or from before there were codes
            token = secrets.new_token()
            members.add_token(tx.db, customer, token)
        code, held = member_code(token), consents.purposes(tx.db, customer)
        return {
            **{name: getattr(profile, name) for name in members.Profile.__slots__ if name != "born"},
            "birth_year": int(profile.born[:4]) if profile.born else None,
            "code": {"text": code, "svg": qr_svg(code)},
            "brought": self._brought(tx, customer),
            "consents": {purpose.value: purpose in held for purpose in Purpose if self._can(purpose)},
            **self.about(),
        }

    def _brought(self, tx: Tx, customer: str) -> list[dict[str, Any]]:
        """What her newest exits have brought, newest first; points are in her account (row B8)."""
        return [
            {
                "day": store_day(times.time(row.settled or row.reserved), self._settings.store.zone),
                "title": {"ja": row.title_ja, "en": row.title_en},
                "points": row.points,
                "coupon": row.coupon,
            }
            for row in lanes.given_to(tx.db, customer, BROUGHT_MOST)
        ]

    def about(self) -> dict[str, Any]:
        """What anybody may know: the store, and what members are asked for."""
        store, circle = self._settings.store, self._settings.members.circle
        return {
            "store": {"id": store.id, "name": store.name.model_dump()},
            "circle": circle and circle.model_dump(),
            "mail": self._settings.members.mail is not None,
            "purposes": [
                {
                    "purpose": purpose.value,
                    "wording": (text := getattr(self.wordings, purpose.value)).id,
                    "title": text.title.model_dump(),
                    "text": text.text.model_dump(),
                }
                for purpose in Purpose
                if self._can(purpose)
            ],
        }

    def _can(self, purpose: Purpose) -> bool:
        """Nobody is asked to agree to what this store doesn't do."""
        needs = {Purpose.EMAIL: self._settings.members.mail, Purpose.PUSH: self._settings.push}
        return needs.get(purpose, True) is not None

    def consent(self, tx: Tx, customer: str, purpose: Any, given: Any, wording: Any) -> None:
        """One purpose, given (to the text `wording`) or withdrawn. Raises Refused."""
        try:
            known = next(found for found, _ in _pairs({purpose: wording} if isinstance(purpose, str) else None))
            if not isinstance(given, bool):
                raise _not_a_choice()
            text = self._wording(known, wording) if given else ""
        except Problem as problem:
            raise Refused([problem]) from None
        if given:
            consents.give(tx.db, customer, known, text, times.text(tx.utc))
        else:
            consents.withdraw(tx.db, customer, known, times.text(tx.utc))
        count(tx, self._counters, f"consents_{'given' if given else 'withdrawn'}")


def _pairs(asked: Any) -> list[tuple[Purpose, Any]]:
    """Purpose and wording of what was sent. Raises Problem for what is no purpose."""
    if not isinstance(asked, dict) or not set(asked) <= set(Purpose):
        raise _not_a_choice()
    return [(Purpose(purpose), id) for purpose, id in asked.items()]


def _not_a_choice() -> Problem:
    return Problem(
        "consents", Words(ja="同意の内容を確認できませんでした。", en="This is no choice that can be made here.")
    )
