"""A WebSocket between a member's terminal and the hub, in place of Starlette's: in order, and lost with everything on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

from starlette.websockets import WebSocketState

from hub.members.secrets import COOKIE
from simulation.loop import Process
from simulation.network import HOP_S, SILENCE_S

HOST = "hub.simulated"


class SimSocket:
    """The hub's end is used by `hub.members.gateway`, the terminal's end by `said` (a frame came) and `ended`."""

    def __init__(self, process: Process, rng: Random, session: str, said: Callable[[str], None]) -> None:
        self.headers = {"origin": f"https://{HOST}", "host": HOST}
        self.cookies = {COOKIE: session}
        self.application_state = WebSocketState.CONNECTED
        self.dark = False
        """Nothing gets through, and nobody knows yet."""
        self.ended = asyncio.Event()
        self.code: int | None = None
        self._process, self._rng, self._said = process, rng, said
        self._events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._free_up = self._free_down = 0.0
        process.on_kill.append(self._reset)

    # --- the hub's end

    async def accept(self) -> None:
        """The handshake."""

    async def receive(self) -> dict[str, Any]:
        return await self._events.get()

    async def send_text(self, frame: str) -> None:
        if self.ended.is_set():
            raise RuntimeError("this connection has ended")
        if not self.dark:
            loop, at = self._process.loop, self._next("_free_down")
            loop.call_at(at, self._arrives, frame, context=loop.outside)

    async def close(self, code: int = 1000) -> None:
        self.application_state = WebSocketState.DISCONNECTED
        self.code = code
        self._events.put_nowait({"type": "websocket.disconnect"})
        self._end()

    # --- the terminal's end

    def say(self, frame: str) -> None:
        """A frame of the terminal."""
        if not self.ended.is_set() and not self.dark:
            self._process.soon(self._hears, {"type": "websocket.receive", "text": frame},
                               after_s=self._next("_free_up") - self._process.loop.time())  # fmt: skip

    def hang_up(self, *, silently: bool) -> None:
        """The terminal is gone. `silently`: out of range, so that the hub notices after a while."""
        if self.ended.is_set() or self.dark:
            return
        self.dark = silently
        self._process.soon(self._hears, {"type": "websocket.disconnect"}, after_s=SILENCE_S if silently else HOP_S[1])
        self._end()

    # --- between them

    def _next(self, way: str) -> float:
        """When what is said now arrives: after all before it."""
        low, high = HOP_S
        at: float = max(getattr(self, way), self._process.loop.time() + low + self._rng.random() * (high - low))
        setattr(self, way, at)
        return at

    def _hears(self, event: dict[str, Any]) -> None:
        if self.application_state is WebSocketState.CONNECTED:
            self._events.put_nowait(event)

    def _arrives(self, frame: str) -> None:
        if not self.ended.is_set():
            self._said(frame)

    def _reset(self) -> None:
        loop = self._process.loop
        loop.call_later(HOP_S[1], self._end, context=loop.outside)

    def _end(self) -> None:
        self.ended.set()
