"""An agent that is cut off until SIGUSR1 comes: `python -m tests.operations.absence_agent SETTINGS FIRST COUNT EVERY_S`.

All of it is the product's; only its connection waits, and its radio is simulated: from the signal on a new customer, numbers
FIRST …, comes every EVERY_S seconds, and a line `number monotonic-seconds` on standard output says when she was heard.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path
from typing import Any

import uvloop

from bench.edge_core import advert
from bench.store import beacon
from config.edge_settings import load_edge
from delivery.link import Link
from devices.beacon_scanner import BeaconScanner
from devices.status import PowerState
from edge.agent import Agent, World

STEP_S = 0.02


async def main(file: Path, first: int, count: int, every_s: float) -> None:
    back = asyncio.Event()
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, back.set)
    loop.add_signal_handler(signal.SIGTERM, task.cancel)

    class CutOff(Link):
        async def run(self) -> None:
            await back.wait()
            await super().run()

    class Radio(BeaconScanner):
        async def run(self) -> None:
            self._tell(PowerState.ONLINE, "", frozenset())
            due = 0.0
            for number in range(first, first + count):
                while not back.is_set() or time.monotonic() < due:
                    self.pulse.beat("scan")
                    await asyncio.sleep(STEP_S)
                due = time.monotonic() + every_s
                self._on_advert(advert(beacon(number), time.monotonic()))
                print(number, time.monotonic(), flush=True)
            while True:
                self.pulse.beat("scan")
                await asyncio.sleep(STEP_S)

    def radio(*args: Any) -> Radio:
        return Radio(*args)

    agent = Agent(load_edge(file), file, world=World(link=CutOff, scanner=radio))
    try:
        await agent.run()
    except asyncio.CancelledError:
        pass  # told to stop


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
