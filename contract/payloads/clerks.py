"""What clerks are asked, and what they answer."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from contract.payloads.agents import ClientState
from contract.payloads.base import Bilingual, Count, Id, Payload, Text


class ClerkStatus(Payload):
    """Retained. A handheld is there, or was lost. Its `ready` makes the hub send the clerk's open alerts again."""

    state: ClientState


class AlertState(StrEnum):
    OFFERED = "offered"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    EXPIRED = "expired"
    CLOSED = "closed"


class PurchaseLine(Payload):
    """A day on which a customer bought, and what."""

    day: date
    products: Text
    amount_minor: Count = 0


class CustomerCard(Payload):
    """The personal data that a clerk in charge needs (row A7). Never retained."""

    customer: Id
    name: Text
    rank: Text = ""
    visits: Count = 0
    average_purchase_minor: Count = 0
    points: Count = 0
    note: Text = ""
    preferences: Text = ""
    """What she likes, as she or her clerk wrote it."""
    history: Annotated[list[PurchaseLine], Field(max_length=10)] = []
    """Her last purchases, newest first."""


class AlertCoupon(Payload):
    """A coupon that a clerk may recommend (row A13)."""

    coupon: Id
    title: Bilingual
    valid_until: AwareDatetime | None = None


Outcome = Literal["served", "not_found", "bought"]
"""How a request to a clerk ended (row C6)."""


class Alert(Payload):
    """A request to a clerk, sent as state: the same alert again means its newest state (rows A7, A10, C6)."""

    alert: Id
    kind: Literal["service_request", "special_treatment", "coupon", "lane"]
    """`lane`: a clerk is needed at an exit lane (row B12); it is about no customer."""
    state: AlertState
    role: Literal["main", "deputy", "group"]
    """Why this clerk is asked; `group`: nobody in charge answered in time, and it was escalated."""
    holder: Id | None = None
    """The clerk who accepted it."""
    holder_name: Text = ""
    outcome: Outcome | None = None
    """Of a closed alert."""
    suggested: Outcome | None = None
    """Of an accepted one: the outcome that the till has seen (she has bought). Its holder confirms it, or says another."""
    message: Bilingual
    customer: CustomerCard | None = None
    """Whom to attend to; None: the request is about a place."""
    place: Text = ""
    """Where she was heard last: the label of an entrance or a floor. Of a lane: its name."""
    coupon: AlertCoupon | None = None
    expires: AwareDatetime | None = None
    raised: AwareDatetime
    revision: Annotated[int, Field(ge=1, le=2**53)] = 1
    """Grows with every change of state: an older copy that arrives late is to be ignored."""


class AlertAnswer(Payload):
    """What the clerk does with an alert."""

    alert: Id
    answer: Literal["accept", "decline", "served", "not_found", "bought"]
    """`served`, `not_found` and `bought` are outcomes: they close it."""
