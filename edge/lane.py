"""A lane: what it does with a code, a decision, paper, a gate and a passage. Pure: no I/O, time comes in as an argument.

    idle ── code accepted ──▶ deciding ── decision: open, paper ──▶ printing ── printed / given up ──▶ opening
                                 │  └──── decision: open, no paper, or offline policy ─────────────────▶ opening
                                 └──── decision: refuse ──▶ idle                                             │
    idle ◀── passed / not passed / fault / fire ── open ◀──────────────── the gate took the command ────────┘

Rules (rows B12, C2, C3, C4; design "A lane"):

- One person per code: a code is used from the moment it is accepted; another code waits until the lane is idle.
- Paper first, then the gate. Paper that cannot be had never holds a customer: after `print_patience_s` the lane opens and the
  hub gives the coupon electronically. The same coupon ID is printed again only when it is known that it was not printed.
- Without a decision within `decide_s` the declared offline policy holds.
- An open command has a number of its own and is repeated with that number until the gate answers; after `gate_patience_s` a
  clerk is called. The passage sensor is the evidence of an exit, not the command.
- A fire alarm ends whatever is going on as released: the gate is open for everybody.

`step` takes one event and returns the next state and what to do. The caller stores the state and says the messages in one
transaction and acts after its commit: so a lane that loses power goes on where it was (`resume`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal

from contract.payloads import Incentive, LaneDecision, LaneOpened, LanePassage, LanePrinted, Payload


class Phase(StrEnum):
    IDLE = "idle"
    DECIDING = "deciding"
    PRINTING = "printing"
    OPENING = "opening"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class LanePolicy:
    """Declared behaviour of a lane; times in seconds."""

    decide_s: float = 2.0
    """Silence of the hub before the offline policy. The round trip is 10 ms; two seconds is what a person accepts."""
    offline: Literal["open", "refuse"] = "open"
    print_patience_s: float = 12.0
    """All attempts at the paper together."""
    print_attempts: int = 3
    gate_patience_s: float = 15.0
    open_grace_s: float = 5.0
    """The gate itself ends a passage that nobody uses; this much later the lane does, if the gate stays silent."""
    offline_open_s: float = 8.0
    reopen_max: int = 2
    """How often a passage that the gate's loss of power cut off is opened again."""


@dataclass(frozen=True, slots=True)
class Lane:
    """Everything a lane must remember over a loss of power. Times are not kept: after a restart they begin anew."""

    phase: Phase = Phase.IDLE
    scan: str = ""
    visit: str | None = None
    cause: str | None = None
    incentive: Incentive | None = None
    attempt: int = 0
    sent: bool = False
    """The printer was given the job's first byte: from now on it is not known whether paper came."""
    cut_before: int | None = None
    command: int = 0
    """Number of the newest open command of this lane; grows for ever."""
    open_s: float = 8.0
    reopened: int = 0
    offline: bool = False
    deadline: float | None = None
    print_deadline: float | None = None


# --- events


@dataclass(frozen=True, slots=True)
class CodeAccepted:
    scan: str


@dataclass(frozen=True, slots=True)
class Decided:
    """The hub's decision. `message` is its ID."""

    decision: LaneDecision
    message: str
    visit: str | None = None


@dataclass(frozen=True, slots=True)
class PrintSent:
    """The job is about to be given to the printer; `cut_before` is its cut counter now, if it has one."""

    coupon: str
    cut_before: int | None


@dataclass(frozen=True, slots=True)
class PrintEnded:
    """`not_printed`: known, it is safe to print the same coupon again. `unknown`: evidence may come later."""

    coupon: str
    outcome: Literal["printed", "not_printed", "unknown"]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class GateTook:
    """The gate took the open command of this number."""

    command: int


@dataclass(frozen=True, slots=True)
class GateRefused:
    """The gate cannot be reached or does not want to."""

    command: int
    detail: str


@dataclass(frozen=True, slots=True)
class Passed:
    direction: Literal["exit", "entry"]
    command: int | None


@dataclass(frozen=True, slots=True)
class NobodyPassed:
    """`cut_off`: the gate lost its power while it was open, the customer may still stand there."""

    command: int
    cut_off: bool = False


@dataclass(frozen=True, slots=True)
class FireAlarm:
    pass


@dataclass(frozen=True, slots=True)
class Tick:
    pass


Event = (
    CodeAccepted | Decided | PrintSent | PrintEnded | GateTook | GateRefused | Passed | NobodyPassed | FireAlarm | Tick
)

# --- what to do


@dataclass(frozen=True, slots=True)
class Say:
    """A message, in the transaction that stores the state. The next message of the lane names it as its cause."""

    name: str
    data: Payload


@dataclass(frozen=True, slots=True)
class Print:
    incentive: Incentive
    attempt: int


@dataclass(frozen=True, slots=True)
class FindOut:
    """Learn from the printer whether this coupon came out, when the printer can be asked again."""

    coupon: str
    cut_before: int | None


@dataclass(frozen=True, slots=True)
class Open:
    command: int
    seconds: float


@dataclass(frozen=True, slots=True)
class CallClerk:
    """Something that a customer must not be left alone with."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event that does not belong to what the lane is doing: counted."""

    what: str


Action = Say | Print | FindOut | Open | CallClerk | Ignored
Next = tuple[Lane, tuple[Action, ...]]


def step(lane: Lane, event: Event, now: float, policy: LanePolicy) -> Next:
    """The next state of a lane and what to do, `now` in monotonic seconds."""
    match event:
        case CodeAccepted():
            return _code(lane, event, now, policy)
        case Decided():
            return _decided(lane, event, now, policy)
        case PrintSent():
            return _print_sent(lane, event)
        case PrintEnded():
            return _print_ended(lane, event, now, policy)
        case GateTook():
            return _gate_took(lane, event, now, policy)
        case GateRefused():
            return _gate_refused(lane, event)
        case Passed():
            return _passed(lane, event)
        case NobodyPassed():
            return _nobody(lane, event, now, policy)
        case FireAlarm():
            return _fire(lane)
        case Tick():
            return _tick(lane, now, policy)


def resume(lane: Lane, now: float, policy: LanePolicy) -> Next:
    """Go on after a restart with a lane as it was stored. Time limits begin anew."""
    match lane.phase:
        case Phase.DECIDING:
            return replace(lane, deadline=now + policy.decide_s), ()
        case Phase.PRINTING if (incentive := lane.incentive) is not None:
            lane = replace(lane, deadline=None, print_deadline=now + policy.print_patience_s)
            if lane.sent:
                return lane, (FindOut(incentive.coupon, lane.cut_before),)
            return lane, (Print(incentive, lane.attempt),)
        case Phase.OPENING:
            return replace(lane, deadline=now + policy.gate_patience_s), (Open(lane.command, lane.open_s),)
        case Phase.OPEN:
            return replace(lane, deadline=now + lane.open_s + policy.open_grace_s), ()
        case _:
            return idle(lane), ()


def idle(lane: Lane) -> Lane:
    """The lane is ready for the next code; only the number of its last open command stays."""
    return Lane(command=lane.command)


def _code(lane: Lane, event: CodeAccepted, now: float, policy: LanePolicy) -> Next:
    if lane.phase is not Phase.IDLE:
        raise ValueError(f"a lane that is {lane.phase.value} takes no code; ask `phase` first")
    return Lane(Phase.DECIDING, event.scan, cause=event.scan, command=lane.command, deadline=now + policy.decide_s), ()


def _decided(lane: Lane, event: Decided, now: float, policy: LanePolicy) -> Next:
    decision = event.decision
    if lane.phase is not Phase.DECIDING or decision.scan != lane.scan:
        return lane, (Ignored("late_decision"),)
    if decision.outcome == "refuse":
        return idle(lane), ()
    lane = replace(lane, visit=event.visit, cause=event.message, incentive=decision.incentive, open_s=decision.open_s)
    if decision.incentive is None or decision.incentive.give != "print":
        return _open(lane, now, policy)
    incentive = decision.incentive
    lane = replace(lane, phase=Phase.PRINTING, attempt=1, deadline=None, print_deadline=now + policy.print_patience_s)
    return lane, (Print(incentive, 1),)


def _open(lane: Lane, now: float, policy: LanePolicy, *said: Action) -> Next:
    lane = replace(lane, phase=Phase.OPENING, command=lane.command + 1, deadline=now + policy.gate_patience_s,
                   print_deadline=None)  # fmt: skip
    return lane, (*said, Open(lane.command, lane.open_s))


def _print_sent(lane: Lane, event: PrintSent) -> Next:
    if not _is_printing(lane, event.coupon):
        return lane, (Ignored("print_of_another_time"),)
    return replace(lane, sent=True, cut_before=event.cut_before), ()


def _is_printing(lane: Lane, coupon: str) -> bool:
    return lane.phase is Phase.PRINTING and lane.incentive is not None and lane.incentive.coupon == coupon


def _print_ended(lane: Lane, event: PrintEnded, now: float, policy: LanePolicy) -> Next:
    if not _is_printing(lane, event.coupon):
        return lane, (Ignored("print_result_of_another_time"),)
    incentive = lane.incentive
    assert incentive is not None
    patient = lane.print_deadline is not None and now < lane.print_deadline
    match event.outcome:
        case "printed":
            return _open(lane, now, policy, _printed(lane, "printed", event.detail))
        case "not_printed" if patient and lane.attempt < policy.print_attempts:
            lane = replace(lane, attempt=lane.attempt + 1, sent=False, cut_before=None)
            return lane, (Print(incentive, lane.attempt),)
        case "not_printed":
            return _open(lane, now, policy, _printed(lane, "failed", event.detail))
        case _ if patient:
            return lane, (FindOut(event.coupon, lane.cut_before),)
        case _:
            return _open(lane, now, policy, _printed(lane, "unknown", event.detail))


def _printed(lane: Lane, outcome: Literal["printed", "unknown", "failed"], detail: str) -> Say:
    assert lane.incentive is not None
    data = LanePrinted(
        scan=lane.scan, coupon=lane.incentive.coupon, outcome=outcome, attempts=lane.attempt, detail=detail
    )
    return Say("lane_printed", data)


def _gate_took(lane: Lane, event: GateTook, now: float, policy: LanePolicy) -> Next:
    if lane.phase is not Phase.OPENING or event.command != lane.command:
        return lane, (Ignored("gate_answer_of_another_time"),)
    lane = replace(lane, phase=Phase.OPEN, deadline=now + lane.open_s + policy.open_grace_s)
    return lane, (Say("lane_opened", LaneOpened(scan=lane.scan, command=lane.command, offline=lane.offline)),)


def _gate_refused(lane: Lane, event: GateRefused) -> Next:
    if lane.phase is not Phase.OPENING or event.command != lane.command:
        return lane, (Ignored("gate_answer_of_another_time"),)
    return lane, (Open(lane.command, lane.open_s),)  # the caller waits before it repeats; `deadline` ends it


def _passed(lane: Lane, event: Passed) -> Next:
    ours = lane.phase in (Phase.OPENING, Phase.OPEN) and event.command == lane.command
    if not ours:
        return lane, (Say("lane_passage", LanePassage(outcome="passed", direction=event.direction)),)
    return idle(lane), (*_late_opened(lane), _passage(lane, "passed", direction=event.direction))


def _late_opened(lane: Lane) -> tuple[Action, ...]:
    """A passage proves that the gate took the command, even if its answer was lost or came while we were down."""
    if lane.phase is Phase.OPEN:
        return ()
    return (Say("lane_opened", LaneOpened(scan=lane.scan, command=lane.command, offline=lane.offline)),)


def _passage(lane: Lane, outcome: Literal["passed", "not_passed", "fault", "fire_open"], **more: Any) -> Say:
    return Say("lane_passage", LanePassage(scan=lane.scan, outcome=outcome, offline=lane.offline, **more))


def _nobody(lane: Lane, event: NobodyPassed, now: float, policy: LanePolicy) -> Next:
    if lane.phase not in (Phase.OPENING, Phase.OPEN) or event.command != lane.command:
        return lane, (Ignored("gate_event_of_another_time"),)
    if event.cut_off and lane.reopened < policy.reopen_max:
        return _open(replace(lane, reopened=lane.reopened + 1), now, policy)
    return idle(lane), (_passage(lane, "not_passed"),)


def _fire(lane: Lane) -> Next:
    if lane.phase is Phase.IDLE:
        return lane, ()
    return idle(lane), (_passage(lane, "fire_open"),)


def _tick(lane: Lane, now: float, policy: LanePolicy) -> Next:
    if lane.phase is Phase.PRINTING and lane.print_deadline is not None and now >= lane.print_deadline:
        outcome: Literal["unknown", "failed"] = "unknown" if lane.sent else "failed"
        detail = f"no confirmed paper within {policy.print_patience_s:g} s"
        return _open(lane, now, policy, _printed(lane, outcome, detail))
    if lane.deadline is None or now < lane.deadline:
        return lane, ()
    match lane.phase:
        case Phase.DECIDING if policy.offline == "open":
            return _open(replace(lane, offline=True, open_s=policy.offline_open_s), now, policy)
        case Phase.DECIDING:
            return idle(lane), (CallClerk("the hub does not answer and this lane may not open by itself"),)
        case Phase.OPENING:
            detail = "the gate does not take the open command"
            return idle(lane), (_passage(lane, "fault", detail=detail), CallClerk(detail))
        case Phase.OPEN:
            return idle(lane), (_passage(lane, "not_passed", detail="the gate fell silent"),)
        case _:
            return lane, ()


def next_deadline(lane: Lane) -> float | None:
    """When `Tick` is due, or None."""
    return min((d for d in (lane.deadline, lane.print_deadline) if d is not None), default=None)
