"""The hub: its state, keys, what it decided, receipts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from contract.payloads.agents import ClientState
from contract.payloads.base import Counters, Id, MessageId, Payload, Text


class HubStatus(Payload):
    """Retained. The hub's own state and counters."""

    state: ClientState
    version: Text = ""
    counters: Counters = {}


class ExitKeys(Payload):
    """Retained. The public keys (Ed25519, base64url of 32 bytes, by key ID) that exit codes are signed with (row C2)."""

    keys: Annotated[dict[str, Annotated[str, StringConstraints(max_length=64)]], Field(max_length=16)]
    store: Id


class VisitOpened(Payload):
    """The first sighting of the store's day of a known customer (row A5)."""

    customer: Id
    agent: Id
    decided: Text
    """The rule that made, or did not make, her a customer to be served, with its values (row C7)."""
    good: bool


class TreatmentDecided(Payload):
    """What the readings of a good customer's terminal led to; the readings themselves are nowhere (rows A9, C11)."""

    customer: Id
    treatment: Annotated[str, StringConstraints(max_length=64)] | None = None
    """The entry of the message table; None: no special treatment."""
    decided: Text
    """The rule, without values."""
    consent: Annotated[str, StringConstraints(max_length=64)] | None = None


class CouponIssued(Payload):
    """A coupon from purchase history was given, or taken back (row A11)."""

    coupon: Id
    customer: Id
    rule: Annotated[str, StringConstraints(max_length=64)]
    state: Literal["offered", "redeemed", "expired", "withdrawn"]


class IncentiveSettled(Payload):
    """The end of a reserved incentive: committed by passage, or released (row C3)."""

    coupon: Id
    scan: MessageId
    outcome: Literal["committed", "released"]
    detail: Text = ""


class Receipt(Payload):
    """Cumulative acknowledgement of one numbered stream (design "Nothing lost, nothing twice").

    Everything of (`stream`, `epoch`) up to and including `taken` is committed at the receiver. `again` asks for what
    follows to be sent again: the receiver saw a later number and has a gap.
    """

    stream: Literal["critical", "sighting"]
    epoch: Annotated[str, StringConstraints(min_length=1, max_length=32)]
    taken: Annotated[int, Field(ge=0, le=2**31 - 1)]
    again: bool = False
