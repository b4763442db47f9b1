"""A simulated NFC module (PN532 on a serial port) and what people hold near it.

    {"do": "hold", "text": "IS1:…"}            a phone (Type 4 tag); "type": 2 for a sticker; "for_s" (0.6)
    {"do": "hold", "text": "…", "damage": "…"} "record": no text record; "length": a length that lies; "away": taken away while
                                               it is read; "raw" with "hex": any NDEF message
    {"do": "away"}
    {"do": "corrupt", "replies": 3}            damages a byte of the next replies; "lose": 3 swallows them
    {"do": "silent", "on": true}               it answers nothing
    {"do": "noise", "bytes": 50, "seed": 1}    bytes between frames
    {"do": "unplug"} {"do": "plug"} {"do": "state"}

Tells `{"event": "read", "text": …, "t": …}` when its last byte was fetched. Frames as in NXP's UM0701-02, written here a second
time, so that the simulator checks the driver and not itself.
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

__all__ = ["NfcSim", "run_nfc", "text_message"]

Json = dict[str, Any]
ACK = bytes.fromhex("0000ff00ff00")
ERROR = bytes.fromhex("0000ff01ff7f8100")
BUFFER_MAX = 4096
DAMAGES = ("", "record", "length", "away", "raw")


def text_message(text: str) -> bytes:
    """An NDEF message of one text record in English."""
    payload = b"\x02en" + text.encode("utf-8")
    if len(payload) < 256:
        return bytes((0xD1, 1, len(payload))) + b"T" + payload
    return bytes((0xC1, 1)) + len(payload).to_bytes(4) + b"T" + payload


class _Tag:
    """What is held near."""

    def __init__(self, message: bytes, kind: int, text: str, damage: str) -> None:
        self.kind, self.text, self.damage = kind, text, damage
        lie = 40 if damage == "length" else 0
        size = len(message)
        self.file = (size + lie).to_bytes(2) + message
        head = bytes((0x03, size + lie)) if size + lie < 255 else b"\x03\xff" + (size + lie).to_bytes(2)
        self.memory = b"\x01\x03\xa0\x0c\x34" + head + message + b"\xfe" + bytes(64)
        self.container = bytes.fromhex("000f20003b0034 0406e1040400 00ff".replace(" ", ""))
        self.selected, self.reads, self.done = b"", 0, False

    def answer(self, command: bytes) -> bytes | None:
        """None: it has gone."""
        if self.damage == "away" and self.reads > 1:
            return None
        return self._pages(command) if self.kind == 2 else self._apdu(command)

    def _pages(self, command: bytes) -> bytes:
        self.reads += 1
        at = (command[1] - 4) * 4
        self.done = at + 16 >= self.memory.index(b"\xfe")
        return self.memory[at : at + 16].ljust(16, b"\x00")

    def _apdu(self, command: bytes) -> bytes:
        if command[:4] == b"\x00\xa4\x04\x00":
            return b"\x90\x00" if command[5:12] == bytes.fromhex("d2760000850101") else b"\x6a\x82"
        if command[:4] == b"\x00\xa4\x00\x0c":
            self.selected = command[5:7]
            return b"\x90\x00" if self.selected in (b"\xe1\x03", b"\xe1\x04") else b"\x6a\x82"
        if command[:2] == b"\x00\xb0":
            file = self.container if self.selected == b"\xe1\x03" else self.file
            at, count = int.from_bytes(command[2:4]), command[4]
            self.reads += 1
            self.done = self.selected == b"\xe1\x04" and at + count >= len(self.file)
            return file[at : at + count] + b"\x90\x00"
        return b"\x6d\x00"


class NfcSim:
    """The module on its port. Needs a running loop; `close` when done."""

    def __init__(
        self, link: Path, tell: Callable[[Json], None], *, baud: int | None = None, wire: Wire | None = None
    ) -> None:
        self._tell = tell
        self.port = PtyPort(link, on_bytes=self._bytes, baud=baud, wire_out=wire)
        self._buffer = bytearray()
        self._tag: _Tag | None = None
        self._away: asyncio.TimerHandle | None = None
        self._silent, self._corrupt, self._lose, self.asked = False, 0, 0, 0
        self.handle = commands(
            {
                "hold": self._hold,
                "away": self._take_away,
                "corrupt": self._damage,
                "silent": self._set_silent,
                "noise": self._noise,
                "unplug": self._unplug,
                "plug": self._plug,
                "state": self._state,
            }
        )

    def close(self) -> None:
        self._take_away({})
        self.port.close()

    # --- on the wire

    def _bytes(self, data: bytes) -> None:
        self._buffer += data
        del self._buffer[:-BUFFER_MAX]
        while (at := self._buffer.find(b"\x00\xff")) >= 0 and len(self._buffer) >= at + 4:
            length, check = self._buffer[at + 2], self._buffer[at + 3]
            if length == 0 or (length + check) & 0xFF:
                del self._buffer[: at + 4]  # an ACK, or nothing that we know
                continue
            if len(self._buffer) < at + 4 + length + 1:
                return
            body = bytes(self._buffer[at + 4 : at + 4 + length])
            good = (sum(body) + self._buffer[at + 4 + length]) & 0xFF == 0
            del self._buffer[: at + 4 + length + 1]
            if good and body[0] == 0xD4 and not self._silent:
                self.asked += 1
                self._send(ACK)
                answer = self._answer(body[1], body[2:])
                self._send(ERROR if answer is None else _frame(body[1] + 1, answer))

    def _answer(self, command: int, data: bytes) -> bytes | None:
        match command:
            case 0x14 | 0x32:
                return b""
            case 0x52:
                return b"\x00"
            case 0x4A if self._tag is None:
                return b"\x00"
            case 0x4A if self._tag is not None:
                sak = 0x20 if self._tag.kind == 4 else 0x00
                return bytes((1, 1, 0x00, 0x44, sak, 4)) + b"\x08\x01\x02\x03"
            case 0x40:
                return self._exchange(data)
            case _:
                return None

    def _exchange(self, data: bytes) -> bytes:
        answer = self._tag.answer(data[1:]) if self._tag is not None else None
        if answer is None or self._tag is None:
            return b"\x01"  # time-out: nobody there
        if self._tag.done:
            self._tell({"event": "read", "text": self._tag.text, "t": time.monotonic()})
        return b"\x00" + answer

    def _send(self, data: bytes) -> None:
        if self._lose:
            self._lose -= 1
        elif self._corrupt and data != ACK:
            self._corrupt -= 1
            self.port.write(data[:-2] + bytes((data[-2] ^ 0x20,)) + data[-1:])
        else:
            self.port.write(data)

    # --- commands

    def _hold(self, request: Json) -> Json:
        text, kind, damage = request.get("text", ""), request.get("type", 4), request.get("damage", "")
        if not isinstance(text, str) or kind not in (2, 4) or damage not in DAMAGES:
            raise ControlError(f'"text" is a text, "type" 2 or 4, "damage" one of {", ".join(DAMAGES[1:])}')
        message = text_message(text)
        if damage == "record":
            message = b"\xd1\x01\x04U\x04a.b"
        elif damage == "raw":
            try:
                message = bytes.fromhex(request.get("hex", ""))
            except ValueError as error:
                raise ControlError(f'"hex" is a message in hexadecimal: {error}') from error
        self._take_away({})
        self._tag = _Tag(message, kind, text, damage)
        for_s = float(request.get("for_s", 0.6))
        self._away = asyncio.get_running_loop().call_later(for_s, lambda: self._take_away({}))
        return {"ok": True}

    def _take_away(self, _request: Json) -> Json:
        if self._away is not None:
            self._away.cancel()
        self._away = self._tag = None
        return {"ok": True}

    def _damage(self, request: Json) -> Json:
        self._corrupt, self._lose = int(request.get("replies", 0)), int(request.get("lose", 0))
        return {"ok": True}

    def _set_silent(self, request: Json) -> Json:
        self._silent = bool(request.get("on", True))
        return {"ok": True}

    def _noise(self, request: Json) -> Json:
        dice = random.Random(request.get("seed", 0))
        self.port.write(dice.randbytes(min(int(request.get("bytes", 50)), 100_000)))
        return {"ok": True}

    def _unplug(self, _request: Json) -> Json:
        self.port.unplug()
        return {"ok": True}

    def _plug(self, _request: Json) -> Json:
        self.port.plug()
        return {"ok": True}

    def _state(self, _request: Json) -> Json:
        return {"plugged": self.port.plugged, "asked": self.asked, "held": self._tag is not None}


def _frame(code: int, data: bytes) -> bytes:
    body = bytes((0xD5, code)) + data
    return b"\x00\x00\xff" + bytes((len(body), 256 - len(body) & 0xFF)) + body + bytes((-sum(body) & 0xFF, 0))


async def run_nfc(link: Path, control: Path, *, baud: int | None = None) -> None:
    """A module whose port appears at `link`, commanded at the socket `control`, until cancelled."""
    server = ControlServer(control, lambda request: sim.handle(request))
    sim = NfcSim(link, server.broadcast, baud=baud)
    try:
        async with server:
            sim.port.plug()
            await asyncio.Event().wait()
    finally:
        sim.close()
