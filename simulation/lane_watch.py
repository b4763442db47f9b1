"""Lanes that call a clerk: who waits at a lane in trouble has a call on a clerk's handheld, and it ends with its cause (row B12).

What holds at the lane itself holds whatever is broken elsewhere; what lane, hub and handhelds say of the same call, and that it
reaches somebody, is looked at when the programs and the ways between them have been good for a while, devices or not.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from contract.payloads import AlertState
from edge import lane_calls
from handheld.alert_book import Status
from hub.database import times
from hub.lane_calls import AWAY
from simulation.lane import LaneMachines
from simulation.stock import AGENT_LOST_S, START

if TYPE_CHECKING:
    from simulation.loop import Process
    from simulation.programs import AgentProgram
    from simulation.store import Store

POLICY = lane_calls.CallPolicy()
SLACK_S = 10.0
SOON_S = 30.0
PRESSED_S = 1.5
"""So soon a press of the button is a call on the agent's disk."""
LOOKS = 5
"""Lane and hub may say two things of a call at so many looks in a row."""
FRESH_S = 120.0
"""A call that was born so short a time ago does not come late, whatever the lane's clock says."""
_SAME = {"called": ("offered",), "coming": ("accepted",), "nobody": ("declined", "expired")}
"""What the hub's states of a call are at its lane."""
_OVER = (AlertState.CLOSED, AlertState.EXPIRED)

Look = Callable[..., list[Any]]


def unsettled(look: Look) -> Iterator[str]:
    """What is still open though everybody has left."""
    rows = look("SELECT agent, lane, reason FROM lane_call WHERE state IN ('offered', 'accepted', 'declined')")
    yield from (f"a clerk is still called to {agent}/{lane}: {reason}" for agent, lane, reason in rows)


class LaneWatch:
    """Of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._trouble: dict[tuple[str, str], float] = {}
        """By machine and reason: since when a device does not work."""
        self._called: dict[tuple[str, str], float] = {}
        """… when a call for it was open last."""
        self._born: dict[tuple[str, str, str], float] = {}
        """By agent, lane and call: since when it is on the agent's disk."""
        self._differ: Counter[str] = Counter()
        self._away: dict[str, float] = {}
        """Agents without a connection, since when, as long as the hub could see them go."""
        self._knew: dict[str, Process] = {}
        """Lives of agents that had heard the hub's clock."""

    def _breaks(self, rule: str, what: str) -> None:
        self._store.truth.breaks(rule, what)

    # --- at the lane

    def devices(self, machines: LaneMachines) -> None:
        """Something was done to the devices of a lane."""
        broken, now = set(_broken(machines)), self._store.loop.time()
        for reason in lane_calls.REASON_OF.values():
            if reason in broken:
                self._trouble.setdefault((machines.name, reason), now)
            else:
                self._trouble.pop((machines.name, reason), None)

    def calls_are(self, machine: str, calls: lane_calls.Calls, before: lane_calls.Calls) -> None:
        """What a lane's calls are on its agent's disk now."""
        now, (agent, _, lane) = self._store.loop.time(), machine.partition("-")
        for each in (*before.open, *calls.open):
            self._called[machine, each.reason] = now
            self._born.setdefault((agent, lane, each.call), now)

    def presses(self, machines: LaneMachines) -> None:
        """Somebody presses the button."""
        store, agent = self._store, self._agent(machines.name)
        if agent.alive and store.truth.excused_until(agent.name) <= store.loop.time():
            store.truth.counts["help pressed"] += 1
            before = "help" in self._reasons(machines.name)
            store.loop.call_later(
                PRESSED_S, self._pressed, machines.name, store.loop.time(), before, context=store.loop.outside
            )
        machines.help()

    def _pressed(self, machine: str, at: float, before: bool) -> None:
        agent = self._agent(machine)
        if before or not agent.alive or self._store.truth.excused_until(agent.name) > at:
            return
        if "help" not in self._reasons(machine):
            self._breaks("a lane in trouble calls", f"somebody pressed the button of {machine} at {at:.0f} s")

    def _agent(self, machine: str) -> AgentProgram:
        return self._store.agents[machine.partition("-")[0]]

    def _reasons(self, machine: str) -> set[str]:
        """For what the lane at this machine calls now."""
        agent, lane = self._agent(machine).agent, machine.partition("-")[2]
        return set() if agent is None else {each.reason for each in agent.lanes[lane].desk.calls.open}

    def _look_at_devices(self, now: float) -> None:
        for (machine, reason), since in self._trouble.items():
            agent = self._agent(machine)
            if reason in self._reasons(machine):
                self._called[(machine, reason)] = now
            excused = self._store.truth.excused_until(agent.name)
            last = self._called.get((machine, reason), -math.inf) + POLICY.again_s
            if now - max(since, excused, last) > POLICY.trouble_s + SLACK_S:
                self._breaks("a lane in trouble calls", f"{machine}: {reason} since {since:.0f} s")

    # --- now and then

    def look(self) -> None:
        store, now = self._store, self._store.loop.time()
        self._look_at_devices(now)
        twice = store.hub.look(
            "SELECT agent, lane, reason FROM lane_call WHERE state IN ('offered', 'accepted', 'declined') "
            "GROUP BY 1, 2, 3 HAVING count(*) > 1"
        )
        for row in twice:
            self._breaks("one call for one reason", " ".join(row))
        self._look_at_the_lost(now)
        self._look_at_the_late()
        quiet_s = now - store.good_since()
        if quiet_s < SOON_S:
            self._differ.clear()
            return
        self._compare()
        self._look_at_handhelds(now)

    def _compare(self) -> None:
        """Lane and hub say the same of each call."""
        store = self._store
        sql = "SELECT agent, lane, call, state, reason FROM lane_call"
        rows = {(agent, lane, call): (state, reason) for agent, lane, call, state, reason in store.hub.look(sql)}
        found, at_lanes = [], set()
        for name, program in store.agents.items():
            assert program.agent is not None
            for lane, runner in program.agent.lanes.items():
                for each in runner.desk.calls.open:
                    at_lanes.add((name, lane, each.call))
                    state = rows.get((name, lane, each.call), ("unknown", ""))[0]
                    if state not in _SAME[each.state]:
                        found.append(f"{name}/{lane} {each.call}: {each.state} at the lane, {state} at the hub")
        found += [
            f"{agent}/{lane} {call}: {state} at the hub, over at the lane"
            for (agent, lane, call), (state, _) in rows.items()
            if state in ("offered", "accepted", "declined") and (agent, lane, call) not in at_lanes
        ]
        self._differ = Counter({what: self._differ[what] + 1 for what in found})
        for what, looks in self._differ.items():
            if looks > LOOKS:
                self._breaks("lane and hub agree", what)

    def _look_at_handhelds(self, now: float) -> None:
        """What is open is on the handhelds of the group, what is over on none."""
        store = self._store
        since = times.text(START + timedelta(seconds=now - SOON_S))
        for clerk in store.clerks:
            if clerk.off_since is not None or now - clerk.since <= SOON_S:
                continue
            sql = (
                "SELECT alert, state FROM lane_call JOIN lane_call_clerk USING (alert) WHERE clerk = ? AND changed < ?"
            )
            for alert, state in store.hub.look(sql, clerk.name, since):
                shown = clerk.shows(alert)
                if state not in _OVER and shown is None:
                    self._breaks("alerts arrive", f"{clerk.name} does not see {alert}, as it is since before {since}")
                entry = clerk.book.get(alert)
                if state in _OVER and shown is not None and entry is not None and entry.status is not Status.MINE:
                    self._breaks("alerts end", f"{clerk.name} shows {alert} as {shown}, it is {state}")

    def _look_at_the_late(self) -> None:
        """A fresh call is offered to somebody, whatever the lane's clock says, once its agent has heard the hub's."""
        store = self._store
        sql = "SELECT agent, lane, call, raised FROM lane_call WHERE state = 'expired' AND revision = 1"
        for agent, lane, call, at in store.hub.look(sql):
            waited_s = (times.time(at) - START).total_seconds() - self._born.setdefault((agent, lane, call), -math.inf)
            if waited_s < FRESH_S and self._knew.get(agent) is store.agents[agent].process:
                self._breaks("a fresh call is no late one", f"nobody was asked for {agent}/{lane} {call}")
            self._born[(agent, lane, call)] = -math.inf  # judged
        self._knew = {
            name: program.process for name, program in store.agents.items()
            if program.agent is not None and program.agent.engine.knows_time
        }  # fmt: skip

    # --- lanes that can't call

    def _look_at_the_lost(self, now: float) -> None:
        """An agent with lanes that the hub has seen go, and that stays away, has a call."""
        store = self._store
        if now - store.good_since("hub") < SOON_S:
            self._away.clear()
            return
        late_s = AGENT_LOST_S + SLACK_S + store.plan.size.pace.tick_s
        for name, program in store.agents.items():
            if f"agent-{name}" in store.broker.sessions:
                self._away[name] = math.inf
            elif self._away.get(name) == math.inf and program.agent is not None and program.agent.lanes:
                self._away[name] = now
            elif now - self._away.get(name, math.inf) > late_s and not store.hub.look(
                "SELECT 1 FROM lane_call WHERE agent = ? AND reason = ? AND raised > ?",
                name, AWAY, times.text(START + timedelta(seconds=self._away[name] - SOON_S)),
            ):  # fmt: skip
                self._breaks(
                    "a lane in trouble calls", f"{name} is away since {self._away[name]:.0f} s, and nobody was called"
                )


def _broken(machines: LaneMachines) -> Iterator[str]:
    """For what a lane with these machines would call a clerk."""
    if not machines.reader_plugged:
        yield lane_calls.REASON_OF["reader"]
    if not machines.printer.reachable or machines.printer.obstacles:
        yield lane_calls.REASON_OF["printer"]
    if not machines.gate.plugged or (machines.gate.board.fault and not machines.gate.noise):
        yield lane_calls.REASON_OF["gate"]
