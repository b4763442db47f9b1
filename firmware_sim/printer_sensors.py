"""What a receipt printer senses and is set to, and the status bytes that tell it. Pure.

Source: Epson ESC/POS command reference: DLE EOT n, GS a (Automatic Status Back), GS r, GS I.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Roll = Literal["ok", "near_end", "out"]


@dataclass(frozen=True, slots=True)
class Model:
    """What a model of printer can answer beyond status."""

    name: str
    process_id: bool
    counters: bool
    clears: bool


MODELS = {
    "tm-t88v": Model("TM-T88V", process_id=True, counters=True, clears=True),
    "tm-t88iii": Model("TM-T88III", process_id=False, counters=True, clears=True),
    "plain": Model("80mm", process_id=False, counters=False, clears=False),
}


@dataclass(slots=True)
class Sensors:
    roll: Roll = "ok"
    cover_open: bool = False
    cutter_error: bool = False

    @property
    def offline(self) -> bool:
        return self.roll == "out" or self.cover_open or self.cutter_error

    def real_time(self, n: int) -> bytes:
        """One byte for DLE EOT n, n 1..4; nothing for others."""
        match n:
            case 1:
                bits = 0x08 * self.offline
            case 2:
                bits = 0x04 * self.cover_open | 0x20 * (self.roll == "out") | 0x40 * self.cutter_error
            case 3:
                bits = 0x08 * self.cutter_error
            case 4:
                bits = 0x0C * (self.roll != "ok") | 0x60 * (self.roll == "out")
            case _:
                return b""
        return bytes((0x12 | bits,))

    def auto_status(self) -> bytes:
        first = 0x10 | 0x08 * self.offline | 0x20 * self.cover_open
        return bytes((first, 0x08 * self.cutter_error, self.paper(), 0x0F))

    def paper(self) -> int:
        """Reply to GS r 1, and the third byte of Automatic Status Back."""
        return 0x03 * (self.roll != "ok") | 0x0C * (self.roll == "out")


def information(model: Model, n: int) -> bytes:
    """Reply to GS I n: 1..3 one byte, 65..69 a block with header 5F."""
    if n in (1, 2, 3, 49, 50, 51):
        return {1: b"\x20", 2: b"\x03", 3: b"\x00"}[n % 48]
    texts = {65: "30.40", 66: "EPSON", 67: model.name, 68: "SIM0000001", 69: "KANJI JAPANESE"}
    return b"\x5f" + texts[n].encode() + b"\0" if n in texts else b""
