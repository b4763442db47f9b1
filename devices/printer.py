"""A receipt printer on a serial port: jobs in, results on evidence out.

    printer = ReceiptPrinter("/dev/serial/by-id/…", PrinterSettings(), on_event, on_status)
    before = await printer.cut_counter()            # store it durably with the job, then
    result = await printer.print_job(job_id, document, timeout_s=10)
    if result.state is JobState.UNKNOWN:            # now, or after a restart of this program
        result = await printer.resolve(job_id, before)

Methods may be called at any time; they take turns. An unknown status never keeps a job from being sent.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from devices.errors import DeviceError
from devices.escpos_build import build
from devices.escpos_document import Document
from devices.escpos_replies import BuffersCleared, InfoBlock, Reply
from devices.printer_fence import CLEAR_BUFFERS, Fences, fence_name
from devices.printer_job import Evidence, Findings, JobResult, JobState, PrintJobs
from devices.printer_link import PrinterLink
from devices.printer_settings import VOID_SLIP, PrinterSettings
from devices.printer_status import Condition
from devices.pulse import Pulse
from devices.status import DeviceStatus

__all__ = [
    "Evidence",
    "JobResult",
    "JobState",
    "OutputComplete",
    "PrinterSettings",
    "ReceiptPrinter",
]

log = structlog.get_logger()

#: Clearing is done at once by a printer that can; one without the command never answers.
_CLEAR_S = 1.0
#: A printer with nothing to do answers in some milliseconds.
_COUNTER_S = 1.0
_COUNTER_READINGS = 3


@dataclass(frozen=True, slots=True)
class OutputComplete:
    """UnifiedPOS OutputCompleteEvent, late: a job told as unknown has been printed after all."""

    job_id: str
    evidence: Evidence


class ReceiptPrinter:
    """`run()` for ever. `on_event` for confirmations that came after their job was told unknown; `on_status` on change."""

    def __init__(
        self,
        path: str | Path,
        settings: PrinterSettings,
        on_event: Callable[[OutputComplete], None],
        on_status: Callable[[DeviceStatus], None],
    ) -> None:
        self._settings = settings
        self._on_event = on_event
        self._fences = Fences(settings.completion)
        self._jobs = PrintJobs(Evidence.PROCESS_ID if settings.completion == "process_id" else Evidence.GS_R)
        self._turn = asyncio.Lock()
        self._waiting: dict[str, asyncio.Future[JobResult]] = {}
        self._passed: dict[bytes, asyncio.Future[None]] = {}
        self._cleared: asyncio.Future[None] | None = None
        self._info: InfoBlock | None = None
        self._resolving = ""
        self._noise_at_send = ("", 0)
        self._timer: asyncio.TimerHandle | None = None
        # late answers to fences of a former run must not pass for ours
        self._names = (fence_name(f"{os.urandom(8).hex()} {n}") for n in itertools.count())
        self._link = PrinterLink(
            path,
            settings,
            on_reply=self._reply,
            on_change=self._condition_changed,
            on_down=self._down,
            on_status=on_status,
        )

    @property
    def status(self) -> DeviceStatus:
        return self._link.status

    @property
    def pulse(self) -> Pulse:
        return self._link.pulse

    async def run(self) -> None:
        """Until cancelled, which closes the port."""
        try:
            await self._link.run()
        finally:
            if self._timer is not None:
                self._timer.cancel()

    async def cut_counter(self) -> int | None:
        """Cutter operations so far; None if the model does not count or the printer cannot be asked now."""
        async with self._turn:
            return await self._read_counter()

    async def print_job(self, job_id: str, document: Document, *, timeout_s: float) -> JobResult:
        """Print one receipt. printed: the printer confirmed it. failed: nothing was sent. unknown: it may come out.

        Returns at the latest `timeout_s` after it was sent, earlier when the printer reports why it cannot go on. A
        confirmation after that comes as OutputComplete. An unknown job must be resolved before the next is taken.
        Raises IllegalMove if `job_id` is printed or unknown already.
        """
        async with self._turn:
            self._jobs.queue(job_id, timeout_s)
            obstacle = self._cannot_send(job_id)
            if obstacle:
                return self._jobs.refuse(job_id, obstacle)
            built = build(document, columns=self._settings.columns)
            if built.replaced or built.removed:
                log.warning("characters lost", job_id=job_id, replaced=built.replaced, removed=built.removed)
            return await self._send_job(job_id, built.data)

    async def resolve(self, job_id: str, cut_counter_before: int | None) -> JobResult:
        """What became of a job in doubt, of this run or a former one. Takes up to settle_s + 3 s.

        Waits for the printer to work off what it holds; if it does not (paper end, cover, half a command), clears its
        buffers, so that the job cannot come out later unseen; then reads the cut counter. failed: not printed, the same
        coupon may be printed again. unknown: no evidence (again later, or the caller decides).
        """
        async with self._turn:
            self._jobs.adopt(job_id)
            if self._jobs.result(job_id).state is JobState.UNKNOWN and self._link.is_open:
                self._resolving = job_id
                try:
                    return await self._investigate(job_id, cut_counter_before)
                except DeviceError as error:
                    log.warning("printer lost while a job was resolved", job_id=job_id, error=str(error))
                finally:
                    self._resolving = ""
            return self._jobs.judge(job_id, Findings(cut_counter_before, None, drained=False, cleared=False))

    def _cannot_send(self, job_id: str) -> str:
        if not self._link.is_open:
            return "port_lost"
        if self._jobs.unsettled() not in ("", job_id):
            return "unsettled"
        return self._link.condition.obstacle

    async def _send_job(self, job_id: str, data: bytes) -> JobResult:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[JobResult] = loop.create_future()
        self._waiting[job_id] = future
        fence = self._jobs.fence(job_id)
        whole = data + self._fences.request(fence)
        sending = loop.create_task(
            self._link.send(whole, starting=lambda: self._starting(job_id)), name=f"send {job_id}"
        )
        sending.add_done_callback(lambda task: self._sent(job_id, task))
        try:
            return await future
        finally:
            del self._waiting[job_id]
            sending.cancel()  # nothing of a job in doubt may follow a clear
            if self._jobs.result(job_id).state is JobState.SENT:
                self._jobs.doubt(job_id, "cancelled")
            if not self._jobs.result(job_id).printed:
                self._fences.give_up(fence, loop.time())

    def _starting(self, job_id: str) -> None:
        self._jobs.send(job_id, asyncio.get_running_loop().time())
        self._noise_at_send = (job_id, self._link.noise_bytes)
        self._arm()

    def _sent(self, job_id: str, task: asyncio.Task[None]) -> None:
        """Only a failure needs an answer here: before the first byte nothing was sent, after it nobody knows."""
        if task.cancelled() or task.exception() is None:
            return
        state = self._jobs.result(job_id).state
        if state is JobState.QUEUED:
            self._deliver(self._jobs.refuse(job_id, "port_lost"))
        elif state is JobState.SENT:
            self._deliver(self._jobs.doubt(job_id, "port_lost"))

    def _reply(self, reply: Reply) -> None:
        match reply:
            case InfoBlock():
                self._info = reply
            case BuffersCleared() if self._cleared is not None and not self._cleared.done():
                self._cleared.set_result(None)
        name = self._fences.on_reply(reply, asyncio.get_running_loop().time())
        if name is None:
            return
        if (passed := self._passed.get(name)) is not None:
            if not passed.done():
                passed.set_result(None)
        elif (result := self._jobs.confirm(name)) is not None:
            self._deliver(result)

    def _condition_changed(self, condition: Condition) -> None:
        if condition.obstacle:
            self._jobs.obstacle(condition.obstacle, asyncio.get_running_loop().time())
            self._arm()

    def _down(self, reason: str) -> None:
        for result in self._jobs.lost(reason):
            self._deliver(result)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        deadline = self._jobs.next_deadline()
        if deadline != float("inf"):
            self._timer = asyncio.get_running_loop().call_at(deadline, self._tick)

    def _tick(self) -> None:
        for result in self._jobs.tick(asyncio.get_running_loop().time()):
            self._deliver(result)
        self._arm()

    def _deliver(self, result: JobResult) -> None:
        future = self._waiting.get(result.job_id)
        if future is not None:
            if not future.done():
                future.set_result(result)
        elif result.printed and result.job_id != self._resolving:
            self._on_event(OutputComplete(result.job_id, result.evidence))

    async def _investigate(self, job_id: str, before: int | None) -> JobResult:
        stuck = await self._is_stuck()
        drained = not stuck and await self._drain()
        cleared = False
        if not drained and self._jobs.result(job_id).state is JobState.UNKNOWN:
            cleared = await self._clear()
        drained = drained or cleared
        # Clearing proves "not printed" only for a job that cannot have ended: the printer was stuck before and still is,
        # and no noise on the line can have hidden the confirmation.
        quiet = self._noise_at_send == (job_id, self._link.noise_bytes)
        proof = cleared and stuck and quiet and await self._is_stuck()
        after = await self._read_counter() if drained else None  # one that does neither will not answer this either
        result = self._jobs.judge(job_id, Findings(before, after, drained, proof))
        if result.evidence is Evidence.CUT_COUNTER and result.may_reprint and self._settings.void_slip:
            self._jobs.extra_cut()
            await self._link.send(build(VOID_SLIP, columns=self._settings.columns).data)
        return result

    async def _is_stuck(self) -> bool:
        """Whether the printer says now, twice, that it is offline: one damaged byte must not decide on a coupon."""
        return await self._link.says_offline() and await self._link.says_offline()

    async def _drain(self) -> bool:
        """Whether it answers a fence, asked twice because an answer can be lost, which must not cost a good print."""
        return await self._pass_fence(self._settings.settle_s) or await self._pass_fence(self._settings.answer_s)

    async def _read_counter(self) -> int | None:
        """The value that two readings in a row agree on: a flipped bit in a digit would prove a print that never was."""
        if self._settings.cut_counter is None or not self._link.is_open or self._link.condition.obstacle:
            return None
        last = await self._read_counter_once(self._settings.cut_counter)
        for _ in range(_COUNTER_READINGS):
            value = await self._read_counter_once(self._settings.cut_counter)
            if value == last:
                return value  # twice no answer is an answer too: None
            last = value
        return None

    async def _read_counter_once(self, number: int) -> int | None:
        """GS g 2 and a fence behind it: the last block before the fence passes is the answer to this question, not to an
        earlier one that the printer held."""
        self._info = None
        query = b"\x1dg2\x00" + number.to_bytes(2, "little")
        if not await self._pass_fence(min(_COUNTER_S, self._settings.settle_s), query):
            return None
        return self._info.number if self._info is not None else None

    async def _pass_fence(self, timeout_s: float, before: bytes = b"") -> bool:
        """Whether the printer answered within `timeout_s` that it has done all that it was sent."""
        loop = asyncio.get_running_loop()
        name = next(self._names)
        passed = self._passed[name] = loop.create_future()
        try:
            async with asyncio.timeout(timeout_s):
                await self._link.send(before + self._fences.request(name))
                await passed
                return True
        except (TimeoutError, DeviceError):
            self._fences.give_up(name, loop.time())
            return False
        finally:
            del self._passed[name]

    async def _clear(self) -> bool:
        self._cleared = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(min(_CLEAR_S, self._settings.settle_s)):
                self._link.send_now(CLEAR_BUFFERS)
                await self._cleared
                return True
        except TimeoutError:
            return False
        finally:
            self._cleared = None
