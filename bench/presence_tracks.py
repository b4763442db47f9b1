"""Presence on recordings of real Bluetooth walks: arrival latency, flaps, zone error.

    python -m bench.presence_tracks DIRECTORY_OR_FILE …

A recording is a CSV without a header, one advertisement a line: time (s), beacon, receiver, RSSI (dBm), true x, y, z (m)
of the receiver that walks among fixed beacons; further columns are passed over. Where the beacons hang is not in
the file, so each one's place, power and loss exponent are fitted to all its lines first (a grid of half metres, least
squares in dB). Every beacon then plays a customer that the receiver nears and leaves.

Flaps: an arrival within 30 s of the same beacon's leaving, and zone changes undone within 10 s.
Zone error: share of the time between arrival and leaving in which zone told and true zone (of the fitted distance)
differ, and by two zones ("gross").
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from edge.presence import Arrived, Event, Left, Moved, Presence, PresenceSettings, Zone

__all__ = ["main"]

FLAP_S = 30.0
UNDONE_S = 10.0
GRID_M = 0.5
GRID_MARGIN_M = 4.0
BEACON_HEIGHT_M = 2.5  # on walls and ceiling; the fit hardly changes with it


class Line(NamedTuple):
    t: float
    beacon: str
    rssi_dbm: int
    x: float
    y: float
    z: float


@dataclass(frozen=True)
class Place:
    """A fitted beacon: RSSI = power_dbm - 10 · exponent · log10(distance), scatter `sigma_db`."""

    x: float
    y: float
    power_dbm: float
    exponent: float
    sigma_db: float

    def distance_m(self, line: Line) -> float:
        return math.dist((self.x, self.y, BEACON_HEIGHT_M), (line.x, line.y, line.z))


def read(path: Path) -> list[Line]:
    """Raises `ValueError` naming file and line."""
    lines = []
    for number, text in enumerate(path.read_text().splitlines(), 1):
        fields = text.split(",")
        try:
            lines.append(Line(float(fields[0]), fields[1], int(fields[3]), *map(float, fields[4:7])))
        except (ValueError, IndexError, TypeError) as error:
            raise ValueError(f"{path.name} line {number}: not time, beacon, receiver, RSSI, x, y, z") from error
    return sorted(lines)


def fit(lines: Sequence[Line]) -> Place:
    """The place with the least squared error; power and exponent by linear regression at each place."""
    xs, ys = [line.x for line in lines], [line.y for line in lines]
    best = Place(0, 0, 0, 0, math.inf)
    for x in _grid(min(xs), max(xs)):
        for y in _grid(min(ys), max(ys)):
            logs = [math.log10(max(0.3, math.dist((x, y, BEACON_HEIGHT_M), line[3:]))) for line in lines]
            slope, power = statistics.linear_regression(logs, [line.rssi_dbm for line in lines])
            residue = [line.rssi_dbm - power - slope * log for line, log in zip(lines, logs, strict=True)]
            sigma = statistics.pstdev(residue)
            if slope < 0 and sigma < best.sigma_db:
                best = Place(x, y, power, -slope / 10, sigma)
    return best


def _grid(low: float, high: float) -> list[float]:
    count = int((high - low + 2 * GRID_MARGIN_M) / GRID_M)
    return [low - GRID_MARGIN_M + GRID_M * index for index in range(count + 1)]


def play(lines: Iterable[Line], places: dict[str, Place], settings: PresenceSettings) -> dict[str, float]:
    """One recording through one `Presence`; counts and times."""
    presence = Presence(settings)
    first_near: dict[str, float] = {}
    zone: dict[str, Zone] = {}
    events: list[Event] = []
    right = wrong = gross = 0
    bounds = (settings.immediate_m, settings.near_m)
    for line in lines:
        place = places[line.beacon]
        due = presence.next_deadline()
        new = list(presence.tick(line.t)) if due is not None and due <= line.t else []
        new += presence.advert(line.beacon, line.rssi_dbm, round(place.power_dbm), line.t)
        events += new
        for event in new:
            if isinstance(event, Left):
                zone.pop(event.beacon_id, None)
            else:
                zone[event.beacon_id] = event.zone
        true = _zone_of(place.distance_m(line), bounds)
        if true <= 1:
            first_near.setdefault(line.beacon, line.t)
        if line.beacon in zone:
            off = abs(list(Zone).index(zone[line.beacon]) - true)
            right, wrong, gross = right + (off == 0), wrong + (off > 0), gross + (off > 1)
    arrivals = {e.beacon_id: e.t for e in reversed(events) if isinstance(e, Arrived)}
    latency = sorted(arrivals[name] - t for name, t in first_near.items() if name in arrivals)
    return {
        "beacons": len({line.beacon for line in lines}),
        "came_near": len(first_near),
        "arrived_of_them": len(latency),
        "arrival_minus_near_s_median": round(statistics.median(latency), 2) if latency else math.nan,
        "arrival_minus_near_s_max": round(max(latency), 2) if latency else math.nan,
        "arrived": sum(isinstance(e, Arrived) for e in events),
        "left": sum(isinstance(e, Left) for e in events),
        "moved": sum(isinstance(e, Moved) for e in events),
        "flaps": _flaps(events),
        "zone_error": round(wrong / max(1, right + wrong), 3),
        "zone_error_gross": round(gross / max(1, right + wrong), 3),
    }


def _zone_of(distance_m: float, bounds: tuple[float, float]) -> int:
    return sum(distance_m > bound for bound in bounds)


def _flaps(events: Iterable[Event]) -> int:
    last: dict[str, Event] = {}
    count = 0
    for event in events:
        before = last.get(event.beacon_id)
        if isinstance(event, Arrived) and isinstance(before, Left):
            count += event.t - before.t < FLAP_S
        if isinstance(event, Moved) and isinstance(before, Moved):
            count += event.zone is before.was and event.t - before.t < UNDONE_S
        last[event.beacon_id] = event
    return count


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints one JSON object a recording, and one for the fit. 0 also when there is nothing to measure with."""
    parser = argparse.ArgumentParser(description="Presence on recorded walks: latency, flaps, zone error.")
    parser.add_argument("path", nargs="+", type=Path, help="a recording, or a directory of *.mbd")
    parser.add_argument("--enter", type=float, help="enter_rssi_dbm instead of the default")
    given = parser.parse_args(arguments)
    files = [f for path in given.path for f in (sorted(path.glob("*.mbd")) if path.is_dir() else [path])]
    missing = [str(path) for path in given.path if not path.exists()]
    if missing or not files:
        print(f"skipped: no recordings at {', '.join(missing or map(str, given.path))}; give a directory of *.mbd")
        return 0
    recordings = {path.name: read(path) for path in files}
    by_beacon: defaultdict[str, list[Line]] = defaultdict(list)
    for lines in recordings.values():
        for line in lines:
            by_beacon[line.beacon].append(line)
    places = {beacon: fit(lines[::4]) for beacon, lines in by_beacon.items()}
    for name, values in {
        "power_dbm_at_1_m": [place.power_dbm for place in places.values()],
        "exponent": [place.exponent for place in places.values()],
        "scatter_db": [place.sigma_db for place in places.values()],
    }.items():
        print(json.dumps({"fit": name, "min": round(min(values), 1), "max": round(max(values), 1)}))
    exponent = statistics.median(place.exponent for place in places.values())
    settings = PresenceSettings(path_loss_exponent=exponent)
    if given.enter is not None:
        settings = PresenceSettings(path_loss_exponent=exponent, enter_rssi_dbm=given.enter)
    for file_name, lines in recordings.items():
        print(json.dumps({"recording": file_name, **play(lines, places, settings)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
