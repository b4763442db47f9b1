"""A lane and the hub: scan, decision, paper, gate, passage."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from contract.payloads.base import Bilingual, Count, Id, MessageId, Payload, Text


class LaneScan(Payload):
    """A valid exit code was read and the lane asks the hub what to do (row B6). Its message ID is the scan's ID."""

    code_id: Id
    """The code's one-time ID (claim `cti`)."""
    sale: Id
    code: Annotated[str, StringConstraints(max_length=600)]
    """The code as read, so that the hub checks it itself."""
    scanned: AwareDatetime


class LaneRefused(Payload):
    """The lane refused a code by itself: a code that cannot be trusted never reaches the rules."""

    reason: Literal[
        "malformed", "bad_signature", "unknown_key", "expired", "not_yet_valid", "wrong_store", "already_used"
    ]
    detail: Text = ""
    code_id: Id | None = None
    scanned: AwareDatetime


class ReceiptLine(Payload):
    """One line of a printed coupon. `title` prints large; `qr` carries the text of the code."""

    kind: Literal["text", "title", "center", "rule", "feed", "qr"]
    text: Annotated[str, StringConstraints(max_length=300)] = ""


class Incentive(Payload):
    """What the customer is given (row B8). `coupon` is its ID for life: a reprint carries the same."""

    coupon: Id
    kind: Literal["points", "discount", "product"]
    title: Bilingual
    amount_minor: Count = 0
    points: Count = 0
    give: Literal["print", "electronic"]
    receipt: Annotated[list[ReceiptLine], Field(max_length=60)] = []
    valid_until: AwareDatetime | None = None


class LaneDecision(Payload):
    """The hub's one answer to one scan (design "A lane"). The lane then prints, opens and watches by itself."""

    scan: MessageId
    outcome: Literal["open", "refuse"]
    reason: Literal["ok", "already_used", "unknown_sale", "expired", "wrong_store", "bad_signature", "malformed"] = "ok"
    incentive: Incentive | None = None
    show: Bilingual
    open_s: Annotated[float, Field(gt=0, le=120)] = 8.0
    """How long the gate stays open for the passage, in seconds."""


class LanePrinted(Payload):
    """What became of the coupon's paper (row C4)."""

    scan: MessageId
    coupon: Id
    outcome: Literal["printed", "unknown", "failed"]
    attempts: Annotated[int, Field(ge=0, le=100)] = 1
    detail: Text = ""


class LaneOpened(Payload):
    """The gate confirmed that it took the open command. Not the evidence of an exit: that is the passage."""

    scan: MessageId
    command: Count
    offline: bool = False


class LanePassage(Payload):
    """How the lane's transaction ended, by the passage sensor (row C3)."""

    scan: MessageId | None = None
    outcome: Literal["passed", "not_passed", "fault", "fire_open"]
    direction: Literal["exit", "entry"] = "exit"
    offline: bool = False
    detail: Text = ""
