"""A lane as people meet it: what they hold up, what comes out of the printer, whether the gate is open for them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from firmware_sim.kiosk import Kiosk
from firmware_sim.shopper_eyes import on_screen, read
from instore.demo.hardware import Simulator

OPENS_S = 7.0
"""Nobody waits longer for a gate before she holds her code up again: the lane itself gives a stuck gate up before that."""
PASS_S = 1.5
AGAIN_S = 2.2
"""So long she looks at the lane before she takes her code away and holds it up again."""
STEP_S = 0.1
READY_S = 12.0
"""Longer than a lane waits for a gate that is stuck; a display that is dead by then is not waited for."""
MIDDLE_LINES, NEVER_LINES = 2, 1_000_000_000
"""Printed lines until something breaks."""
KEY_S = 0.04
"""Faster, and the keypad takes two equal keys for one that bounces."""


class LaneFront:
    """`turn` is the queue before it: one customer at a time. `slips`: coupons by what stands on each slip that fell."""

    def __init__(self, number: int, folder: Path, display_port: int, printed: Callable[[str], None]) -> None:
        self.kiosk = Kiosk(display_port, str(number + 1), self._seen)
        self.claimed = 0
        self._coupon: asyncio.Future[str] | None = None
        self.number, self.turn = number, asyncio.Lock()
        self.waiting = 0
        self._printed = printed
        self._ready: asyncio.Event = asyncio.Event()
        self._opened: asyncio.Event = asyncio.Event()
        self._closed: asyncio.Event = asyncio.Event()
        self.devices = {
            name: Simulator(name, folder / f"{name}.sock", self._heard)
            for name in ("reader", "keypad", "nfc", "printer", "gate")
        }

    def runs(self) -> list[Coroutine[Any, Any, None]]:
        """To be run as long as the day."""
        return [self.kiosk.run(), *(device.run() for device in self.devices.values())]

    def _seen(self, view: dict[str, Any]) -> None:
        """Something new on the lane's display."""
        if view.get("screen") == "waiting":
            self._ready.set()
        else:
            self._ready.clear()
        code = view.get("qr")
        if isinstance(code, str) and self._coupon is not None and not self._coupon.done():
            self._coupon.set_result(code)

    async def reads_display(self, claim: Callable[[str], Awaitable[None]]) -> None:
        """Hold her camera to the display for as long as she stands there: a coupon's code that is shown becomes hers."""
        self._coupon = asyncio.get_running_loop().create_future()
        try:
            shown = await self._coupon
            await claim(read(on_screen(unquote(shown))))
            self.claimed += 1
        finally:
            self._coupon = None

    def _heard(self, device: str, event: dict[str, Any]) -> None:
        match device, event.get("event"):
            case "gate", "opened" if event.get("seq") is not None:
                self._opened.set()
                self._closed.clear()
            case "gate", "closed" | "not_passed":
                self._opened.clear()
                self._closed.set()
            case "gate", "passage":
                self._opened.clear()
            case "printer", "printed":
                for coupon in event.get("qr", []):
                    self._printed(coupon)

    async def begins(self) -> None:
        """The next customer steps up when the display asks for a code: an opening before that is somebody else's."""
        await asyncio.sleep(STEP_S)
        await _soon(self._ready, READY_S)
        self._opened.clear()

    async def shows(self, code: str) -> bool:
        """Hold a code before the reader; whether the gate opens. A reader takes a code that stays there for one code, so that a
        code that came too early is taken away and held up again."""
        end = time.monotonic() + OPENS_S
        while time.monotonic() < end:
            await self.devices["reader"].call({"do": "present", "code": code})
            if await _soon(self._opened, AGAIN_S):
                return True
        return False

    async def touches(self, code: str) -> bool:
        """Hold a phone near the NFC module; whether the gate opens."""
        await self.devices["nfc"].call({"do": "hold", "text": code})
        return await _soon(self._opened, OPENS_S)

    async def types(self, digits: str) -> bool:
        """Type a number at the keypad; whether the gate opens."""
        await self.devices["keypad"].call({"do": "type", "keys": f"*{digits}#", "every_s": KEY_S})
        return await _soon(self._opened, OPENS_S)

    async def passes(self) -> bool:
        """Walk through; whether she is out."""
        answer = await self.devices["gate"].call({"do": "walk", "direction": "exit", "wait_s": PASS_S})
        return bool(answer.get("passed"))

    async def closes(self, within_s: float) -> None:
        """Stay until it has closed before her."""
        self._closed.clear()
        await _soon(self._closed, within_s)

    async def breaks(self, kind: str, for_s: float) -> None:
        """Something breaks, and is mended after its time. Paper ends, and power fails, in the middle of a coupon if one comes soon."""
        printer, gate = self.devices["printer"], self.devices["gate"]
        match kind:
            case "paper_out":
                await printer.call({"do": "paper_out", "after_lines": MIDDLE_LINES})
                await asyncio.sleep(for_s)
                await printer.call({"do": "paper_out"})
                await printer.call({"do": "paper_ok"})
            case "printer_power":
                await printer.call({"do": "power_off", "after_lines": MIDDLE_LINES})
                await asyncio.sleep(for_s)
                await printer.call({"do": "power_off"})
                await printer.call({"do": "power_on"})
            case "gate_stuck":
                await gate.call({"do": "fault", "code": 7})
                await asyncio.sleep(for_s)
                await gate.call({"do": "fault", "code": 0})
        if kind in ("paper_out", "printer_power"):  # what did not come in the middle of a coupon does not come at all
            await printer.call({"do": "power_off", "after_lines": NEVER_LINES})

    async def exits(self) -> int:
        """How many persons the gate itself has counted out."""
        state = await self.devices["gate"].call({"do": "state"})
        return int(state.get("exits", -1))


async def _soon(event: asyncio.Event, within_s: float) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await event.wait()
    return event.is_set()
