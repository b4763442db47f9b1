"""A two-channel counter module on a serial line: commands and replies as ASCII. Pure: no I/O, no clock.

    #AA0 CR    ->  >000002FE CR     counter 0 of the module at address AA (hexadecimal): people who came in
    #AA1 CR    ->  >0000001A CR     counter 1: people who went out
                   ?AA CR           the module did not understand

Infrared people counters for doors have dry contacts, one pulse a person and direction; a counter module counts them, also
while nobody reads it, and hangs on RS-485. This is the command "Read Counter or Frequency Value" of Advantech's ADAM-4080
(ADAM-4000 Series User's Manual, counter/frequency command set), which ICP DAS I-7080 and others speak as well: 9600 baud, 8N1, no
checksum, replies of 8 hexadecimal digits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from devices.errors import BadFrame, DeviceRefused

__all__ = ["COUNTER_MAX", "Replies", "Reply", "advance", "command"]

CR = b"\r"
COUNTER_MAX = 0xFFFF_FFFF
FRAME_MAX_BYTES = 64
_VALUE = re.compile(rb">([0-9A-Fa-f]{8})")
_REFUSED = re.compile(rb"\?([0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Reply:
    """What a counter shows: 0 to 4,294,967,295, then 0 again."""

    value: int


def command(address: int, counter: int) -> bytes:
    """The question for a counter (0 or 1) of the module at an address of 0 to 255."""
    if not (0 <= address <= 255 and counter in (0, 1)):
        raise ValueError(f"address {address}, counter {counter}: an address is 0 to 255, a counter 0 or 1")
    return f"#{address:02X}{counter}".encode("ascii") + CR


class Replies:
    """Cuts what comes in into replies."""

    def __init__(self) -> None:
        self._frame = bytearray()

    def reset(self) -> None:
        """Forget what has come so far: the question was asked anew."""
        self._frame.clear()

    def feed(self, data: bytes) -> list[Reply | BadFrame | DeviceRefused]:
        """Whatever `data` completes; what is no reply comes as the error that it is."""
        found: list[Reply | BadFrame | DeviceRefused] = []
        for byte in data:
            if byte == CR[0]:
                if self._frame:
                    found.append(_read(bytes(self._frame)))
                self._frame.clear()
            elif byte >= 0x20:  # bytes of a loose plug, line feeds of a converter
                self._frame.append(byte)
                if len(self._frame) > FRAME_MAX_BYTES:
                    found.append(BadFrame("a reply without an end", bytes(self._frame)))
                    self._frame.clear()
        return found


def _read(frame: bytes) -> Reply | BadFrame | DeviceRefused:
    if value := _VALUE.fullmatch(frame):
        return Reply(int(value[1], 16))
    if refused := _REFUSED.fullmatch(frame):
        return DeviceRefused(
            int(refused[1], 16), "the counter module does not know this command; is it a counter module?"
        )
    return BadFrame("no reply of a counter module", frame)


def advance(was: int, now: int) -> tuple[int, bool]:
    """How many were counted between two readings, and whether the module lost its count meanwhile (power): it then began at 0."""
    if now >= was:
        return now - was, False
    if was > COUNTER_MAX - COUNTER_MAX // 16 and now < COUNTER_MAX // 16:
        return now + COUNTER_MAX + 1 - was, False
    return now, True
