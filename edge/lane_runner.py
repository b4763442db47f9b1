"""A lane's shell: its devices on one side, the agent's node on the other, `edge.lane` between them.

Everything that happens to a lane passes one queue, in order. Each event is one transaction: the new state and the messages
are on disk before anything is done to the world. If the disk fails, the event waits; a passage is never lost.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from config.edge_settings import LaneSettings
from contract.exit_code import ExitClaims, ExitCodeError
from contract.payloads import Bilingual, LaneDecision, LanePrinted, LaneRefused, LaneScan
from delivery.engine import Tx
from delivery.node import Node
from devices import gate_events as gate
from devices.gate_map import Outcome
from devices.printer import OutputComplete
from devices.reader_frames import Scan
from edge import lane as core
from edge.codes import Keyring
from edge.lane_devices import LaneDevices
from edge.lane_work import LaneWork
from edge.store import EdgeStore

log = structlog.get_logger()

QUEUE_MAX = 1000
DISK_RETRY_S = 0.5
REFUSALS_PER_S, REFUSALS_BURST = 2.0, 20.0
"""Refused codes that are told to the hub. A reader that floods is counted, not forwarded."""


@dataclass(frozen=True, slots=True)
class Scanned:
    scan: Scan


Item = Scanned | gate.GateEvent | OutputComplete | core.Event


class LaneRunner:
    """One lane of an agent. `on_change(lane)` is told its new state, for whoever shows it."""

    def __init__(self, settings: LaneSettings, node: Node, store: EdgeStore, keys: Keyring, devices: LaneDevices,
                 spawn: Callable[..., object]) -> None:  # fmt: skip
        self.id = settings.id
        self.policy = core.LanePolicy(
            decide_s=settings.decide_s,
            offline=settings.offline,
            print_patience_s=settings.print_patience_s,
            gate_patience_s=settings.gate_patience_s,
        )
        self.counters: Counter[str] = Counter()
        self._node, self._store, self._keys, self._devices = node, store, keys, devices
        self._work = LaneWork(devices, self.put, self._print_sent, spawn)
        self._queue: deque[Item] = deque()
        self._wake = asyncio.Event()
        self._allowance, self._allowance_at = REFUSALS_BURST, 0.0
        self._papers: dict[str, str] = {}  # coupon → scan, of papers that may still come out late
        lane, self.known = store.lane(self.id)
        self.lane = lane or core.Lane(command=int(node.engine.clock.utc().timestamp()) & 0x7FFF_FFFF)
        # A new database begins its commands with the time of day in seconds: later than any that the gate has seen.

    # --- what comes in

    def put(self, item: Item) -> None:
        """Something happened. Only scans can come in numbers; they are bounded by `on_scan`."""
        self._queue.append(item)
        self._wake.set()

    def on_scan(self, scan: Scan) -> None:
        if len(self._queue) < QUEUE_MAX:
            self.put(Scanned(scan))
        else:
            self.counters["dropped_scans"] += 1

    def decided(self, decision: LaneDecision, message: str, visit: str | None, tx: Tx) -> None:
        """A decision came, inside the transaction that takes it."""
        self._apply(core.Decided(decision, message, visit), tx)

    # --- the loop

    async def run(self) -> None:
        """Until cancelled. Goes on first with what a loss of power interrupted."""
        await self._retried(self._resume)
        while True:
            item = await self._next()
            await self._retried(lambda item=item: self._one(item))  # type: ignore[misc]

    async def _next(self) -> Item:
        while not self._queue:
            self._wake.clear()
            deadline = core.next_deadline(self.lane)
            wait_s = None if deadline is None else max(0.0, deadline - self._node.engine.clock.monotonic())
            try:
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()
            except TimeoutError:
                return core.Tick()
        return self._queue.popleft()

    async def _retried(self, act: Callable[[], None]) -> None:
        told = False
        while True:
            try:
                act()
                return
            except sqlite3.Error as error:
                if not told:
                    log.error("a lane can't store its state; is the disk full?", lane=self.id, error=str(error))
                told = True
                self.counters["disk_errors"] += 1
                await asyncio.sleep(DISK_RETRY_S)

    def _resume(self) -> None:
        before = self.lane
        with self._node.transaction() as tx:
            lane, actions = core.resume(before, tx.now, self.policy)
            self._become(lane, before, actions, tx)

    def _one(self, item: Item) -> None:
        match item:
            case Scanned():
                self._scanned(item.scan)
            case OutputComplete():
                self._late_paper(item)
            case gate.GateEvent():
                self._gate_events(item)
            case core.Tick() if not self._is_due():
                pass
            case _:
                with self._node.transaction() as tx:
                    self._apply(item, tx)

    def _is_due(self) -> bool:
        deadline = core.next_deadline(self.lane)
        return deadline is not None and self._node.engine.clock.monotonic() >= deadline

    # --- codes

    def _scanned(self, scan: Scan) -> None:
        if self.lane.phase is not core.Phase.IDLE:
            self.counters["scans_while_busy"] += 1
            return
        utc = self._node.engine.clock.utc()
        try:
            claims = self._keys.verify(scan.text, utc)
        except ExitCodeError as error:
            self._refuse(error.reason, str(error), error.claims)
            return
        if self._store.is_used(claims.code_id):
            self._refuse("already_used", "this code has opened this lane's gate before", claims)
            return
        with self._node.transaction() as tx:
            self._store.use(claims.code_id, claims.expires, tx.utc)
            data = LaneScan(code_id=claims.code_id, sale=claims.sale, code=scan.text, scanned=tx.utc)
            message = tx.send("lane_scan", data, lane=self.id)
            self._apply(core.CodeAccepted(message), tx)
        self.counters["scans"] += 1

    def _refuse(self, reason: str, detail: str, claims: ExitClaims | None) -> None:
        self.counters["refused"] += 1
        self.counters[f"refused_{reason}"] += 1
        now = self._node.engine.clock.monotonic()
        self._allowance = min(REFUSALS_BURST, self._allowance + (now - self._allowance_at) * REFUSALS_PER_S)
        self._allowance_at = now
        if self._allowance < 1:
            self.counters["refused_untold"] += 1
            return
        self._allowance -= 1
        log.warning("exit code refused", lane=self.id, reason=reason, detail=detail)
        with self._node.transaction() as tx:
            data = LaneRefused.model_validate(
                {"reason": reason, "detail": detail, "code_id": claims.code_id if claims else None, "scanned": tx.utc}
            )
            tx.send("lane_refused", data, lane=self.id)

    # --- the gate, and paper that came late

    def _gate_events(self, first: gate.GateEvent) -> None:
        """All events of one reading of the board in one transaction, with the counters they rest on: told once."""
        waiting = [item for item in self._queue if isinstance(item, gate.GateEvent)]
        counters = self._devices.gate_counters()
        with self._node.transaction() as tx:
            for event in (first, *waiting):
                self._gate_event(event, tx)
            if counters is not None:
                self._store.save_gate(self.id, counters)
        self._queue = deque(item for item in self._queue if not isinstance(item, gate.GateEvent))

    def _gate_event(self, event: gate.GateEvent, tx: Tx) -> None:
        match event:
            case gate.Passage():
                self._apply(core.Passed(event.direction, event.command_seq), tx)
            case gate.NotPassed():
                self._apply(core.NobodyPassed(event.command_seq, event.why is Outcome.CUT_OFF), tx)
            case gate.FireAlarm(on=True):
                self._apply(core.FireAlarm(), tx)
            case gate.Intrusion():
                self.counters["intrusions"] += 1
            case _:
                pass  # opened, closed, obstacle, fault, mains: the device's status shows them

    def _late_paper(self, event: OutputComplete) -> None:
        """A coupon that was given up as unknown came out after all: the hub must know."""
        coupon = event.job_id.partition("#")[0]
        scan = self._papers.pop(coupon, None)
        if self.lane.incentive is not None and self.lane.incentive.coupon == coupon:
            with self._node.transaction() as tx:
                self._apply(core.PrintEnded(coupon, "printed", "confirmed late"), tx)
        elif scan is not None:
            with self._node.transaction() as tx:
                data = LanePrinted(scan=scan, coupon=coupon, outcome="printed", detail="confirmed late")
                tx.send("lane_printed", data, lane=self.id)

    def _print_sent(self, event: core.PrintSent) -> bool:
        """On disk before the printer gets the first byte. False: the disk failed, or the lane has given the paper up."""
        try:
            with self._node.transaction() as tx:
                self._apply(event, tx)
        except sqlite3.Error as error:
            log.error("a print job can't be stored, so it is not begun", lane=self.id, error=str(error))
            return False
        return self.lane.sent and self.lane.phase is core.Phase.PRINTING

    # --- one step

    def _apply(self, event: core.Event, tx: Tx) -> None:
        before = self.lane
        lane, actions = core.step(before, event, tx.now, self.policy)
        self._become(lane, before, actions, tx)

    def _become(self, lane: core.Lane, before: core.Lane, actions: tuple[core.Action, ...], tx: Tx) -> None:
        told = lane if lane.phase is not core.Phase.IDLE else before
        cause = told.cause
        for action in actions:
            match action:
                case core.Say():
                    own = getattr(action.data, "scan", None) is not None
                    cause = tx.send(action.name, action.data, visit=told.visit if own else None,
                                    cause=cause if own else None, lane=self.id)  # fmt: skip
                    if isinstance(action.data, LanePrinted) and action.data.outcome == "unknown":
                        self._remember_paper(action.data)
                case core.Ignored():
                    self.counters[action.what] += 1
                case core.CallClerk():
                    self.counters["clerk_called"] += 1
                    log.error("a clerk is needed at the lane", lane=self.id, reason=action.reason)
                case _:
                    tx.after_commit(lambda action=action: self._work.begin(action))  # type: ignore[misc]
        if lane.phase is not core.Phase.IDLE:
            lane = replace(lane, cause=cause)
        self.lane = lane
        tx.on_rollback(lambda: self._restore(before))
        self._store.save_lane(self.id, lane)
        self._wake.set()  # the loop looks at the new deadline: a decision changes it from outside the loop

    def _restore(self, before: core.Lane) -> None:
        self.lane = before

    def _remember_paper(self, data: LanePrinted) -> None:
        self._papers[data.coupon] = data.scan
        while len(self._papers) > 100:
            self._papers.pop(next(iter(self._papers)))

    def shows(self) -> Bilingual:
        """What the lane would tell the customer now."""
        return _WORDS[self.lane.phase]


_WORDS = {
    core.Phase.IDLE: Bilingual(ja="退店コードをかざしてください", en="Please hold your exit code over the reader"),
    core.Phase.DECIDING: Bilingual(ja="読み取り中です", en="Reading"),
    core.Phase.PRINTING: Bilingual(ja="クーポンを印刷しています", en="Your coupon is being printed"),
    core.Phase.OPENING: Bilingual(ja="ゲートが開きます", en="The gate is opening"),
    core.Phase.OPEN: Bilingual(ja="お通りください", en="Please pass"),
}
