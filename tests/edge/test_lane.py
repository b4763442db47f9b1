"""The lane as a pure machine: every phase with every event, the ways through it, and random ways by seed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from contract.payloads import LaneOpened, LanePassage, LanePrinted, LaneShown
from edge.lane import next_deadline, resume, step
from edge.lane_types import (
    CallClerk,
    CodeAccepted,
    CodeUsed,
    Decided,
    Event,
    FindOut,
    FireAlarm,
    GateTook,
    HeldUpAgain,
    HoldCode,
    Ignored,
    KnowCode,
    Lane,
    LanePolicy,
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
from tests.edge.lane_steps import ALIEN, JOB, REFUSE, go
from tests.edge.lane_ways import CODE, COUPON, POLICY, SCAN, decision, in_phase, said


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("event", ALIEN, ids=lambda event: type(event).__name__)
def test_what_belongs_to_something_else_is_ignored_and_changes_nothing(phase: Phase, event: Event) -> None:
    lane = in_phase(phase)
    after, actions = step(lane, event, 1.0, POLICY)
    assert after == lane
    assert [type(action) for action in actions] == [Ignored]


@pytest.mark.parametrize("phase", [p for p in Phase if p is not Phase.IDLE])
def test_a_busy_lane_takes_no_code(phase: Phase) -> None:
    with pytest.raises(ValueError, match="takes no code"):
        step(in_phase(phase), CodeAccepted("s2", "c2"), 1.0, POLICY)


@pytest.mark.parametrize("phase", Phase)
def test_a_stranger_who_passes_is_told_and_changes_nothing(phase: Phase) -> None:
    lane = in_phase(phase)
    after, actions = step(lane, Passed("entry", None), 1.0, POLICY)
    assert after == lane
    assert actions == (Say("lane_passage", LanePassage(outcome="passed", direction="entry")),)


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_but_idle_ends_by_itself(phase: Phase) -> None:
    """A customer is never held: with silence from everything, time alone leads back to idle."""
    for policy in (POLICY, REFUSE):
        lane, now = in_phase(phase), 0.0
        for _ in range(6):
            deadline = next_deadline(lane)
            if deadline is None:
                break
            now = max(now, deadline)
            lane, _ = step(lane, Tick(), now, policy)
        assert lane.phase is Phase.IDLE
        assert now < 60


@pytest.mark.row("B12")
@pytest.mark.row("C4")
def test_the_whole_way_paper_first_then_the_gate() -> None:
    lane, actions = go(Lane(command=6), CodeAccepted(SCAN, CODE))
    assert (lane.phase, actions) == (Phase.DECIDING, [])
    lane, actions = go(lane, Decided(decision(SCAN, give="print"), "m2", "v1"))
    assert lane.phase is Phase.PRINTING
    assert [type(a) for a in actions] == [Print]
    lane, actions = go(lane, PrintSent(JOB, 41))
    assert (lane.sent, lane.cut_before, actions) == (True, 41, [])
    lane, actions = go(lane, PrintEnded(JOB, "printed", "process_id"))
    assert actions == [
        Say("lane_printed", LanePrinted(scan=SCAN, coupon=COUPON, outcome="printed", detail="process_id")),
        Open(7, 8.0),
    ]
    lane, actions = go(lane, GateTook(7))
    assert actions == [Say("lane_opened", LaneOpened(scan=SCAN, command=7))]
    lane, actions = go(lane, Passed("exit", 7))
    assert actions == [HoldCode(CODE, held=True), Say("lane_passage", LanePassage(scan=SCAN, outcome="passed"))]
    assert lane == Lane(command=7)


@pytest.mark.row("C3")
def test_nobody_passed_ends_as_not_passed_and_frees_the_code() -> None:
    lane, actions = go(in_phase(Phase.OPEN), NobodyPassed(7))
    assert actions == [Say("lane_passage", LanePassage(scan=SCAN, outcome="not_passed")), HoldCode(CODE, held=False)]
    assert lane.phase is Phase.IDLE


@pytest.mark.parametrize("give", ["electronic", None])
def test_without_paper_the_gate_opens_at_once(give: str | None) -> None:
    lane, actions = go(in_phase(Phase.DECIDING), Decided(decision(SCAN, give=give), "m2"))
    assert (lane.phase, actions) == (Phase.OPENING, [Open(7, 8.0)])


def test_a_refusal_leaves_the_gate_closed_and_the_code_free() -> None:
    lane, actions = go(in_phase(Phase.DECIDING), Decided(decision(SCAN, outcome="refuse"), "m2"))
    assert (lane.phase, actions) == (Phase.IDLE, [HoldCode(CODE, held=False)])


# --- paper


def test_paper_known_not_to_have_come_is_printed_again_with_the_same_coupon() -> None:
    lane = in_phase(Phase.PRINTING, sent=True)
    lane, actions = go(lane, PrintEnded(JOB, "not_printed", "cutter"))
    assert isinstance(actions[0], Print)
    assert (actions[0].job, actions[0].incentive.coupon, actions[0].attempt) == (f"{SCAN}#2", COUPON, 2)
    assert not lane.sent
    lane, _ = go(lane, PrintEnded(f"{SCAN}#2", "not_printed"))
    lane, actions = go(lane, PrintEnded(f"{SCAN}#3", "not_printed", "rec_empty"))
    told = said(actions, LanePrinted)
    assert [(p.outcome, p.attempts, p.detail) for p in told] == [("failed", 3, "rec_empty")]
    assert lane.phase is Phase.OPENING


def test_only_paper_that_may_have_begun_makes_the_next_one_a_reprint() -> None:
    lane = in_phase(Phase.PRINTING, sent=True)
    lane, (first,) = go(lane, PrintEnded(JOB, "not_printed", "port_lost", reached=False))
    assert isinstance(first, Print)
    assert (first.attempt, first.reprint) == (2, False)
    lane, _ = go(lane, PrintSent(first.job, None))
    lane, (second,) = go(lane, PrintEnded(first.job, "not_printed", "not printed"))
    assert isinstance(second, Print)
    assert (second.attempt, second.reprint) == (3, True)
    assert resume(lane, 0.0, LanePolicy())[1] == (second,)


def test_paper_in_doubt_is_looked_for_and_never_printed_blindly() -> None:
    lane = in_phase(Phase.PRINTING, sent=True)
    lane, actions = go(lane, PrintEnded(JOB, "unknown", "timeout"))
    assert actions == [FindOut(JOB, 41)]
    lane, actions = go(lane, PrintEnded(JOB, "unknown"), now=99.0)
    assert [p.outcome for p in said(actions, LanePrinted)] == ["unknown"]
    assert lane.phase is Phase.OPENING


@pytest.mark.parametrize(("sent", "outcome"), [(True, "unknown"), (False, "failed")])
def test_patience_with_the_paper_ends(sent: bool, outcome: str) -> None:
    lane = in_phase(Phase.PRINTING, sent=sent)
    assert go(lane, Tick(), now=11.9) == (lane, [])
    lane, actions = go(lane, Tick(), now=12.0)
    assert [p.outcome for p in said(actions, LanePrinted)] == [outcome]
    assert isinstance(actions[-1], Open)


def test_a_long_reason_still_fits_the_message() -> None:
    _, actions = go(in_phase(Phase.PRINTING, sent=True), PrintEnded(JOB, "printed", "x" * 2000))
    assert len(said(actions, LanePrinted)[0].detail) == 500


# --- a coupon on the display


def nobodys(phase_sent: bool = True) -> Lane:
    """A lane that prints a coupon for a customer whom nobody knows."""
    lane = in_phase(Phase.PRINTING, sent=phase_sent)
    assert lane.incentive is not None
    return replace(lane, incentive=lane.incentive.model_copy(update={"no_paper": "display"}))


@pytest.mark.row("B9")
@pytest.mark.row("C4")
@pytest.mark.parametrize("outcome", ["failed", "unknown"])
def test_whom_nobody_knows_is_shown_the_coupon_when_her_paper_fails(outcome: str) -> None:
    """No other way leads to her: on the display its code can be read, or photographed."""
    lane, actions = go(nobodys(outcome == "unknown"), Tick(), now=12.0)
    assert [p.outcome for p in said(actions, LanePrinted)] == [outcome]
    assert (lane.phase, next_deadline(lane)) == (Phase.SHOWING, 12.0 + POLICY.show_s)
    assert resume(lane, 13.0, POLICY)[0].phase is Phase.SHOWING
    read, actions = go(lane, ReadFromDisplay(SCAN, COUPON))
    assert (read.phase, [m.outcome for m in said(actions, LaneShown)]) == (Phase.OPENING, ["read"])
    unread, actions = go(lane, Tick(), now=12.0 + POLICY.show_s)
    assert (unread.phase, [m.outcome for m in said(actions, LaneShown)]) == (Phase.OPENING, ["unread"])


@pytest.mark.row("B12")
@pytest.mark.parametrize("phase", Phase)
def test_who_has_her_coupon_from_the_display_holds_her_code_up_again_and_goes(phase: Phase) -> None:
    lane, actions = go(in_phase(phase), HeldUpAgain())
    if phase is Phase.SHOWING:
        assert [m.outcome for m in said(actions, LaneShown)] == ["unread"]
        assert lane.phase is Phase.OPENING
    else:
        assert (lane, actions) == (in_phase(phase), [Ignored("scans_while_busy")])


def test_where_there_is_no_display_she_is_not_held() -> None:
    lane, _ = go(nobodys(), Tick(), now=12.0, policy=replace(POLICY, display=False))
    assert lane.phase is Phase.OPENING


@pytest.mark.row("B9")
@pytest.mark.row("B12")
def test_the_gate_opens_when_the_coupon_was_read_from_the_display() -> None:
    lane, actions = go(in_phase(Phase.DECIDING), Decided(decision(SCAN, give="display"), "m2"))
    assert (lane.phase, actions) == (Phase.SHOWING, [])
    assert next_deadline(lane) == 1.0 + POLICY.show_s
    lane, actions = go(lane, ReadFromDisplay(SCAN, COUPON))
    assert actions == [Say("lane_shown", LaneShown(scan=SCAN, coupon=COUPON, outcome="read")), Open(7, 8.0)]
    assert go(lane, ReadFromDisplay(SCAN, COUPON)) == (lane, [Ignored("read_of_another_time")])


@pytest.mark.row("B12")
def test_a_coupon_that_nobody_reads_holds_nobody() -> None:
    lane, actions = go(in_phase(Phase.SHOWING), Tick(), now=POLICY.show_s)
    assert [(m.outcome, m.detail) for m in said(actions, LaneShown)] == [("unread", "not read within 20 s")]
    assert lane.phase is Phase.OPENING


def test_a_lane_without_a_display_opens_at_once() -> None:
    lane, actions = go(in_phase(Phase.DECIDING), Decided(decision(SCAN, give="display"), "m2"),
                       policy=replace(POLICY, display=False))  # fmt: skip
    assert [m.outcome for m in said(actions, LaneShown)] == ["unread"]
    assert lane.phase is Phase.OPENING


@pytest.mark.parametrize("event", [FireAlarm(), CodeUsed(CODE)])
def test_a_coupon_that_is_on_the_display_when_all_ends_is_told_as_unread(event: Event) -> None:
    lane, actions = go(in_phase(Phase.SHOWING), event)
    assert [m.outcome for m in said(actions, LaneShown)] == ["unread"]
    assert lane.phase is Phase.IDLE


# --- numbers


@pytest.mark.row("B6")
def test_a_number_opens_by_the_hubs_word_and_the_lane_then_knows_its_code() -> None:
    lane, _ = go(Lane(command=6), CodeAccepted(SCAN, "#123456789012", asks=True))
    expires = datetime(2026, 11, 22, tzinfo=UTC)
    known = decision(SCAN, give=None).model_copy(update={"code_id": CODE, "code_expires": expires})
    lane, actions = go(lane, Decided(known, "m2"))
    assert actions == [KnowCode("#123456789012", CODE, expires), Open(7, 8.0)]
    _, actions = go(lane, GateTook(7), Passed("exit", 7))
    assert HoldCode(CODE, held=True) in actions


@pytest.mark.row("B6")
@pytest.mark.row("C2")
@pytest.mark.parametrize("late", [False, True])
def test_a_number_opens_nothing_without_the_hub_and_calls_nobody(late: bool) -> None:
    lane, _ = go(Lane(command=6), CodeAccepted(SCAN, "#123456789012", late, asks=True), now=0.0)
    assert next_deadline(lane) == POLICY.decide_s
    lane, actions = go(lane, Tick(), now=POLICY.decide_s)
    assert lane.phase is Phase.IDLE
    assert [type(a) for a in actions] == [Say, HoldCode, Refer]
    assert [m.outcome for m in said(actions, LanePassage)] == ["not_passed"]


# --- without the hub


@pytest.mark.row("C2")
def test_a_lane_alone_opens_by_its_policy_and_a_late_decision_changes_nothing() -> None:
    lane, actions = go(in_phase(Phase.DECIDING), Tick(), now=2.0)
    assert (lane.phase, lane.offline, actions) == (Phase.OPENING, True, [Open(7, 8.0)])
    assert go(lane, Decided(decision(SCAN, give="print"), "m2")) == (lane, [Ignored("late_decision")])
    lane, actions = go(lane, GateTook(7), Passed("exit", 7))
    assert [m.offline for m in said(actions, LaneOpened)] == [True]
    assert [m.offline for m in said(actions, LanePassage)] == [True]


@pytest.mark.row("C3")
@pytest.mark.parametrize(
    ("late", "policy", "patience_s"),
    [
        (False, POLICY, POLICY.decide_s),
        (True, POLICY, POLICY.behind_s),
        (True, replace(POLICY, decide_s=0.01), 0.01),
        (True, REFUSE, POLICY.decide_s),  # it may not open by itself, so it waits for whatever the hub may say
    ],
)
def test_nobody_waits_in_vain_for_a_hub_that_is_behind(late: bool, policy: LanePolicy, patience_s: float) -> None:
    lane, _ = go(Lane(command=6), CodeAccepted(SCAN, CODE, late), now=10.0, policy=policy)
    assert next_deadline(lane) == pytest.approx(10.0 + patience_s)
    opened, _ = go(lane, Tick(), now=10.0 + patience_s, policy=policy)
    assert opened.offline is (policy.offline == "open")
    decided, _ = go(
        lane, Decided(decision(SCAN, give=None), "m2", "v1"), now=10.0, policy=policy
    )  # it has just come back
    assert (decided.phase, decided.offline) == (Phase.OPENING, False)
    _, actions = go(opened, Decided(decision(SCAN), "m2", "v1"), now=10.0 + patience_s, policy=policy)
    assert actions == [Ignored("late_decision")]


@pytest.mark.row("C2")
def test_a_lane_alone_that_may_not_open_calls_a_clerk_and_releases() -> None:
    lane, actions = go(in_phase(Phase.DECIDING), Tick(), now=2.0, policy=REFUSE)
    assert lane.phase is Phase.IDLE
    assert [type(a) for a in actions] == [Say, HoldCode, CallClerk]
    assert [m.outcome for m in said(actions, LanePassage)] == ["not_passed"]
