"""When a lane calls a clerk: once for one reason, and never for ever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from contract.payloads import LaneCall
from devices.status import DeviceStatus, PowerState
from edge.lane_calls import (
    Answered,
    CallPolicy,
    Calls,
    CallTick,
    DeviceTold,
    Event,
    Settled,
    Wanted,
    from_json,
    next_deadline,
    resume,
    settled_by,
    step,
    to_json,
)
from edge.lane_desk import trouble
from edge.lane_types import Decided, GateTook, Passed, PrintEnded, Tick
from tests.edge.lane_ways import decision

POLICY = CallPolicy()
UTC_0 = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def go(calls: Calls, *events: Event, now: float = 0.0) -> tuple[Calls, list[LaneCall]]:
    said: list[LaneCall] = []
    for event in events:
        calls, more = step(calls, event, now, UTC_0 + timedelta(seconds=now), POLICY)
        said += [each.data for each in more if isinstance(each.data, LaneCall)]
    return calls, said


@pytest.mark.row("B12")
def test_who_presses_ten_times_calls_once() -> None:
    calls, said = go(Calls(), *[Wanted("help", "pressed")] * 10)
    assert [(each.reason, each.over) for each in said] == [("help", False)]
    assert said[0].call == "1-20261122T100000"
    assert next_deadline(calls) == POLICY.call_s
    calls, said = go(calls, CallTick(), now=POLICY.call_s)
    assert [(each.reason, each.over, each.detail) for each in said] == [("help", True, "time is up")]
    assert calls == Calls(1)


@pytest.mark.row("B12")
def test_a_clerk_comes_and_was_there() -> None:
    calls, (called,) = go(Calls(), Wanted("gate", "stuck"))
    calls, said = go(calls, Answered(called.call, "coming", "Yamada"), Answered("9-x", "served"))
    assert said == []
    assert [(each.state, each.name) for each in calls.open] == [("coming", "Yamada")]
    calls, said = go(calls, Answered(called.call, "served"))
    assert [(each.call, each.over) for each in said] == [(called.call, True)]
    assert go(calls, Answered(called.call, "nobody")) == (calls, [])


def test_what_comes_right_by_itself_needs_nobody() -> None:
    calls, _ = go(Calls(), Wanted("gate", "x"), Wanted("no_decision", "x"), Wanted("help", "x"))
    reasons = (
        settled_by(GateTook(7)), settled_by(Decided(decision("s"), "m")), settled_by(Passed("exit", 7)),
        settled_by(PrintEnded("j", "printed")), settled_by(PrintEnded("j", "unknown")), settled_by(Tick()),
    )  # fmt: skip
    assert reasons == (("gate",), ("no_decision",), ("gate", "stuck"), ("printer",), (), ())
    calls, said = go(calls, Settled(("gate", "stuck")), Settled(("no_decision",)))
    assert [(each.reason, each.over) for each in said] == [("gate", True), ("no_decision", True)]
    assert [each.reason for each in calls.open] == ["help"]


@pytest.mark.row("B12")
def test_a_device_that_stays_out_of_order_calls_and_a_changed_roll_does_not() -> None:
    calls, _ = go(Calls(), DeviceTold("printer", "rec_empty"))
    assert go(calls, CallTick(), now=POLICY.trouble_s - 0.1)[1] == []
    calls, said = go(calls, DeviceTold("printer", ""), CallTick(), now=POLICY.trouble_s)
    assert (said, calls.troubles) == ([], ())
    calls, _ = go(calls, DeviceTold("reader", "unplugged"), DeviceTold("reader", "still unplugged"), now=100.0)
    calls, said = go(calls, CallTick(), now=100.0 + POLICY.trouble_s)
    assert [(each.reason, each.detail) for each in said] == [("out_of_order", "still unplugged")]
    assert next_deadline(calls) is None, "it lasts until the reader works"
    calls, said = go(calls, DeviceTold("reader", ""), now=5000.0)
    assert [(each.over, each.detail) for each in said] == [(True, "it works again")]


@pytest.mark.parametrize("answer", ["served", "nobody"])
def test_a_device_that_is_still_out_of_order_calls_again_later(answer: str) -> None:
    calls, _ = go(Calls(), DeviceTold("gate", "gate_malfunction"))
    calls, (called,) = go(calls, CallTick(), now=20.0)
    calls, _ = go(calls, Answered(called.call, answer), now=60.0)  # type: ignore[arg-type]
    assert next_deadline(calls) == 60.0 + POLICY.again_s
    calls, said = go(calls, CallTick(), now=60.0 + POLICY.again_s)
    assert said[-1].call.startswith("2-")
    assert [each.over for each in said] == ([False] if answer == "served" else [True, False])


def test_a_gate_that_lets_one_pass_and_is_still_at_fault_is_not_forgotten() -> None:
    calls, _ = go(Calls(), Wanted("gate", "jammed"), DeviceTold("gate", "gate_malfunction"))
    calls, said = go(calls, CallTick(), now=20.0)
    assert said == [], "a clerk was called already"
    calls, said = go(calls, Settled(("gate",)), now=30.0)
    assert said == [], "the device says that it does not work"
    calls, said = go(calls, CallTick(), now=POLICY.call_s)
    assert [each.over for each in said] == [True]
    assert next_deadline(calls) == POLICY.call_s + POLICY.again_s
    _, said = go(calls, CallTick(), now=POLICY.call_s + POLICY.again_s)
    assert [each.over for each in said] == [False]


@pytest.mark.row("C1")
def test_calls_outlive_a_loss_of_power_and_end_all_the_same() -> None:
    calls, _ = go(Calls(), Wanted("help", "x"), DeviceTold("reader", "gone"))
    calls, _ = go(calls, CallTick(), now=20.0)
    back = resume(from_json(to_json(calls)), 1000.0, POLICY)
    assert [each.call for each in back.open] == [each.call for each in calls.open]
    assert back.troubles == ()
    after, said = go(back, CallTick(), now=1000.0 + POLICY.again_s)
    assert after.open == ()
    assert {each.over for each in said} == {True}
    assert go(after, Wanted("help", "x"))[1][0].call.startswith("3-")
    _, said = go(back, DeviceTold("reader", ""), now=1001.0)
    assert [each.reason for each in said] == ["out_of_order"]
    for damaged in ("", "{}", '{"number": 1, "open": [{"call": 3}]}', "[]"):
        with pytest.raises((ValueError, KeyError, TypeError)):
            from_json(damaged)


@pytest.mark.parametrize("seed", range(30))
def test_whatever_happens_every_call_that_is_opened_is_over_once(seed: int) -> None:
    rng = Random(seed)
    calls, now, opened, over = Calls(), 0.0, set[str](), list[str]()
    for _ in range(400):
        now += rng.choice([0.0, 1.0, 30.0, 200.0])
        if rng.random() < 0.05:
            calls = resume(from_json(to_json(calls)), now, POLICY)
        some = rng.choice([each.call for each in calls.open] or ["none"])
        event = rng.choice([
            Wanted(rng.choice(["help", "gate", "stuck", "no_decision"]), "x"), CallTick(),
            DeviceTold(rng.choice(["reader", "printer", "gate"]), rng.choice(["", "out"])),
            Answered(some, rng.choice(["called", "coming", "served", "nobody"])), Settled(("gate",)),
        ])  # fmt: skip
        calls, said = go(calls, event, now=now)
        for each in said:
            if each.over:
                over.append(each.call)
            else:
                assert each.call not in opened, f"seed {seed}"
                opened.add(each.call)
        assert len({each.reason for each in calls.open}) == len(calls.open) <= 6
    calls, said = go(calls, *[DeviceTold(device, "") for device in ("reader", "printer", "gate")], now=now)  # type: ignore[arg-type]
    over += [each.call for each in said if each.over]
    _, said = go(calls, CallTick(), now=now + 1000)
    over += [each.call for each in said]
    assert len(over) == len(set(over)), f"seed {seed}"
    assert set(over) == opened, f"seed {seed}"


def test_which_states_of_devices_are_trouble() -> None:
    online, off = PowerState.ONLINE, PowerState.OFF_OFFLINE
    assert trouble("reader", DeviceStatus(off, reason="unplugged")) == "unplugged"
    assert trouble("gate", DeviceStatus(off)) == "the gate is offline"
    assert trouble("printer", DeviceStatus(online, frozenset({"rec_near_end"}))) == ""
    assert (
        trouble("printer", DeviceStatus(online, frozenset({"rec_empty", "cover_open"})))
        == "printer: cover_open, rec_empty"
    )
    assert trouble("gate", DeviceStatus(online, frozenset({"gate_open", "fire_alarm"}))) == ""
