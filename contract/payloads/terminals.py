"""A member's terminal: by the hub's WebSocket, never at a broker."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, ConfigDict, Field, StringConstraints

from contract.payloads.base import Bilingual, Count, Id, Payload


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
