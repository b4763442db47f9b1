"""The bytes that arrive at a receipt printer, cut into commands. Pure, any chunking, own implementation.

Source: Epson ESC/POS command reference. Two readers look at one stream, as in the real thing:
`RealTimeScanner` sees DLE EOT, DLE ENQ and DLE DC4 the moment they arrive, wherever they stand, even inside the data
of another command (that is how a coupon's text could command the printer); `CommandReader` takes the rest in order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: Receive buffer of a big model; a command longer than this can never be complete.
BUFFER_LIMIT_BYTES = 65_536

_REAL_TIME = re.compile(
    rb"\x10\x04([\x01-\x08])|\x10\x05([\x00-\x03])|\x10\x14(\x08\x01\x03\x14\x01\x06\x02\x08|\x01[\x00\x01][\x01-\x08])"
)
_REAL_TIME_LONGEST = 10


@dataclass(frozen=True, slots=True)
class RealTime:
    """`name` is "DLE EOT", "DLE ENQ" or "DLE DC4", `n` the first byte after it."""

    name: str
    n: int


@dataclass(frozen=True, slots=True)
class Command:
    """`name` as in the manual ("GS V", "GS ( k", "LF"); "text" for a run of printable bytes. `args`: all that follows."""

    name: str
    args: bytes = b""


class RealTimeScanner:
    def __init__(self) -> None:
        self._tail = b""

    def feed(self, data: bytes) -> list[RealTime]:
        """Real-time commands that are complete now."""
        text = self._tail + data
        found, end = [], 0
        for match in _REAL_TIME.finditer(text):
            name = {4: "DLE EOT", 5: "DLE ENQ", 0x14: "DLE DC4"}[match[0][1]]
            found.append(RealTime(name, match[0][2]))
            end = match.end()
        self._tail = text[max(end, len(text) - _REAL_TIME_LONGEST + 1) :]
        return found


_LETTERS = {0x1B: "ESC", 0x1C: "FS", 0x1D: "GS"}
_CONTROLS = {0x09: "HT", 0x0A: "LF", 0x0C: "FF", 0x0D: "CR", 0x18: "CAN"}
_FIXED = {
    "ESC": {
        **dict.fromkeys("@2imSLv", 0),
        **dict.fromkeys("!EG-adJ3tRM{ =VKrTu", 1),
        **dict.fromkeys("$\\c", 2),
        "p": 3,
        "W": 8,
    },
    "FS": {**dict.fromkeys("&.", 0), **dict.fromkeys("C!W-", 1), **dict.fromkeys("Sp", 2), "2": 74},
    "GS": {
        **dict.fromkeys(":", 0),
        **dict.fromkeys("!BarIhwHfbTE/", 1),
        **dict.fromkeys("LWP$\\", 2),
        "^": 3,
        "g": 4,
    },
}


_CUT_WITH_FEED = (b"A", b"B", b"a", b"b", b"g", b"h")


class CommandReader:
    """`feed` bytes, then take commands with `next` until it gives None: the rest is incomplete."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.overrun_bytes = 0

    @property
    def waiting_bytes(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        room = BUFFER_LIMIT_BYTES - len(self._buffer)
        self._buffer += data[:room]
        self.overrun_bytes += max(0, len(data) - room)

    def clear(self) -> None:
        self._buffer.clear()

    def next(self) -> Command | None:
        buffer = self._buffer
        if not buffer:
            return None
        first = buffer[0]
        if first >= 0x20:
            return self._text()
        if first == 0x10:
            return self._real_time()
        if first in _LETTERS:
            return self._escape(_LETTERS[first])
        del buffer[:1]
        return Command(_CONTROLS.get(first, f"{first:02X}"))

    def _text(self) -> Command:
        end = next((i for i, byte in enumerate(self._buffer) if byte < 0x20), len(self._buffer))
        return self._take("text", 0, end)

    def _real_time(self) -> Command | None:
        """Already carried out when it arrived; here it is only stepped over."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        length = {4: 3, 5: 3, 0x14: 10 if buffer[2:3] == b"\x08" else 5}.get(buffer[1], 1)
        return None if len(buffer) < length else self._take("DLE", 1, length)

    def _escape(self, prefix: str) -> Command | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        letter = chr(buffer[1])
        name = f"{prefix} {letter}" if letter != " " else f"{prefix} SP"
        if letter in _FIXED[prefix]:
            return self._whole(name, 2, 2 + _FIXED[prefix][letter])
        if letter == "(":
            return self._counted()
        return self._odd(prefix, letter, name)

    def _counted(self) -> Command | None:
        """GS ( x pL pH and the like."""
        buffer = self._buffer
        if len(buffer) < 5:
            return None
        name = f"{_LETTERS[buffer[0]]} ( {chr(buffer[2])}"
        return self._whole(name, 5, 5 + int.from_bytes(buffer[3:5], "little"))

    def _odd(self, prefix: str, letter: str, name: str) -> Command | None:
        """Commands whose length depends on what they hold."""
        buffer = self._buffer
        match prefix, letter:
            case "GS", "V":
                return self._whole(name, 2, 4 if bytes(buffer[2:3]) in _CUT_WITH_FEED else 3)
            case "GS", "v":
                cells = int.from_bytes(buffer[4:6], "little") * int.from_bytes(buffer[6:8], "little")
                return None if len(buffer) < 8 else self._whole("GS v 0", 3, 8 + cells)
            case "GS", "8":
                return None if len(buffer) < 7 else self._whole("GS 8 L", 7, 7 + int.from_bytes(buffer[3:7], "little"))
            case "GS", "k":
                return self._bar_code(name)
            case "ESC", "*":
                wide = int.from_bytes(buffer[3:5], "little") * (3 if buffer[2:3] >= b"\x20" else 1)
                return None if len(buffer) < 5 else self._whole(name, 2, 5 + wide)
            case "ESC", "D":
                return self._to_nul(name)
        return self._take(f"{name} ({prefix} {buffer[1]:02X})", 2, 2)

    def _bar_code(self, name: str) -> Command | None:
        buffer = self._buffer
        if len(buffer) < 4:
            return None
        return self._whole(name, 2, 4 + buffer[3]) if buffer[2] >= 65 else self._to_nul(name)

    def _to_nul(self, name: str) -> Command | None:
        end = self._buffer.find(0, 2)
        return None if end < 0 else self._take(name, 2, end + 1)

    def _whole(self, name: str, start: int, end: int) -> Command | None:
        return None if len(self._buffer) < end else self._take(name, start, end)

    def _take(self, name: str, start: int, end: int) -> Command:
        args = bytes(self._buffer[start:end])
        del self._buffer[:end]
        return Command(name, args)
