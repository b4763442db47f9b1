"""An agent whose radio floods: `python -m tests.operations.flood_agent SETTINGS RATE DISTINCT`, for `tests.operations.flood`.

The advertisements come in where bleak hands them over: parsing, queues, presence and delivery are the agent's own.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from config.edge_settings import load_edge
from devices.advert_frames import APPLE, IBEACON_HEAD
from devices.beacon_scanner import BeaconScanner
from devices.status import PowerState
from edge.agent import Agent, World
from edge.metrics import Metrics
from edge.metrics_server import MetricsServer

STEP_S = 0.01
CUSTOMER_EVERY_S, CUSTOMER_ADVERT_S, CUSTOMER_DBM = 0.5, 0.3, -62
"""Meanwhile customers come in, one after the other and each with one beacon, at 2 m; they stay."""
_HEAD = IBEACON_HEAD + bytes(range(16))
CUSTOMERS_HEAD = IBEACON_HEAD + bytes(range(16, 32))
_POWER = (-59).to_bytes(1, "big", signed=True)


class FloodScanner(BeaconScanner):
    """`rate` advertisements a second of `distinct` beacons in turn, all of them near, from when SIGUSR1 comes."""

    rate, distinct = 0, 1
    begin: asyncio.Event
    sent = 0

    async def run(self) -> None:
        self._tell(PowerState.ONLINE, "", frozenset())
        device = BLEDevice("00:11:22:33:44:55", None, {})
        loop = asyncio.get_running_loop()
        while not self.begin.is_set():
            self.pulse.beat("scan")
            await asyncio.sleep(STEP_S)
        began = loop.time()
        next_at: list[float] = []
        while True:
            self.pulse.beat("scan")
            self._customers(device, loop.time() - began, next_at)
            due = int((loop.time() - began) * self.rate)
            for n in range(self.sent, due):
                beacon = n % self.distinct
                frame = _HEAD + (beacon >> 16).to_bytes(2, "big") + (beacon & 0xFFFF).to_bytes(2, "big") + _POWER
                self._heard(device, AdvertisementData(None, {APPLE: frame}, {}, [], None, -50, ()))
            self.sent = due
            await asyncio.sleep(STEP_S)

    def _customers(self, device: BLEDevice, at_s: float, next_at: list[float]) -> None:
        """`next_at`: when each is heard next, in seconds since the flood began."""
        if at_s >= (len(next_at) + 2) * CUSTOMER_EVERY_S:
            next_at.append(at_s)
        for number, due in enumerate(next_at):
            if at_s >= due:
                next_at[number] = due + CUSTOMER_ADVERT_S
                frame = CUSTOMERS_HEAD + number.to_bytes(4, "big") + _POWER
                self._heard(device, AdvertisementData(None, {APPLE: frame}, {}, [], None, CUSTOMER_DBM, ()))


async def main(file: Path, rate: int, distinct: int) -> None:
    begin = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, begin.set)
    task = asyncio.current_task()
    assert task is not None
    loop.add_signal_handler(signal.SIGTERM, task.cancel)

    def scanner(*args: Any) -> FloodScanner:
        made = FloodScanner(*args)
        made.rate, made.distinct, made.begin = rate, distinct, begin
        return made

    settings = load_edge(file)
    agent = Agent(settings, file, world=World(scanner=scanner))
    assert settings.metrics is not None
    metrics = Metrics(agent)
    async with MetricsServer(settings.metrics.host, settings.metrics.port, metrics.text, lambda: (True, {})):
        try:
            await agent.run()
        except asyncio.CancelledError:
            pass  # told to stop


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
