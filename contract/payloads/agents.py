"""Agents say how they and their devices are."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from contract.payloads.base import Count, Counters, Payload, Text


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

    category: Literal["beacon_scanner", "scanner", "pos_printer", "gate", "counter", "camera", "keypad", "nfc"]
    power: DevicePower
    flags: Annotated[list[Annotated[str, StringConstraints(max_length=40)]], Field(max_length=32)] = []
    reason: Text = ""
    counters: Counters = {}
