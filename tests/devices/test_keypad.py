"""A keypad: what people type, what lines do to it, and a driver on a real pseudo-terminal."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest

from devices.keypad import Keypad, KeypadSettings
from devices.keypad_frames import Entry, HelpKey, KeypadFramer
from devices.status import DeviceStatus, PowerState
from firmware_sim.keypad import KeypadSim


def typed(framer: KeypadFramer, keys: str, start: float = 0.0, every_s: float = 0.2) -> list[Entry | HelpKey]:
    return [event for n, key in enumerate(keys) for event in framer.feed(key.encode("latin-1"), start + n * every_s)]


@pytest.mark.row("B6")
@pytest.mark.parametrize("end", ["#", "\r", "\n"])
def test_digits_and_enter_are_an_entry(end: str) -> None:
    framer = KeypadFramer()
    assert typed(framer, f"123456789012{end}") == [Entry("123456789012", pytest.approx(12 * 0.2))]  # type: ignore[list-item]
    assert framer.counters["entries"] == 1


def test_all_at_once_is_the_same() -> None:
    assert KeypadFramer().feed(b"11123#\r\n456#", 1.0) == [Entry("11123", 1.0), Entry("456", 1.0)]


def test_clear_begins_anew_and_enter_alone_is_nothing() -> None:
    framer = KeypadFramer()
    assert typed(framer, "##*12*34#")[0] == Entry("34", pytest.approx(8 * 0.2))  # type: ignore[arg-type]
    assert framer.counters["cleared"] == 1


def test_who_goes_away_does_not_begin_the_next_ones_number() -> None:
    framer = KeypadFramer()
    typed(framer, "1234")
    framer.tick(15.0)
    assert framer.typed == 4
    assert [e.digits for e in typed(framer, "99#", start=16.0) if isinstance(e, Entry)] == ["99"]
    assert framer.counters["forgotten"] == 1


def test_a_key_that_bounces_is_one_key_and_a_fast_typist_is_none() -> None:
    framer = KeypadFramer()
    for at in (0.0, 0.010, 0.2, 0.4):
        framer.feed(b"5", at)
    assert framer.typed == 3
    assert framer.counters["bounces"] == 1


def test_an_endless_number_is_dropped_up_to_its_end() -> None:
    framer = KeypadFramer()
    assert framer.feed(b"1" * 10_000, 0.0) == []
    assert framer.typed == 0
    assert framer.feed(b"2#", 1.0) == []
    assert framer.feed(b"34#", 2.0) == [Entry("34", 2.0)]
    assert framer.counters["overlong"] == 1


@pytest.mark.row("B12")
def test_the_help_key_needs_no_enter_and_spoils_nothing() -> None:
    framer = KeypadFramer("B")
    assert typed(framer, "12B3#") == [HelpKey(pytest.approx(0.4)), Entry("123", pytest.approx(0.8))]  # type: ignore[arg-type]
    assert KeypadFramer(None).feed(b"A", 0.0) == []


@pytest.mark.parametrize("seed", range(20))
def test_any_bytes_in_any_pieces_make_bounded_entries_of_digits(seed: int) -> None:
    rng = Random(seed)
    framer, now = KeypadFramer(), 0.0
    for _ in range(300):
        now += rng.choice([0.0, 0.01, 0.1, 20.0])
        for event in framer.feed(rng.randbytes(rng.randrange(30)), now):
            assert isinstance(event, HelpKey) or (event.digits.isdecimal() and len(event.digits) <= 24), f"seed {seed}"
        assert framer.typed <= 24


async def test_a_driver_and_a_keypad(tmp_path: Path) -> None:
    entries: asyncio.Queue[Entry] = asyncio.Queue()
    helped = asyncio.Event()
    statuses: list[DeviceStatus] = []
    there = asyncio.Event()

    def on_status(status: DeviceStatus) -> None:
        statuses.append(status)
        if status.power is PowerState.ONLINE:
            there.set()

    link = tmp_path / "keypad"
    sim = KeypadSim(link, lambda event: None)
    shown: list[int] = []
    pad = Keypad(link, KeypadSettings(), entries.put_nowait, helped.set, on_status, shown.append)
    task = asyncio.create_task(pad.run())
    try:
        sim.port.plug()
        async with asyncio.timeout(30):
            await there.wait()
            await sim.handle({"do": "type", "keys": "1*2233#", "every_s": 0.035})  # type: ignore[misc]
            assert (await entries.get()).digits == "2233"
            sim.handle({"do": "noise", "bytes": 50})
            await sim.handle({"do": "type", "keys": "A7", "every_s": 0.0})  # type: ignore[misc]
            await helped.wait()
            there.clear()
            sim.handle({"do": "unplug"})
            while statuses[-1].power is not PowerState.OFF_OFFLINE:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            sim.handle({"do": "plug"})
            await there.wait()
            await sim.handle({"do": "type", "keys": "8#", "every_s": 0.0})  # type: ignore[misc]
            assert (await entries.get()).digits == "8", "what was typed before the loss is forgotten"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        sim.close()
    assert shown[:2] == [1, 0]
    assert max(shown) == 4
