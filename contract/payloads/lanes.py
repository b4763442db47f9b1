"""A lane and the hub: scan, decision, paper, gate, passage."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from contract.payloads.base import Bilingual, Count, Id, MessageId, Payload, Text

RECEIPT_TEXT_MAX = 240
"""Five lines of wide paper. A line that comes out longer, filled with names, is cut."""
By = Literal["qr", "nfc", "keypad", "barcode"]
"""How an exit code came to the lane (row B6)."""


class LaneScan(Payload):
    """A valid exit code was read and the lane asks the hub what to do (row B6). Its message ID is the scan's ID.

    Either a signed code with its ID and sale, or `digits`: their number stands for a code that only the hub knows.
    """

    code_id: Id | Literal[""] = ""
    """The code's one-time ID (claim `cti`)."""
    sale: Id | Literal[""] = ""
    code: Annotated[str, StringConstraints(max_length=600)] = ""
    """The code as read, so that the hub checks it itself."""
    digits: Annotated[str, StringConstraints(max_length=12)] = ""
    """The number typed on the keypad or read from a Code 128 (`contract.exit_digits`); its check digit holds."""
    by: By = "qr"
    scanned: AwareDatetime


class LaneRefused(Payload):
    """The lane refused a code by itself: a code that cannot be trusted never reaches the rules."""

    reason: Literal[
        "malformed",
        "bad_signature",
        "unknown_key",
        "expired",
        "not_yet_valid",
        "wrong_store",
        "already_used",
        "in_use",
        "mistyped",
        "digits_offline",
    ]
    """`in_use`: another lane serves it just now. `mistyped`: the number's check digit is wrong. `digits_offline`: the hub is away, and only it knows numbers."""
    detail: Text = ""
    by: By = "qr"
    code_id: Id | None = None
    scanned: AwareDatetime


class ReceiptLine(Payload):
    """One line of a printed coupon. `title` prints large; `qr` carries the text of the code."""

    kind: Literal["text", "title", "center", "rule", "feed", "qr"]
    text: Annotated[str, StringConstraints(max_length=RECEIPT_TEXT_MAX)] = ""


class Incentive(Payload):
    """What the customer is given (row B8). `coupon` is its ID for life: a reprint carries the same."""

    coupon: Id
    kind: Literal["points", "discount", "product"]
    title: Bilingual
    """One grant is one coupon ID; points may come with a coupon."""
    amount_minor: Count = 0
    percent: Annotated[int, Field(ge=0, le=100)] = 0
    minimum_minor: Count = 0
    """The discount holds from this amount of a purchase on."""
    product: Id | None = None
    """Code of the product that a product coupon brings."""
    points: Count = 0
    give: Literal["print", "display", "electronic"]
    """On paper; as a code on the lane's display that her terminal's camera reads; to her terminal or in her account."""
    no_paper: Literal["electronic", "display"] = "electronic"
    """When its paper fails. `display`: nobody knows whose it is, so that no other way leads to her."""
    receipt: Annotated[list[ReceiptLine], Field(max_length=60)] = []
    valid_from: AwareDatetime | None = None
    valid_until: AwareDatetime | None = None


class LaneScreen(Payload):
    """What the lane's display says beside `LaneDecision.show` (row B10). It is shown no longer than the lane's settings say."""

    thanks: Bilingual
    rank: Bilingual | None = None
    gift: Bilingual | None = None
    coupon_code: Annotated[str, StringConstraints(max_length=100)] | None = None
    """Text of the QR code that is shown: `COUPON:` and the coupon's ID."""


class LaneDecision(Payload):
    """The hub's one answer to one scan (design "A lane"). The lane then prints, opens and watches by itself."""

    scan: MessageId
    outcome: Literal["open", "refuse"]
    reason: Literal[
        "ok",
        "already_used",
        "in_use",
        "unknown_sale",
        "expired",
        "wrong_store",
        "bad_signature",
        "malformed",
        "unknown_digits",
    ] = "ok"
    incentive: Incentive | None = None
    code_id: Id | None = None
    """Of a scan by digits: the ID of the code that they stand for, so that the lane knows it as used when it is alone."""
    code_expires: AwareDatetime | None = None
    show: Bilingual
    screen: LaneScreen | None = None
    open_s: Annotated[float, Field(gt=0, le=120)] = 8.0
    """How long the gate stays open for the passage, in seconds."""


class LanePrinted(Payload):
    """What became of the coupon's paper (row C4)."""

    scan: MessageId
    coupon: Id
    outcome: Literal["printed", "unknown", "failed"]
    attempts: Annotated[int, Field(ge=0, le=100)] = 1
    detail: Text = ""


class CouponRead(Payload):
    """A terminal has read the coupon's code from the lane's display: nobody needs to be shown it any longer (row B9)."""

    scan: MessageId
    coupon: Id


class LaneShown(Payload):
    """How the showing of a coupon's code on the display ended. `unread`: the hub gives the coupon electronically."""

    scan: MessageId
    coupon: Id
    outcome: Literal["read", "unread"]
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


class LaneCall(Payload):
    """A clerk is needed at the lane, or not any more (`over`). The same call again, by `call`, is its newest state."""

    call: Id
    """Of this lane and for all time: it begins with the lane's count of calls."""
    reason: Literal["help", "gate", "printer", "no_decision", "stuck", "out_of_order"]
    """`help`: somebody pressed the button. `stuck`: the gate was let go, and what became of her is not known."""
    detail: Text = ""
    since: AwareDatetime
    over: bool = False


class LaneCallAnswered(Payload):
    """What became of a call: a clerk is on the way, was there, or nobody came in time; `called`: who was on the way has given it
    back. The display says so."""

    call: Id
    state: Literal["called", "coming", "served", "nobody"]
    clerk_name: Text = ""


class LaneIncident(Payload):
    """Somebody passed, or tried to, who was not let through by a code (row B12). Reported and counted; nobody is stopped."""

    kind: Literal["tailgating", "wrong_way", "both_ways", "obstacle", "forced"]
    """`tailgating`: more people than codes. `wrong_way`: against the direction. `both_ways`: the gate tells of both directions
    in one reading. `obstacle`: somebody or something stands in the gate. `forced`: a passage through the closed gate."""
    direction: Literal["exit", "entry"] | None = None
    count: Annotated[int, Field(ge=1, le=65_535)] = 1
    scan: MessageId | None = None
    """Of the transaction during which it happened."""
    detail: Text = ""
    seen: AwareDatetime
