"""The `data` of every message, as pydantic models: shapes, units and ranges.

Unknown extra fields are allowed (old and new must live together) and dropped. Every string and list is bounded, so that no
message can fill a memory. Money is in minor units of `currency` (yen has none: 1 = 1 yen). Times are RFC 3339
with their offset, from us in UTC: a time without one could be any of 24 hours, and is refused.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
"""An identifier that is safe as one level of a topic: 1 to 64 letters, digits, `_`, `.`, `-`."""
MessageId = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Text = Annotated[str, StringConstraints(max_length=500)]
Count = Annotated[int, Field(ge=0, le=2**53)]
"""2^53 is the largest whole number that every JSON reader keeps exactly."""
Counters = Annotated[dict[Annotated[str, StringConstraints(max_length=64)], Count], Field(max_length=64)]


class Payload(BaseModel):
    """Base of all payloads: immutable; extra fields from a newer sender are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Bilingual(Payload):
    """A text for customers and clerks in both languages of the store."""

    ja: Text
    en: Text


# --- agents: their state and that of their devices ------------------------------------------------------------------


class ClientState(StrEnum):
    """State of a connected program, words of the Homie convention. `lost` is only ever sent by the broker (will)."""

    READY = "ready"
    DISCONNECTED = "disconnected"
    LOST = "lost"


class AgentStatus(Payload):
    """Retained. Who this agent is and whether it is there."""

    state: ClientState
    version: Text = ""
    started: AwareDatetime | None = None
    reason: Text = ""


class AgentHeartbeat(Payload):
    """Every few seconds. Liveness is this, not the will alone: a broker may not enforce keep-alive."""

    uptime_s: Annotated[float, Field(ge=0)]
    unacknowledged: Count
    oldest_unacknowledged_s: Annotated[float, Field(ge=0)] = 0.0
    dropped_sightings: Count = 0
    quarantined: Count = 0
    reconnects: Count = 0
    declared_lost: Count = 0
    """Numbers of the hub's stream that the hub declared as dropped."""
    disk_errors: Count = 0
    dropped_inbox: Count = 0
    """Messages to this agent that found no room; numbered ones are sent again."""
    dropped_adverts: Count = 0
    """Advertisements and presence events that found no room."""
    worker_restarts: Count = 0
    """Drivers and lanes that failed or hung and were started anew."""
    epoch: Annotated[str, StringConstraints(max_length=32)] = ""
    """Of its numbered streams, new at every start: what it heard in an earlier one it has forgotten."""


class DevicePower(StrEnum):
    """UnifiedPOS PowerState: `off_offline` is PS_OFF_OFFLINE, not reachable for whatever reason."""

    UNKNOWN = "unknown"
    ONLINE = "online"
    OFF_OFFLINE = "off_offline"


class DeviceStatus(Payload):
    """Retained. State of one device in UnifiedPOS terms.

    `flags` are words such as `cover_open`, `rec_empty`, `rec_near_end`, `gate_open`, `gate_blocked`, `fire_alarm`.
    """

    category: Literal["beacon_scanner", "scanner", "pos_printer", "gate", "counter", "camera"]
    power: DevicePower
    flags: Annotated[list[Annotated[str, StringConstraints(max_length=40)]], Field(max_length=32)] = []
    reason: Text = ""
    counters: Counters = {}


# --- sightings ---------------------------------------------------------------------------------------------------


class SightingKind(StrEnum):
    ARRIVED = "arrived"
    MOVED = "moved"
    LEFT = "left"


class Detector(StrEnum):
    """What noticed a customer (rows A4, A13)."""

    BEACON = "beacon"
    MEMBER_CODE = "member_code"
    """The member's QR code, held before a reader at an entrance."""
    POSITION = "position"
    """The member's terminal says that it is inside the store's geofence."""
    FACE = "face"


class Sighting(Payload):
    """A beacon arrived, moved or left, as smoothed by the agent (row A4). Never one message per advertisement.

    `beacon` names what was noticed, never who: `ibeacon:…`, `eddystone-eid:…`, `member:TOKEN`, `face:TEMPLATE`.
    """

    beacon: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    event: SightingKind
    detector: Detector = Detector.BEACON
    rssi_dbm: Annotated[float, Field(ge=-127, le=20)] | None = None
    distance_m: Annotated[float, Field(ge=0, le=1000)] | None = None
    zone: Literal["immediate", "near", "far", "unknown"] = "unknown"
    heard: AwareDatetime
    """When the advertisement that led to this event reached the agent."""


class VisitorsCounted(Payload):
    """People who passed an infrared counter since its last message: visits without an identity (row A13)."""

    entered: Annotated[int, Field(ge=0, le=100_000)]
    left: Annotated[int, Field(ge=0, le=100_000)]
    since: AwareDatetime
    until: AwareDatetime


# --- a lane ------------------------------------------------------------------------------------------------------


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


# --- clerks ------------------------------------------------------------------------------------------------------


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
    kind: Literal["service_request", "special_treatment", "coupon"]
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
    customer: CustomerCard
    place: Text = ""
    """Where she was heard last: the label of an entrance or a floor."""
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


# --- a member's terminal: by the hub's WebSocket, never at a broker ------------------------------------------------------


class Reading(StrEnum):
    """What a terminal may be asked for (row A8)."""

    POSITION = "position"
    SPEED = "speed"
    ACCELERATION = "acceleration"
    BODY_TEMPERATURE = "body_temperature"
    BLOOD_PRESSURE = "blood_pressure"
    HEART_RATE = "heart_rate"
    AMBIENT_TEMPERATURE = "ambient_temperature"
    HUMIDITY = "humidity"
    AIR_PRESSURE = "air_pressure"


class SensingRequest(Payload):
    """The store asks a good customer's terminal for readings. A terminal answers only what carries its own ID."""

    request: Id
    customer: Id
    readings: Annotated[list[Reading], Field(min_length=1, max_length=len(Reading))]
    deadline: AwareDatetime


class _Measured(Payload):
    """A number is a number: `"36.5"` is a mistake of the terminal, not a temperature."""

    model_config = ConfigDict(strict=True)


class Position(_Measured):
    """WGS 84."""

    latitude_deg: Annotated[float, Field(ge=-90, le=90)]
    longitude_deg: Annotated[float, Field(ge=-180, le=180)]
    accuracy_m: Annotated[float, Field(ge=0, le=100_000)] | None = None


class BloodPressure(_Measured):
    """In kilopascals (1 mmHg = 0.133322 kPa)."""

    systolic_kpa: Annotated[float, Field(ge=4, le=40)]
    diastolic_kpa: Annotated[float, Field(ge=2, le=30)]


class Readings(_Measured):
    """Row A8, in SI units; what a terminal can't measure is left out. Used in memory, never stored, logged or sent on (C11)."""

    position: Position | None = None
    speed_m_s: Annotated[float, Field(ge=0, le=100)] | None = None
    acceleration_m_s2: Annotated[float, Field(ge=0, le=200)] | None = None
    """Magnitude, without gravity."""
    body_temperature_c: Annotated[float, Field(ge=25, le=45)] | None = None
    blood_pressure: BloodPressure | None = None
    heart_rate_per_min: Annotated[float, Field(ge=20, le=250)] | None = None
    ambient_temperature_c: Annotated[float, Field(ge=-40, le=60)] | None = None
    humidity_percent: Annotated[float, Field(ge=0, le=100)] | None = None
    air_pressure_hpa: Annotated[float, Field(ge=300, le=1100)] | None = None


class SensingAnswer(Payload):
    """A terminal's answer: readings, or why there are none."""

    request: Id
    customer: Id
    readings: Readings = Readings()
    refused: Literal["no_consent", "not_me", "no_sensors"] | None = None
    measured: AwareDatetime | None = None


class MemberCoupon(Payload):
    """A coupon on a member's terminal, sent as state: the same again means its newest state (row A11)."""

    coupon: Id
    customer: Id
    title: Bilingual
    text: Bilingual | None = None
    code: Annotated[str, StringConstraints(max_length=100)]
    """What the checkout reads, shown as a picture."""
    kind: Literal["points", "discount", "product"]
    amount_minor: Count = 0
    state: Literal["offered", "redeemed", "expired", "withdrawn"] = "offered"
    valid_from: AwareDatetime
    valid_until: AwareDatetime
    revision: Annotated[int, Field(ge=1, le=2**53)] = 1


class CouponKept(Payload):
    """The terminal has kept a coupon in this state; until then it is sent again at each sign-in."""

    coupon: Id
    customer: Id
    revision: Annotated[int, Field(ge=1, le=2**53)]


class CartName(Payload):
    """A product's name. Short, so that a list of 80 products is one message."""

    ja: Annotated[str, StringConstraints(max_length=50)]
    en: Annotated[str, StringConstraints(max_length=50)]


class CartLine(Payload):
    """A product in a customer's list; `amount_minor` of all its pieces, as it stands in the total."""

    product: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    name: CartName
    quantity: Annotated[int, Field(ge=1, le=999)]
    price_minor: Count
    """Of one piece, with or without tax as the store's prices are."""
    amount_minor: Count
    tax_per_mille: Annotated[int, Field(ge=0, le=1000)] = 0


class CartTax(Payload):
    """The part of a list that has one rate: `taxed_minor` with its tax, and the tax in it."""

    tax_per_mille: Annotated[int, Field(ge=0, le=1000)]
    taxed_minor: Count
    tax_minor: Count


class CartPromise(Payload):
    """What the exit will bring for this list, or what is missing (row B3)."""

    holds: bool
    title: Bilingual
    """Of the coupon."""
    text: Bilingual
    """The sentence for the list screen."""
    short_minor: Count = 0
    """So much more is to be bought; 0 when it holds."""


class Cart(Payload):
    """A customer's list, sent as state to all her terminals: the same again means its newest state (rows B2, B3, B5)."""

    cart: Id
    customer: Id
    revision: Annotated[int, Field(ge=1, le=2**53)]
    """Grows with every change, over all lists of a customer: an older copy that arrives late is to be ignored."""
    state: Literal["open", "paying", "paid", "cancelled"]
    lines: Annotated[list[CartLine], Field(max_length=80)] = []
    total_minor: Count = 0
    """What is paid, with tax."""
    tax_minor: Count = 0
    taxes: Annotated[list[CartTax], Field(max_length=80)] = []
    prices_include_tax: bool = True
    promise: CartPromise | None = None
    payment: Id | None = None
    """While it is being paid."""
    pay_until: AwareDatetime | None = None
    sale: Id | None = None
    """Once it is paid: the sale whose exit code may be fetched."""
    exit_code: Literal["none", "ready", "read", "used"] = "none"
    """Of a paid list: whether a lane has read its exit code, and whether its holder has passed."""


class TerminalPresence(Payload):
    """The terminal, by its own position and the store's geofence: the position itself never leaves it (row A13)."""

    customer: Id
    event: Literal["arrived", "left"]
    at: AwareDatetime


# --- hub ---------------------------------------------------------------------------------------------------------


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
