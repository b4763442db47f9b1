"""How codes come to a lane, and what it calls for: with a real journal and engine, its devices played."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contract.exit_digits import check_digit
from contract.payloads import LaneCall, LaneCallAnswered, LaneIncident, LanePassage, LaneRefused, LaneScan
from delivery.clock import Clock
from devices.gate_events import HelpPressed, Intrusion, Obstacle, Passage
from devices.status import DeviceStatus, PowerState
from edge import lane_incidents
from edge.lane_types import Phase
from tests.edge.lane_bench import Bench, exit_code, scan
from tests.edge.lane_ways import decision

NUMBER = "12345678901"
DIGITS = NUMBER + check_digit(NUMBER)
CODE = "0011223344556677"


def of(bench: Bench, kind: type) -> list[Any]:
    return [message.data for message in bench.said() if isinstance(message.data, kind)]


def decide(bench: Bench, **more: Any) -> None:
    known = decision(bench.runner.lane.scan, give=None).model_copy(update=more)
    with bench.engine.transaction() as tx:
        bench.runner.decided(known, "hub-main.e.1", "v1", tx)


@pytest.mark.row("B6")
@pytest.mark.parametrize("by", ["keypad", "barcode"])
async def test_a_number_is_asked_of_the_hub_and_opens_by_its_word(tmp_path: Path, by: str) -> None:
    async with Bench(tmp_path) as bench:
        if by == "keypad":
            bench.runner.on_typed(DIGITS, time.monotonic())
        else:
            bench.runner.on_scan(scan(f"{DIGITS[:4]} {DIGITS[4:8]} {DIGITS[8:]}"))
        await bench.until(lambda: bench.phase is Phase.DECIDING)
        (asked,) = of(bench, LaneScan)
        assert (asked.digits, asked.by, asked.code, asked.code_id) == (DIGITS, by, "", "")
        expires = datetime.now(UTC) + timedelta(minutes=10)
        decide(bench, code_id=CODE, code_expires=expires)
        await bench.until(lambda: bench.phase is Phase.OPEN)
        bench.runner.put(Passage(t=0.0, direction="exit", command_seq=bench.runner.lane.command, count=1))
        await bench.until(lambda: bench.phase is Phase.IDLE)
        bench.runner.on_scan(scan(exit_code(code_id=CODE)))
        await bench.until(lambda: bench.runner.counters["refused_already_used"] == 1)


@pytest.mark.row("B6")
async def test_who_steps_back_may_type_the_number_again(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        for _ in range(2):
            bench.runner.on_typed(DIGITS, time.monotonic())
            await bench.until(lambda: bench.phase is Phase.DECIDING)
            decide(bench, outcome="refuse")
            await bench.until(lambda: bench.phase is Phase.IDLE)
        assert bench.runner.counters["scans_by_keypad"] == 2


@pytest.mark.row("B6")
@pytest.mark.parametrize("typed", ["1", DIGITS[:-1], DIGITS + "0", DIGITS[:5] + DIGITS[6] + DIGITS[5] + DIGITS[7:],
                                   str((int(DIGITS[0]) + 1) % 10) + DIGITS[1:]])  # fmt: skip
async def test_a_slip_of_the_finger_is_refused_at_once(tmp_path: Path, typed: str) -> None:
    heard: list[object] = []
    async with Bench(tmp_path) as bench:
        bench.runner.watch = heard.append
        bench.runner.on_typed(typed, time.monotonic())
        await bench.until(lambda: bench.runner.counters["refused_mistyped"] == 1)
        (told,) = of(bench, LaneRefused)
        assert (told.reason, told.by) == ("mistyped", "keypad")
        assert [getattr(each, "reason", None) for each in heard] == ["mistyped"], "the display says why"
        assert bench.names() == ["refused"]


@pytest.mark.row("C2")
@pytest.mark.row("B6")
async def test_without_the_hub_she_is_asked_for_her_qr_code(tmp_path: Path) -> None:
    heard: list[str] = []
    async with Bench(tmp_path, decide_s=0.05) as bench:
        bench.runner.watch = lambda happened: heard.append(getattr(happened, "reason", ""))
        bench.runner.on_typed(DIGITS, time.monotonic())
        await bench.until(lambda: bench.runner.counters["digits_offline"] == 1)
        assert [passage.outcome for passage in of(bench, LanePassage)] == ["not_passed"]
        bench.runner.on_typed(DIGITS, time.monotonic())  # now it is known that the hub is away
        await bench.until(lambda: bench.runner.counters["refused_digits_offline"] == 1)
        assert heard.count("digits_offline") == 2
        assert bench.devices.opened == []
        assert of(bench, LaneCall) == []
        bench.runner.on_scan(scan(exit_code()))
        await bench.until(lambda: bench.phase is Phase.OPEN)


async def test_whoever_tries_numbers_out_is_slowed_down(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        for number in range(30):
            first = f"{number:011d}"
            bench.runner.on_typed(first + check_digit(first), time.monotonic())
            await bench.until(lambda number=number: bench.runner.counters["numbers_too_fast"]  # type: ignore[misc]
                              + bench.runner.counters["scans"] == number + 1)  # fmt: skip
            if bench.phase is Phase.DECIDING:
                decide(bench, outcome="refuse")
        assert bench.runner.counters["scans"] <= 6


@pytest.mark.row("B6")
async def test_a_code_that_was_held_near_is_the_same_code(tmp_path: Path) -> None:
    text = exit_code()
    async with Bench(tmp_path) as bench:
        bench.runner.on_near(text, time.monotonic())
        await bench.until(lambda: bench.phase is Phase.DECIDING)
        assert [(told.by, told.code) for told in of(bench, LaneScan)] == [("nfc", text)]
        decide(bench)
        await bench.until(lambda: bench.phase is Phase.OPEN)
        bench.runner.on_scan(scan(text))
        await bench.until(lambda: bench.runner.counters["scans_while_busy"] == 1)


UNSET = Clock(utc=lambda: datetime(1970, 1, 1, 0, 3, tzinfo=UTC))
"""The clock of a Pi without a battery, as it comes up."""


@pytest.mark.row("C2")
async def test_a_clock_that_is_not_set_does_not_judge_expiry_and_one_that_is_does(tmp_path: Path) -> None:
    old = exit_code(life_s=-3600)
    async with Bench(tmp_path) as bench:
        bench.runner.on_scan(scan(old))
        await bench.until(lambda: bench.runner.counters["refused_expired"] == 1)
        bench.engine.clock = UNSET
        bench.runner.on_scan(scan(old))
        await bench.until(lambda: bench.phase is Phase.DECIDING)
        decide(bench)
        await bench.until(lambda: bench.phase is Phase.OPEN)
        bench.runner.put(Passage(t=0.0, direction="exit", command_seq=bench.runner.lane.command, count=1))
        await bench.until(lambda: bench.phase is Phase.IDLE)
        bench.runner.on_scan(scan(old))
        await bench.until(lambda: bench.runner.counters["refused_already_used"] == 1)


@pytest.mark.row("C2")
async def test_a_bent_code_is_refused_with_its_reason(tmp_path: Path) -> None:
    good = exit_code()
    cases = {
        good[:-9]: {"malformed", "bad_signature"},
        good[:-4] + ("A" if good[-4] != "A" else "B") + good[-3:]: {"malformed", "bad_signature"},
        exit_code(store="shibuya"): {"wrong_store"},
        "4901234567894": {"malformed"},
        "https://example.com": {"malformed"},
    }
    async with Bench(tmp_path) as bench:
        for n, (text, reasons) in enumerate(cases.items(), 1):
            bench.runner.on_scan(scan(text))
            await bench.until(lambda n=n: bench.runner.counters["refused"] == n)  # type: ignore[misc]
            assert of(bench, LaneRefused)[-1].reason in reasons
        assert bench.devices.opened == []


# --- help, calls, incidents


@pytest.mark.row("B12")
async def test_the_help_button_calls_and_the_clerks_answer_comes_back(tmp_path: Path) -> None:
    changed: list[str] = []
    async with Bench(tmp_path) as bench:
        bench.runner.desk.changed = lambda: changed.append(
            ",".join(each.state for each in bench.runner.desk.calls.open)
        )
        bench.runner.put(HelpPressed(t=time.monotonic()))
        bench.runner.on_help()
        await bench.until(lambda: bench.runner.counters["help_pressed"] == 2)
        await bench.until(lambda: bench.runner.desk.calls.open)
        (call,) = of(bench, LaneCall)
        assert (call.reason, call.over) == ("help", False)
    async with Bench(tmp_path) as bench:  # a loss of power in between
        bench.runner.desk.changed = lambda: changed.append(
            ",".join(each.state for each in bench.runner.desk.calls.open)
        )
        for state in ("coming", "served"):
            with bench.engine.transaction() as tx:
                bench.runner.call_answered(LaneCallAnswered(call=call.call, state=state, clerk_name="Y"), tx)
        assert [each.over for each in of(bench, LaneCall)] == [False, True]
        assert changed == ["called", "coming", ""]


@pytest.mark.row("B12")
async def test_a_gate_that_does_not_open_calls_and_the_next_opening_ends_the_call(tmp_path: Path) -> None:
    from devices.gate import CommandResult

    async with Bench(tmp_path, gate_patience_s=0.05) as bench:
        bench.devices.answer = lambda command: CommandResult("refused", "jammed")
        await bench.accepted()
        decide(bench)
        await bench.until(lambda: bench.phase is Phase.IDLE)
        assert [(each.reason, each.over) for each in of(bench, LaneCall)] == [("gate", False)]
        bench.devices.answer = lambda command: CommandResult("accepted")
        await bench.accepted()
        decide(bench)
        await bench.until(lambda: bench.phase is Phase.OPEN)
        assert [(each.reason, each.over) for each in of(bench, LaneCall)] == [("gate", False), ("gate", True)]


@pytest.mark.row("B12")
async def test_a_reader_that_stays_away_calls_a_clerk_until_it_is_back(tmp_path: Path) -> None:
    async with Bench(tmp_path, trouble_s=0.05) as bench:
        for _ in range(3):
            bench.runner.on_device("reader", DeviceStatus(PowerState.OFF_OFFLINE, reason="unplugged"))
        await bench.until(lambda: len(of(bench, LaneCall)) == 1)
        bench.runner.on_device("keypad", DeviceStatus(PowerState.OFF_OFFLINE, reason="unplugged"))
        bench.runner.on_device("reader", DeviceStatus(PowerState.ONLINE))
        await bench.until(lambda: len(of(bench, LaneCall)) == 2)
        assert [(each.reason, each.over) for each in of(bench, LaneCall)] == [
            ("out_of_order", False),
            ("out_of_order", True),
        ]


@pytest.mark.row("B12")
async def test_incidents_are_told_with_the_transaction_they_happened_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_incidents, "OBSTACLE_S", 0.05)
    async with Bench(tmp_path) as bench:
        await bench.accepted()
        scan_id = bench.runner.lane.scan
        decide(bench)
        await bench.until(lambda: bench.phase is Phase.OPEN)
        bench.runner.put(
            Passage(t=1.0, direction="exit", command_seq=bench.runner.lane.command, count=1, through="opening")
        )
        bench.runner.put(Intrusion(t=1.0, count=1))
        await bench.until(lambda: of(bench, LaneIncident))
        bench.runner.put(Passage(t=2.0, direction="entry", command_seq=None, count=1, through="closed"))
        bench.runner.put(Obstacle(t=3.0, on=True))
        await bench.until(lambda: len(of(bench, LaneIncident)) == 3)
        told = [(each.kind, each.scan) for each in of(bench, LaneIncident)]
        assert told == [("tailgating", scan_id), ("wrong_way", None), ("obstacle", None)]
        assert bench.runner.counters["incidents_tailgating"] == 1
