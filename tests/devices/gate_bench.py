"""A simulated gate and its driver, with queues of what it told."""

from __future__ import annotations

import asyncio
import contextlib

from devices.gate import Gate, GateSettings
from devices.status import PowerState
from firmware_sim.gate import GateSim

FAST = GateSettings(poll_s=0.005, reply_s=0.05)


class Driven:
    """A gate driver at `link`, with queues of what it told."""

    def __init__(self, link, settings=FAST, known=None):
        self.events = asyncio.Queue()
        self.statuses = asyncio.Queue()
        self.opened_at = []
        self.gate = Gate(
            link,
            settings,
            self.events.put_nowait,
            self.statuses.put_nowait,
            known=known,
            on_wire_open=self.opened_at.append,
        )
        self.task = asyncio.create_task(self.gate.run())

    async def event(self, kind, timeout_s=30.0):
        async with asyncio.timeout(timeout_s):
            while not isinstance(event := await self.events.get(), kind):
                pass
        return event

    async def all_of(self, *kinds):
        """One event of each kind, in any order."""
        found = {}
        async with asyncio.timeout(30):
            while found.keys() != set(kinds):
                event = await self.events.get()
                if type(event) in kinds:
                    found[type(event)] = event
        return found

    async def status(self, wanted, timeout_s=30.0):
        async with asyncio.timeout(timeout_s):
            while not wanted(status := await self.statuses.get()):
                pass
        return status

    async def online(self):
        return await self.status(lambda s: s.power is PowerState.ONLINE)

    async def offline(self):
        return await self.status(lambda s: s.power is PowerState.OFF_OFFLINE)

    async def stop(self):
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


@contextlib.asynccontextmanager
async def lane(tmp_path, settings=FAST, known=None, move_s=0.02, **sim_options):
    """A simulated gate and its driver, up and answering."""
    told = []
    sim = GateSim(tmp_path / "gate", told.append, move_s=move_s, **sim_options)
    sim.told = told
    sim.port.plug()
    driven = Driven(tmp_path / "gate", settings, known)
    try:
        await driven.online()
        yield driven, sim
    finally:
        await driven.stop()
        sim.close()
