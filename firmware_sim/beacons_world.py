"""Beacons on a floor plan: where each is, when it advertises, which adapter hears it how strongly. Pure; seeded.

Each beacon has a random generator of its own, made of the seed and its ID: adding one changes nothing for the others.
"""

from __future__ import annotations

import hashlib
import heapq
import math
import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from devices.advert_frames import Payload, canonical_id, encode_frame
from firmware_sim.beacons_rotating import Rotating, is_rotating
from firmware_sim.bluez_state import Heard
from firmware_sim.radio import Point, Radio

__all__ = ["AdapterPlace", "Beacon", "BeaconSpec", "Reception", "World", "address_of"]

#: advDelay of the Core Specification (vol 6 part B 4.4.2.2.1): a new random delay for each event.
ADVERTISING_DELAY_S = 0.010
INTERVAL_RANGE_S = (0.020, 600.0)
WALK_RANGE_M_S = (0.01, 50.0)
BEACONS_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class AdapterPlace:
    """An adapter of an agent and where it hangs, in metres."""

    name: str
    at: Point = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class BeaconSpec:
    """`frame` is a canonical beacon identifier, or a rotating one (`firmware_sim.beacons_rotating`, with `counter` and `speed`);
    `power_dbm` its RSSI at 1 m. Raises `ValueError` with a sentence."""

    id: str
    frame: str
    at: Point
    interval_s: float = 0.1
    power_dbm: int = -59
    counter: float = 0.0
    speed: float = 1.0

    def __post_init__(self) -> None:
        low, high = INTERVAL_RANGE_S
        if not low <= self.interval_s <= high:
            raise ValueError(f"{self.id}: an interval of {self.interval_s} s is outside {low} to {high} s")
        if is_rotating(self.frame):
            Rotating.of(self.frame, self.counter, 0.0, self.speed)
            object.__setattr__(self, "frame", self.frame.strip().lower())
        else:
            object.__setattr__(self, "frame", canonical_id(self.frame))


@dataclass(frozen=True, slots=True)
class Reception:
    """One advertisement at one adapter."""

    beacon_id: str
    adapter: str
    heard: Heard


@dataclass(slots=True)
class Beacon:
    spec: BeaconSpec
    payload: Payload
    address: str
    rng: random.Random
    path: list[tuple[float, Point]] = field(default_factory=list)
    heard_by: set[str] = field(default_factory=set)
    rotating: Rotating | None = None
    quantum: int = -1

    def rotate(self, now: float) -> None:
        """Say what is to be said now, under a new address."""
        if self.rotating is not None and (quantum := self.rotating.quantum(now)) != self.quantum:
            self.quantum = quantum
            self.payload = encode_frame(self.rotating.frame(now), self.spec.power_dbm)
            self.address = address_of(f"{self.spec.id} {quantum}")

    def position(self, now: float) -> Point:
        """Along the way points (time, point), straight in between; at the last one for ever."""
        for (t0, a), (t1, b) in zip(self.path, self.path[1:], strict=False):
            if now < t1:
                share = max(0.0, (now - t0) / (t1 - t0))
                return (a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]))
        return self.path[-1][1]


class World:
    """All beacons and adapters. Times are seconds on whatever clock the caller keeps to."""

    def __init__(self, adapters: Iterable[AdapterPlace], radio: Radio, seed: int) -> None:
        self.adapters = {adapter.name: adapter for adapter in adapters}
        self.radio, self.seed = radio, seed
        self.beacons: dict[str, Beacon] = {}
        self._due: list[tuple[float, int, Beacon]] = []
        self._order = 0

    def add(self, spec: BeaconSpec, now: float) -> Beacon:
        """It advertises from some moment within its first interval on. One that is there already is replaced."""
        if spec.id not in self.beacons and len(self.beacons) >= BEACONS_LIMIT:
            raise ValueError(f"there are {BEACONS_LIMIT} beacons already: remove some")
        rng = random.Random(f"{self.seed} {spec.id}")
        rotating = Rotating.of(spec.frame, spec.counter, now, spec.speed) if is_rotating(spec.frame) else None
        payload = Payload() if rotating else encode_frame(spec.frame, spec.power_dbm)
        beacon = Beacon(spec, payload, address_of(spec.id), rng, [(now, spec.at)], rotating=rotating)
        beacon.rotate(now)
        self.beacons[spec.id] = beacon
        self._schedule(beacon, now + rng.uniform(0, min(spec.interval_s, 1.0)))
        return beacon

    def remove(self, beacon_id: str) -> None:
        """Raises KeyError."""
        del self.beacons[beacon_id]

    def walk(self, beacon_id: str, through: list[Point], speed_m_s: float, now: float) -> float:
        """From where it is through the points; returns when it will be there. Raises KeyError, ValueError."""
        low, high = WALK_RANGE_M_S
        if not low <= speed_m_s <= high:
            raise ValueError(f"a speed of {speed_m_s} m/s is outside {low} to {high} m/s")
        beacon = self.beacons[beacon_id]
        path = [(now, beacon.position(now))]
        for point in through:
            t, last = path[-1]
            path.append((t + math.dist(last, point) / speed_m_s, point))
        beacon.path = path
        return path[-1][0]

    def next_due(self) -> float | None:
        return self._due[0][0] if self._due else None

    def advance(self, now: float) -> list[Reception]:
        """Every advertisement that is due by `now`, as each adapter hears it."""
        receptions: list[Reception] = []
        while self._due and self._due[0][0] <= now:
            t, _, beacon = heapq.heappop(self._due)
            if self.beacons.get(beacon.spec.id) is not beacon:
                continue  # removed or replaced meanwhile
            receptions += self._advertise(beacon, t)
            late = now - t > beacon.spec.interval_s  # the process was stopped for a while: no flood afterwards
            self._schedule(beacon, (now if late else t) + beacon.spec.interval_s)
        return receptions

    def _advertise(self, beacon: Beacon, now: float) -> list[Reception]:
        receptions = []
        beacon.rotate(now)
        place, payload = beacon.position(now), beacon.payload
        for adapter in self.adapters.values():
            rssi = self.radio.receive(beacon.spec.power_dbm, place, adapter.at, beacon.rng)
            if rssi is not None:
                heard = Heard(beacon.address, rssi, payload.manufacturer_data, payload.service_data)
                receptions.append(Reception(beacon.spec.id, adapter.name, heard))
        return receptions

    def _schedule(self, beacon: Beacon, at: float) -> None:
        self._order += 1
        heapq.heappush(self._due, (at + beacon.rng.uniform(0, ADVERTISING_DELAY_S), self._order, beacon))


def address_of(name: str) -> str:
    """A static random Bluetooth address (top two bits set) that belongs to `name` for ever."""
    digest = bytearray(hashlib.sha256(name.encode()).digest()[:6])
    digest[0] |= 0xC0
    return ":".join(f"{byte:02X}" for byte in digest)
