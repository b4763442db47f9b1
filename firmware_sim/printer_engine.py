"""The works of a simulated receipt printer: bytes in, receipts and replies out, in the order of the real thing.

Real-time commands are carried out when they arrive; everything else waits its turn in the receive buffer, which a
printer without paper does not touch. Knows neither its port nor its tester.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zxingcpp
from PIL import Image

from firmware_sim.escpos_commands import Command, CommandReader, RealTime, RealTimeScanner
from firmware_sim.escpos_interpreter import Formatter
from firmware_sim.escpos_paper import DOTS_PER_MM
from firmware_sim.printer_sensors import Model, Sensors, information
from firmware_sim.printer_tray import Receipt, Tray

Json = dict[str, Any]

_COUNTER_CUTS = (50, 178)
_XOFF_AT_BYTES, _XON_AT_BYTES = 3_800, 512
#: Reading the code back off the picture takes 5 to 10 ms; the answer to a fence that is on the wire goes first.
_ANNOUNCE_AFTER_S = 0.01


def read_codes(png: Path) -> list[str]:
    """Texts of the codes in a picture, as a scanner sees them."""
    with Image.open(png) as image:
        return [code.text for code in zxingcpp.read_barcodes(image.convert("L"))]


class PrinterEngine:
    """`send(data)` gets replies, `tell(event)` what happens. `run()` prints until cancelled; needs a running loop."""

    def __init__(
        self,
        model: Model,
        tray: Tray,
        columns: int,
        *,
        send: Callable[[bytes], None],
        tell: Callable[[Json], None],
    ) -> None:
        self.model, self.tray, self.sensors = model, tray, Sensors()
        self.powered = True
        self.silent = False
        self.mm_per_s = 0.0
        self.noise: random.Random | None = None  # sends some before every reply
        self._send, self._tell = send, tell
        self._reader, self._scanner, self._formatter = CommandReader(), RealTimeScanner(), Formatter(columns)
        self._auto_status = 0
        self._xoff = False
        self._after_lines: tuple[int, Callable[[], object]] | None = None
        self._wake = asyncio.Event()
        self._to_tell: dict[int, Receipt] = {}

    async def run(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                await self._work()
        finally:
            for number in list(self._to_tell):
                self._announce(number)

    def state(self) -> Json:
        return {
            "model": self.model.name,
            "powered": self.powered,
            "paper": self.sensors.roll,
            "cover_open": self.sensors.cover_open,
            "cutter_error": self.sensors.cutter_error,
            "online": self.powered and not self.sensors.offline,
            "silent": self.silent,
            "mm_per_s": self.mm_per_s,
            "cuts": self.tray.cuts,
            "receipts": self.tray.receipts,
            "waiting_bytes": self._reader.waiting_bytes,
            "overrun_bytes": self._reader.overrun_bytes,
            "auto_status": self._auto_status,
            "unknown": dict(self._formatter.unknown),
        }

    def sense(self, **change: Any) -> None:
        """Sensors change; what was held goes on if it can."""
        before = self.sensors.auto_status()
        for name, value in change.items():
            setattr(self.sensors, name, value)
        if self.sensors.auto_status() != before:
            self._tell_auto_status()
            self._tell({"event": "status", **self.state()})
        self._wake.set()

    def after_lines(self, lines: int, action: Callable[[], object]) -> None:
        """Do `action` when that many more lines have been printed."""
        self._after_lines = (lines, action)

    def power_off(self) -> None:
        """Buffers and settings are gone; the paper stays as it is."""
        self.powered = False
        self._auto_status = 0
        self._xoff = False
        self._reader.clear()
        self._scanner = RealTimeScanner()
        self._formatter.power_on()

    def power_on(self) -> None:
        self.powered = True
        self._wake.set()

    # -- bytes in -------------------------------------------------------------------------------------------------

    def received(self, data: bytes) -> None:
        if not self.powered:
            return
        self._reader.feed(data)
        for command in self._scanner.feed(data):
            self._real_time(command)
        if self._reader.waiting_bytes > _XOFF_AT_BYTES and not self._xoff:
            self._xoff = True
            self._reply(b"\x13")
        self._wake.set()

    def _real_time(self, command: RealTime) -> None:
        match command:
            case RealTime("DLE EOT", n):
                self._reply(self.sensors.real_time(n))
            case RealTime("DLE ENQ", 1 | 2):
                if command.n == 2:
                    self._clear_buffers()
                self.sense(cutter_error=False)
            case RealTime("DLE DC4", 8) if self.model.clears:
                self._clear_buffers()
                self._reply(b"\x37\x25\x00")

    def _clear_buffers(self) -> None:
        self._reader.clear()
        self._formatter.forget_line()
        self._room_again()

    def _room_again(self) -> None:
        if self._xoff and self._reader.waiting_bytes < _XON_AT_BYTES:
            self._xoff = False
            self._reply(b"\x11")

    # -- work, in order -------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        while self.powered and not self.sensors.offline and (command := self._reader.next()) is not None:
            moved_dots = self._do(command)
            self._room_again()
            if self._formatter.cut:
                self._cut()
            if moved_dots:
                self._count_line()
                await self._pace(moved_dots)

    async def _pace(self, moved_dots: int) -> None:
        if self.mm_per_s:
            await asyncio.sleep(moved_dots / DOTS_PER_MM / self.mm_per_s)
        elif self._reader.waiting_bytes == 0:
            await asyncio.sleep(0)

    def _do(self, command: Command) -> int:
        args = command.args
        match command.name:
            case "GS a":
                self._auto_status = args[0]
                self._tell_auto_status()
            case "GS r":
                self._reply(bytes((self.sensors.paper() if args[0] in (1, 49) else 0,)))
            case "GS I":
                self._reply(information(self.model, args[0]))
            case "GS g":
                self._counter(args)
            case "GS ( H" if self.model.process_id and args[:2] == b"00" and len(args) == 6:
                self._reply(b"\x37\x22" + args[2:] + b"\x00")
            case _:
                return self._formatter.do(command)
        return 0

    def _counter(self, args: bytes) -> None:
        """GS g 2 m nL nH."""
        number = int.from_bytes(args[2:4], "little")
        if args[:2] == b"2\x00" and self.model.counters and number in _COUNTER_CUTS:
            self._reply(b"\x5f" + str(self.tray.cuts).encode() + b"\x00")
        else:
            self._formatter.unknown[f"GS g {args[:1].decode('latin-1')} counter {number}"] += 1

    def _cut(self) -> None:
        """The receipt is on disk, then the counter moves, then whatever stands behind in the buffer is answered."""
        paper = self._formatter.take_receipt()
        if paper.blank:
            self.tray.cut_nothing()
            return
        receipt = self.tray.add(paper)
        self._to_tell[receipt.number] = receipt
        at = time.monotonic()
        asyncio.get_running_loop().call_later(_ANNOUNCE_AFTER_S, self._announce, receipt.number, at)

    def _announce(self, number: int, at: float | None = None) -> None:
        receipt = self._to_tell.pop(number, None)
        if receipt is None:
            return
        codes = read_codes(receipt.png)
        event = {"event": "printed", "n": number, "png": str(receipt.png), "text": receipt.text, "qr": codes}
        self._tell({**event, "t": at or time.monotonic()})

    def _count_line(self) -> None:
        if self._after_lines is None:
            return
        left, action = self._after_lines
        self._after_lines = (left - 1, action) if left > 1 else None
        if left <= 1:
            action()

    # -- replies --------------------------------------------------------------------------------------------------

    def _reply(self, data: bytes) -> None:
        if self.silent or not self.powered or not data:
            return
        if self.noise is not None:
            data = random_bytes(self.noise, self.noise.randrange(4)) + data
        self._send(data)

    def _tell_auto_status(self) -> None:
        if self._auto_status:
            self._reply(self.sensors.auto_status())


def random_bytes(dice: random.Random, count: int) -> bytes:
    return bytes(dice.randrange(256) for _ in range(count))
