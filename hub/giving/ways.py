"""What a way of giving is: one face for the app, web push and e-mail. Whoever brings coupons by another way writes one more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from config.words import Words
from hub.database.consents import Purpose


@dataclass(frozen=True, slots=True)
class Parcel:
    """A coupon and whom it is for. `secret`: of this way of this coupon, the same at each try; `tries` counts from 1."""

    coupon: str
    customer: str
    name: str
    language: Literal["ja", "en"]
    email: str
    title: Words
    text: Words
    """What it asks of her, as a sentence."""
    valid_from: datetime
    valid_until: datetime
    secret: str
    tries: int


@dataclass(frozen=True, slots=True)
class Sent:
    """It is under way. `confirm_s`: if nobody has confirmed it by then, the next way is tried too; None: nobody will."""

    why: str = ""
    confirm_s: float | None = None


@dataclass(frozen=True, slots=True)
class Later:
    """Not now; again after `after_s`, or when the courier thinks fit."""

    why: str
    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Never:
    """Not by this way."""

    why: str


Result = Sent | Later | Never


class Way(Protocol):
    """Brings coupons. `why` of a result is kept and shown to people of the store: it holds no address and no secret."""

    @property
    def name(self) -> str: ...

    @property
    def purpose(self) -> Purpose | None:
        """The consent without which it brings nothing."""
        ...

    async def bring(self, parcel: Parcel) -> Result:
        """One try, within a minute. Raises nothing that a network, a server or a customer's data can cause."""
        ...
