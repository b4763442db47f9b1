"""The agent's detection: asks every detector in turn, and tells the hub what they noticed."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

import structlog

from delivery.engine import Tx
from delivery.node import Node
from devices.pulse import Pulse
from edge.detectors.detector import AT_ONCE, Detector, Event, send

log = structlog.get_logger()

EVENTS_PER_S, EVENTS_BURST = 500.0, 2000.0
"""Events that are told. A full store makes some tens a second; more is a flood of made-up beacons, and what it takes to write and
send those is taken from the lanes."""
DISK_RETRY_S = 0.5
UNTOLD_MAX = 10_000
"""Events waiting for a database that takes no transaction, or for their turn. The oldest are dropped and counted."""
EVENTS_AT_ONCE = 50
"""Events in one transaction, some 3 ms."""
SOON_S = 0.02
"""Until the next events are told when there are too many."""


class Detection:
    """`run` until cancelled. `also(event, tx)` is called in the transaction in which an event is told."""

    def __init__(
        self, detectors: Sequence[Detector], node: Node, also: Callable[[Event, Tx], None] = lambda *_: None
    ) -> None:
        self.detectors = detectors
        self._node, self._also = node, also
        self.dropped_events = 0
        self.pulse = Pulse()
        self._untold: deque[Event] = deque()
        self._failing = False
        self._allowance, self._allowance_at = EVENTS_BURST, 0.0
        self._wake = asyncio.Event()

    def poke(self) -> None:
        """Make the loop go round once: there is something new, or somebody looks whether it does."""
        self._wake.set()

    def shed(self) -> int:
        """Advertisements and events that found no room."""
        return self.dropped_events + sum(each.counted().get("dropped_adverts", 0) for each in self.detectors)

    async def run(self) -> None:
        while True:
            self.pulse.beat("detection")
            await self._wait()
            now = self._node.engine.clock.monotonic()
            for detector in self.detectors:
                self._untold.extend(detector.step(now))
            while len(self._untold) > UNTOLD_MAX:
                self._untold.popleft()
                self.dropped_events += 1
            if self._untold:
                self._tell()

    async def _wait(self) -> None:
        due = min((at for each in self.detectors if (at := each.due()) is not None), default=None)
        if due == AT_ONCE:
            await asyncio.sleep(0)
            return
        self._wake.clear()
        wait_s = None if due is None else max(0.0, due - self._node.engine.clock.monotonic())
        if self._untold:
            wait_s = DISK_RETRY_S if self._failing else SOON_S
        # Somebody may have left then. A bare timer: a time-out costs more, and adverts come all the time.
        timer = None if wait_s is None else asyncio.get_running_loop().call_later(wait_s, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            if timer is not None:
                timer.cancel()

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
                    send(event, tx)
                    self._also(event, tx)
        except sqlite3.Error as error:
            if not self._failing:
                log.error("sightings wait: the database takes no transaction", error=str(error))
            self._failing = True
            return
        self._failing = False
        self._allowance -= count
        for _ in range(count):
            self._untold.popleft()
