"""A lane with its real database: restarts, used codes, refusals, the gate's counters, late paper."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contract.payloads import CouponRead, LanePassage, LanePrinted, LaneRefused, LaneShown
from devices.gate import CommandResult
from devices.gate_events import FireAlarm, Intrusion, NotPassed, Passage
from devices.gate_map import GateCounters, Outcome
from devices.printer import OutputComplete
from devices.printer_job import Evidence, JobState
from edge import lane_entry, lane_work
from edge.lane_types import CodeAccepted, Phase
from tests.edge.lane_bench import Bench, exit_code, scan
from tests.edge.lane_ways import COUPON

ALL_PRINTED = [JobState.PRINTED] * 9


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_work, "AGAIN_S", 0.01)


def passed(command: int, count: int = 1, **more: Any) -> Passage:
    return Passage(t=time.monotonic(), direction="exit", command_seq=command, count=count, **more)


async def to(bench: Bench, phase: Phase, text: str = "") -> None:
    """Bring a lane to a phase, from idle."""
    if phase is Phase.IDLE:
        return
    await bench.accepted(text)
    if phase is Phase.DECIDING:
        return
    assert bench.devices.printer is not None
    if phase is not Phase.PRINTING:
        bench.devices.printer.results = list(ALL_PRINTED)
    if phase is Phase.OPENING:
        bench.devices.answer = lambda _: CommandResult("refused", "not now")
    bench.decide()
    await bench.until(lambda: bench.phase is phase and (phase is not Phase.PRINTING or bench.runner.lane.sent))


@pytest.mark.row("C1")
@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.SHOWING])
async def test_after_a_loss_of_power_in_any_phase_one_paper_one_opening_one_passage(
    tmp_path: Path, phase: Phase
) -> None:
    text = exit_code()
    async with Bench(tmp_path) as bench:
        await to(bench, phase, text)
        was, before = bench.runner.lane, bench.devices
    async with Bench(tmp_path) as bench:
        assert (bench.runner.lane.phase, bench.runner.lane.scan) == (phase, was.scan)
        bench.devices.printer.results = list(ALL_PRINTED)  # type: ignore[union-attr]
        bench.devices.printer.resolved = list(ALL_PRINTED)  # type: ignore[union-attr]
        if phase is Phase.IDLE:
            await bench.accepted(text)
        if phase in (Phase.IDLE, Phase.DECIDING):
            bench.decide()
        await bench.until(lambda: bench.phase is Phase.OPEN)
        bench.runner.put(passed(bench.runner.lane.command))
        await bench.until(lambda: bench.phase is Phase.IDLE)
        assert bench.names() == ["scan", "printed", "opened", "passage"]
        causes = [message.cause for message in bench.said()]
        ids = [message.id for message in bench.said()]
        assert causes == [None, "hub-main.e.1", ids[1], ids[2]]
        assert {m.visit for m in bench.said()[1:]} == {"v1"}
        printed = [*before.printer.jobs, *bench.devices.printer.jobs]  # type: ignore[union-attr]
        assert len(printed) == 1
        assert set(before.opened) | set(bench.devices.opened) == {was.command or bench.runner.lane.command} or phase in (
            Phase.IDLE, Phase.DECIDING, Phase.PRINTING)  # fmt: skip
        assert len(set(before.opened) | set(bench.devices.opened)) == 1
        bench.runner.on_scan(scan(text))
        await bench.until(lambda: bench.runner.counters["refused_already_used"] == 1)
    async with Bench(tmp_path) as bench:
        bench.runner.on_scan(scan(text))
        await bench.until(lambda: bench.runner.counters["refused_already_used"] == 1)


async def test_a_decision_that_comes_before_the_loop_begins_prints_once(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.accepted()
    async with Bench(tmp_path) as bench:
        bench.devices.printer.results = list(ALL_PRINTED)  # type: ignore[union-attr]
        bench.decide()  # no turn of the loop since the start
        await bench.until(lambda: bench.phase is Phase.OPEN)
        assert len(bench.devices.printer.jobs) == 1  # type: ignore[union-attr]


@pytest.mark.row("C2")
async def test_who_steps_back_may_scan_again_who_passed_may_not(tmp_path: Path) -> None:
    text = exit_code()
    async with Bench(tmp_path, printer=None) as bench:
        for end in ("back", "through"):
            await bench.accepted(text)
            bench.decide(give=None)
            await bench.until(lambda: bench.phase is Phase.OPEN)
            command = bench.runner.lane.command
            back = NotPassed(t=time.monotonic(), command_seq=command, why=Outcome.NOBODY)
            bench.runner.put(back if end == "back" else passed(command))
            await bench.until(lambda: bench.phase is Phase.IDLE)
        bench.runner.on_scan(scan(text))
        await bench.until(lambda: bench.runner.counters["refused_already_used"] == 1)
        assert [m.data.outcome for m in bench.said() if isinstance(m.data, LanePassage)] == ["not_passed", "passed"]


async def ended_by_fire(bench: Bench, text: str) -> int:
    await bench.accepted(text)
    bench.decide(give=None)
    await bench.until(lambda: bench.phase is Phase.OPEN)
    bench.runner.put(FireAlarm(t=time.monotonic(), on=True))
    await bench.until(lambda: bench.phase is Phase.IDLE)
    return bench.runner.lane.command


@pytest.mark.row("C1")
async def test_after_a_start_the_gate_tells_first_who_left_meanwhile(tmp_path: Path) -> None:
    """The alarm ended it, she held her code up again, the agent lost its power, and she left by the open gate."""
    text = exit_code()
    async with Bench(tmp_path, printer=None) as bench:
        command = await ended_by_fire(bench, text)
        await bench.accepted(text)
    async with Bench(tmp_path, printer=None) as bench:
        bench.devices.unread = True
        await bench.until(lambda: bench.phase is Phase.DECIDING)
        bench.decide(give=None)
        await bench.until(lambda: bench.phase is Phase.OPENING)
        bench.devices.unread = False
        bench.runner.put(passed(command, missed=True))
        await bench.until(lambda: bench.phase is Phase.IDLE)
        bench.runner.on_scan(scan(text))
        await bench.until(lambda: bench.runner.counters["refused_already_used"] == 1)
        assert bench.devices.opened == []


@pytest.mark.row("B12")
async def test_a_gate_that_is_never_read_is_told_to_open_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_work, "FIRST_READING_S", 0.05)
    async with Bench(tmp_path, printer=None) as bench:
        bench.devices.unread = True
        await bench.accepted()
        bench.decide(give=None)
        await bench.until(lambda: bench.devices.opened)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("https://example.org/", "malformed"),
        (exit_code(store="umeda"), "wrong_store"),
        (exit_code(life_s=-120), "expired"),
        (exit_code()[:-4] + "AAAA", "bad_signature"),
    ],
)
async def test_a_code_that_cannot_be_trusted_is_refused_told_and_counted(
    tmp_path: Path, text: str, reason: str
) -> None:
    async with Bench(tmp_path) as bench:
        bench.runner.on_scan(scan(text))
        await bench.until(lambda: bench.runner.counters[f"refused_{reason}"] == 1)
        told = bench.said()[0].data
        assert isinstance(told, LaneRefused)
        assert told.reason == reason
        assert told.detail
        assert bench.phase is Phase.IDLE


async def test_a_flood_of_bad_codes_is_counted_and_mostly_not_told(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        for n in range(300):
            bench.runner.on_scan(scan(f"junk {n}"))
        await bench.until(lambda: bench.runner.counters["refused"] == 300)
        assert 20 <= len(bench.said()) <= 25
        assert bench.runner.counters["refused_untold"] == 300 - len(bench.said())
        for _ in range(3000):
            bench.runner.on_scan(scan("junk"))
        assert bench.runner.counters["dropped_scans"] == 2000


async def test_a_code_that_waited_too_long_opens_nothing(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        bench.runner.on_scan(scan(exit_code(), age_s=3.1))
        await bench.until(lambda: bench.runner.counters["stale_scans"] == 1)
        assert bench.names() == []


@pytest.mark.row("C1")
async def test_all_events_of_one_reading_and_its_counters_are_one_transaction(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await to(bench, Phase.OPEN)
        command = bench.runner.lane.command
        bench.devices.counters = GateCounters(3, 1, 1, 1, command, 1, 2)
        for event in (passed(command, 2), passed(0, 3), Intrusion(t=0.0, count=1)):
            bench.runner.put(event)
        await bench.until(lambda: bench.phase is Phase.IDLE)
        assert bench.names()[-3:] == ["passage", "passage", "incident"]
        assert bench.runner.counters["intrusions"] == 1
    async with Bench(tmp_path) as bench:
        assert bench.runner.known == GateCounters(3, 1, 1, 1, command, 1, 2)


@pytest.mark.row("C4")
async def test_paper_that_comes_after_it_was_given_up_is_told(tmp_path: Path) -> None:
    async with Bench(tmp_path, print_patience_s=0.05) as bench:
        bench.devices.printer.results = [JobState.UNKNOWN]  # type: ignore[union-attr]
        await bench.accepted()
        job = f"{bench.runner.lane.scan}#1"
        bench.decide()
        await bench.until(lambda: bench.phase is Phase.OPEN)
        for _ in range(2):
            bench.runner.put(OutputComplete(job, Evidence.PROCESS_ID))
        await bench.until(lambda: bench.runner.counters["print_result_of_another_time"] == 2)
        told = [m.data for m in bench.said() if isinstance(m.data, LanePrinted)]
        assert [(t.coupon, t.outcome) for t in told] == [(COUPON, "unknown"), (COUPON, "printed")]


@pytest.mark.row("C4")
async def test_a_printer_without_evidence_prints_the_next_coupon_all_the_same(tmp_path: Path) -> None:
    """One job in doubt for ever must not be the end of paper."""
    async with Bench(tmp_path, print_patience_s=0.05) as bench:
        printer = bench.devices.printer
        assert printer is not None
        printer.counter, printer.results, printer.resolved = None, [JobState.UNKNOWN], [JobState.UNKNOWN] * 99
        await to_open_and_through(bench)
        printer.results = list(ALL_PRINTED)
        await to_open_and_through(bench, coupon="CP-2")
        told = [(m.data.coupon, m.data.outcome) for m in bench.said() if isinstance(m.data, LanePrinted)]
        assert told == [(COUPON, "unknown"), ("CP-2", "printed")]


async def to_open_and_through(bench: Bench, **decision: Any) -> None:
    await bench.accepted()
    bench.decide(**decision)
    await bench.until(lambda: bench.phase is Phase.OPEN)
    bench.runner.put(passed(bench.runner.lane.command))
    await bench.until(lambda: bench.phase is Phase.IDLE)


async def test_drivers_that_hang_hold_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_work, "PRINTER_MAX_S", 0.2)
    async with Bench(tmp_path, print_patience_s=0.1) as bench:  # its printer never returns from a job
        for _ in range(3):
            await to_open_and_through(bench)
        outcomes = [m.data.outcome for m in bench.said() if isinstance(m.data, LanePrinted)]
        assert outcomes == ["unknown", "failed", "failed"] or outcomes == ["unknown"] * 3
        await bench.until(lambda: sum(not t.done() for t in bench.tasks) <= 3)


async def test_paper_of_a_former_customer_never_begins_in_the_time_of_the_next(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await to(bench, Phase.PRINTING)
        first = bench.runner.lane.job
        bench.devices.printer.resolved = [JobState.UNKNOWN]  # type: ignore[union-attr]
        bench.runner.put(FireAlarm(t=0.0, on=True))
        await bench.until(lambda: bench.phase is Phase.IDLE)
        await to(bench, Phase.PRINTING)
        assert bench.runner.lane.sent
        assert not bench.runner._print_sent(lane_work.PrintSent(first, 1))


async def test_a_number_that_the_board_has_passed_by_is_replaced(tmp_path: Path) -> None:
    async with Bench(tmp_path, printer=None) as bench:
        bench.devices.dealt = 2_000_000_000
        bench.devices.answer = lambda command: CommandResult(
            "accepted" if command > 2_000_000_000 else "refused", "old"
        )
        await bench.accepted()
        bench.decide(give=None)
        await bench.until(lambda: bench.phase is Phase.OPEN)
        assert bench.runner.lane.command == 2_000_000_001


@pytest.mark.row("B12")
async def test_a_lane_without_printer_and_gate_works(tmp_path: Path) -> None:
    async with Bench(tmp_path, printer=None, gate=None) as bench:
        bench.devices.printer = None
        await bench.accepted()
        bench.decide(give="print")
        await bench.until(lambda: bench.phase is Phase.IDLE)
        assert bench.names() == ["scan", "printed", "opened", "passage"]
        assert [m.data.outcome for m in bench.said()[1:] if hasattr(m.data, "outcome")] == ["failed", "passed"]


async def test_a_damaged_row_does_not_keep_a_lane_from_starting(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        bench.journal.db.execute("UPDATE lane SET state = '{\"phase\": 7}'")
    async with Bench(tmp_path) as bench:
        assert bench.phase is Phase.IDLE
        await bench.accepted()


@pytest.mark.row("C3")
async def test_while_the_hub_is_away_only_the_first_customers_wait_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_entry, "AWAY_S", 0.5)
    late: list[bool] = []
    async with Bench(tmp_path, decide_s=0.3) as bench:
        bench.runner.on_step = lambda event, _: late.append(event.late) if isinstance(event, CodeAccepted) else None
        for count in (1, 2, 3):
            bench.runner.on_scan(scan(exit_code()))
            await bench.until(lambda: bench.phase is Phase.OPEN)
            bench.runner.put(passed(bench.devices.opened[-1], count))
            await bench.until(lambda: bench.phase is Phase.IDLE)
        assert (late[0], late[-1]) == (False, True)
        assert bench.names() == 3 * ["scan", "opened", "passage"]


@pytest.mark.row("B9")
@pytest.mark.row("C1")
async def test_a_loss_of_power_while_a_coupon_is_on_the_display(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        bench.runner.policy = replace(bench.runner.policy, display=True)
        await bench.accepted()
        bench.decide(give="display")
        scan_id = bench.runner.lane.scan
    async with Bench(tmp_path) as bench:
        assert bench.phase is Phase.SHOWING
        with bench.engine.transaction() as tx:  # before its loop has begun
            bench.runner.coupon_read(CouponRead(scan=scan_id, coupon=COUPON), tx)
        await bench.until(lambda: bench.phase is Phase.OPEN)
        bench.runner.put(passed(bench.runner.lane.command))
        await bench.until(lambda: bench.phase is Phase.IDLE)
        assert bench.names() == ["scan", "shown", "opened", "passage"]


@pytest.mark.row("B12")
async def test_who_has_the_coupon_holds_her_code_up_again_and_passes(tmp_path: Path) -> None:
    text = exit_code()
    async with Bench(tmp_path, printer=None) as bench:
        bench.runner.policy = replace(bench.runner.policy, display=True)
        await bench.accepted(text)
        bench.decide(give="display")
        await bench.until(lambda: bench.phase is Phase.SHOWING)
        bench.runner.on_scan(scan(exit_code(sale="S-2")))  # somebody behind her must wait
        bench.runner.on_scan(scan(text))
        await bench.until(lambda: bench.phase is Phase.OPEN)
        assert bench.names() == ["scan", "shown", "opened"]


async def test_a_coupon_that_nobody_reads_is_told_and_the_gate_opens(tmp_path: Path) -> None:
    async with Bench(tmp_path, show_s=0.05) as bench:
        bench.runner.policy = replace(bench.runner.policy, display=True)
        await bench.accepted()
        bench.decide(give="display")
        await bench.until(lambda: bench.phase is Phase.OPEN)
        shown = [m.data for m in bench.said() if isinstance(m.data, LaneShown)]
        assert [(m.coupon, m.outcome) for m in shown] == [(COUPON, "unread")]
