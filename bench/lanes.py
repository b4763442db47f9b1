"""Scans at real agents: from the last byte of an exit code on the reader's line to the open command on the gate's."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bench.client import BareClient
from bench.store import STORE, BenchError, BenchStore
from delivery.link import Address
from firmware_sim.control import ControlClient

READY_S = 30.0
PULSE_S = 5.0
CYCLE_S = 5.0
_Event = dict[str, Any]


class Lane:
    """One lane's two simulators. `scan` takes about half a second: the person has to get through."""

    def __init__(self, store: BenchStore, name: str) -> None:
        self.reader = ControlClient(store.path(f"sim/reader-{name}.sock"))
        self.gate = ControlClient(store.path(f"sim/gate-{name}.sock"))
        self.name = name

    async def open(self) -> None:
        await self.reader.open(READY_S)
        await self.gate.open(READY_S)

    async def close(self) -> None:
        await self.reader.close()
        await self.gate.close()

    async def present(self, code: str) -> float:
        """Hold a code before the reader; seconds until the gate has the command to open. Raises BenchError."""
        await self.reader.call({"do": "present", "code": code})
        try:
            sent = await self.reader.event("sent", PULSE_S)
            pulse = await self.gate.event("pulse", PULSE_S)
        except TimeoutError:
            raise BenchError(f"lane {self.name} did not open within {PULSE_S:g} s") from None
        return float(pulse["t"]) - float(sent["t"])

    async def pass_through(self) -> None:
        """The customer walks; returns when the gate has closed behind her. Raises BenchError."""
        walked = await self.gate.call({"do": "walk", "wait_s": CYCLE_S})
        if not walked.get("passed"):
            raise BenchError(f"nobody got through lane {self.name}: {walked}")
        await self.gate.event("closed", CYCLE_S)


class Lanes:
    """Several lanes in turn, one scan on its way at a time."""

    def __init__(self, lanes: list[Lane]) -> None:
        self._lanes = lanes
        self._turn = asyncio.Lock()

    async def scan(self, codes: list[str], until: float) -> list[float]:
        """Scans until a monotonic time or until the codes are used up; the seconds of each."""
        found: list[float] = []
        waiting = list(reversed(codes))

        async def one_lane(lane: Lane) -> None:
            while True:
                async with self._turn:
                    if not waiting or (found and time.monotonic() >= until):
                        return
                    found.append(await lane.present(waiting.pop()))
                await lane.pass_through()

        async with asyncio.TaskGroup() as tasks:
            for lane in self._lanes:
                tasks.create_task(one_lane(lane), name=f"lane {lane.name}")
        return found


@asynccontextmanager
async def running_lanes(
    store: BenchStore, agents: dict[str, tuple[str, ...]], observer: Address
) -> AsyncIterator[Lanes]:
    """Start these agents with these lanes, and the hardware; ready when every device is. Raises BenchError."""
    names = [lane for lanes in agents.values() for lane in lanes]
    wanted = {
        f"{agent}/{kind}-{lane}" for agent, lanes in agents.items() for lane in lanes for kind in ("reader", "gate")
    }
    ready = asyncio.Event()

    def on_status(topic: str, payload: bytes) -> None:
        _, _, _, agent, _, device, _ = topic.split("/")
        if json.loads(payload)["data"]["power"] == "online":
            wanted.discard(f"{agent}/{device}")
        if not wanted:
            ready.set()

    watcher = BareClient(observer, on_status)
    lanes = [Lane(store, name) for name in names]
    try:
        await watcher.open((f"instore/{STORE}/agent/+/device/+/status", 1))
        store.start("lane-hardware", "-m", "bench.lane_hardware", str(store.folder), *names)
        for agent, own in agents.items():
            store.start(agent, "-m", "instore", "edge", "--config", str(store.write_agent(agent, own)))
        for lane in lanes:
            await lane.open()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READY_S):
                await ready.wait()
        if wanted:
            told = "; ".join(f"{agent} said: {store.said(agent)}" for agent in agents)
            raise BenchError(f"not online within {READY_S:g} s: {', '.join(sorted(wanted))}; {told}")
        yield Lanes(lanes)
    finally:
        for lane in lanes:
            await lane.close()
        await watcher.close()
