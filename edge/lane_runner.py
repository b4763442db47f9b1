"""A lane's shell: its devices on one side, the agent's node on the other, `edge.lane` between them.

Everything that happens to a lane passes one queue, in order. Each event is one transaction: the new state and the messages
are on disk before anything is done to the world. If the disk fails, the event waits; a passage is never lost.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace

import structlog

from config.edge_settings import LaneSettings
from contract.payloads import CouponRead, LaneCallAnswered, LaneDecision, LaneIncident, LanePrinted
from delivery.engine import Tx
from delivery.node import Node
from devices import gate_events as gate
from devices.gate_map import Outcome
from devices.printer import OutputComplete
from devices.pulse import Pulse
from edge import lane_calls
from edge import lane_types as core
from edge.codes import Keyring
from edge.lane import next_deadline, resume, step
from edge.lane_desk import LaneDesk
from edge.lane_devices import LaneDevices
from edge.lane_entry import LaneEntry
from edge.lane_inbox import Item, LaneInbox, Scanned
from edge.lane_incidents import ObstacleWatch, Seen, seen
from edge.lane_papers import DoubtfulPapers
from edge.lane_refusals import LaneRefusals, Refused
from edge.lane_work import LaneWork
from edge.store import EdgeStore

log = structlog.get_logger()

DISK_RETRY_S = 0.5
STALE_S = 3.0
"""A code that could not be handled for so long is dropped: a gate must not open when its customer has gone away."""


class LaneRunner(LaneInbox):
    """One lane of an agent."""

    def __init__(self, settings: LaneSettings, node: Node, store: EdgeStore, keys: Keyring, devices: LaneDevices,
                 spawn: Callable[..., object]) -> None:  # fmt: skip
        super().__init__()
        self.id = settings.id
        self.policy = core.LanePolicy(
            decide_s=settings.decide_s,
            offline=settings.offline,
            print_patience_s=settings.print_patience_s,
            gate_patience_s=settings.gate_patience_s,
            gate=settings.gate is not None,
            show_s=settings.show_s,
        )
        self.others: Callable[[], Iterable[LaneRunner]] = lambda: ()
        """The agent's other lanes: a code that was used here opens nothing there."""
        self.pulse = Pulse()
        self.on_step: Callable[[core.Event, float], None] | None = None
        """Called after each step that is on disk, with the time of its event (monotonic s)."""
        self.watch: Callable[[core.Event | Refused], None] = lambda _happened: None
        """The display's: called after each step that is on disk, and after each code that was refused. Must not raise."""
        self._node, self._store, self._keys, self._devices = node, store, keys, devices
        self._work = LaneWork(devices, self.put, self._print_sent, self._wants_open, spawn)
        refusals = LaneRefusals(self.id, node, self.counters, lambda refused: self.watch(refused))
        self._entry = LaneEntry(self.id, node, store, keys, refusals, self.counters, self.policy.decide_s, self._apply,
                                lambda code: self._tell_others(core.HeldUpElsewhere(code)))  # fmt: skip
        self.desk = LaneDesk(
            self.id, store, lane_calls.CallPolicy(trouble_s=settings.trouble_s, call_s=settings.call_s), self.counters
        )
        """Calls for a clerk."""
        self._obstacles = ObstacleWatch()
        self._papers = DoubtfulPapers()
        self._resumed = False
        lane, self.known = store.lane(self.id)
        # A new database begins its commands with the time of day in seconds: most likely later than any that the gate has
        # seen. If not (a clock that was not set), the gate's refusal tells the number to go on from.
        self.lane = lane or core.Lane(command=int(node.engine.clock.utc().timestamp()) & 0x7FFF_FFFF)

    # --- what the hub says

    def decided(self, decision: LaneDecision, message: str, visit: str | None, tx: Tx) -> None:
        """A decision came, inside the transaction that takes it."""
        self._resume(tx)
        self._apply(core.Decided(decision, message, visit), tx)

    def coupon_read(self, read: CouponRead, tx: Tx) -> None:
        """Her terminal has read the code on the display; inside the transaction that takes the message."""
        self._resume(tx)
        self._apply(core.ReadFromDisplay(read.scan, read.coupon), tx)

    def call_answered(self, answer: LaneCallAnswered, tx: Tx) -> None:
        """What has become of a call; inside the transaction that takes the message."""
        self._resume(tx)
        self.desk.apply(lane_calls.Answered(answer.call, answer.state, answer.clerk_name), tx)
        self._wake.set()

    # --- the loop

    def poke(self) -> None:
        """Make the loop go round once, also without work."""
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled. Goes on first with what a loss of power interrupted."""
        await self._retried(self._begin)
        while True:
            item = await self._next()
            try:
                await self._retried(lambda item=item: self._one(item))  # type: ignore[misc]
            except asyncio.CancelledError:
                self._queue.appendleft(item)  # to be done when the loop is started anew
                raise

    async def _next(self) -> Item:
        while not self._queue:
            self.pulse.beat("lane")
            self._wake.clear()
            deadline = self._next_deadline()
            if deadline is None:
                await self._wake.wait()
                continue
            monotonic = self._node.engine.clock.monotonic
            timer = asyncio.get_running_loop().call_later(max(0.0, deadline - monotonic()), self._wake.set)
            try:
                await self._wake.wait()
            finally:
                timer.cancel()
            if not self._queue and monotonic() >= deadline:
                return core.Tick()
        return self._queue.popleft()

    async def _retried(self, act: Callable[[], None]) -> None:
        told = False
        while True:
            self.pulse.beat("lane")
            try:
                act()
            except sqlite3.Error as error:
                if not told:
                    log.error("a lane can't store its state; is the disk full?", lane=self.id, error=str(error))
                told = True
                self.counters["disk_errors"] += 1
                await asyncio.sleep(DISK_RETRY_S)
                continue
            except Exception as error:
                # One event that can't be handled must not stop the lane: its patience deals with what does not happen.
                self.counters["events_failed"] += 1
                log.error("an event of a lane was not handled", lane=self.id, error=repr(error), exc_info=True)
            if told:
                log.info("a lane can store its state again", lane=self.id)
            return

    def _begin(self) -> None:
        with self._node.transaction() as tx:
            self._resume(tx)

    def _resume(self, tx: Tx) -> None:
        """Once, before anything else: a decision may come before the loop has begun."""
        if self._resumed:
            return
        away_s = self._store.lane_away_s(self.id, tx.utc)
        self._store.save_lane(self.id, self.lane, tx.utc)
        self.desk.resume(tx.now)
        lane, actions = resume(self.lane, tx.now, self.policy, away_s)
        self._become(lane, actions, tx)
        self._resumed = True
        tx.on_rollback(self._not_resumed)

    def _not_resumed(self) -> None:
        self._resumed = False

    def _one(self, item: Item) -> None:
        match item:
            case Scanned():
                self._scanned(item)
            case OutputComplete():
                self._paper(core.PrintEnded(item.job_id, "printed", "confirmed late"))
            case core.PrintEnded():
                self._paper(item)
            case gate.GateEvent():
                self._gate_events(item)
            case core.Tick():
                self._time()
            case lane_calls.Wanted() | lane_calls.DeviceTold() | lane_calls.Answered() | lane_calls.Settled():
                with self._node.transaction() as tx:
                    self.desk.apply(item, tx)
            case lane_calls.CallTick():
                pass  # comes from `_time` alone
            case _:
                with self._node.transaction() as tx:
                    self._apply(item, tx)

    def _next_deadline(self) -> float | None:
        due = (next_deadline(self.lane), self.desk.next_deadline(), self._obstacles.due)
        return min((at for at in due if at is not None), default=None)

    def _time(self) -> None:
        now = self._node.engine.clock.monotonic()
        lane_due, call_due = next_deadline(self.lane), self.desk.next_deadline()
        obstacle = self._obstacles.told(now)
        if not obstacle and all(due is None or now < due for due in (lane_due, call_due)):
            return
        with self._node.transaction() as tx:
            if lane_due is not None and now >= lane_due:
                self._apply(core.Tick(), tx)
            self.desk.apply(lane_calls.CallTick(), tx)
            if obstacle:
                tx.on_rollback(lambda: self._obstacles.again(now))
                self._incident(obstacle, self.lane.scan, tx)

    # --- codes

    def _scanned(self, item: Scanned) -> None:
        if self._node.engine.clock.monotonic() - item.t > STALE_S:
            self.counters["stale_scans"] += 1
            return
        busy = self._entry.while_busy(item.text, self.lane)
        if busy is not None:
            with self._node.transaction() as tx:
                self._apply(busy, tx)
        if self.lane.phase is not core.Phase.IDLE:
            self.counters["scans_while_busy"] += 1
        else:
            self._entry.read(item.text, item.by, item.t)

    # --- the gate

    def _gate_events(self, first: gate.GateEvent) -> None:
        """All events of one reading of the board in one transaction, with the counters they rest on: told once."""
        waiting = [item for item in self._queue if isinstance(item, gate.GateEvent)]
        counters, scan = self._devices.gate_counters(), self.lane.scan
        with self._node.transaction() as tx:
            for event in (first, *waiting):
                self._gate_event(event, tx)
            for incident in seen((first, *waiting)):
                self._incident(incident, scan, tx)
            if counters is not None:
                self._store.save_gate(self.id, counters)
        self._queue = deque(item for item in self._queue if not isinstance(item, gate.GateEvent))

    def _gate_event(self, event: gate.GateEvent, tx: Tx) -> None:
        match event:
            case gate.Passage():
                self._apply(core.Passed(event.direction, event.command_seq), tx)
            case gate.NotPassed():
                self._apply(core.NobodyPassed(event.command_seq, event.why is Outcome.CUT_OFF, event.missed), tx)
            case gate.FireAlarm(on=True):
                self._apply(core.FireAlarm(), tx)
            case gate.Intrusion():
                tx.after_commit(lambda: self._count("intrusions"))
            case gate.Obstacle():
                self._obstacles.heard(event, tx.now)
            case gate.HelpPressed():
                self.on_help()
            case _:
                pass  # opened, closed, fault, mains: the device's status shows them

    def _incident(self, incident: Seen, scan: str, tx: Tx) -> None:
        data = LaneIncident(kind=incident.kind, direction=incident.direction, count=incident.count, scan=scan or None,
                            detail=incident.detail, seen=tx.utc)  # fmt: skip
        tx.send("lane_incident", data, visit=self.lane.visit if scan == self.lane.scan else None, lane=self.id)
        tx.after_commit(lambda: self._count(f"incidents_{incident.kind}"))

    # --- paper

    def _paper(self, event: core.PrintEnded) -> None:
        """The end of a print job; also of one that was given up as unknown and came out after all."""
        late = self._papers.late(event)
        with self._node.transaction() as tx:
            self._apply(event, tx)
            if late is not None:
                tx.send("lane_printed", late, lane=self.id)
                tx.after_commit(lambda: self._papers.forget(event.job))

    def _print_sent(self, event: core.PrintSent) -> bool:
        """On disk before the printer gets the first byte. False: the disk failed, or the lane has given the paper up."""
        try:
            with self._node.transaction() as tx:
                self._apply(event, tx)
        except sqlite3.Error as error:
            log.error("a print job can't be stored, so it is not begun", lane=self.id, error=str(error))
            return False
        return self.lane.phase is core.Phase.PRINTING and self.lane.job == event.job and self.lane.sent

    def _wants_open(self, command: int) -> bool:
        return self.lane.phase is core.Phase.OPENING and self.lane.command == command

    # --- one step

    def _apply(self, event: core.Event, tx: Tx, t: float | None = None) -> None:
        lane, actions = step(self.lane, event, tx.now, self.policy)
        if (on_step := self.on_step) is not None:
            tx.after_commit(lambda: on_step(event, tx.now if t is None else t))
        tx.after_commit(lambda: self.watch(event))
        self._become(lane, actions, tx)
        self.desk.settle(event, tx)

    def _become(self, lane: core.Lane, actions: tuple[core.Action, ...], tx: Tx) -> None:
        """Say and store, in the caller's transaction; act after its commit."""
        before = self.lane
        tx.on_rollback(lambda: self._restore(before))
        told = lane if lane.phase is not core.Phase.IDLE else before
        cause = told.cause
        for action in actions:
            match action:
                case core.Say():
                    own = getattr(action.data, "scan", None) == told.scan
                    said = tx.send(action.name, action.data, visit=told.visit if own else None,
                                   cause=cause if own else None, lane=self.id)  # fmt: skip
                    cause = said if own else cause
                    if isinstance(action.data, LanePrinted) and action.data.outcome == "unknown":
                        tx.after_commit(lambda job=before.job, data=action.data: self._papers.remember(job, data))  # type: ignore[misc]
                case core.HoldCode():
                    self._store.hold(action.code, action.held)
                    if action.held:
                        tx.after_commit(lambda code=action.code: self._tell_others(core.CodeUsed(code)))  # type: ignore[misc]
                case core.Ignored():
                    tx.after_commit(lambda what=action.what: self._count(what))  # type: ignore[misc]
                case core.KnowCode():
                    self._store.use(action.code, action.expires, tx.utc)
                    self._store.hold(action.number, False)
                case core.Refer():
                    tx.after_commit(lambda reason=action.reason: self._refer(reason))  # type: ignore[misc]
                case core.CallClerk():
                    self.desk.apply(lane_calls.Wanted(action.why, action.detail), tx)
                case _:
                    tx.after_commit(lambda action=action: self._work.begin(action))  # type: ignore[misc]
        if lane.phase is not core.Phase.IDLE:
            lane = replace(lane, cause=cause)
        if lane != before:
            self.lane = lane
            self._store.save_lane(self.id, lane, tx.utc)
        self._wake.set()  # the loop looks at the new deadline: a decision changes it from outside the loop

    def _restore(self, before: core.Lane) -> None:
        self.lane = before

    def _tell_others(self, what: core.Event) -> None:
        for lane in self.others():
            lane.put(what)

    def _count(self, what: str) -> None:
        self.counters[what] += 1

    def _refer(self, reason: str) -> None:
        self.counters[reason] += 1
        self.watch(Refused(reason))
