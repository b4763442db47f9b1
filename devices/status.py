"""The state of a device in UnifiedPOS terms: one power state, flags, counters. Immutable, so two compare by value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

__all__ = ["FLAGS", "DeviceStatus", "PowerState"]


class PowerState(str, Enum):
    """UnifiedPOS PowerState; OFF and OFFLINE cannot be told apart over a serial line, hence OFF_OFFLINE."""

    UNKNOWN = "unknown"
    ONLINE = "online"
    OFF_OFFLINE = "off_offline"


#: Every word that may stand in `DeviceStatus.flags`, with the UnifiedPOS property or event that it stands for.
FLAGS: Final[Mapping[str, str]] = {
    "cover_open": "POSPrinter CoverOpen",
    "rec_empty": "POSPrinter RecEmpty",
    "rec_near_end": "POSPrinter RecNearEnd",
    "printer_offline": "POSPrinter E_OFFLINE while the port is up",
    "cutter_error": "POSPrinter extended error",
    "recoverable_error": "POSPrinter ErrorLevel RECOVERABLE",
    "fatal_error": "POSPrinter ErrorLevel FATAL",
    "gate_open": "Gate GateStatus OPEN",
    "gate_closed": "Gate GateStatus CLOSED",
    "gate_blocked": "Gate GateStatus BLOCKED",
    "gate_malfunction": "Gate GateStatus MALFUNCTION",
    "fire_alarm": "own extension: the gate's fire input is on",
    "mains_lost": "own extension: the gate runs without mains power",
    "no_answer": "own extension: the port is open and the device is silent",
}


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """`power`, `flags` (words of `FLAGS`), `reason` (a sentence when something is wrong), `counters` (since start)."""

    power: PowerState
    flags: frozenset[str] = frozenset()
    reason: str = ""
    counters: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = self.flags - FLAGS.keys()
        if unknown:
            raise ValueError(f"unknown status flags {sorted(unknown)}; known are {sorted(FLAGS)}")

    @property
    def online(self) -> bool:
        return self.power is PowerState.ONLINE
