"""What decides who counts as present: every number with its unit and its reason. Frozen; checked when made."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PresenceSettings"]


@dataclass(frozen=True, slots=True)
class PresenceSettings:
    """Levels are RSSI in dBm of a beacon with `reference_power_dbm` at 1 m.

    A beacon that states another power is shifted by the difference, so that a weak tag and a strong phone at the same
    spot count the same. Raises `ValueError` with the name of the setting that cannot be.
    """

    #: Calibrated power that most iBeacons state; RSSI at 1 m.
    reference_power_dbm: int = -59
    #: Loss exponent; 2 is free space, walls and people add. Twelve beacons in one open hall fitted to 1.2 to 2.9
    #: (`python -m bench.presence_tracks`), so it only scales the distances told, and they are rough.
    path_loss_exponent: float = 2.2

    #: Persistence of this level means "in the store": 4 m in the open; 3 m behind a shop window (6 dB) is 3 dB below.
    #: On the recordings -72 tells somebody within 4 m a median of 2 to 8 s before, at worst 7 s after he is there;
    #: -68 up to 22 s after; -76 a median of 5 to 24 s before.
    enter_rssi_dbm: float = -72.0
    #: How long the smoothed level must hold. A person on the pavement passes a 4 m doorway in 3 s and is at that level
    #: for the middle of it at most.
    enter_persist_s: float = 2.0
    #: … and over how many advertisements at least: with one every 30 s it is the second that counts.
    enter_adverts: int = 2
    #: Two advertisements in a row this far above `enter_rssi_dbm` arrive without waiting (-62 dBm: 1.5 m, in the door).
    #: Indoor fading scatters by 4 to 6 dB (recordings): one beyond two deviations happens to passers-by, two in a row do not.
    strong_margin_db: float = 10.0
    #: A single one this far above it arrives at once (-57 dBm: 0.8 m): over three deviations.
    at_once_margin_db: float = 15.0

    #: Below this for `exit_persist_s` the customer is gone though still faintly heard. 16 dB under the entry level: a
    #: customer who turns a body between tag and agent loses 8 to 10 dB.
    exit_rssi_dbm: float = -88.0
    exit_persist_s: float = 10.0

    #: Silence after which a beacon has left: `silence_factor` times its own usual gap, within these bounds. Tags of 30 s
    #: were seen with gaps up to 96 s, hence 4 (120 s). 10 s for fast ones keep "gone" under 15 s.
    silence_factor: float = 4.0
    silence_min_s: float = 10.0
    silence_max_s: float = 300.0
    #: Until `trusted_gaps` gaps have been seen its interval is not known, and a tag of 30 s must not flap.
    silence_unknown_s: float = 120.0
    trusted_gaps: int = 5

    #: Smoothing: median of the last few (single deep fades vanish), then exponential over time in dB, with this time
    #: constant or `smoothing_gaps` times the beacon's own gap, whichever is longer: a slow beacon scatters as a fast one.
    median_adverts: int = 5
    smoothing_s: float = 2.0
    smoothing_gaps: float = 6.0

    #: Zone boundaries in metres: at the counter, in the same corner, elsewhere.
    immediate_m: float = 1.0
    near_m: float = 4.0
    #: A boundary is crossed only by this much (6 dB is a factor 1.9 in distance): the smoothed level of a still customer
    #: wanders by 4 to 5 dB in ten minutes. On the recordings 3 dB has the same zone error and 1.7 times the changes.
    zone_hysteresis_db: float = 6.0
    #: Zone changes are told at most this often.
    moved_interval_s: float = 3.0

    #: Beacons remembered; a full one evicts the one unheard for longest, strangers before customers.
    max_beacons: int = 2000

    def __post_init__(self) -> None:
        for name in _POSITIVE:
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0")
        if self.exit_rssi_dbm >= self.enter_rssi_dbm:
            raise ValueError(
                f"exit_rssi_dbm {self.exit_rssi_dbm} must be below enter_rssi_dbm {self.enter_rssi_dbm}: "
                "otherwise a customer at the threshold comes and goes"
            )
        if self.immediate_m >= self.near_m:
            raise ValueError(f"immediate_m {self.immediate_m} must be below near_m {self.near_m}")
        if self.silence_min_s > self.silence_max_s:
            raise ValueError(f"silence_min_s {self.silence_min_s} is above silence_max_s {self.silence_max_s}")
        if not 0 <= self.strong_margin_db <= self.at_once_margin_db:
            raise ValueError(
                f"strong_margin_db {self.strong_margin_db} must be between 0 and at_once_margin_db "
                f"{self.at_once_margin_db}: two strong advertisements never need more than one"
            )
        if self.zone_hysteresis_db < 0:
            raise ValueError(f"zone_hysteresis_db is {self.zone_hysteresis_db}; it must not be negative")


_POSITIVE = (
    "path_loss_exponent",
    "enter_adverts",
    "silence_factor",
    "silence_min_s",
    "silence_unknown_s",
    "trusted_gaps",
    "median_adverts",
    "smoothing_s",
    "immediate_m",
    "max_beacons",
)
