"""A lane: what it does with a code, a decision, paper, a gate and a passage. Pure: no I/O, time comes in as an argument.

    idle ── code accepted ──▶ deciding ── decision: open, paper ──▶ printing ── printed / given up ──▶ opening
                                 │  ├──── decision: open, display ▶ showing ─── read / not read ───────▶ opening
                                 │  └──── decision: open, no paper, or offline policy ─────────────────▶ opening
                                 └──── decision: refuse ──▶ idle                                             │
    idle ◀── passed / not passed / fault / fire ── open ◀──────────────── the gate took the command ────────┘

Rules (rows B12, C2, C3, C4; design "A lane"):

- One person per code: an accepted code is held until its transaction ends, and is used by passing. Who steps back, or is let
  down by the hub, the gate or a fire alarm, may hold it up again. Another code waits until the lane is idle.
- Paper first, then the gate. Paper that cannot be had never holds a customer: after `print_patience_s` the lane opens and the
  hub gives the coupon electronically. The same coupon ID is printed again only when it is known that it was not printed.
- Who is not known has no terminal of hers: when her paper fails, the display shows her the coupon's code.
- A coupon on the display stands there until her terminal has read it, or `show_s`, or she holds her code up again to go: then
  the hub gives it electronically, and the gate opens. A lane without a display opens at once.
- A typed number is the hub's to judge: without its decision nothing opens for it, and she is asked for her QR code.
- Without a decision within `decide_s` the declared offline policy holds. While the hub is behind, nobody waits for it in vain
  where the lane may open by itself: `behind_s`.
- An open command has a number of its own and is repeated with that number until the gate answers. Only when the gate has
  dealt with the number and did not open (refused, or older than another one) a new number is tried. After
  `gate_patience_s` a clerk is called. The passage sensor is the evidence of an exit, not the command; a lane without a gate
  has no sensor, there the exit is taken for granted.
- A gate that was at fault opens by itself only while she surely stands there: it was watched all the time, nobody left
  meanwhile, no other code was read, and it is no longer than `gate_patience_s` ago. After that, and after a time without power
  of more than `there_s`, her code is free: held up again, it opens (decision 21).
- Transactions that ended without the gate's word are remembered, the newest 32: their passage may be told late.
- A fire alarm ends whatever is going on as released: the gate is open for everybody.

`step` takes one event and returns the next state and what to do. The caller stores the state and says the messages in one
transaction and acts after its commit: so a lane that loses power goes on where it was (`resume`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from contract.payloads import LaneDecision, LanePassage
from edge.lane_ends import idle, interrupted, let_go, opened, passage, printed, shown, unheard
from edge.lane_types import (
    MAX_COMMAND,
    Action,
    AnotherCode,
    CallClerk,
    CodeAccepted,
    CodeUsed,
    Decided,
    Ended,
    Event,
    FindOut,
    FireAlarm,
    GateRefused,
    GateTook,
    HeldUpAgain,
    HeldUpElsewhere,
    HoldCode,
    Ignored,
    KnowCode,
    Lane,
    LanePolicy,
    Next,
    NobodyPassed,
    Open,
    Passed,
    Phase,
    Print,
    PrintEnded,
    PrintSent,
    ReadFromDisplay,
    Refer,
    Say,
    Tick,
)


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
        case ReadFromDisplay():
            return _read(lane, event, now, policy)
        case GateTook():
            return _gate_took(lane, event, now, policy)
        case GateRefused():
            return _gate_refused(lane, event)
        case Passed():
            return _passed(lane, event)
        case NobodyPassed():
            return _nobody(lane, event, now, policy)
        case AnotherCode():
            return _another(lane, "somebody else stands there now")
        case HeldUpAgain():
            if lane.phase is not Phase.SHOWING:
                return lane, (Ignored("scans_while_busy"),)
            return _open(lane, now, policy, shown(lane, "unread", "she held her code up again, to go"))
        case HeldUpElsewhere():
            hers = lane.code == event.code and not lane.doubt  # else one code might open two gates
            return _another(lane, "she is at another lane") if hers else (lane, ())
        case CodeUsed():
            return _gone(lane) if lane.code == event.code else (lane, ())
        case FireAlarm():
            return _fire(lane)
        case Tick():
            return _tick(lane, now, policy)


def resume(lane: Lane, now: float, policy: LanePolicy, away_s: float | None = 0.0) -> Next:
    """Go on after a restart with a lane as it was stored `away_s` ago; None: nobody knows when. Time limits begin anew."""
    if lane.phase not in (Phase.IDLE, Phase.OPEN) and not (away_s is not None and 0 <= away_s <= policy.there_s):
        lane = replace(lane, gone=True)
        if not (lane.phase is Phase.PRINTING and lane.sent):  # what became of a paper is still to be learnt
            return let_go(lane, "nothing was heard of this lane for too long: she may have gone")
    match lane.phase:
        case Phase.DECIDING:
            return replace(lane, deadline=now + policy.decide_s), ()
        case Phase.PRINTING if (incentive := lane.incentive) is not None:
            lane = replace(lane, deadline=None, print_deadline=now + policy.print_patience_s)
            if lane.sent:
                return lane, (FindOut(lane.job, lane.cut_before),)
            return lane, (Print(lane.job, incentive, lane.attempt, lane.reprint),)
        case Phase.SHOWING:
            return replace(lane, deadline=now + policy.show_s), ()
        case Phase.OPENING:
            return replace(lane, deadline=now + policy.gate_patience_s, doubt=True), (Open(lane.command, lane.open_s),)
        case Phase.OPEN:
            return replace(lane, deadline=now + lane.open_s + policy.open_grace_s), ()
        case _:
            return idle(lane), ()


def _code(lane: Lane, event: CodeAccepted, now: float, policy: LanePolicy) -> Next:
    if lane.phase is not Phase.IDLE:
        raise ValueError(f"a lane that is {lane.phase.value} takes no code; ask `phase` first")
    hopeless = event.late and policy.offline == "open" and not event.asks
    patience_s = min(policy.behind_s, policy.decide_s) if hopeless else policy.decide_s
    lane = replace(idle(lane), phase=Phase.DECIDING, scan=event.scan, code=event.code, cause=event.scan,
                   asks=event.asks, deadline=now + patience_s)  # fmt: skip
    return lane, ()


def _decided(lane: Lane, event: Decided, now: float, policy: LanePolicy) -> Next:
    decision = event.decision
    if lane.phase is not Phase.DECIDING or decision.scan != lane.scan:
        return lane, (Ignored("late_decision"),)
    if decision.outcome == "refuse":
        return idle(lane), (HoldCode(lane.code, held=False),)
    lane, known = _known(lane, decision)
    lane = replace(lane, visit=event.visit, cause=event.message, incentive=decision.incentive, open_s=decision.open_s)
    match decision.incentive.give if decision.incentive is not None else "nothing":
        case "print" if decision.incentive is not None:
            patience = now + policy.print_patience_s
            lane = replace(lane, phase=Phase.PRINTING, attempt=1, deadline=None, print_deadline=patience)
            return lane, (*known, Print(lane.job, decision.incentive, 1))
        case "display" if policy.display:
            return replace(lane, phase=Phase.SHOWING, deadline=now + policy.show_s), known
        case "display":
            return _open(lane, now, policy, *known, shown(lane, "unread", "this lane has no display"))
        case _:
            return _open(lane, now, policy, *known)


def _known(lane: Lane, decision: LaneDecision) -> tuple[Lane, tuple[Action, ...]]:
    """What a number stands for: her QR code of the same purchase must not open once more while the hub is away."""
    if not lane.asks or decision.code_id is None or decision.code_expires is None:
        return lane, ()
    known = KnowCode(lane.code, decision.code_id, decision.code_expires)
    return replace(lane, code=decision.code_id), (known,)


def _read(lane: Lane, event: ReadFromDisplay, now: float, policy: LanePolicy) -> Next:
    incentive = lane.incentive
    if (
        lane.phase is not Phase.SHOWING
        or incentive is None
        or (event.scan, event.coupon) != (lane.scan, incentive.coupon)
    ):
        return lane, (Ignored("read_of_another_time"),)
    return _open(lane, now, policy, shown(lane, "read", ""))


def _open(lane: Lane, now: float, policy: LanePolicy, *said: Action) -> Next:
    if lane.gone:
        after, told = let_go(replace(lane, sent=False), "she may have gone meanwhile")
        return after, (*said, *told)
    lane = replace(lane, phase=Phase.OPENING, command=lane.command % MAX_COMMAND + 1, deadline=now + policy.gate_patience_s,
                   print_deadline=None)  # fmt: skip
    return lane, (*said, Open(lane.command, lane.open_s))


def _print_sent(lane: Lane, event: PrintSent) -> Next:
    if lane.phase is not Phase.PRINTING or event.job != lane.job:
        return lane, (Ignored("print_of_another_time"),)
    return replace(lane, sent=True, cut_before=event.cut_before), ()


def _print_ended(lane: Lane, event: PrintEnded, now: float, policy: LanePolicy) -> Next:
    incentive = lane.incentive
    if lane.phase is not Phase.PRINTING or incentive is None or event.job != lane.job:
        return lane, (Ignored("print_result_of_another_time"),)
    patient = lane.print_deadline is not None and now < lane.print_deadline
    match event.outcome:
        case "printed":
            return _open(lane, now, policy, printed(lane, "printed", event.detail))
        case "not_printed" if lane.gone:
            return _open(lane, now, policy)  # she gets it on paper when she comes again
        case "not_printed" if patient and lane.attempt < policy.print_attempts:
            reprint = lane.reprint or (lane.sent and event.reached)
            lane = replace(lane, attempt=lane.attempt + 1, sent=False, cut_before=None, reprint=reprint)
            return lane, (Print(lane.job, incentive, lane.attempt, reprint),)
        case "not_printed":
            return _without_paper(lane, now, policy, printed(lane, "failed", event.detail))
        case _ if patient:
            return lane, (FindOut(lane.job, lane.cut_before),)
        case _:
            return _without_paper(lane, now, policy, printed(lane, "unknown", event.detail))


def _without_paper(lane: Lane, now: float, policy: LanePolicy, told: Say) -> Next:
    """Her paper has failed. The hub gives the coupon electronically; whom it does not know is shown the code here and now."""
    nobodys = lane.incentive is not None and lane.incentive.no_paper == "display"
    if not (nobodys and policy.display) or lane.gone:
        return _open(lane, now, policy, told)
    return replace(lane, phase=Phase.SHOWING, deadline=now + policy.show_s, print_deadline=None), (told,)


def _gate_took(lane: Lane, event: GateTook, now: float, policy: LanePolicy) -> Next:
    if lane.phase is not Phase.OPENING or event.command != lane.command:
        return lane, (Ignored("gate_answer_of_another_time"),)
    if not policy.gate:
        passed = passage(lane, "passed", detail="this lane has no gate")
        return idle(lane), (opened(lane), HoldCode(lane.code, held=True), passed)
    return replace(lane, phase=Phase.OPEN, deadline=now + lane.open_s + policy.open_grace_s), (opened(lane),)


def _gate_refused(lane: Lane, event: GateRefused) -> Next:
    if lane.phase is not Phase.OPENING or event.command != lane.command:
        return lane, (Ignored("gate_answer_of_another_time"),)
    lane = replace(lane, trouble=True, doubt=lane.doubt or event.doubt)
    if event.dealt_with:
        lane = replace(lane, command=event.dealt_with % MAX_COMMAND + 1)
    return lane, (Open(lane.command, lane.open_s),)  # the caller waits before it repeats; `deadline` ends it


def _passed(lane: Lane, event: Passed) -> Next:
    if lane.phase in (Phase.OPENING, Phase.OPEN) and event.command == lane.command:
        # A passage proves that the gate took the command, even if its answer was lost or came while we were down.
        late = (opened(lane),) if lane.phase is Phase.OPENING else ()
        return idle(lane), (*late, HoldCode(lane.code, held=True), passage(lane, "passed", direction=event.direction))
    ended = _unheard_of(lane, event.command)
    if ended is None:
        somebody = Say("lane_passage", LanePassage(outcome="passed", direction=event.direction))
        if lane.phase is Phase.OPENING and lane.trouble and event.direction == "exit":
            after, ends = let_go(lane, "somebody left while the gate did not open for her")
            return after, (somebody, *ends)
        return lane, (somebody,)
    told = LanePassage(
        scan=ended.scan, outcome="passed", direction=event.direction, offline=ended.offline, detail="told late"
    )
    lane, actions = _without(lane, ended), (HoldCode(ended.code, held=True), Say("lane_passage", told))
    return _gone(lane, *actions) if lane.code == ended.code else (lane, actions)


def _gone(lane: Lane, *actions: Action) -> Next:
    """The code was held up again, and then its holder left by an opening before: nothing is to be opened for it any more."""
    after = unheard(lane) if lane.phase in (Phase.OPENING, Phase.OPEN) else idle(lane)
    told = interrupted(lane, "its holder left by an earlier opening")
    return after, (*actions, *told, passage(lane, "not_passed", detail="its holder left by an earlier opening"))


def _another(lane: Lane, why: str) -> Next:
    """Only a gate that does not open is given up for it: at one that works it is a picture of the code that somebody else has."""
    if lane.phase is not Phase.OPENING or not lane.trouble:
        return lane, (Ignored("scans_while_busy"),)
    return let_go(lane, why)


def _unheard_of(lane: Lane, command: int | None) -> Ended | None:
    return next((ended for ended in lane.ended if ended.command == command), None)


def _without(lane: Lane, ended: Ended) -> Lane:
    return replace(lane, ended=tuple(each for each in lane.ended if each is not ended))


def _nobody(lane: Lane, event: NobodyPassed, now: float, policy: LanePolicy) -> Next:
    if lane.phase in (Phase.OPENING, Phase.OPEN) and event.command == lane.command:
        if event.cut_off and not event.missed and lane.reopened < policy.reopen_max:
            return _open(replace(lane, reopened=lane.reopened + 1, trouble=True), now, policy)
        return idle(lane), (passage(lane, "not_passed"), HoldCode(lane.code, held=False))
    if (ended := _unheard_of(lane, event.command)) is not None:
        return _without(lane, ended), (HoldCode(ended.code, held=False),)
    return lane, (Ignored("gate_event_of_another_time"),)


def _fire(lane: Lane) -> Next:
    if lane.phase is Phase.IDLE:
        return lane, ()
    after = unheard(lane) if lane.phase in (Phase.OPENING, Phase.OPEN) else idle(lane)
    told = interrupted(lane, "the fire alarm came")
    return after, (*told, passage(lane, "fire_open"), HoldCode(lane.code, held=False))


def _tick(lane: Lane, now: float, policy: LanePolicy) -> Next:
    if lane.phase is Phase.PRINTING and lane.print_deadline is not None and now >= lane.print_deadline:
        outcome: Literal["unknown", "failed"] = "unknown" if lane.sent else "failed"
        detail = f"no confirmed paper within {policy.print_patience_s:g} s"
        return _without_paper(lane, now, policy, printed(lane, outcome, detail))
    if lane.deadline is None or now < lane.deadline:
        return lane, ()
    match lane.phase:
        case Phase.DECIDING if lane.asks:
            told = passage(lane, "not_passed", detail="only the hub knows numbers, and it does not answer")
            return idle(lane), (told, HoldCode(lane.code, held=False), Refer("digits_offline"))
        case Phase.DECIDING if policy.offline == "open":
            return _open(replace(lane, offline=True, open_s=policy.offline_open_s), now, policy)
        case Phase.DECIDING:
            detail = "the hub does not answer and this lane may not open by itself"
            told = passage(lane, "not_passed", detail=detail)  # the hub may have reserved something all the same
            return idle(lane), (told, HoldCode(lane.code, held=False), CallClerk("no_decision", detail))
        case Phase.SHOWING:
            return _open(lane, now, policy, shown(lane, "unread", f"not read within {policy.show_s:g} s"))
        case Phase.OPENING:
            detail = "the gate does not take the open command"
            told = passage(lane, "fault", detail=detail)
            return unheard(lane), (told, HoldCode(lane.code, held=False), CallClerk("gate", detail))
        case Phase.OPEN:
            # The customer was let through and may be gone: the code stays used until the gate tells otherwise.
            detail = "the gate fell silent while it was open"
            return unheard(lane), (passage(lane, "not_passed", detail=detail), CallClerk("stuck", detail))
        case _:
            return lane, ()


def next_deadline(lane: Lane) -> float | None:
    """When `Tick` is due, or None."""
    return min((d for d in (lane.deadline, lane.print_deadline) if d is not None), default=None)
