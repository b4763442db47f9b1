"""What a lane does to the world: printing, finding out, opening. Results come back as events of `edge.lane`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from contract.payloads import Incentive
from devices.errors import DeviceError
from devices.escpos_document import DocumentError
from devices.printer_job import JobResult, JobState
from edge import lane as core
from edge.coupon_paper import document
from edge.lane_devices import LaneDevices

log = structlog.get_logger()

AGAIN_S = 0.5
"""Between two tries at a device that can't do it now. A lane's own patience ends them."""
JOB_TIMEOUT_S = 6.0
"""A coupon takes 0.5 s of paper and 0.3 s of wire at 9600 baud; beyond six seconds something is wrong."""


class LaneWork:
    """`put` takes the results. `print_sent` stores that a job begins, before the printer has its first byte."""

    def __init__(self, devices: LaneDevices, put: Callable[[core.Event], None],
                 print_sent: Callable[[core.PrintSent], bool],
                 spawn: Callable[[Coroutine[Any, Any, None], str], object]) -> None:  # fmt: skip
        self._devices, self._put, self._print_sent, self._spawn = devices, put, print_sent, spawn
        self._job: tuple[str, int | None] | None = None  # a job of this run whose end is not known

    def begin(self, action: core.Action) -> None:
        """Start doing one thing; returns at once."""
        match action:
            case core.Print():
                self._spawn(self._print(action.incentive, action.attempt), f"print {action.incentive.coupon}")
            case core.FindOut():
                self._spawn(self._find_out(action.coupon, action.cut_before), f"find out {action.coupon}")
            case core.Open():
                self._spawn(self._open(action.command, action.seconds), f"open {action.command}")

    async def _print(self, incentive: Incentive, attempt: int) -> None:
        coupon = incentive.coupon
        outcome, detail = "not_printed", ""
        try:
            outcome, detail = await self._try_to_print(incentive, attempt)
        except (DeviceError, DocumentError) as error:
            detail = str(error)
        if outcome == "not_printed":
            await asyncio.sleep(AGAIN_S)
        self._put(core.PrintEnded(coupon, outcome, detail))  # type: ignore[arg-type]

    async def _try_to_print(self, incentive: Incentive, attempt: int) -> tuple[str, str]:
        printer = self._devices.printer
        if printer is None:
            return "not_printed", "this lane has no printer"
        if self._job is not None and (await self._settle(*self._job)).state is JobState.UNKNOWN:
            return "not_printed", "what became of the coupon before is not known yet"
        before = await printer.cut_counter()
        if not self._print_sent(core.PrintSent(incentive.coupon, before)):
            return "not_printed", "the job could not be stored"
        job = f"{incentive.coupon}#{attempt}"
        self._job = (job, before)
        paper = document(incentive.receipt, reprint=attempt > 1)
        return self._outcome(await printer.print_job(job, paper, timeout_s=JOB_TIMEOUT_S))

    async def _settle(self, job: str, before: int | None) -> JobResult:
        assert self._devices.printer is not None
        result = await self._devices.printer.resolve(job, before)
        if result.state is not JobState.UNKNOWN:
            self._job = None
        return result

    def _outcome(self, result: JobResult) -> tuple[str, str]:
        if result.state is JobState.UNKNOWN:
            return "unknown", result.reason
        self._job = None
        if result.printed:
            return "printed", result.evidence.value
        return "not_printed", result.reason

    async def _find_out(self, coupon: str, before: int | None) -> None:
        job = self._job[0] if self._job is not None and self._job[0].startswith(f"{coupon}#") else f"{coupon}#0"
        if self._devices.printer is None:
            self._put(core.PrintEnded(coupon, "not_printed", "this lane has no printer any more"))
            return
        outcome, detail = self._outcome(await self._settle(job, before))
        if outcome == "unknown":
            await asyncio.sleep(AGAIN_S)
        self._put(core.PrintEnded(coupon, outcome, detail))  # type: ignore[arg-type]

    async def _open(self, command: int, seconds: float) -> None:
        try:
            result = await self._devices.open_gate(command, seconds)
        except DeviceError as error:
            detail = str(error)
        else:
            if result.taken:
                self._put(core.GateTook(command))
                return
            detail = result.reason
        log.warning("the gate does not open", command=command, reason=detail)
        await asyncio.sleep(AGAIN_S)
        self._put(core.GateRefused(command, detail))
