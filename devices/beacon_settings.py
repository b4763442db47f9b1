"""What a beacon scanner is told, and what it hands over."""

from __future__ import annotations

from dataclasses import dataclass

from devices.advert_frames import FrameKind, canonical_id

__all__ = ["Advert", "BeaconSettings"]


@dataclass(frozen=True, slots=True)
class BeaconSettings:
    """`adapter` as hciN, None for the first one. `heartbeat_id` is a beacon fixed in the store, in canonical spelling."""

    adapter: str | None = None
    heartbeat_id: str | None = None
    #: With a heartbeat beacon of 250 ms or faster, even at 50 % reception 999 of 1,000 silences end within 2.6 s.
    silence_s: float = 5.0
    #: Without one: an empty store is silent too, and a restart of the scan misses some 0.1 s.
    silence_without_heartbeat_s: float = 60.0
    passive: bool = True
    #: Switch a powered-off adapter on, and off and on again when it is stuck.
    may_switch_power: bool = True
    #: bluetoothd 5.66 answered InProgress for minutes after a restart, until the adapter's power was cycled.
    failures_before_power_cycle: int = 3
    backoff_min_s: float = 0.2
    backoff_max_s: float = 5.0
    #: 4,096 are 4 s of 100 customers at 10 a second.
    queue_limit: int = 4096
    status_every_s: float = 10.0

    def __post_init__(self) -> None:
        if self.heartbeat_id is not None and canonical_id(self.heartbeat_id) != self.heartbeat_id:
            raise ValueError(f"heartbeat_id {self.heartbeat_id!r} must be spelt {canonical_id(self.heartbeat_id)!r}")
        for name in ("silence_s", "silence_without_heartbeat_s", "backoff_min_s", "queue_limit", "status_every_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0")


@dataclass(frozen=True, slots=True)
class Advert:
    """One frame of one advertisement. `t` monotonic seconds when bleak handed it over; powers and RSSI in dBm."""

    beacon_id: str
    kind: FrameKind
    rssi_dbm: int
    measured_power_dbm: int
    address: str
    adapter: str
    t: float
