"""The far ends of the lanes' wires, `python -m bench.lane_hardware FOLDER LANE …`: a reader and a gate for each lane.

The simulators of `firmware_sim` as they are, in one process instead of two for each lane, at the 115,200 baud that the
devices have; the flaps move faster than real ones, so that a run has more scans: what is measured is over before they move.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop

from firmware_sim.control import ControlServer
from firmware_sim.gate import GateSim
from firmware_sim.reader import ReaderSim

BAUD = 115_200
MOVE_S = 0.05


async def run(folder: Path, lanes: list[str]) -> None:
    """Until cancelled. Ports are `dev/reader-<lane>` and `dev/gate-<lane>`, commands go to `sim/….sock`."""
    async with AsyncExitStack() as stack:
        for lane in lanes:
            await _reader(stack, folder, f"reader-{lane}")
            await _gate(stack, folder, f"gate-{lane}")
        await asyncio.Event().wait()


async def _reader(stack: AsyncExitStack, folder: Path, name: str) -> None:
    server = ControlServer(folder / f"sim/{name}.sock", lambda request: sim.handle(request))
    sim = ReaderSim(folder / f"dev/{name}", server.broadcast, baud=BAUD)
    await stack.enter_async_context(server)
    stack.callback(sim.close)
    sim.port.plug()


async def _gate(stack: AsyncExitStack, folder: Path, name: str) -> None:
    server = ControlServer(folder / f"sim/{name}.sock", lambda request: sim.handle(request))
    sim = GateSim(folder / f"dev/{name}", server.broadcast, baud=BAUD, move_s=MOVE_S)
    await stack.enter_async_context(server)
    stack.callback(sim.close)
    sim.port.plug()


if __name__ == "__main__":
    uvloop.run(run(Path(sys.argv[1]), sys.argv[2:]))
