"""What really happened in the simulated store, and the rules that must hold all along (issue 3, point 1).

- No acknowledged event lost: what a sender forgets, the receiver has committed; each number once, in order, without a gap.
- No effect twice: one slip of paper per coupon, one pulse of the gate per opening, one opening per person.
- The gate opens only for codes that the hub issued and that nobody passed with before.
- Nobody is held captive: see `simulation.people` and `PHASE_MAX_S`.

The books at the end are in `simulation.books`.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from edge.lane_types import Lane, Phase, number_as_code
from simulation.printer import Slip

SLACK_S = 8.0
PHASE_MAX_S = {
    Phase.DECIDING: 2.0 + SLACK_S,
    Phase.PRINTING: 12.0 + SLACK_S,
    Phase.SHOWING: 20.0 + SLACK_S,
    Phase.OPENING: 10.0 + SLACK_S,
    Phase.OPEN: 13.0 + SLACK_S,
}
"""The patience of `edge.lane_types.LanePolicy` in each phase, and a little; anew with each life of the agent."""
HELD_S = 100.0
"""A code is held for at least so long by the lane where it was scanned (`lane.busy_s` of the hub is 120 s)."""
LATELY_S, NUMBERS_MAX = 20.0, 11
"""Five numbers at once, and one every four seconds."""
NUMBER = number_as_code("")
_CUT_OFF = 5

Key = tuple[str, str, str, str]
"""Sender, receiver, stream, epoch."""


class Broken(Exception):
    """A rule was broken; the run ends here."""


@dataclass
class Opening:
    """One pulse of a gate."""

    scan: str
    code: str
    agent: str
    lane: str
    offline: bool
    scanned_at: float
    outcome: str = "waiting"


@dataclass
class Truth:
    """`note(who, what)` adds a line to the trace. Every rule that is broken raises `Broken` where it can, and stays in `broken`."""

    now: Callable[[], float]
    keep_trace: bool = False
    trace: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    on_broken: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self._hash = hashlib.sha256()
        self.said: dict[Key, int] = {}
        self.taken: dict[Key, int] = {}
        self.issued: dict[str, str] = {}
        """Sale by exit code ID."""
        self.commands: dict[tuple[str, int], Opening] = {}
        self.openings: dict[tuple[str, int], Opening] = {}
        self.last_of_scan: dict[str, Opening] = {}
        self.of_code: dict[str, list[Opening]] = {}
        self.slips: dict[str, int] = {}
        self.walked: Counter[str] = Counter()
        self.passed: dict[str, set[str]] = {}
        """Scans by code, of which somebody has passed."""
        self.known_passed: dict[str, set[str]] = {}
        """By agent: codes of which it has told a passage."""
        self.hub_knows: dict[str, float] = {}
        """By code: since when the hub has a passage with it."""
        self.scanned_at: dict[str, float] = {}
        self.old_numbers: set[str] = set()
        """Typed when they held no more."""
        self._numbers: dict[str, str] = {}
        """By scan: the number that was typed."""
        self._typed: dict[tuple[str, str], list[float]] = {}
        """By lane: when numbers were looked up lately, in this life of its agent."""
        self.lanes: dict[tuple[str, str], Lane] = {}
        self.busy_since: dict[tuple[str, str], float] = {}
        self._excused: dict[str, float] = {}
        self._awaited: dict[tuple[str, Phase], list[asyncio.Future[None]]] = {}

    def note(self, who: str, what: str) -> None:
        line = f"{self.now():.6f} {who} {what}"
        self._hash.update(line.encode())
        self._hash.update(b"\n")
        if self.keep_trace:
            self.trace.append(line)

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def breaks(self, rule: str, what: str) -> None:
        """A rule does not hold."""
        self.note("RULE", f"{rule}: {what}")
        self.broken.append(f"{rule}: {what} (at {self.now():.3f} s)")
        self.on_broken()

    # --- messages

    def has_said(self, key: Key, seq: int) -> None:
        """A numbered message is on its sender's disk."""
        self.said[key] = max(self.said.get(key, 0), seq)

    def has_taken(self, key: Key, seq: int) -> None:
        """… is committed at its receiver."""
        last = self.taken.get(key, 0)
        if seq <= last:
            self.breaks("no effect twice", f"{key} {seq} was taken again after {last}")
        elif seq != last + 1:
            self.breaks("no acknowledged event lost", f"{key} {seq} was taken after {last}")
        self.taken[key] = seq
        self.counts["messages"] += 1

    def has_forgotten(self, key: Key, seq: int) -> None:
        """… was deleted by its sender."""
        if seq > self.taken.get(key, 0):
            self.breaks("no acknowledged event lost", f"{key} {seq} was forgotten, taken is {self.taken.get(key, 0)}")

    def unsettled(self) -> list[str]:
        """Messages on a disk that never reached their receiver."""
        return [f"{key} {self.taken.get(key, 0) + 1} to {seq} never arrived" for key, seq in self.said.items()
                if seq > self.taken.get(key, 0)]  # fmt: skip

    # --- lanes

    def lane_is(self, agent: str, lane: str, machine: str, state: Lane) -> None:
        """A lane's state that is on disk now."""
        key = agent, lane
        before = self.lanes.get(key)
        if state is before:
            return
        self.lanes[key] = state
        self.note(f"{agent}/{lane}", f"{state.phase} {state.scan} {state.command} {state.attempt}")
        for waiting in self._awaited.pop((machine, state.phase), []):
            if not waiting.done():
                waiting.set_result(None)
        if state.phase in (Phase.OPENING, Phase.OPEN):
            self.commands[(machine, state.command)] = Opening(
                state.scan, state.code, agent, lane, state.offline, self.scanned_at[state.scan]
            )
        elif state.phase is Phase.DECIDING:
            self.scanned_at.setdefault(state.scan, self.now())
            if state.code.startswith(NUMBER) and state.scan not in self._numbers:
                self._looked_up(key, state)
        if state.phase is Phase.IDLE:
            self.busy_since.pop(key, None)
        elif before is None or (before.scan, before.phase, before.reopened) != (
            state.scan,
            state.phase,
            state.reopened,
        ):
            self.busy_since[key] = self.now()

    def _looked_up(self, key: tuple[str, str], state: Lane) -> None:
        """A lane asks for a number: nobody finds one by trying."""
        self._numbers[state.scan] = state.code.removeprefix(NUMBER)
        lately = [at for at in self._typed.get(key, []) if self.now() - at < LATELY_S]
        self._typed[key] = [*lately, self.now()]
        if len(lately) >= NUMBERS_MAX:
            self.breaks("numbers are not tried out", f"{key} has looked up {len(lately) + 1} in {LATELY_S:.0f} s")

    def phase_at(self, machine: str) -> str:
        """What the lane at this machine is doing; "" before its agent has begun."""
        agent, _, lane = machine.partition("-")
        state = self.lanes.get((agent, lane))
        return "" if state is None else state.phase.value

    def when(self, machine: str, phase: Phase) -> asyncio.Future[None]:
        """Done when the lane at this machine next comes to this phase."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._awaited.setdefault((machine, phase), []).append(waiting)
        return waiting

    def check_patience(self) -> None:
        """Call now and then."""
        for key, since in self.busy_since.items():
            phase = self.lanes[key].phase
            if self.now() - max(since, self._excused.get(key[0], 0.0)) > PHASE_MAX_S[phase]:
                self.breaks("nobody captive", f"lane {key} is {phase} since {since:.0f} s")

    def excuse(self, program: str, until: float) -> None:
        """A program that is dead, was just started, is frozen or can't write: patience begins anew after that."""
        for key in [key for key in self._typed if key[0] == program]:
            del self._typed[key]
        before = self._excused.get(program, 0.0)
        self._excused[program] = until if math.isinf(before) else max(before, until)

    def excused_until(self, program: str) -> float:
        """Until when nothing is expected of a program."""
        return self._excused.get(program, 0.0)

    def passage_told(self, agent: str, scan: str) -> None:
        """An agent has a passage of this scan on its disk."""
        if (opening := self.last_of_scan.get(scan)) is not None:
            self.known_passed.setdefault(agent, set()).add(opening.code)

    def passage_heard(self, scan: str) -> None:
        """The hub has a passage of this scan on its disk."""
        if (opening := self.last_of_scan.get(scan)) is not None:
            self.hub_knows.setdefault(opening.code, self.now())

    # --- what can be seen with one's own eyes

    def gate_event(self, machine: str, event: dict[str, Any]) -> None:
        """From the board itself."""
        kind, seq = event["event"], event.get("seq")
        self.note(machine, f"{kind} {seq or ''} {event.get('outcome', event.get('direction', ''))}".rstrip())
        self.counts[f"gate_{kind}"] += 1
        match kind:
            case "pulse":
                self._pulse(machine, event["seq"])
            case "not_passed" if (opening := self.openings.get((machine, event["seq"]))) is not None:
                opening.outcome = "cut off" if event["outcome"] == _CUT_OFF else "nobody"
            case "passage" if seq is not None:
                opening = self.openings[(machine, seq)]
                opening.outcome = "passed"
                self.walked[opening.code] += 1
                self.passed.setdefault(opening.code, set()).add(opening.scan)

    def _pulse(self, machine: str, seq: int) -> None:
        opening = self.commands.get((machine, seq))
        if opening is None or opening.code not in self.issued:
            self.breaks("the gate opens for issued codes", f"command {seq} at {machine} belongs to {opening}")
            return
        scan, code = opening.scan, opening.code
        if self._numbers.get(scan) in self.old_numbers:
            self.breaks("a number ages", f"{machine} opened for number {self._numbers[scan]}, which was old")
        before = self.last_of_scan.get(scan)
        if before is not None and before.outcome != "cut off":
            self.breaks(
                "no effect twice", f"{machine} opened again for scan {scan}, the time before ended: {before.outcome}"
            )
        if code in self.known_passed.get(opening.agent, ()):
            self.breaks("a code is used once", f"{machine} opened for code {code}, with which somebody had passed")
        if not opening.offline and self.hub_knows.get(code, math.inf) < opening.scanned_at:
            self.breaks("a code is used once", f"{machine} opened for code {code}, of whose use the hub had heard")
        for other in self.of_code.get(code, []):
            self._one_at_a_time(machine, opening, other)
        self.openings[(machine, seq)] = self.last_of_scan[scan] = opening
        self.of_code.setdefault(code, []).append(opening)

    def _one_at_a_time(self, machine: str, opening: Opening, other: Opening) -> None:
        """While one lane holds a code, the hub gives it to no other."""
        lane = self.lanes.get((other.agent, other.lane))
        held = lane is not None and lane.scan == other.scan and not lane.offline and not opening.offline
        if held and other.scan != opening.scan and self.now() - other.scanned_at < HELD_S:
            self.breaks("one person per code", f"{machine} opened for code {opening.code} while {other.agent} holds it")

    def slip(self, machine: str, slip: Slip) -> None:
        """A slip of paper in somebody's hand."""
        self.note(machine, f"slip {slip.coupon} {'reprint' if slip.reprint else ''}".rstrip())
        self.slips[slip.coupon] = self.slips.get(slip.coupon, 0) + 1
        self.counts["slips"] += 1
        if self.slips[slip.coupon] > 1:
            self.breaks("no effect twice", f"coupon {slip.coupon} was printed {self.slips[slip.coupon]} times")
