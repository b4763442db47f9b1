"""A simulated receipt printer: ESC/POS in, pictures of receipts, replies and faults out.

    {"do": "paper_out"} {"do": "paper_out", "after_lines": 3}    the roll ends (in the middle of a job)
    {"do": "near_end"} {"do": "paper_ok"}                        nearly empty; a new roll: a held job prints by itself
    {"do": "cover_open"} {"do": "cover_close"}                   {"do": "cutter_error"} {"do": "cutter_ok"}
    {"do": "power_off"} {"do": "power_on"} {"do": "power_cycle", "for_s": 0.3}    loses buffers and settings
    {"do": "power_off", "after_lines": 3}                        in the middle of a job
    {"do": "silent", "on": true}                                 hears and prints, but answers nothing
    {"do": "slow", "mm_per_s": 150}                              prints at this speed; 0: at once
    {"do": "garbage", "bytes": 20, "seed": 1}                    bytes that mean nothing; "each": true before every reply
    {"do": "unplug"} {"do": "plug"}                              its cable; it goes on printing what it holds
    {"do": "state"}

Tells `{"event": "printed", "n": 7, "png": path, "text": …, "qr": [decoded from the picture], "t": …}` for each receipt,
and `{"event": "status", …}` when a sensor changes.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from firmware_sim.control import ControlError, ControlServer, commands
from firmware_sim.escpos_paper import font_path
from firmware_sim.printer_engine import PrinterEngine, random_bytes, read_codes
from firmware_sim.printer_sensors import MODELS
from firmware_sim.printer_tray import Tray
from firmware_sim.pty_port import PtyPort, Wire

__all__ = ["MODELS", "PrinterSim", "read_codes", "run_printer"]

Json = dict[str, Any]

_OK: Json = {"ok": True}


class PrinterSim:
    """The printer at its port. `tell(event)` gets its events. `run()` until cancelled; needs a running loop.

    Raises FontMissing without a Japanese font, ControlError for an unknown model.
    """

    def __init__(
        self,
        link: Path,
        tell: Callable[[Json], None],
        *,
        out_dir: Path,
        state_file: Path | None = None,
        baud: int | None = None,
        model: str = "tm-t88v",
        columns: int = 48,
        wire_out: Wire | None = None,
        wire_in: Wire | None = None,
    ) -> None:
        if model not in MODELS:
            raise ControlError(f"unknown printer model {model!r}; known are {', '.join(MODELS)}")
        font_path()
        self.engine = PrinterEngine(
            MODELS[model], Tray(out_dir, state_file), columns, send=lambda data: self.port.write(data), tell=tell
        )
        self.port = PtyPort(link, on_bytes=self.engine.received, baud=baud, wire_out=wire_out, wire_in=wire_in)
        self.handle = commands(
            {
                "paper_out": lambda request: self._now_or_later(request, lambda: self.engine.sense(roll="out")),
                "near_end": lambda _: self._sense(roll="near_end"),
                "paper_ok": lambda _: self._sense(roll="ok"),
                "cover_open": lambda _: self._sense(cover_open=True),
                "cover_close": lambda _: self._sense(cover_open=False),
                "cutter_error": lambda _: self._sense(cutter_error=True),
                "cutter_ok": lambda _: self._sense(cutter_error=False),
                "power_off": lambda request: self._now_or_later(request, self.engine.power_off),
                "power_on": self._power_on,
                "power_cycle": self._power_cycle,
                "silent": self._silent,
                "slow": self._slow,
                "garbage": self._garbage,
                "unplug": self._unplug,
                "plug": self._plug,
                "state": self._state,
            }
        )

    async def run(self) -> None:
        """Plug in and print until cancelled."""
        self.port.plug()
        try:
            await self.engine.run()
        finally:
            self.port.close()

    def _sense(self, **change: Any) -> Json:
        self.engine.sense(**change)
        return _OK

    def _now_or_later(self, request: Json, action: Callable[[], object]) -> Json:
        lines = int(request.get("after_lines", 0))
        if lines > 0:
            self.engine.after_lines(lines, action)
        else:
            action()
        return _OK

    def _power_on(self, _request: Json) -> Json:
        self.engine.power_on()
        return _OK

    async def _power_cycle(self, request: Json) -> Json:
        self.engine.power_off()
        await asyncio.sleep(float(request.get("for_s", 0.3)))
        self.engine.power_on()
        return _OK

    def _silent(self, request: Json) -> Json:
        self.engine.silent = bool(request.get("on", True))
        return _OK

    def _slow(self, request: Json) -> Json:
        speed = float(request.get("mm_per_s", 150))
        if not 0 <= speed <= 1000:
            raise ControlError(f"mm_per_s is {speed:g}; allowed are 0 (at once) to 1000, a fast printer has 300")
        self.engine.mm_per_s = speed
        return _OK

    def _garbage(self, request: Json) -> Json:
        dice = random.Random(request.get("seed", 0))
        if "each" in request:
            self.engine.noise = dice if request["each"] else None
        else:
            self.port.write(random_bytes(dice, min(int(request.get("bytes", 20)), 10_000)))
        return _OK

    def _unplug(self, _request: Json) -> Json:
        self.port.unplug()
        return _OK

    def _plug(self, _request: Json) -> Json:
        self.port.plug()
        return _OK

    def _state(self, _request: Json) -> Json:
        return {**self.engine.state(), "plugged": self.port.plugged}


async def run_printer(
    link: Path,
    control: Path,
    *,
    out_dir: Path,
    state_file: Path | None = None,
    baud: int | None = None,
    model: str = "tm-t88v",
    columns: int = 48,
) -> None:
    """A printer whose port appears at `link`, commanded at the socket `control`, until cancelled.

    Receipts go to `out_dir`; numbers and the cutter's counter continue from `state_file` and from what lies there.
    """
    sim = PrinterSim(
        link,
        lambda event: server.broadcast(event),
        out_dir=out_dir,
        state_file=state_file,
        baud=baud,
        model=model,
        columns=columns,
    )
    server = ControlServer(control, sim.handle)
    async with server:
        await sim.run()
