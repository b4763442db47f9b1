"""A gate that works again opens by itself only for who surely stands there; her code opens once more (rows B12, C3, decision 21)."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contract.payloads import LanePassage, LanePrinted, LaneShown
from delivery.clock import Clock
from devices.gate import CommandResult
from devices.gate_events import NotPassed
from devices.gate_map import Outcome
from edge import store as edge_store
from edge.lane import resume, step
from edge.lane_codec import from_json, to_json
from edge.lane_types import (
    AnotherCode,
    CallClerk,
    FindOut,
    GateRefused,
    GateTook,
    HeldUpElsewhere,
    HoldCode,
    Ignored,
    Lane,
    NobodyPassed,
    Open,
    Passed,
    Phase,
    Print,
    PrintEnded,
    Tick,
)
from tests.edge.lane_bench import Bench, exit_code, scan
from tests.edge.lane_ways import CODE, POLICY, SCAN, in_phase, said

pytestmark = [pytest.mark.row("B12"), pytest.mark.row("C3")]
JOB = f"{SCAN}#1"


def is_let_go(lane: Lane, actions: tuple[object, ...]) -> bool:
    """The lane is free, nothing opens, and her code may be held up again."""
    ends = [told.outcome for told in said(actions, LanePassage) if told.scan == SCAN]
    opens = [action for action in actions if isinstance(action, Open | Print)]
    return lane.phase is Phase.IDLE and ends == ["not_passed"] and not opens and HoldCode(CODE, held=False) in actions


def in_trouble() -> Lane:
    lane, _ = step(in_phase(Phase.OPENING), GateRefused(7, "the gate reports a fault"), 1.0, POLICY)
    return lane


# --- cut off while it was open


def test_a_fault_that_is_over_at_once_opens_again_for_who_stands_between_the_flaps() -> None:
    lane, actions = step(in_phase(Phase.OPEN), NobodyPassed(7, cut_off=True), 3.0, POLICY)
    assert actions == (Open(8, 8.0),)
    assert step(lane, GateTook(8), 3.5, POLICY)[0].phase is Phase.OPEN


def test_a_board_that_was_dark_meanwhile_opens_for_nobody() -> None:
    assert is_let_go(*step(in_phase(Phase.OPEN), NobodyPassed(7, cut_off=True, missed=True), 3.0, POLICY))


def test_a_fault_that_lasts_calls_a_clerk_and_opens_for_nobody_later() -> None:
    lane, _ = step(in_phase(Phase.OPEN), NobodyPassed(7, cut_off=True), 3.0, POLICY)
    lane, _ = step(lane, GateRefused(8, "the gate reports a fault"), 4.0, POLICY)
    lane, actions = step(lane, Tick(), 3.0 + POLICY.there_s, POLICY)
    assert [type(action) for action in actions if isinstance(action, CallClerk)] == [CallClerk]
    assert HoldCode(CODE, held=False) in actions
    assert step(lane, GateRefused(8, "still"), 15.0, POLICY) == (lane, (Ignored("gate_answer_of_another_time"),))


# --- not opened yet


def test_somebody_who_leaves_by_a_gate_that_does_not_open_may_have_been_her() -> None:
    assert is_let_go(*step(in_trouble(), Passed("exit", None), 2.0, POLICY))


@pytest.mark.parametrize("event", [Passed("entry", None), Passed("exit", None)])
def test_who_passes_a_gate_that_works_is_somebody_else(event: Passed) -> None:
    lane = in_phase(Phase.OPENING)
    assert step(lane, event, 2.0, POLICY)[0] == lane
    assert event.direction == "exit" or step(in_trouble(), event, 2.0, POLICY)[0] == in_trouble()


def test_another_good_code_at_a_gate_that_does_not_open_says_who_stands_there() -> None:
    assert is_let_go(*step(in_trouble(), AnotherCode(), 2.0, POLICY))


@pytest.mark.parametrize("phase", Phase)
def test_another_code_changes_nothing_where_all_is_well(phase: Phase) -> None:
    assert step(in_phase(phase), AnotherCode(), 2.0, POLICY) == (in_phase(phase), (Ignored("scans_while_busy"),))


def test_if_the_gate_had_taken_the_command_all_the_same_her_code_is_used_when_that_is_told() -> None:
    lane, _ = step(in_trouble(), AnotherCode(), 2.0, POLICY)
    _, actions = step(lane, Passed("exit", 7), 3.0, POLICY)
    assert [told.detail for told in said(actions, LanePassage)] == ["told late"]
    assert HoldCode(CODE, held=True) in actions


def test_her_code_read_at_another_lane_says_where_she_is() -> None:
    assert is_let_go(*step(in_trouble(), HeldUpElsewhere(CODE), 2.0, POLICY))
    assert step(in_trouble(), HeldUpElsewhere("another"), 2.0, POLICY) == (in_trouble(), ())


@pytest.mark.parametrize("phase", Phase)
def test_a_picture_of_her_code_at_another_lane_takes_nothing_from_her(phase: Phase) -> None:
    assert step(in_phase(phase), HeldUpElsewhere(CODE), 2.0, POLICY)[0] == in_phase(phase)


def test_one_code_never_opens_two_gates_because_the_first_was_in_doubt() -> None:
    lane, _ = step(in_phase(Phase.OPENING), GateRefused(7, "no answer", doubt=True), 1.0, POLICY)
    lane, _ = step(lane, GateRefused(7, "the gate is offline"), 1.5, POLICY)
    assert step(lane, HeldUpElsewhere(CODE), 2.0, POLICY) == (lane, ())
    again, _ = resume(in_phase(Phase.OPENING), 0.0, POLICY)
    assert step(again, HeldUpElsewhere(CODE), 2.0, POLICY) == (again, ())


# --- after a start


@pytest.mark.parametrize("away_s", [POLICY.there_s + 0.1, 3600.0, -5.0, None])
@pytest.mark.parametrize("phase", [Phase.DECIDING, Phase.PRINTING, Phase.SHOWING, Phase.OPENING])
def test_after_a_long_time_without_power_nothing_is_printed_or_opened(phase: Phase, away_s: float | None) -> None:
    stored = from_json(to_json(in_phase(phase)))
    lane, actions = resume(stored, 500.0, POLICY, away_s)
    assert is_let_go(lane, actions)
    assert [told.outcome for told in said(actions, LaneShown)] == (["unread"] if phase is Phase.SHOWING else [])


def test_a_passage_is_waited_for_however_long_that_was() -> None:
    assert resume(in_phase(Phase.OPEN), 500.0, POLICY, None)[0].phase is Phase.OPEN


@pytest.mark.row("C4")
@pytest.mark.parametrize(
    ("outcome", "told"),
    [("printed", ["printed"]), ("not_printed", []), ("unknown", ["unknown"])],
)
def test_what_became_of_a_paper_is_still_learnt_and_nothing_opens(outcome: str, told: list[str]) -> None:
    """Paper that did not come is printed when she holds her code up again: of that the hub need not know."""
    lane, actions = resume(in_phase(Phase.PRINTING, sent=True), 500.0, POLICY, 60.0)
    assert actions == (FindOut(JOB, 41),)
    lane = from_json(to_json(lane))
    lane, actions = step(lane, PrintEnded(JOB, outcome), 999.0, POLICY)  # type: ignore[arg-type]
    assert is_let_go(lane, actions)
    assert [paper.outcome for paper in said(actions, LanePrinted)] == told


# --- at a lane


class Later:
    """A clock that is some time ahead."""

    def __init__(self, by_s: float) -> None:
        self.clock = Clock(utc=lambda: datetime.now(UTC) + timedelta(seconds=by_s))


async def waits_for_the_gate(bench: Bench, text: str) -> None:
    bench.devices.answer = lambda _: CommandResult("refused", "the gate reports a fault")
    await bench.accepted(text)
    bench.decide(give=None)
    await bench.until(lambda: bench.runner.lane.trouble)


@pytest.mark.parametrize(("boot", "minutes"), [("the same", 10), ("another", 0)])
async def test_after_a_start_her_code_opens_and_not_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, boot: str, minutes: int
) -> None:
    """Ten minutes without the program; or a machine that was switched off, whose clock tells nothing."""
    text = exit_code(life_s=3600.0)
    async with Bench(tmp_path, printer=None) as bench:
        await waits_for_the_gate(bench, text)
    if boot == "another":
        monkeypatch.setattr(edge_store, "_BOOT", "another start")
    async with Bench(tmp_path, printer=None, clock=Later(60.0 * minutes).clock) as bench:
        await bench.until(lambda: bench.phase is Phase.IDLE)
        assert bench.devices.opened == []
        await bench.accepted(text)
        bench.decide(give=None)
        await bench.until(lambda: bench.phase is Phase.OPEN)


async def test_a_program_that_is_back_at_once_goes_on(tmp_path: Path) -> None:
    async with Bench(tmp_path, printer=None) as bench:
        await waits_for_the_gate(bench, exit_code())
    async with Bench(tmp_path, printer=None) as bench:
        await bench.until(lambda: bench.phase is Phase.OPEN)


async def test_the_next_customer_need_not_wait_for_a_gate_that_waits_for_another(tmp_path: Path) -> None:
    hers, his = exit_code(), exit_code(sale="S-2")
    async with Bench(tmp_path, printer=None) as bench:
        await waits_for_the_gate(bench, hers)
        former = bench.runner.lane.scan
        bench.runner.on_scan(scan(hers))  # she holds it up again: she is there
        await bench.until(lambda: bench.runner.counters["scans_while_busy"] == 1)
        assert bench.runner.lane.scan == former
        bench.runner.on_scan(scan(his))
        await bench.until(lambda: bench.phase is Phase.DECIDING)
        assert bench.runner.lane.scan != former
        bench.devices.answer = lambda _: CommandResult("accepted")
        bench.decide(give=None)
        await bench.until(lambda: bench.phase is Phase.OPEN)
        assert bench.names() == ["scan", "passage", "scan", "opened"]


async def test_a_lane_whose_board_was_dark_asks_for_the_code_again(tmp_path: Path) -> None:
    text = exit_code()
    async with Bench(tmp_path, printer=None) as bench:
        await bench.accepted(text)
        bench.decide(give=None)
        await bench.until(lambda: bench.phase is Phase.OPEN)
        command = bench.runner.lane.command
        dark = NotPassed(t=time.monotonic(), command_seq=command, why=Outcome.CUT_OFF, missed=True)
        bench.runner.put(dark)
        await bench.until(lambda: bench.phase is Phase.IDLE)
        assert bench.devices.opened == [command]
        await bench.accepted(text)


async def test_at_another_lane_of_the_agent_she_is_told_to_wait_a_moment_and_then_it_opens(tmp_path: Path) -> None:
    """The gate of her lane is at fault; she goes to the next one, which may not say that her code was used."""
    text = exit_code()
    async with Bench(tmp_path, printer=None) as bench:
        await waits_for_the_gate(bench, text)
        second = bench.another_lane("2")
        second.on_scan(scan(text))
        await bench.until(lambda: second.counters["refused_in_use"] == 1 and bench.phase is Phase.IDLE)
        second.on_scan(scan(text))
        await bench.until(lambda: second.lane.phase is Phase.DECIDING)
        assert bench.names() == ["scan", "refused", "passage", "scan"]


def test_a_stored_lane_keeps_what_is_known_of_who_stands_there() -> None:
    lane = replace(in_trouble(), gone=True)
    assert from_json(to_json(lane)) == replace(lane, deadline=None)
