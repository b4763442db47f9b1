"""When a lane calls a clerk, and when it needs none any more. Pure: no I/O, time comes in as an argument.

    wanted: help button, gate stuck, hub silent ──▶ called ──▶ coming ──▶ over: served, put right, or time is up
    a device in trouble for `trouble_s` ─────────────▶   └──▶ nobody (the hub's clerks let it pass) ──▶ again after `again_s`

One call for one reason at a time: who presses the button ten times calls once. A call for a device that is out of order lasts
until it works; all others end by themselves after `call_s`, so that a lane which nobody came to serves the next customer.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal

from contract.payloads import LaneCall
from edge.lane_types import Decided, GateTook, Passed, PrintEnded, Say

Reason = Literal["help", "gate", "printer", "no_decision", "stuck", "out_of_order"]
Device = Literal["reader", "printer", "gate"]
REASON_OF: dict[Device, Reason] = {"reader": "out_of_order", "printer": "printer", "gate": "gate"}


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """Times in seconds."""

    trouble_s: float = 20.0
    """A device may be out of order so long: a roll of paper is changed, a plug put back."""
    call_s: float = 180.0
    """A call for a customer is over after so long: she has been served, or has gone."""
    again_s: float = 300.0
    """A device is still out of order so long after a clerk was there, or nobody came: called again."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `state`: what has become of it. `name`: of the clerk who is coming."""

    call: str
    reason: Reason
    detail: str
    since: datetime
    state: Literal["called", "coming", "nobody"] = "called"
    name: str = ""
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """A device does not work. `due`: when a clerk is called; None: one was."""

    device: Device
    why: str
    due: float | None


@dataclass(frozen=True, slots=True)
class Calls:
    """Of one lane: how many there have ever been, those that are open, and what may become one."""

    number: int = 0
    open: tuple[Call, ...] = ()
    troubles: tuple[Trouble, ...] = ()


# --- events


@dataclass(frozen=True, slots=True)
class Wanted:
    """A customer needs somebody."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class DeviceTold:
    """How a device is. `why`: a sentence when it does not work, else empty."""

    device: Device
    why: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The hub tells what has become of a call."""

    call: str
    state: Literal["called", "coming", "served", "nobody"]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Settled:
    """What these were called for has come right by itself."""

    reasons: Collection[Reason]


@dataclass(frozen=True, slots=True)
class CallTick:
    pass


Event = Wanted | DeviceTold | Answered | Settled | CallTick
Next = tuple[Calls, tuple[Say, ...]]


def step(calls: Calls, event: Event, now: float, utc: datetime, policy: CallPolicy) -> Next:
    """The next state and what to say; `now` in monotonic seconds, `utc` for people."""
    calls, said = _step(calls, event, now, utc, policy)
    # A call has ended, and its device is still out of order: whoever was there could not help.
    open_for = {each.reason for each in calls.open}
    again = tuple(
        replace(each, due=now + policy.again_s) if each.due is None and REASON_OF[each.device] not in open_for else each
        for each in calls.troubles
    )
    return (replace(calls, troubles=again) if again != calls.troubles else calls), said


def _step(calls: Calls, event: Event, now: float, utc: datetime, policy: CallPolicy) -> Next:
    match event:
        case Wanted():
            return _call(calls, event.reason, event.detail, utc, now + policy.call_s)
        case DeviceTold():
            return _told(calls, event, now, policy)
        case Answered():
            return _answered(calls, event, now, policy)
        case Settled():
            broken = {REASON_OF[each.device] for each in calls.troubles}
            return _over(calls, set(event.reasons) - broken, "put right")
        case CallTick():
            return _tick(calls, now, utc)


def settled_by(event: object) -> tuple[Reason, ...]:
    """For which calls the trouble is over when this has happened at the lane."""
    match event:
        case Decided():
            return ("no_decision",)
        case GateTook():
            return ("gate",)
        case Passed():
            return ("gate", "stuck")
        case PrintEnded(outcome="printed"):
            return ("printer",)
        case _:
            return ()


def next_deadline(calls: Calls) -> float | None:
    """When `CallTick` is due, or None."""
    due = [each.due for each in calls.troubles] + [each.deadline for each in calls.open]
    return min((at for at in due if at is not None), default=None)


def resume(calls: Calls, now: float, policy: CallPolicy) -> Calls:
    """After a restart: time limits begin anew, and the devices will tell how they are."""
    devices = set(REASON_OF.values())
    return replace(calls, troubles=(), open=tuple(
        replace(each, deadline=now + (policy.again_s if each.reason in devices else policy.call_s)) for each in calls.open
    ))  # fmt: skip


def to_json(calls: Calls) -> str:
    """What must survive a loss of power: not the times, nor what devices will tell again."""
    kept = [{name: value for name, value in asdict(each).items() if name != "deadline"} for each in calls.open]
    return json.dumps({"number": calls.number, "open": kept}, ensure_ascii=False, default=lambda at: at.isoformat())


def from_json(text: str) -> Calls:
    """Raises ValueError, KeyError or TypeError for anything that `to_json` has not written."""
    plain: dict[str, Any] = json.loads(text)
    return Calls(plain["number"], tuple(
        Call(**{**each, "since": datetime.fromisoformat(each["since"])}) for each in plain["open"]
    ))  # fmt: skip


def _call(calls: Calls, reason: Reason, detail: str, utc: datetime, deadline: float | None) -> Next:
    before = next((each for each in calls.open if each.reason == reason), None)
    if before is not None and before.state != "nobody":
        return calls, ()
    calls, said = _over(calls, (reason,), "called anew")
    call = Call(f"{calls.number + 1}-{utc:%Y%m%dT%H%M%S}", reason, detail[:500], utc, deadline=deadline)
    return replace(calls, number=calls.number + 1, open=(*calls.open, call)), (*said, _say(call))


def _told(calls: Calls, event: DeviceTold, now: float, policy: CallPolicy) -> Next:
    others = tuple(each for each in calls.troubles if each.device != event.device)
    if not event.why:
        return _over(replace(calls, troubles=others), (REASON_OF[event.device],), "it works again")
    before = next((each for each in calls.troubles if each.device == event.device), None)
    trouble = replace(before, why=event.why) if before else Trouble(event.device, event.why, now + policy.trouble_s)
    return replace(calls, troubles=(*others, trouble)), ()


def _answered(calls: Calls, event: Answered, now: float, policy: CallPolicy) -> Next:
    call = next((each for each in calls.open if each.call == event.call), None)
    if call is None:
        return calls, ()
    if event.state == "nobody":
        again = (replace(each, due=now + policy.again_s) if REASON_OF[each.device] == call.reason else each
                 for each in calls.troubles)  # fmt: skip
        calls = replace(calls, troubles=tuple(again))
    if event.state == "served":
        return _over(calls, (call.reason,), "a clerk was there")
    told = replace(call, state=event.state, name=event.name)
    return replace(calls, open=tuple(told if each is call else each for each in calls.open)), ()


def _over(calls: Calls, reasons: Collection[Reason], why: str) -> Next:
    over = [each for each in calls.open if each.reason in reasons]
    if not over:
        return calls, ()
    left = tuple(each for each in calls.open if each.reason not in reasons)
    return replace(calls, open=left), tuple(_say(each, over=True, detail=why) for each in over)


def _say(call: Call, *, over: bool = False, detail: str = "") -> Say:
    data = LaneCall(call=call.call, reason=call.reason, detail=detail or call.detail, since=call.since, over=over)
    return Say("lane_call", data)


def _tick(calls: Calls, now: float, utc: datetime) -> Next:
    said: tuple[Say, ...] = ()
    for call in calls.open:
        if call.deadline is not None and now >= call.deadline:
            calls, more = _over(calls, (call.reason,), "time is up")
            said += more
    for trouble in calls.troubles:
        if trouble.due is not None and now >= trouble.due:
            called = replace(trouble, due=None)
            calls = replace(calls, troubles=tuple(called if each is trouble else each for each in calls.troubles))
            calls, more = _call(calls, REASON_OF[trouble.device], trouble.why, utc, None)
            said += more
    return calls, said
