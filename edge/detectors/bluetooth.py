"""From advertisements to sightings: the scanner on one side, the agent's node on the other, `edge.presence` between them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Iterable
from datetime import timedelta
from itertools import islice

import structlog

from config.edge_settings import BeaconSettings
from contract.payloads import Sighting, SightingKind
from delivery.engine import Tx
from delivery.node import Node
from devices.beacon_scanner import Advert
from devices.pulse import Pulse
from edge.presence import Arrived, Event, Left, Moved, Presence, PresenceSettings

log = structlog.get_logger()

ADVERTS_MAX = 10_000
"""Advertisements waiting for a turn of the loop: seconds of the fullest radio. More are dropped and counted."""
SLICE = 128
"""Advertisements in one turn of the loop, some 2 ms: lanes have work in it too."""
EVENTS_PER_S, EVENTS_BURST = 500.0, 2000.0
"""Presence events that are told. A full store makes some tens a second; more is a flood of made-up beacons, and what it takes
to write and send those is taken from the lanes."""
DISK_RETRY_S = 0.5
UNTOLD_MAX = 10_000
"""Events waiting for a database that takes no transaction, or for their turn. The oldest are dropped and counted."""
EVENTS_AT_ONCE = 50
"""Events in one transaction, some 3 ms."""
SOON_S = 0.02
"""Until the next events are told when there are too many."""


class Sightings:
    """`on_advert` only enqueues: it is called from the radio library, which swallows what it raises."""

    def __init__(self, settings: BeaconSettings, node: Node) -> None:
        self._node = node
        self._heartbeat = settings.heartbeat
        self.presence = Presence(
            PresenceSettings(enter_rssi_dbm=settings.enter_rssi_dbm, silence_min_s=settings.leave_after_s)
        )
        self.dropped = self.dropped_events = 0
        self.pulse = Pulse()
        self._adverts: deque[Advert] = deque()
        self._untold: deque[Event] = deque()
        self._failing = False
        self._allowance, self._allowance_at = EVENTS_BURST, 0.0
        self._wake = asyncio.Event()

    def on_advert(self, advert: Advert) -> None:
        """One advertisement. The store's own heartbeat beacon is nobody's."""
        if advert.beacon_id == self._heartbeat:
            return
        if len(self._adverts) >= ADVERTS_MAX:
            self.dropped += 1
            return
        self._adverts.append(advert)
        self._wake.set()

    def poke(self) -> None:
        """Make the loop go round once, also without work."""
        self._wake.set()

    def shed(self) -> dict[str, int]:
        """What was dropped because there was no room for it."""
        return {"dropped_adverts": self.dropped, "dropped_events": self.dropped_events}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self.pulse.beat("sightings")
            await self._wait()
            now = self._node.engine.clock.monotonic()
            for _ in range(min(SLICE, len(self._adverts))):
                advert = self._adverts.popleft()
                self._keep(self.presence.advert(advert.beacon_id, advert.rssi_dbm, advert.measured_power_dbm, advert.t))
            self._keep(self.presence.tick(now))
            if self._untold:
                self._tell()

    def _keep(self, events: Iterable[Event]) -> None:
        self._untold.extend(events)
        while len(self._untold) > UNTOLD_MAX:
            self._untold.popleft()
            self.dropped_events += 1

    async def _wait(self) -> None:
        if self._adverts:
            await asyncio.sleep(0)
            return
        self._wake.clear()
        deadline = self.presence.next_deadline()
        wait_s = None if deadline is None else max(0.0, deadline - self._node.engine.clock.monotonic())
        if self._untold:
            wait_s = DISK_RETRY_S if self._failing else SOON_S
        try:
            async with asyncio.timeout(wait_s):
                await self._wake.wait()
        except TimeoutError:
            pass  # somebody may have left

    def _tell(self) -> None:
        now = self._node.engine.clock.monotonic()
        allowance = min(EVENTS_BURST, self._allowance + (now - self._allowance_at) * EVENTS_PER_S)
        self._allowance, self._allowance_at = allowance, now
        count = min(len(self._untold), int(allowance), EVENTS_AT_ONCE)
        if not count:
            return
        # Sightings are saved by the engine, in groups; but a transaction may also find a disk that fails.
        try:
            with self._node.transaction() as tx:
                for event in islice(self._untold, count):
                    tx.send("sighting", sighting(event, tx))
        except sqlite3.Error as error:
            if not self._failing:
                log.error("sightings wait: the database takes no transaction", error=str(error))
            self._failing = True
            return
        self._failing = False
        self._allowance -= count
        for _ in range(count):
            self._untold.popleft()


def sighting(event: Event, tx: Tx) -> Sighting:
    """The message of a presence event. `heard` is the wall's time of the advertisement that led to it."""
    match event:
        case Arrived() | Moved():
            heard = tx.utc - timedelta(seconds=max(0.0, tx.now - event.t))
            kind = SightingKind.ARRIVED if isinstance(event, Arrived) else SightingKind.MOVED
            return Sighting(beacon=event.beacon_id, event=kind, rssi_dbm=event.rssi_dbm,
                            distance_m=min(1000.0, event.distance_m), zone=event.zone.value, heard=heard)  # fmt: skip
        case Left():
            heard = tx.utc - timedelta(seconds=max(0.0, tx.now - event.last_seen))
            return Sighting(beacon=event.beacon_id, event=SightingKind.LEFT, heard=heard)
