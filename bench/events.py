"""The events of a busy store, endless: what agents tell the hub. Each is (row of the contract, data, further IDs)."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from bench.store import STORE, beacon
from contract import exit_code
from contract.exit_code import ExitClaims
from contract.payloads import LaneOpened, LanePassage, LaneScan, Payload, Sighting, SightingKind
from hub.exit_keys import KeyRing

Event = tuple[str, Payload, dict[str, str]]
NEW_EVERY = 100
"""One event in so many is a customer's first of the day: a visit, and a request to her clerk."""
_CYCLE = ("moved", "stranger", "moved", "left", "moved", "arrived", "stranger", "moved", "stranger", "moved")


def sightings(here: range, coming: range) -> Iterator[Event]:
    """Customers `here` move, leave and come back, three events in ten are strangers' beacons; `coming` arrive in between."""
    for number in here:
        yield _sighting(beacon(number), SightingKind.ARRIVED)
    new, turn = iter(coming), 0
    while True:
        for what in _CYCLE:
            turn += 1
            number = here[turn // len(_CYCLE) % len(here)]  # who leaves in a cycle comes back in it
            if turn % NEW_EVERY == 0 and (customer := next(new, None)) is not None:
                yield _sighting(beacon(customer), SightingKind.ARRIVED)
            elif what == "stranger":
                yield _sighting(f"stranger:{turn % 5000}", SightingKind.MOVED)
            else:
                yield _sighting(beacon(number), SightingKind(what))


def _sighting(whose: str, kind: SightingKind) -> Event:
    heard = datetime.now(UTC)
    if kind is SightingKind.LEFT:
        return "sighting", Sighting(beacon=whose, event=kind, heard=heard), {}
    return "sighting", Sighting(beacon=whose, event=kind, rssi_dbm=-61, distance_m=2.4, zone="near", heard=heard), {}


def exits(keys: KeyRing, lane: str) -> Iterator[Event]:
    """Customers who leave: scan, gate open, passed; three events each. The codes are genuine, their sales not posted here."""
    number = 0
    while True:
        number += 1
        now = datetime.now(UTC).replace(microsecond=0)
        code_id, sale = exit_code.new_code_id(), f"T{secrets.token_hex(6)}"
        claims = ExitClaims(STORE, sale, now, now + timedelta(hours=1), code_id)
        code = exit_code.issue(claims, keys.signing, keys.kid)
        scan = LaneScan(code_id=code_id, sale=sale, code=code, scanned=datetime.now(UTC))
        yield "lane_scan", scan, {"lane": lane}
        yield "lane_opened", LaneOpened(scan=SCAN, command=number), {"lane": lane}
        yield "lane_passage", LanePassage(scan=SCAN, outcome="passed"), {"lane": lane}


SCAN = "scan"
"""Stands for the ID of the scan before, which is known when it has been sent."""
