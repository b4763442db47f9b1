"""Who and what was noticed: beacons, codes, people counted."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from contract.payloads.base import Payload


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
