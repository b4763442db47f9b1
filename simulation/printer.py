"""A receipt printer on simulated time, and its driver with the real `PrintJobs`.

The machine prints what its buffer holds, in order, as long as it has paper, power and a closed cover; each cut is a slip in somebody's hand.
The driver is that of `devices.printer` without its bytes: it sends, waits for the evidence, and finds out what became of a job
in doubt exactly as the real one does (buffer worked off or cleared, then the counter of cuts).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from devices.escpos_document import Document, Qr, Text
from devices.printer_job import Evidence, Findings, JobResult, JobState, PrintJobs
from devices.status import DeviceStatus, PowerState
from simulation.loop import Process, Step, VirtualLoop

SETTLE_S, STATUS_S = 3.0, 0.05
SEND_S, PRINT_S = (0.1, 0.4), (0.3, 1.0)


@dataclass(frozen=True, slots=True)
class Model:
    """What a model can do beyond printing."""

    name: str
    completion: str
    counts_cuts: bool
    clears: bool


MODELS = (
    Model("t88v", "process_id", counts_cuts=True, clears=True),
    Model("t88iii", "gs_r", counts_cuts=True, clears=True),
    Model("plain", "gs_r", counts_cuts=False, clears=False),
)


@dataclass(frozen=True, slots=True)
class Slip:
    """A job on its way to becoming paper. `fence` is what the machine answers when it is out."""

    coupon: str
    reprint: bool
    fence: bytes


class PrinterMachine:
    """The hardware. `on_slip(slip)`: a slip was cut off and is in the customer's hand."""

    def __init__(self, loop: VirtualLoop, rng: Random, model: Model, on_slip: Callable[[Slip], None]) -> None:
        self.loop, self.rng, self.model, self._on_slip = loop, rng, model, on_slip
        self.powered = self.plugged = True
        self.obstacles: set[str] = set()
        """Why it can't print now, in words of `devices.status.FLAGS`: rec_empty, cover_open, cutter_error."""
        self.slowness = 1.0
        """How much longer than usual a slip takes."""
        self.deaf = 0.0
        """Share of its answers that are lost on the line."""
        self.cuts = rng.randrange(100, 9000)
        self.driver: SimPrinter | None = None
        self._buffer: deque[Slip] = deque()
        self._printing: Step | None = None

    @property
    def reachable(self) -> bool:
        return self.plugged and self.powered

    @property
    def idle(self) -> bool:
        return not self._buffer

    def receive(self, slip: Slip) -> None:
        """The last byte of a job has arrived."""
        if self.reachable:
            self._buffer.append(slip)
            self._go_on()

    @property
    def obstacle(self) -> str:
        return min(self.obstacles, default="")

    def hinder(self, word: str, on: bool) -> None:
        """Paper ends, the cover is opened, the cutter jams; or that is over."""
        (self.obstacles.add if on else self.obstacles.discard)(word)
        self._changed()

    def set(self, *, powered: bool | None = None, plugged: bool | None = None) -> None:
        """Power goes or comes, the cable is pulled or put in."""
        self.plugged = self.plugged if plugged is None else plugged
        if powered is not None and not powered:
            self.clear()
        self.powered = self.powered if powered is None else powered
        self._changed()

    def _changed(self) -> None:
        if self._printing is not None and (self.obstacles or not self.powered):
            self._printing.cancel()
            self._printing = None
        self._go_on()
        if self.driver is not None:
            self.driver.status_soon()

    def clear(self) -> None:
        """What was received and not printed is forgotten."""
        self._buffer.clear()
        if self._printing is not None:
            self._printing.cancel()
            self._printing = None

    def cut_void(self) -> None:
        """What may be half printed is cut off and marked void."""
        self.cuts += 1

    def answers(self) -> bool:
        """Whether an answer gets through now."""
        return self.reachable and not (self.deaf and self.rng.random() < self.deaf)

    def _go_on(self) -> None:
        if self._buffer and self._printing is None and self.powered and not self.obstacles:
            low, high = PRINT_S
            after_s = (low + self.rng.random() * (high - low)) * self.slowness
            self._printing = self.loop.call_later(after_s, self._cut, context=self.loop.outside)

    def _cut(self) -> None:
        self._printing = None
        slip = self._buffer.popleft()
        self.cuts += 1
        self._on_slip(slip)
        if self.driver is not None and self.answers():
            self.driver.confirm_soon(slip.fence)
        self._go_on()


class SimPrinter:
    """In place of `devices.printer.ReceiptPrinter`, for one life of an agent."""

    def __init__(self, machine: PrinterMachine, process: Process, on_late: Callable[[str, Evidence], None],
                 on_status: Callable[[DeviceStatus], None]) -> None:  # fmt: skip
        self._machine, self._process, self._on_late, self._on_status = machine, process, on_late, on_status
        evidence = Evidence.PROCESS_ID if machine.model.completion == "process_id" else Evidence.GS_R
        self._jobs = PrintJobs(evidence)
        self._turn = asyncio.Lock()
        self._waiting: dict[str, asyncio.Future[JobResult]] = {}
        self._resolving = ""
        self._told: DeviceStatus | None = None

    async def run(self) -> None:
        """Until cancelled."""
        self._machine.driver = self
        self.status_soon()
        await asyncio.Event().wait()

    # --- what the machine does

    def confirm_soon(self, fence: bytes) -> None:
        self._process.soon(self._confirm, fence, after_s=0.01)

    def status_soon(self) -> None:
        self._process.soon(self._status, after_s=STATUS_S)

    def _confirm(self, fence: bytes) -> None:
        result = self._jobs.confirm(fence)
        if result is None:
            return
        if (future := self._waiting.get(result.job_id)) is not None:
            _settle(future, result)
        elif result.job_id != self._resolving:
            self._on_late(result.job_id, result.evidence)

    def _status(self) -> None:
        machine, now = self._machine, asyncio.get_running_loop().time()
        if not machine.reachable:
            for result in self._jobs.lost("port_lost"):
                if (future := self._waiting.get(result.job_id)) is not None:
                    _settle(future, result)
        elif machine.obstacle:
            self._jobs.obstacle(machine.obstacle, now)
        status = DeviceStatus(PowerState.OFF_OFFLINE)
        if machine.reachable:
            status = DeviceStatus(PowerState.ONLINE, frozenset(machine.obstacles))
        if status != self._told:
            self._told = status
            self._on_status(status)

    # --- what the lane wants

    async def cut_counter(self) -> int | None:
        async with self._turn:
            return await self._read_counter()

    async def print_job(self, job_id: str, document: Document, *, timeout_s: float) -> JobResult:
        async with self._turn:
            self._jobs.queue(job_id, timeout_s)
            if obstacle := self._cannot_send(job_id):
                return self._jobs.refuse(job_id, obstacle)
            return await self._send(job_id, document)

    def _cannot_send(self, job_id: str) -> str:
        if not self._machine.reachable:
            return "port_lost"
        if self._jobs.unsettled() not in ("", job_id):
            return "unsettled"
        return self._machine.obstacle

    async def _send(self, job_id: str, document: Document) -> JobResult:
        loop, machine = asyncio.get_running_loop(), self._machine
        future: asyncio.Future[JobResult] = loop.create_future()
        self._waiting[job_id] = future
        self._jobs.send(job_id, loop.time())
        low, high = SEND_S
        slip = Slip(_coupon(document), _is_reprint(document), self._jobs.fence(job_id))
        # Bytes that the system has are sent by the system, whatever becomes of the program.
        machine.loop.call_later(
            low + machine.rng.random() * (high - low), machine.receive, slip, context=machine.loop.outside
        )
        try:
            while not future.done():
                left_s = self._jobs.next_deadline() - loop.time()
                await asyncio.wait([future], timeout=max(0.0, min(left_s, 0.2)))
                for late in self._jobs.tick(loop.time()):
                    _settle(future, late)
            return future.result()
        finally:
            del self._waiting[job_id]
            if self._jobs.result(job_id).state is JobState.SENT:
                self._jobs.doubt(job_id, "cancelled")

    async def resolve(self, job_id: str, cut_counter_before: int | None) -> JobResult:
        async with self._turn:
            self._jobs.adopt(job_id)
            if self._jobs.result(job_id).state is JobState.UNKNOWN and self._machine.reachable:
                self._resolving = job_id
                try:
                    return await self._investigate(job_id, cut_counter_before)
                finally:
                    self._resolving = ""
            return self._jobs.judge(job_id, Findings(cut_counter_before, None, drained=False, cleared=False))

    async def _investigate(self, job_id: str, before: int | None) -> JobResult:
        machine = self._machine
        stuck = machine.reachable and bool(machine.obstacle)
        drained = not stuck and await self._drained()
        cleared = not drained and machine.model.clears and machine.answers()
        if cleared:
            machine.clear()
        await asyncio.sleep(STATUS_S)
        drained = drained or cleared
        proof = cleared and stuck and machine.reachable and bool(machine.obstacle)
        after = await self._read_counter() if drained else None
        result = self._jobs.judge(job_id, Findings(before, after, drained, proof))
        if result.evidence is Evidence.CUT_COUNTER and result.may_reprint and machine.reachable:
            self._jobs.extra_cut()
            machine.cut_void()
        return result

    async def _drained(self) -> bool:
        """Whether it answers a fence behind everything that it was sent."""
        loop = asyncio.get_running_loop()
        end = loop.time() + SETTLE_S
        while loop.time() < end:
            await asyncio.sleep(0.05)
            if self._machine.reachable and self._machine.idle and self._machine.answers():
                return True
        return False

    async def _read_counter(self) -> int | None:
        machine = self._machine
        if not machine.model.counts_cuts or not machine.reachable or machine.obstacle:
            return None
        if not await self._drained():  # the question waits in the buffer behind what is to be printed
            return None
        return machine.cuts if machine.answers() else None


def _settle(future: asyncio.Future[JobResult], result: JobResult) -> None:
    if not future.done():
        future.set_result(result)


def _coupon(document: Document) -> str:
    return next((line.data for line in document.lines if isinstance(line, Qr)), "")


def _is_reprint(document: Document) -> bool:
    first = document.lines[0]
    return isinstance(first, Text) and "Reprint" in first.text
