"""A simulated keypad: a serial port that sends a byte for each key that is pressed.

    {"do": "type", "keys": "1234#"}            presses these keys, "every_s" (0.05) apart
    {"do": "bounce", "key": "5"}               one press that the contact makes twice
    {"do": "noise", "hex": "00 ff 11"}         bytes that no key makes; or "bytes": 20, "seed": 1
    {"do": "unplug"} {"do": "plug"} {"do": "state"}

Tells `{"event": "typed", "keys": …, "t": …}` when the last byte has left the wire.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from firmware_sim.control import ControlError, ControlServer, commands
from firmware_sim.pty_port import PtyPort, Wire

__all__ = ["KeypadSim", "run_keypad"]

Json = dict[str, Any]
KEYS = frozenset("0123456789*#ABCD\r\n\x08")
KEYS_MAX = 1000
NOISE = bytes(byte for byte in range(256) if chr(byte) not in KEYS and byte not in (0x1B,))


class KeypadSim:
    """The keypad itself. `tell(event)` gets its events. Needs a running loop; `close` when done."""

    def __init__(
        self, link: Path, tell: Callable[[Json], None], *, baud: int | None = None, wire: Wire | None = None
    ) -> None:
        self._tell, self._pressed = tell, 0
        self.port = PtyPort(link, on_bytes=lambda _: None, baud=baud, wire_out=wire)
        self.handle = commands(
            {
                "type": self._type,
                "bounce": self._bounce,
                "noise": self._noise,
                "unplug": self._unplug,
                "plug": self._plug,
                "state": self._state,
            }
        )

    def close(self) -> None:
        self.port.close()

    async def _type(self, request: Json) -> Json:
        keys, every_s = request.get("keys"), float(request.get("every_s", 0.05))
        if not isinstance(keys, str) or not keys or not set(keys) <= KEYS or len(keys) > KEYS_MAX:
            raise ControlError(f'"keys" are 1 to {KEYS_MAX} of 0-9, A-D, * (clear) and # (enter), not {keys!r}')
        self._need_port()
        for key in keys:
            self.port.write(key.encode("ascii"))
            await self.port.drain()
            await asyncio.sleep(max(0.0, every_s))
        self._pressed += len(keys)
        self._tell({"event": "typed", "keys": keys, "t": time.monotonic()})
        return {"ok": True}

    async def _bounce(self, request: Json) -> Json:
        key = request.get("key", "5")
        if not isinstance(key, str) or len(key) != 1 or key not in KEYS:
            raise ControlError(f'"key" is one key, not {key!r}')
        self._need_port()
        for _ in range(2):
            self.port.write(key.encode("ascii"))
            await self.port.drain()
            await asyncio.sleep(0.005)
        return {"ok": True}

    def _noise(self, request: Json) -> Json:
        try:
            data, count = bytes.fromhex(request.get("hex", "")), int(request.get("bytes", 20))
        except (ValueError, TypeError) as error:
            raise ControlError(f"noise is hexadecimal bytes, or a number of them: {error}") from error
        self._need_port()
        dice = random.Random(request.get("seed", 0))
        self.port.write(data or bytes(dice.choices(NOISE, k=min(count, 100_000))))
        return {"ok": True}

    def _unplug(self, _request: Json) -> Json:
        self.port.unplug()
        return {"ok": True}

    def _plug(self, _request: Json) -> Json:
        self.port.plug()
        return {"ok": True}

    def _state(self, _request: Json) -> Json:
        return {"plugged": self.port.plugged, "pressed": self._pressed}

    def _need_port(self) -> None:
        if not self.port.plugged:
            raise ControlError('the keypad is unplugged: {"do": "plug"} first')


async def run_keypad(link: Path, control: Path, *, baud: int | None = None) -> None:
    """A keypad whose port appears at `link`, commanded at the socket `control`, until cancelled."""
    server = ControlServer(control, lambda request: sim.handle(request))
    sim = KeypadSim(link, server.broadcast, baud=baud)
    try:
        async with server:
            sim.port.plug()
            await asyncio.Event().wait()
    finally:
        sim.close()
