"""The far ends of the demo's wires: a connection to each simulator that outlives its restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from firmware_sim.control import ControlClient, ControlError

RETRY_S = 0.2


class Simulator:
    """`on_event(name, event)` for what it tells; `on_up()` whenever a (new) process of it is there."""

    def __init__(self, name: str, socket: Path, on_event: Callable[[str, dict[str, Any]], None],
                 on_up: Callable[[Simulator], Any] | None = None) -> None:  # fmt: skip
        self.name, self._socket = name, socket
        self._on_event, self._on_up = on_event, on_up
        self._client: ControlClient | None = None
        self.there = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            client = ControlClient(self._socket)
            try:
                await client.open(timeout_s=1.0)
                self._client = client
                self.there.set()
                if self._on_up is not None:
                    await self._on_up(self)
                await self._listen(client)
            except ControlError:
                pass  # not there (yet, or any more): tried again
            finally:
                self.there.clear()
                self._client = None
                await client.close()
            await asyncio.sleep(RETRY_S)

    async def _listen(self, client: ControlClient) -> None:
        while not client.closed:
            try:
                async with asyncio.timeout(0.5):
                    event = await client.events.get()
            except TimeoutError:
                continue
            self._on_event(self.name, event)

    async def call(self, request: dict[str, Any]) -> dict[str, Any]:
        """The reply; `{"error": …}` when the simulator is not there or does not answer."""
        if self._client is None:
            return {"error": f"{self.name} is not running"}
        try:
            return await self._client.call(request)
        except ControlError as error:
            return {"error": str(error)}
