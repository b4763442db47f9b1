"""The gate's driver against the simulated board: good and bad wires, lost replies, pulled cables, restarts."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from dataclasses import asdict

import pytest

from devices.gate import GateSettings
from devices.gate_events import (
    Fault,
    FireAlarm,
    GateClosed,
    GateOpened,
    MainsLost,
    NotPassed,
    Obstacle,
    Passage,
    Restarted,
)
from devices.gate_map import GateCounters, Outcome
from devices.gate_states import GateState
from devices.serial_port import SerialPort
from devices.status import PowerState
from firmware_sim.control import ControlClient
from firmware_sim.gate import GateSim
from firmware_sim.pty_port import ByteAtATime, Delayed, Lossy, Perfect
from tests.devices.gate_bench import Driven, lane


@pytest.mark.row("B12")
@pytest.mark.parametrize("wire", [Perfect, lambda: ByteAtATime(0.0002), lambda: Delayed(3, max_s=0.001)])
async def test_opens_lets_one_person_through_and_closes(tmp_path, wire):
    async with lane(tmp_path, GateSettings(), wire_in=wire(), wire_out=wire()) as (driven, sim):
        result = await driven.gate.open_gate("exit", 1, 5.0)
        assert result.outcome == "accepted"
        assert (await driven.event(GateOpened)).command_seq == 1
        reply = await sim.handle({"do": "walk", "direction": "exit"})
        assert reply["passed"]
        passage = await driven.event(Passage)
        assert (passage.direction, passage.command_seq, passage.count) == ("exit", 1, 1)
        await driven.event(GateClosed)
        assert driven.gate.state is GateState.CLOSED
        assert len(driven.opened_at) == 1


@pytest.mark.row("B12")
async def test_closes_after_its_time_and_says_that_nobody_came(tmp_path):
    async with lane(tmp_path) as (driven, sim):
        await driven.gate.open_gate("exit", 1, 0.4)  # long enough to be seen open between two polls of a slow machine
        await driven.event(GateOpened)
        over = await driven.all_of(NotPassed, GateClosed)  # whichever is seen first
        assert (over[NotPassed].command_seq, over[NotPassed].why) == (1, Outcome.NOBODY)
        assert "closed" in (await sim.handle({"do": "walk"}))["blocked"]


async def test_close_ends_the_waiting(tmp_path):
    async with lane(tmp_path) as (driven, _sim):
        await driven.gate.open_gate("entry", 1, 60.0)
        await driven.event(GateOpened)
        assert (await driven.gate.close_gate(2)).outcome == "accepted"
        assert (await driven.event(NotPassed)).why is Outcome.CLOSED_BY_COMMAND
        await driven.event(GateClosed)


@pytest.mark.row("C1")
async def test_the_same_number_never_opens_twice(tmp_path):
    async with lane(tmp_path) as (driven, sim):
        assert (await driven.gate.open_gate("exit", 5, 5.0)).outcome == "accepted"
        assert (await driven.gate.open_gate("exit", 5, 5.0)).outcome == "duplicate"
        busy = await driven.gate.open_gate("exit", 6, 5.0)
        assert (busy.outcome, busy.reason) == ("refused", "another person is still to pass")
        assert (await driven.gate.open_gate("exit", 5, 5.0)).outcome == "duplicate"
        old = await driven.gate.open_gate("exit", 4, 5.0)
        assert old.outcome == "refused"
        assert "older than 6" in old.reason
        assert sim.board.memory.pulses == 1
        with pytest.raises(ValueError, match="seq"):
            await driven.gate.open_gate("exit", 0, 5.0)


@pytest.mark.row("C1")
@pytest.mark.parametrize("seed", [1])
async def test_two_hundred_opens_over_a_bad_line_are_two_hundred_pulses(tmp_path, seed):
    out, into = Lossy(seed, lose=0.05, damage=0.05), Lossy(seed + 100, lose=0.02, damage=0.02)
    settings = GateSettings(poll_s=0.005, reply_s=0.01)
    async with lane(tmp_path, settings, move_s=0.001, wire_out=out, wire_in=into) as (driven, sim):
        for seq in range(1, 201):
            result = await driven.gate.open_gate("exit", seq, 60.0)
            assert result.outcome == "accepted", f"seed {seed}, seq {seq}: {result}"
            assert (await sim.handle({"do": "walk", "wait_s": 1}))["passed"], f"seed {seed}, seq {seq}"
        owners = [(await driven.event(Passage)).command_seq for _ in range(200)]
        assert owners == list(range(1, 201)), f"seed {seed}"
        assert sim.board.memory.pulses == 200, f"seed {seed}"
        assert len([e for e in sim.told if e["event"] == "pulse"]) == 200
        assert out.lost + out.damaged > 20
        assert driven.gate.state is not GateState.OFFLINE


async def test_a_lost_reply_is_read_back_and_not_sent_again(tmp_path):
    async with lane(tmp_path) as (driven, sim):
        sim.handle({"do": "corrupt", "replies": 3})
        assert (await driven.gate.open_gate("exit", 1, 5.0)).outcome == "accepted"
        assert sim.board.memory.pulses == 1
        assert len(driven.opened_at) == 1


async def test_a_board_that_falls_silent_is_unknown_then_offline_then_back(tmp_path):
    settings = GateSettings(poll_s=0.005, reply_s=0.02, silent_s=0.3, command_s=0.2)
    async with lane(tmp_path, settings) as (driven, sim):
        sim.port.hold()  # powered off behind its USB adapter: the port stays
        started = time.monotonic()
        result = await driven.gate.open_gate("exit", 1, 5.0)
        assert result.outcome == "unknown"
        status = await driven.offline()
        assert time.monotonic() - started < 2.0
        assert status.flags == {"no_answer"}
        assert "is the device powered?" in status.reason
        assert (await driven.gate.open_gate("exit", 2, 5.0)).outcome == "refused"  # never left: nothing to be unsure of
        sim.port.release()
        await driven.online()
        again = await driven.gate.open_gate("exit", 1, 5.0)
        assert again.taken
        assert sim.board.memory.pulses == 1


async def test_unplugged_is_seen_and_replugged_needs_nobody(tmp_path):
    async with lane(tmp_path, GateSettings()) as (driven, sim):
        await driven.gate.open_gate("exit", 1, 60.0)
        await driven.event(GateOpened)
        for _ in range(2):
            started = time.monotonic()
            sim.handle({"do": "unplug"})
            status = await driven.offline()
            assert time.monotonic() - started < 2.0
            assert "unplugged" in status.reason
            assert driven.gate.state is GateState.OFFLINE
            refused = await driven.gate.open_gate("exit", 2, 5.0)
            assert refused.outcome == "refused"
            assert "offline" in refused.reason
            await sim.handle({"do": "walk"})
            started = time.monotonic()
            sim.handle({"do": "plug"})
            await driven.online()
            assert time.monotonic() - started < 1.0
        missed = await driven.event(Passage)
        assert (missed.command_seq, missed.missed) == (1, True)


async def test_an_absent_gate_says_what_to_do(tmp_path):
    driven = Driven(tmp_path / "nowhere")
    status = await driven.offline()
    assert "no such port: is the cable plugged in?" in status.reason
    await driven.stop()


async def test_another_device_on_the_port_is_no_gate(tmp_path):
    async with lane(tmp_path, GateSettings(reply_s=0.02, silent_s=0.1)) as (driven, sim):
        sim.board.inputs = lambda: [0] * 17
        assert "no gate board" in (await driven.offline()).reason


@pytest.mark.row("C1")
async def test_a_restarted_agent_sees_the_passages_it_missed(tmp_path):
    state = tmp_path / "nv" / "gate.json"
    async with lane(tmp_path, state_file=state) as (driven, sim):
        await driven.gate.open_gate("exit", 1, 60.0)
        await driven.event(GateOpened)
        kept = asdict(driven.gate.counters)
        await driven.stop()
        await sim.handle({"do": "walk", "direction": "exit"})
        second = Driven(tmp_path / "gate", known=GateCounters(**kept))
        passage = await second.event(Passage)
        assert (passage.command_seq, passage.count, passage.missed) == (1, 1, True)
        assert (await second.gate.open_gate("exit", 1, 5.0)).outcome == "duplicate"
        await second.stop()


@pytest.mark.row("C1")
async def test_a_board_that_lost_power_keeps_its_numbers(tmp_path):
    state = tmp_path / "gate.json"
    async with lane(tmp_path, state_file=state) as (driven, sim):
        await driven.gate.open_gate("exit", 1, 60.0)
        await driven.event(GateOpened)
        sim.close()  # as kill -9: nothing is saved on the way out
        reborn = GateSim(tmp_path / "gate", lambda _: None, state_file=state)
        reborn.port.plug()
        await driven.event(Restarted)
        assert (await driven.event(NotPassed)).why is Outcome.CUT_OFF
        assert (await driven.gate.open_gate("exit", 1, 5.0)).outcome == "duplicate"
        assert reborn.board.memory.pulses == 1
        reborn.close()


async def test_alarms_reach_events_and_status(tmp_path):
    async with lane(tmp_path) as (driven, sim):
        sim.handle({"do": "fire", "on": True})
        assert (await driven.event(FireAlarm)).on
        status = await driven.status(lambda s: "fire_alarm" in s.flags)
        assert "gate_open" in status.flags
        assert driven.gate.state is GateState.FIRE_OPEN
        assert (await driven.gate.open_gate("exit", 1, 5.0)).outcome == "accepted"  # refuse nothing in an alarm
        assert (await sim.handle({"do": "walk"}))["passed"]
        assert (await driven.event(Passage)).command_seq == 1
        sim.handle({"do": "fire", "on": False})
        assert not (await driven.event(FireAlarm)).on
        sim.handle({"do": "mains", "on": False})
        assert (await driven.event(MainsLost)).on
        await driven.status(lambda s: "mains_lost" in s.flags)
        sim.handle({"do": "mains", "on": True})
        sim.handle({"do": "fault", "code": 7})
        assert (await driven.event(Fault)).code == 7
        status = await driven.status(lambda s: "gate_malfunction" in s.flags)
        assert status.reason == "fault code 7"
        assert (await driven.gate.open_gate("exit", 2, 5.0)).reason == "the gate reports a fault"
        sim.handle({"do": "fault", "code": 0})
        await driven.event(GateClosed)
        sim.handle({"do": "obstacle", "on": True})
        assert (await driven.event(Obstacle)).on
        await driven.status(lambda s: "gate_blocked" in s.flags)


async def test_a_command_goes_out_before_the_next_poll(tmp_path):
    async with lane(tmp_path, GateSettings(poll_s=2.0)) as (driven, sim):
        delays = []
        for seq in range(1, 11):
            asked = time.monotonic()
            await driven.gate.open_gate("exit", seq, 5.0)
            delays.append(driven.opened_at[-1] - asked)
            await sim.handle({"do": "walk", "wait_s": 1})
        assert sorted(delays)[5] < 0.2  # the next poll would be a second away, about
        assert len(driven.opened_at) == 10


async def test_a_stopped_driver_leaves_no_command_unanswered(tmp_path):
    async with lane(tmp_path) as (driven, sim):
        sim.port.hold()
        asked = asyncio.create_task(driven.gate.open_gate("exit", 1, 5.0))
        await asyncio.sleep(0.03)
        await driven.stop()
        assert (await asyncio.wait_for(asked, 30)).outcome == "unknown"


async def test_a_port_in_use_is_said_and_taken_when_free(tmp_path):
    sim = GateSim(tmp_path / "gate", lambda _: None)
    sim.port.plug()
    other = SerialPort(tmp_path / "gate", on_bytes=lambda _: None)
    await other.open()
    driven = Driven(tmp_path / "gate")
    assert "in use by another process" in (await driven.offline()).reason
    other.close()
    await driven.online()
    await driven.stop()
    sim.close()


PROCESS = """
import asyncio, pathlib, sys
from firmware_sim.gate import run_gate
link, control, state = map(pathlib.Path, sys.argv[1:])
asyncio.run(run_gate(link, control, state_file=state))
"""


@pytest.mark.row("C1")
async def test_a_board_process_killed_in_mid_opening_comes_back_with_its_numbers(tmp_path):
    paths = [tmp_path / "gate", tmp_path / "gate.sock", tmp_path / "gate.json"]
    start = [sys.executable, "-c", PROCESS, *map(str, paths)]
    first = await asyncio.create_subprocess_exec(*start)
    driven = Driven(paths[0])
    await driven.status(lambda s: s.power is PowerState.ONLINE, 10.0)
    await driven.gate.open_gate("exit", 1, 60.0)
    async with ControlClient(paths[1]) as client:
        assert (await client.call({"do": "walk", "wait_s": 2}))["passed"]
        assert (await driven.event(Passage)).command_seq == 1
        await driven.event(GateClosed)
        await driven.gate.open_gate("exit", 2, 60.0)
        killed = time.monotonic()
        first.send_signal(signal.SIGKILL)
        await first.wait()
    await driven.offline()
    assert time.monotonic() - killed < 2.0
    second = await asyncio.create_subprocess_exec(*start)
    await driven.event(Restarted, 10.0)
    assert (await driven.event(NotPassed)).command_seq == 2
    assert (await driven.gate.open_gate("exit", 2, 60.0)).outcome == "duplicate"
    assert (await driven.gate.open_gate("exit", 3, 60.0)).outcome == "accepted"
    assert driven.gate.image.pulses == 3
    second.send_signal(signal.SIGKILL)
    await second.wait()
    await driven.stop()
