"""A simulated QR code reader: a serial port that sends what is held in front of it.

    {"do": "present", "code": "…"}             reads the code once; "encoding": "cp932" sends Shift_JIS
    {"do": "hold", "code": "…", "for_s": 2}    reads it every "every_s" (0.25) while it is held
    {"do": "away"}                             takes a held code away
    {"do": "half", "code": "…"}                half a frame, as a reader unplugged in mid-code leaves
    {"do": "noise", "bytes": 20, "seed": 1}    control bytes as a loose plug makes; or "hex": "00 11 13"
    {"do": "flood", "bytes": 10000}            one endless line without a terminator, then a terminator
    {"do": "unplug"} {"do": "plug"} {"do": "state"}

Tells `{"event": "sent", "code": …, "t": …}` when the last byte of a code has left the wire.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from functools import reduce
from operator import xor
from pathlib import Path
from typing import Any

from firmware_sim.control import ControlError, ControlServer, commands
from firmware_sim.pty_port import PtyPort, Wire

__all__ = ["FRAMINGS", "ReaderSim", "encode", "run_reader"]

Json = dict[str, Any]

STX, ETX = b"\x02", b"\x03"
FRAMINGS = ("cr", "lf", "crlf", "stx_etx", "stx_etx_bcc")
_ENDS = {"cr": b"\r", "lf": b"\n", "crlf": b"\r\n"}
NOISE = bytes([0x00, 0x01, 0x04, 0x06, 0x07, 0x11, 0x13, 0x15, 0x7F])  # no byte of it can start or end a frame
FLOOD_LIMIT_BYTES = 200_000


def encode(data: bytes, framing: str) -> bytes:
    """`data` as the reader sends it; `framing` is one of `FRAMINGS`."""
    if framing in _ENDS:
        return data + _ENDS[framing]
    checked = data + ETX
    return STX + checked + (bytes([reduce(xor, checked)]) if framing == "stx_etx_bcc" else b"")


class ReaderSim:
    """The reader itself. `tell(event)` gets its events. Needs a running loop; `close` when done."""

    def __init__(
        self,
        link: Path,
        tell: Callable[[Json], None],
        *,
        framing: str = "cr",
        aim: bool = False,
        baud: int | None = None,
        wire: Wire | None = None,
    ) -> None:
        if framing not in FRAMINGS:
            raise ControlError(f"unknown framing {framing!r}; known are {', '.join(FRAMINGS)}")
        self._framing, self._aim, self._tell = framing, aim, tell
        self.port = PtyPort(link, on_bytes=self._command, baud=baud, wire_out=wire)
        self._held: asyncio.Task[None] | None = None
        self._sent = 0
        self.handle = commands(
            {
                "present": self._present,
                "hold": self._hold,
                "away": self._away,
                "half": self._half,
                "noise": self._noise,
                "flood": self._flood,
                "unplug": self._unplug,
                "plug": self._plug,
                "state": self._state,
            }
        )

    def close(self) -> None:
        self._away({})
        self.port.close()

    def _command(self, data: bytes) -> None:
        """Configuration commands differ by make and need no answer; this reader ignores them."""

    def _frame(self, request: Json) -> bytes:
        code, encoding = request.get("code"), request.get("encoding", "utf-8")
        if not isinstance(code, str) or not code:
            raise ControlError('a code is missing: {"do": "present", "code": "…"}')
        try:
            data = code.encode(encoding)
        except (UnicodeEncodeError, LookupError) as error:
            raise ControlError(f"the code cannot be sent as {encoding}: {error}") from error
        return encode((b"]Q1" if self._aim else b"") + data, self._framing)

    async def _send(self, code: str, frame: bytes) -> None:
        self.port.write(frame)
        await self.port.drain()
        self._sent += 1
        self._tell({"event": "sent", "code": code, "t": time.monotonic()})

    async def _present(self, request: Json) -> Json:
        frame = self._frame(request)
        self._need_port()
        await self._send(request["code"], frame)
        return {"ok": True}

    def _hold(self, request: Json) -> Json:
        frame = self._frame(request)
        self._need_port()
        self._away({})
        for_s, every_s = float(request.get("for_s", 3600)), float(request.get("every_s", 0.25))
        self._held = asyncio.create_task(self._repeat(request["code"], frame, for_s, every_s), name="held code")
        return {"ok": True}

    async def _repeat(self, code: str, frame: bytes, for_s: float, every_s: float) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + for_s
        while loop.time() < end:
            await self._send(code, frame)
            await asyncio.sleep(max(0.01, every_s))

    def _away(self, _request: Json) -> Json:
        if self._held is not None:
            self._held.cancel()
            self._held = None
        return {"ok": True}

    def _half(self, request: Json) -> Json:
        frame = self._frame(request)
        self._need_port()
        self.port.write(frame[: len(frame) // 2])
        return {"ok": True}

    def _noise(self, request: Json) -> Json:
        try:
            data = bytes.fromhex(request.get("hex", ""))
            count = int(request.get("bytes", 20))
        except (ValueError, TypeError) as error:
            raise ControlError(f"noise is hexadecimal bytes, or a number of them: {error}") from error
        self._need_port()
        dice = random.Random(request.get("seed", 0))
        data = data or bytes(dice.choices(NOISE, k=min(count, FLOOD_LIMIT_BYTES)))
        self.port.write(data)
        return {"ok": True, "hex": data[:64].hex(" ")}

    def _flood(self, request: Json) -> Json:
        self._need_port()
        size = min(int(request.get("bytes", 10_000)), FLOOD_LIMIT_BYTES)
        self.port.write(encode(b"X" * size, self._framing))
        return {"ok": True, "bytes": size}

    def _unplug(self, _request: Json) -> Json:
        self._away({})
        self.port.unplug()
        return {"ok": True}

    def _plug(self, _request: Json) -> Json:
        self.port.plug()
        return {"ok": True}

    def _state(self, _request: Json) -> Json:
        return {"plugged": self.port.plugged, "sent": self._sent, "held": self._held is not None}

    def _need_port(self) -> None:
        if not self.port.plugged:
            raise ControlError('the reader is unplugged: {"do": "plug"} first')


async def run_reader(
    link: Path, control: Path, *, framing: str = "cr", aim: bool = False, baud: int | None = None
) -> None:
    """A reader whose port appears at `link`, commanded at the socket `control`, until cancelled."""
    server = ControlServer(control, lambda request: sim.handle(request))
    sim = ReaderSim(link, server.broadcast, framing=framing, aim=aim, baud=baud)
    try:
        async with server:
            sim.port.plug()
            await asyncio.Event().wait()
    finally:
        sim.close()
