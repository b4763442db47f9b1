"""A simulated display of a lane: it opens the lane's stream of views as the page in the kiosk does, and stays on it.

`on_view(view)` hears each view (plain JSON, see the agent's display). A stream that breaks is opened again after a moment.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

__all__ = ["Kiosk"]

AGAIN_S = 0.5
SILENT_S = 4.0
"""The agent beats every second; the page says after this time that its connection is lost."""
LINE_MAX_BYTES = 1 << 18


class Kiosk:
    """The display of one lane of the agent at a port of this machine."""

    def __init__(self, port: int, lane: str, on_view: Callable[[dict[str, Any]], None]) -> None:
        self._port, self._lane, self._on_view = port, lane, on_view
        self.views = 0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._watch()
            except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
                pass  # the agent is not there, or has gone: opened again
            await asyncio.sleep(AGAIN_S)

    async def _watch(self) -> None:
        async with asyncio.timeout(SILENT_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=LINE_MAX_BYTES)
        try:
            writer.write(f"GET /lane/{self._lane}/events HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n\r\n".encode())
            await self._listen(reader)
        finally:
            writer.close()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        event = ""
        while True:
            async with asyncio.timeout(SILENT_S):
                line = (await reader.readuntil(b"\n")).decode().rstrip("\r\n")
            if not line:
                event = ""
            elif line.startswith("event:"):
                event = line.removeprefix("event:").strip()
            elif line.startswith("data:") and not event:
                self.views += 1
                self._on_view(json.loads(line.removeprefix("data:")))
