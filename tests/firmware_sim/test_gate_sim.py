"""The simulated gate board: its Modbus, its physics, its memory, its commands."""

from __future__ import annotations

import asyncio
import random

import pytest

from firmware_sim.control import ControlClient, ControlError
from firmware_sim.gate import GateSim, run_gate
from firmware_sim.gate_board import Board, Memory
from firmware_sim.gate_modbus import ModbusSlave, crc16


def framed(hexa: str) -> bytes:
    data = bytes.fromhex(hexa)
    return data + crc16(data)


def board(memory: Memory | None = None) -> tuple[Board, list[dict]]:
    told: list[dict] = []
    return Board(memory or Memory(), tell=told.append, save=lambda _: None), told


def opened(seq: int = 1, ttl_ds: int = 50) -> tuple[Board, list[dict]]:
    one, told = board()
    one.write(0, [0, seq, 1, ttl_ds])
    one.step(0.3)
    return one, told


def test_the_crc_is_that_of_the_standard():
    assert crc16(b"123456789") == bytes.fromhex("374b")  # the check value of CRC-16/MODBUS, 0x4B37


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        ("01 04 0000 0001", "01 04 02 6a7e"),
        ("01 02 0000 0005", "01 02 01 01"),
        ("01 01 0000 0002", "01 01 01 00"),
        ("01 03 0000 0002", "01 03 04 00000000"),
        ("01 10 0000 0004 08 0000 0001 0001 0032", "01 10 0000 0004"),
        ("01 06 0000 0001", "01 86 03"),  # the block only as a whole
        ("01 06 0009 0001", "01 86 02"),
        ("01 04 0010 0002", "01 84 02"),
        ("01 04 0000 0000", "01 84 03"),
        ("01 10 0000 0004 02 0001", "01 90 03"),
        ("01 2b 0e01", "01 ab 01"),
    ],
)
def test_requests_and_replies(request_, reply):
    slave = ModbusSlave(1, board()[0])
    assert slave.feed(framed(request_), 1.0) == [framed(reply)]
    assert slave.feed(framed("02" + request_[2:]), 2.0) == []  # another unit's


def test_damaged_and_split_requests():
    slave = ModbusSlave(1, board()[0])
    good = framed("01 04 0000 0011")
    for at in range(len(good)):
        for bit in range(8):
            bad = bytearray(good)
            bad[at] ^= 1 << bit
            assert slave.feed(bytes(bad), at * 8 + bit + 1.0) == []
    for cut in range(1, len(good)):
        assert slave.feed(good[:cut], 100.0 + cut) == []
        assert len(slave.feed(good[cut:], 100.005 + cut)) == 1
    dice = random.Random(5)
    for n in range(200):
        slave.feed(dice.randbytes(dice.randint(1, 300)), 200.0 + n)
    assert len(slave.feed(good, 500.0)) == 1


def test_one_pulse_one_person():
    one, told = opened()
    assert one.walk("exit") == ""
    assert one.step(0.55) == pytest.approx(0.8)
    assert one.walk("exit") == "the gate is closing"
    one.step(0.9)
    assert [event["event"] for event in told] == ["pulse", "opened", "passage", "closed"]
    assert one.memory.outcome == 2


def test_same_number_no_new_pulse_after_anything():
    one, _ = opened(seq=9)
    one.write(0, [0, 9, 1, 50])
    one.walk("exit")
    one.step(5.0)
    one.write(0, [0, 9, 1, 50])
    rebooted, _ = board(one.memory)
    rebooted.write(0, [0, 9, 1, 50])
    assert rebooted.memory.pulses == 1
    assert rebooted.memory.boots == 2


def test_an_obstacle_holds_the_flaps_open():
    one, _told = opened(ttl_ds=10)
    one.step(1.4)  # closing
    one.set_obstacle(on=True)
    one.step(30.0)
    assert one.report()["state"] == "open"
    one.set_obstacle(on=False)
    one.step(30.3)
    one.step(31.0)
    assert one.report()["state"] == "closed"


@pytest.mark.parametrize("alarm", ["set_fire", "set_mains_lost"])
def test_fire_and_loss_of_mains_open_whatever_holds(alarm):
    one, _ = board()
    one.set_fault(3)
    getattr(one, alarm)(True)
    assert one.walk("exit") == ""
    one.write(0, [0, 1, 3, 1])  # close
    assert one.report()["state"] == "free"
    getattr(one, alarm)(False)
    assert one.report()["state"] == "fault"
    one.set_fault(0)
    one.step(1.0)
    assert one.report()["state"] == "closed"


async def test_a_gate_process_is_commanded_and_remembers(tmp_path):
    state = tmp_path / "nv" / "gate.json"
    boots = []
    for _ in range(2):
        task = asyncio.create_task(run_gate(tmp_path / "gate", tmp_path / "sock", state_file=state))
        async with ControlClient(tmp_path / "sock") as client:
            assert "the gate is closed" in (await client.call({"do": "walk", "direction": "exit"}))["blocked"]
            assert "exit or entry" in (await client.call({"do": "walk", "direction": "up"}))["error"]
            assert "true or false" in (await client.call({"do": "fire", "on": 1}))["error"]
            assert "whole number" in (await client.call({"do": "fault"}))["error"]
            await client.call({"do": "mains", "on": False})
            assert (await client.event("opened"))["seq"] is None
            assert (await client.call({"do": "walk", "direction": "exit"}))["passed"]
            assert (await client.call({"do": "tailgate"}))["passed"]
            report = await client.call({"do": "state"})
            boots.append((report["boots"], report["exits"], report["intrusions"], report["plugged"]))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert boots == [(1, 1, 1, True), (2, 2, 2, True)]


async def test_a_broken_memory_is_named(tmp_path):
    (tmp_path / "gate.json").write_text("{}")
    with pytest.raises(ControlError, match="remove it"):
        GateSim(tmp_path / "gate", lambda _: None, state_file=tmp_path / "gate.json")
