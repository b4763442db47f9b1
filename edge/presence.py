"""Advertisements in; who arrived, moved and left out. Pure: no clock, no I/O, `now` in monotonic seconds.

    absent ──(one advertisement far above the entry level, or the level held for a while)──> present   Arrived
    present ──(another zone, beyond the hysteresis)──> present                                         Moved
    present ──(silent for longer than its habit, or faint for a while, or evicted)──> absent           Left

The shell calls `advert` for each advertisement and `tick` no later than `next_deadline`.
"""

from __future__ import annotations

import heapq
import math
from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum

from edge.presence_door import Door
from edge.presence_rotation import predecessor
from edge.presence_settings import PresenceSettings
from edge.presence_track import POWER_CORRECTION_LIMIT_DB, Track

__all__ = ["Arrived", "Event", "Left", "Moved", "Presence", "PresenceRow", "PresenceSettings", "Zone"]


class Zone(str, Enum):
    """Apple's proximity words; the boundaries are settings."""

    IMMEDIATE = "immediate"
    NEAR = "near"
    FAR = "far"


#: A deadline that came nearer by less is not worth a new entry.
DEADLINE_GRAIN_S = 0.5
#: Without room, one that arrived by a single advertisement and was silent since for so long goes first.
ONCE_S = 2.0
_OUTWARDS = (Zone.IMMEDIATE, Zone.NEAR, Zone.FAR)


@dataclass(frozen=True, slots=True)
class Arrived:
    """`t` and `first_seen` monotonic seconds; `rssi_dbm` as received, `distance_m` an estimate (halve or double it)."""

    beacon_id: str
    t: float
    rssi_dbm: int
    distance_m: float
    zone: Zone
    first_seen: float


@dataclass(frozen=True, slots=True)
class Moved:
    beacon_id: str
    t: float
    rssi_dbm: int
    distance_m: float
    zone: Zone
    was: Zone


@dataclass(frozen=True, slots=True)
class Left:
    """`t` is when it was decided, `last_seen` when it was last heard; `reason` is silent, faint, evicted, or followed: by another
    identifier of the same beacon."""

    beacon_id: str
    t: float
    last_seen: float
    seen_count: int
    reason: str


Event = Arrived | Moved | Left


@dataclass(frozen=True, slots=True)
class PresenceRow:
    """One present beacon. `usual_gap_s` between its advertisements, `silence_s` after which it has left."""

    beacon_id: str
    zone: Zone
    distance_m: float
    level_dbm: float
    first_seen: float
    last_seen: float
    seen_count: int
    usual_gap_s: float
    silence_s: float


class Presence:
    """`counters`: adverts, ignored (no RSSI), arrived, moved, left, evicted (present ones), forgotten (strangers), turned_away
    (heard for the first time while there was no room), followed (identifiers that others took the place of)."""

    def __init__(self, settings: PresenceSettings | None = None) -> None:
        self.settings = settings or PresenceSettings()
        counted = ("adverts", "ignored", "arrived", "moved", "left", "evicted", "forgotten", "turned_away", "followed")
        self.counters = dict.fromkeys(counted, 0)
        self._door = Door()
        self._absent: OrderedDict[str, Track] = OrderedDict()
        self._present: OrderedDict[str, Track] = OrderedDict()
        self._deadlines: list[tuple[float, str]] = []
        slope = 10.0 * self.settings.path_loss_exponent
        self._slope_db = slope
        self._bounds_dbm = tuple(
            self.settings.reference_power_dbm - slope * math.log10(metres)
            for metres in (self.settings.immediate_m, self.settings.near_m)
        )

    def advert(self, beacon_id: str, rssi_dbm: int, measured_power_dbm: int, now: float) -> tuple[Event, ...]:
        """One advertisement. An RSSI outside -126 to 20 dBm means "unknown" in Bluetooth and is counted, not used."""
        self.counters["adverts"] += 1
        if not -126 <= rssi_dbm <= 20:
            self.counters["ignored"] += 1
            return ()
        shift = self.settings.reference_power_dbm - measured_power_dbm
        reference = rssi_dbm + max(-POWER_CORRECTION_LIMIT_DB, min(POWER_CORRECTION_LIMIT_DB, shift))
        track = self._present.get(beacon_id)
        if track is None:
            return self._hear_absent(beacon_id, rssi_dbm, reference, now)
        late = self._leave(beacon_id, track, now, "silent") if now >= self._silent_at(track) else None
        if late is not None:  # the tick came late: it was gone, and is a new arrival now
            return late, *self._hear_absent(beacon_id, rssi_dbm, reference, now)
        track.hear(self.settings, reference, now)
        self._present.move_to_end(beacon_id)
        return self._hear_present(beacon_id, track, rssi_dbm, now)

    def tick(self, now: float) -> tuple[Event, ...]:
        """Those who have left by `now`."""
        events: list[Event] = []
        while self._deadlines and self._deadlines[0][0] <= now:
            at, beacon_id = heapq.heappop(self._deadlines)
            track = self._present.get(beacon_id)
            if track is None or track.queued_until != at:
                continue  # an older entry of one who has left or has a nearer deadline
            if track.deadline(self.settings) <= now:
                reason = "silent" if self._silent_at(track) <= now else "faint"
                events.append(self._leave(beacon_id, track, now, reason))
            else:
                self._queue(beacon_id, track, again=True)
        return tuple(events)

    def next_deadline(self) -> float | None:
        """When `tick` is due; it may then find nothing to do. None while nobody is present."""
        return self._deadlines[0][0] if self._present else None

    @property
    def _has_room(self) -> bool:
        return len(self._absent) + len(self._present) < self.settings.max_beacons

    @property
    def present_count(self) -> int:
        return len(self._present)

    def snapshot(self) -> tuple[PresenceRow, ...]:
        """Everybody present, the one heard longest ago first."""
        return tuple(
            PresenceRow(
                beacon_id=beacon_id,
                zone=Zone(track.zone),
                distance_m=self._distance_m(track),
                level_dbm=_level(track),
                first_seen=track.first_seen,
                last_seen=track.last_seen,
                seen_count=track.seen_count,
                usual_gap_s=track.usual_gap_s,
                silence_s=track.silence_s(self.settings),
            )
            for beacon_id, track in self._present.items()
        )

    def _hear_absent(self, beacon_id: str, rssi_dbm: int, reference: float, now: float) -> tuple[Event, ...]:
        events: list[Event] = []
        track = self._absent.get(beacon_id)
        if track is None:
            if not self._has_room and not self._door.heard_before(beacon_id, now):
                self.counters["turned_away"] += 1
                return ()
            track = self._absent[beacon_id] = Track(self.settings)
            events += self._evict(now, keep=beacon_id)
        else:
            self._absent.move_to_end(beacon_id)
            if now - track.last_seen >= track.silence_s(self.settings):
                track.restart()
        track.hear(self.settings, reference, now)
        if self._enters(track, reference, now):
            events.append(self._arrive(beacon_id, track, rssi_dbm, now))
        elif (old := predecessor(self._present, beacon_id, track, self.settings)) is not None:
            track.inherit(self._present[old])  # it is the same tag: its interval is known
            events += (
                self._arrive(beacon_id, track, rssi_dbm, now),
                self._leave(old, self._present[old], now, "followed"),
            )
            self.counters["followed"] += 1
        return tuple(events)

    def _enters(self, track: Track, reference_rssi_dbm: float, now: float) -> bool:
        settings = self.settings
        above_db = reference_rssi_dbm - settings.enter_rssi_dbm
        again = track.strong
        track.strong = above_db >= settings.strong_margin_db
        if above_db >= settings.at_once_margin_db or (track.strong and again):
            return True
        if _level(track) < settings.enter_rssi_dbm:
            track.above_since, track.above_count = None, 0
            return False
        if track.above_since is None:
            track.above_since = now
        track.above_count += 1
        return track.above_count >= settings.enter_adverts and now - track.above_since >= settings.enter_persist_s

    def _arrive(self, beacon_id: str, track: Track, rssi_dbm: int, now: float) -> Arrived:
        del self._absent[beacon_id]
        self._present[beacon_id] = track
        zone = track.zone = self._zone(_level(track))
        track.moved_at = now
        self._queue(beacon_id, track, again=True)
        self.counters["arrived"] += 1
        return Arrived(beacon_id, now, rssi_dbm, self._distance_m(track), zone, track.first_seen)

    def _hear_present(self, beacon_id: str, track: Track, rssi_dbm: int, now: float) -> tuple[Event, ...]:
        level = _level(track)
        if level >= self.settings.exit_rssi_dbm:
            track.faint_since = None
        elif track.faint_since is None:
            track.faint_since = now
        elif now - track.faint_since >= self.settings.exit_persist_s:
            return (self._leave(beacon_id, track, now, "faint"),)
        events = self._follow(beacon_id, track, now)
        self._queue(beacon_id, track)
        was = Zone(track.zone)
        zone = self._zone_from(was, level)
        if zone is was or now - track.moved_at < self.settings.moved_interval_s:
            return events
        track.zone, track.moved_at = zone, now
        self.counters["moved"] += 1
        return *events, Moved(beacon_id, now, rssi_dbm, self._distance_m(track), zone, was)

    def _follow(self, beacon_id: str, track: Track, now: float) -> tuple[Event, ...]:
        """One who is so near that her new identifier came in by itself may leave right after: her interval is known all the same."""
        if track.gaps >= self.settings.trusted_gaps:
            return ()
        old = predecessor(self._present, beacon_id, track, self.settings)
        if old is None:
            return ()
        track.inherit(self._present[old])
        self.counters["followed"] += 1
        return (self._leave(old, self._present[old], now, "followed"),)

    def _leave(self, beacon_id: str, track: Track, now: float, reason: str) -> Left:
        left = Left(beacon_id, now, track.last_seen, track.seen_count, reason)
        del self._present[beacon_id]
        track.restart()
        track.queued_until = math.inf
        self._absent[beacon_id] = track
        self.counters["left"] += 1
        return left

    def _evict(self, now: float, keep: str) -> list[Event]:
        """Room for one more: who came once, near, and was not heard again; then strangers; then who was not heard for longest.
        So a flood of made-up beacons does not push customers out."""
        if len(self._absent) + len(self._present) <= self.settings.max_beacons:
            return []
        beacon_id, track = next(iter(self._present.items()), (keep, None))
        oldest = next(iter(self._absent))
        if track is None or (oldest != keep and not (track.seen_count == 1 and now - track.last_seen >= ONCE_S)):
            del self._absent[oldest]
            self.counters["forgotten"] += 1
            return []
        left = self._leave(beacon_id, track, now, "evicted")
        del self._absent[beacon_id]
        self.counters["evicted"] += 1
        return [left]

    def _queue(self, beacon_id: str, track: Track, *, again: bool = False) -> None:
        """One live entry a beacon: a later deadline waits until the entry comes up, an earlier one is put in."""
        at = track.deadline(self.settings)
        if not again and at > track.queued_until - DEADLINE_GRAIN_S:
            return
        track.queued_until = at
        heapq.heappush(self._deadlines, (at, beacon_id))
        if len(self._deadlines) > 4 * len(self._present) + 64:
            self._deadlines = [(track.queued_until, name) for name, track in self._present.items()]
            heapq.heapify(self._deadlines)

    def _silent_at(self, track: Track) -> float:
        return track.last_seen + track.silence_s(self.settings)

    def _zone(self, level_dbm: float) -> Zone:
        inner, outer = self._bounds_dbm
        if level_dbm >= inner:
            return Zone.IMMEDIATE
        return Zone.NEAR if level_dbm >= outer else Zone.FAR

    def _zone_from(self, was: Zone, level_dbm: float) -> Zone:
        """The zone now, if the level is beyond the boundary of the old one by the hysteresis; else the old one."""
        now = self._zone(level_dbm)
        if now is was:
            return was
        inwards = _OUTWARDS.index(now) < _OUTWARDS.index(was)
        margin = self.settings.zone_hysteresis_db
        return self._zone(level_dbm - margin if inwards else level_dbm + margin)

    def _distance_m(self, track: Track) -> float:
        return float(10 ** ((self.settings.reference_power_dbm - _level(track)) / self._slope_db))


def _level(track: Track) -> float:
    assert track.level_dbm is not None
    return track.level_dbm
