"""The people counter's driver against the simulated module, on a real pseudo-terminal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from devices.people_counter import CounterSettings, PeopleCounter
from devices.status import DeviceStatus, PowerState
from firmware_sim.counter import CounterSim
from tests.delivery.real import until

FAST = CounterSettings(poll_s=0.01, answer_s=0.1)


class Bench:
    def __init__(self, folder: Path, settings: CounterSettings) -> None:
        self.sim = CounterSim(folder / "counter", lambda _event: None)
        self.readings: list[tuple[int, int]] = []
        self.states: list[DeviceStatus] = []
        self.driver = PeopleCounter(
            folder / "counter",
            settings,
            lambda entered, left, _t: self.readings.append((entered, left)),
            self.states.append,
        )

    def do(self, what: str, **more: Any) -> Any:
        return self.sim.handle({"do": what, **more})

    @property
    def last(self) -> tuple[int, int]:
        return self.readings[-1] if self.readings else (-1, -1)


@asynccontextmanager
async def bench(folder: Path, settings: CounterSettings = FAST, *, plugged: bool = True) -> AsyncIterator[Bench]:
    made = Bench(folder, settings)
    if plugged:
        made.do("plug")
    task = asyncio.create_task(made.driver.run())
    try:
        yield made
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        made.sim.close()


async def test_it_reads_both_counters(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        await until(lambda: b.last == (0, 0))
        b.do("pass", direction="in", people=3)
        b.do("pass", direction="out")
        await until(lambda: b.last == (3, 1))
        assert b.states[0].power is PowerState.ONLINE


@pytest.mark.parametrize("replies", [1, 2])
async def test_a_damaged_reply_costs_one_reading(tmp_path: Path, replies: int) -> None:
    async with bench(tmp_path) as b:
        await until(lambda: b.readings)
        b.do("damage", replies=replies)
        b.do("pass")
        await until(lambda: b.last == (1, 0))
        assert b.driver._counters["bad_replies"] >= 1
        assert b.states[-1].power is PowerState.ONLINE


async def test_silence_is_told_and_its_end_too(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        await until(lambda: b.readings)
        b.do("silent")
        await until(lambda: b.states[-1].power is PowerState.OFF_OFFLINE)
        assert b.states[-1].flags == {"no_answer"}
        assert "is the device powered?" in b.states[-1].reason
        b.do("pass", people=7)
        b.do("silent", on=False)
        await until(lambda: b.last == (7, 0))
        assert b.states[-1].power is PowerState.ONLINE


async def test_an_unplugged_module_goes_on_counting_where_it_was(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        await until(lambda: b.readings)
        b.do("unplug")
        await until(lambda: b.states[-1].power is PowerState.OFF_OFFLINE)
        b.do("pass", people=2)
        b.do("plug")
        await until(lambda: b.last == (2, 0))
        assert b.driver._counters["port_losses"] == 1


async def test_a_port_that_is_not_there_yet(tmp_path: Path) -> None:
    async with bench(tmp_path, plugged=False) as b:
        await until(lambda: b.states)
        assert "no such port" in b.states[-1].reason
        b.do("plug")
        await until(lambda: b.readings)


async def test_another_address_is_not_answered(tmp_path: Path) -> None:
    async with bench(tmp_path, CounterSettings(address=2, poll_s=0.01, answer_s=0.05)) as b:
        await until(lambda: b.states and b.states[-1].power is PowerState.OFF_OFFLINE)
        assert not b.readings


async def test_noise_before_a_reply(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        await until(lambda: b.readings)
        for _ in range(5):
            b.do("noise", hex="00 11 13 41 42 0d")
        b.do("pass", people=4)
        await until(lambda: b.last == (4, 0))


async def test_an_application_that_fails_misses_one_reading(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        fail = iter([True])

        def on_totals(entered: int, left: int, _t: float) -> None:
            if next(fail, False):
                raise ZeroDivisionError
            b.readings.append((entered, left))

        b.driver._on_totals = on_totals
        await until(lambda: len(b.readings) > 2)
