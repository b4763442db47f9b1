"""A simulated people counter: a counter module on a serial port, and people who pass its infrared beams.

    {"do": "pass", "direction": "in", "people": 1}    or "out"
    {"do": "restart"}                                 the module loses power for a moment: both counters begin at 0
    {"do": "set", "in": 4294967290, "out": 0}         what the counters show
    {"do": "silent", "on": true}                      it answers nothing
    {"do": "damage", "replies": 3}                    the next replies are damaged
    {"do": "noise", "hex": "00 11 13"}                bytes that nobody asked for
    {"do": "unplug"} {"do": "plug"} {"do": "state"}

It speaks as an ADAM-4080 does (`#AA0`, `#AA1`, `$AAM`, carriage return at the end; what is not for its address it does not hear).
Tells `{"event": "passed", "direction", "in", "out", "t"}`.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from firmware_sim.control import ControlError, ControlServer, commands
from firmware_sim.pty_port import PtyPort, Wire

__all__ = ["CounterSim", "run_counter"]

Json = dict[str, Any]
LINE_MAX_BYTES = 256
_READ = re.compile(r"#([0-9A-F]{2})([0-9A-Za-z])")
_NAME = re.compile(r"\$([0-9A-F]{2})M")
_DIRECTIONS = ("in", "out")


class CounterSim:
    """The module on its port. Needs a running loop; `close` when done."""

    def __init__(
        self,
        link: Path,
        tell: Callable[[Json], None],
        *,
        address: int = 1,
        baud: int | None = None,
        wire: Wire | None = None,
    ) -> None:
        self._tell, self._address = tell, f"{address:02X}"
        self.port = PtyPort(link, on_bytes=self._bytes, baud=baud, wire_out=wire)
        self.shown = dict.fromkeys(_DIRECTIONS, 0)
        self._line = bytearray()
        self._silent, self._to_damage, self.asked = False, 0, 0
        self.handle = commands(
            {
                "pass": self._pass,
                "restart": self._restart,
                "set": self._set,
                "silent": self._set_silent,
                "damage": self._damage,
                "noise": self._noise,
                "unplug": self._unplug,
                "plug": self._plug,
                "state": self._state,
            }
        )

    def close(self) -> None:
        self.port.close()

    # --- on the wire

    def _bytes(self, data: bytes) -> None:
        for byte in data:
            if byte != 0x0D:
                self._line.append(byte)
                del self._line[:-LINE_MAX_BYTES]
                continue
            line = self._line.decode("ascii", "replace")
            self._line.clear()
            answer = self._answer(line)
            if answer and not self._silent:
                self.port.write(self._damaged(answer.encode("ascii") + b"\r"))

    def _answer(self, line: str) -> str:
        if (read := _READ.fullmatch(line)) and read[1] == self._address:
            self.asked += 1
            if read[2] not in "01":
                return f"?{self._address}"
            return f">{self.shown[_DIRECTIONS[int(read[2])]]:08X}"
        if (name := _NAME.fullmatch(line)) and name[1] == self._address:
            return f"!{self._address}4080"
        return ""

    def _damaged(self, answer: bytes) -> bytes:
        if not self._to_damage:
            return answer
        self._to_damage -= 1
        return answer[:2] + b"\x7fx" + answer[4:]

    # --- commands

    def _pass(self, request: Json) -> Json:
        direction, people = request.get("direction", "in"), request.get("people", 1)
        if direction not in _DIRECTIONS:
            raise ControlError(f'"direction" is in or out, not {direction!r}')
        if not isinstance(people, int) or not 1 <= people <= 100_000:
            raise ControlError(f'"people" is a whole number from 1 to 100000, not {people!r}')
        self.shown[direction] = (self.shown[direction] + people) % 2**32
        self._tell({"event": "passed", "direction": direction, **self.shown, "t": time.monotonic()})
        return {"ok": True, **self.shown}

    def _restart(self, _request: Json) -> Json:
        self.shown = dict.fromkeys(_DIRECTIONS, 0)
        self._line.clear()
        return {"ok": True}

    def _set(self, request: Json) -> Json:
        for direction in _DIRECTIONS:
            value = request.get(direction, self.shown[direction])
            if not isinstance(value, int) or not 0 <= value < 2**32:
                raise ControlError(f'"{direction}" is a whole number from 0 to 4294967295, not {value!r}')
            self.shown[direction] = value
        return {"ok": True, **self.shown}

    def _set_silent(self, request: Json) -> Json:
        self._silent = bool(request.get("on", True))
        return {"ok": True}

    def _damage(self, request: Json) -> Json:
        self._to_damage = int(request.get("replies", 1))
        return {"ok": True}

    def _noise(self, request: Json) -> Json:
        try:
            self.port.write(bytes.fromhex(request.get("hex", "")))
        except (ValueError, TypeError) as error:
            raise ControlError(f"noise is hexadecimal bytes: {error}") from error
        return {"ok": True}

    def _unplug(self, _request: Json) -> Json:
        self.port.unplug()
        return {"ok": True}

    def _plug(self, _request: Json) -> Json:
        self.port.plug()
        return {"ok": True}

    def _state(self, _request: Json) -> Json:
        return {"plugged": self.port.plugged, **self.shown, "asked": self.asked}


async def run_counter(link: Path, control: Path, *, address: int = 1, baud: int | None = None) -> None:
    """A people counter whose port appears at `link`, commanded at the socket `control`, until cancelled."""
    server = ControlServer(control, lambda request: sim.handle(request))
    sim = CounterSim(link, server.broadcast, address=address, baud=baud)
    try:
        async with server:
            sim.port.plug()
            await asyncio.Event().wait()
    finally:
        sim.close()
