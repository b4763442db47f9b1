"""The retained states of an agent and of its devices: said when they change, and again on every connection.

Drivers only leave a state here and go on: a disk that fails, or a connection that is away, is no business of theirs. States
that follow each other faster than they can be said are said once, the newest.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping

import structlog

from contract.payloads import AgentStatus, DeviceStatus
from delivery.engine import Tx
from delivery.node import Node
from devices.pulse import Pulse
from devices.status import DeviceStatus as Told

log = structlog.get_logger()

DISK_RETRY_S = 0.5
COUNTERS_MAX = 64


class Announcer:
    """`device` may be called from any driver at any time. `run` says what changed."""

    def __init__(self, status: AgentStatus) -> None:
        self._status = status
        self.devices: dict[str, DeviceStatus] = {}
        self._more: dict[str, Mapping[str, int]] = {}
        self._changed: set[str] = set()
        self._wake = asyncio.Event()
        self.pulse = Pulse()

    def device(self, name: str, category: str, told: Told) -> None:
        """A device's state, from its driver."""
        self._set(name, DeviceStatus.model_validate(
            {"category": category, "power": told.power.value, "flags": sorted(told.flags), "reason": told.reason[:500],
             "counters": self._with_more(name, told.counters)}
        ))  # fmt: skip

    def counters(self, name: str, more: Mapping[str, int]) -> None:
        """Counters of what the agent made of a device's input, shown beside the driver's own."""
        self._more[name] = dict(more)
        told = self.devices.get(name)
        if told is not None:
            self._set(name, told.model_copy(update={"counters": self._with_more(name, told.counters)}))

    def _with_more(self, name: str, counters: Mapping[str, int]) -> dict[str, int]:
        found = {**counters, **self._more.get(name, {})}
        return dict(list(found.items())[:COUNTERS_MAX])

    def _set(self, name: str, status: DeviceStatus) -> None:
        if self.devices.get(name) != status:
            self.devices[name] = status
            self._changed.add(name)
            self._wake.set()

    def everything(self, tx: Tx) -> None:
        """Say all of it: what a broker retained may be older than we are."""
        tx.send("agent_status", self._status)
        for name, status in self.devices.items():
            tx.send("device_status", status, device=name)

    def poke(self) -> None:
        """Make the loop go round once, also without work."""
        self._wake.set()

    async def run(self, node: Node) -> None:
        """Until cancelled."""
        while True:
            self.pulse.beat("announcer")
            await self._wake.wait()
            self._wake.clear()
            names, self._changed = self._changed, set()
            if not names:
                continue
            try:
                with node.transaction() as tx:
                    for name in sorted(names):
                        tx.send("device_status", self.devices[name], device=name)
            except sqlite3.Error as error:
                log.error("the state of devices can't be told; is the disk full?", error=str(error))
                self._changed |= names
                self._wake.set()
                await asyncio.sleep(DISK_RETRY_S)
