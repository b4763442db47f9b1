"""What a lane does to the world: printing, finding out, opening. Results come back as events of `edge.lane`.

Every call to a driver has a time limit, so that a driver that hangs costs a customer no more than a device that is silent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from devices.errors import DeviceError
from devices.escpos_document import DocumentError
from devices.printer import ReceiptPrinter
from devices.printer_job import Evidence, JobResult, JobState
from edge.coupon_paper import document
from edge.lane_devices import LaneDevices
from edge.lane_types import (
    Action,
    Event,
    FindOut,
    GateRefused,
    GateTook,
    Open,
    Print,
    PrintEnded,
    PrintSent,
)

log = structlog.get_logger()

AGAIN_S = 0.5
"""Between two tries at a device that can't do it now. A lane's own patience ends them."""
JOB_TIMEOUT_S = 6.0
"""A coupon takes 0.5 s of paper and 0.3 s of wire at 9600 baud; beyond six seconds something is wrong."""
PRINTER_MAX_S = 30.0
"""The slowest honest printing: settling the job before (5 s), reading a counter (3 s), the job, and others' turns."""
GATE_MAX_S = 5.0
"""A gate's driver answers within 2 s."""
FIRST_READING_S, LOOK_S = 1.0, 0.02
"""So long the first reading of a gate's board is waited for; between two looks at whether it came."""


class LaneWork:
    """`put` takes the results. `print_sent` stores that a job begins, before the printer has its first byte. `wants_open` says
    whether the lane still wants this command carried out."""

    def __init__(self, devices: LaneDevices, put: Callable[[Event], None],
                 print_sent: Callable[[PrintSent], bool], wants_open: Callable[[int], bool],
                 spawn: Callable[[Coroutine[Any, Any, None], str], object]) -> None:  # fmt: skip
        self._devices, self._put, self._print_sent, self._spawn = devices, put, print_sent, spawn
        self._wants_open = wants_open
        self._doubt: tuple[str, int | None] | None = None
        """A job of this run whose end is not known, and the cut counter before it."""

        self._warned = ""
        """Why the gate did not open, as it was logged last; "": it does."""

    def begin(self, action: Action) -> None:
        """Start doing one thing; returns at once."""
        match action:
            case Print():
                self._spawn(self._print(action), f"print {action.job}")
            case FindOut():
                self._spawn(self._find_out(action.job, action.cut_before), f"find out {action.job}")
            case Open():
                self._spawn(self._open(action.command, action.seconds), f"open {action.command}")

    # --- paper

    async def _print(self, action: Print) -> None:
        printer = self._devices.printer
        if printer is None:
            self._put(PrintEnded(action.job, "not_printed", "this lane has no printer"))
            return
        ended = PrintEnded(action.job, "not_printed", "the printer's driver does not answer")
        try:
            async with asyncio.timeout(PRINTER_MAX_S):
                ended = await self._try_to_print(printer, action)
        except TimeoutError:
            if self._doubt is not None and self._doubt[0] == action.job:
                ended = PrintEnded(action.job, "unknown", ended.detail)
        except (DeviceError, DocumentError) as error:
            ended = PrintEnded(action.job, "not_printed", str(error))
        if ended.outcome == "not_printed":
            await asyncio.sleep(AGAIN_S)
        self._put(ended)

    async def _try_to_print(self, printer: ReceiptPrinter, action: Print) -> PrintEnded:
        await self._devices.printer_back()
        if self._doubt is not None:
            # Once is enough: what came of it or not is the printer's last word, and the next coupon must not wait for more.
            self._put(await self._settle(printer, *self._doubt))
        before = await printer.cut_counter()
        paper = document(action.incentive.receipt, reprint=action.reprint)
        if not self._print_sent(PrintSent(action.job, before)):
            return PrintEnded(action.job, "not_printed", "the lane did not wait for it, or could not store it")
        self._doubt = (action.job, before)
        ended = _ended(await printer.print_job(action.job, paper, timeout_s=JOB_TIMEOUT_S))
        if ended.outcome != "unknown":
            self._doubt = None
        return ended

    async def _settle(self, printer: ReceiptPrinter, job: str, before: int | None) -> PrintEnded:
        ended = _ended(await printer.resolve(job, before))
        if self._doubt is not None and self._doubt[0] == job:
            self._doubt = None
        return ended

    async def _find_out(self, job: str, before: int | None) -> None:
        printer = self._devices.printer
        if printer is None:
            self._put(PrintEnded(job, "not_printed", "this lane has no printer any more"))
            return
        ended = PrintEnded(job, "unknown", "the printer's driver does not answer")
        try:
            async with asyncio.timeout(PRINTER_MAX_S):
                ended = await self._settle(printer, job, before)
        except TimeoutError:
            pass
        except DeviceError as error:
            ended = PrintEnded(job, "unknown", str(error))
        if ended.outcome == "unknown":
            await asyncio.sleep(AGAIN_S)
        self._put(ended)

    # --- the gate

    async def _open(self, command: int, seconds: float) -> None:
        dealt_with, doubt = 0, True
        await self._first_reading()
        if not self._wants_open(command):
            return
        try:
            async with asyncio.timeout(GATE_MAX_S):
                result = await self._devices.open_gate(command, seconds)
        except TimeoutError:
            detail = "the gate's driver does not answer"
        except (DeviceError, ValueError) as error:
            detail = str(error)
        else:
            if result.taken:
                if self._warned:
                    log.info("the gate opens again", command=command)
                self._warned = ""
                self._put(GateTook(command))
                return
            detail = result.reason
            doubt = result.outcome != "refused"
            dealt_with = 0 if doubt else self._devices.dealt_with(command)
        if self._warned != detail:  # once, not once per try
            self._warned = detail
            log.warning("the gate does not open", command=command, reason=detail)
        await asyncio.sleep(AGAIN_S)
        self._put(GateRefused(command, detail, dealt_with, doubt))

    async def _first_reading(self) -> None:
        """Who left while this program was down is told by the first reading, and for her nothing is to be opened any more."""
        looks = 0
        while self._devices.gate_unread() and looks * LOOK_S < FIRST_READING_S:
            looks += 1
            await asyncio.sleep(LOOK_S)
        if looks:
            await asyncio.sleep(LOOK_S)  # the lane's turn with what was told


def _ended(result: JobResult) -> PrintEnded:
    if result.state is JobState.UNKNOWN:
        return PrintEnded(result.job_id, "unknown", result.reason)
    if result.printed:
        return PrintEnded(result.job_id, "printed", result.evidence.value)
    return PrintEnded(result.job_id, "not_printed", result.reason, reached=result.evidence is not Evidence.NOTHING_SENT)
