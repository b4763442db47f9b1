"""The shell of `edge.lane_calls`: a lane's calls for a clerk in the agent's database and on their way to the hub."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import structlog

from delivery.engine import Tx
from devices.status import DeviceStatus, PowerState
from edge import lane_calls as core
from edge.store import EdgeStore

log = structlog.get_logger()

_TROUBLE: dict[core.Device, frozenset[str]] = {
    "reader": frozenset(),
    "printer": frozenset(
        {"cover_open", "rec_empty", "printer_offline", "cutter_error", "recoverable_error", "fatal_error"}
    ),
    "gate": frozenset({"gate_malfunction", "gate_blocked"}),
}


class LaneDesk:
    """Of one lane. `changed` is called after each change that is on disk. `calls` is what is open now."""

    def __init__(self, lane: str, store: EdgeStore, policy: core.CallPolicy, counters: Counter[str]) -> None:
        self._lane, self._store, self._policy, self._counters = lane, store, policy, counters
        self.calls = store.calls(lane)
        self.changed: Callable[[], None] = lambda: None

    def resume(self, now: float) -> None:
        """Once, after a restart."""
        self.calls = core.resume(self.calls, now, self._policy)

    def next_deadline(self) -> float | None:
        return core.next_deadline(self.calls)

    def apply(self, event: core.Event, tx: Tx) -> None:
        """In the caller's transaction."""
        before = self.calls
        calls, said = core.step(before, event, tx.now, tx.utc, self._policy)
        if calls == before:
            return
        tx.on_rollback(lambda: self._restore(before))
        self.calls = calls
        self._store.save_calls(self._lane, calls)
        for each in said:
            tx.send(each.name, each.data, lane=self._lane)
        tx.after_commit(lambda: self._tell(before, calls))

    def settle(self, happened: object, tx: Tx) -> None:
        """Something happened at the lane that may end a call."""
        reasons = core.settled_by(happened)
        if reasons and self.calls.open:
            self.apply(core.Settled(reasons), tx)

    def _restore(self, before: core.Calls) -> None:
        self.calls = before

    def _tell(self, before: core.Calls, calls: core.Calls) -> None:
        known = {each.call for each in before.open}
        for each in calls.open:
            if each.call not in known:
                self._counters["clerk_called"] += 1
                self._counters[f"called_{each.reason}"] += 1
                log.warning("a clerk is needed at the lane", lane=self._lane, reason=each.reason, detail=each.detail)
        self.changed()


def trouble(device: core.Device, status: DeviceStatus) -> str:
    """Why a device does not work, in a sentence; empty when it does."""
    if status.power is PowerState.OFF_OFFLINE:
        return status.reason or f"the {device} is offline"
    found = sorted(status.flags & _TROUBLE[device])
    return f"{device}: {', '.join(found)}" if found else ""
