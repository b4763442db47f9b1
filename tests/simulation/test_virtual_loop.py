"""The loop under the simulated store."""

import asyncio

import pytest

from simulation.loop import Killed, Process, Stuck, VirtualLoop


@pytest.fixture
def loop():
    made = VirtualLoop()
    yield made
    made.close()


def test_an_hour_passes_at_once_and_timers_come_in_order(loop):
    seen = []

    async def sleeper(name, seconds):
        await asyncio.sleep(seconds)
        seen.append((name, loop.time()))

    async def all_of_them():
        await asyncio.gather(sleeper("b", 3600.0), sleeper("a", 1.0))

    loop.run_until_complete(all_of_them())
    assert seen == [("a", 1.0), ("b", 3600.0)]


def test_a_killed_program_never_takes_another_step(loop):
    seen = []
    process = Process("p", loop)

    async def work():
        try:
            while True:
                await asyncio.sleep(1.0)
                seen.append(loop.time())
        finally:
            seen.append("finally")

    async def world():
        process.start(work())
        await asyncio.sleep(2.5)
        process.kill()
        await asyncio.sleep(10.0)

    loop.run_until_complete(loop.create_task(world(), context=loop.outside))
    assert seen == [1.0, 2.0]
    loop.bury([process])
    assert seen[-1] == "finally"


def test_a_program_is_killed_at_its_nth_step(loop):
    seen = []
    process = Process("p", loop)
    process.kill_at_step = 4

    async def work():
        for n in range(10):
            seen.append(n)
            await asyncio.sleep(0)

    async def world():
        process.start(work())
        await asyncio.sleep(1.0)

    loop.run_until_complete(loop.create_task(world(), context=loop.outside))
    assert seen == [0, 1, 2]
    assert not process.alive
    loop.bury([process])


def test_a_frozen_program_goes_on_where_it_was(loop):
    seen = []
    process = Process("p", loop)

    async def work():
        for _ in range(3):
            await asyncio.sleep(1.0)
            seen.append(loop.time())

    async def world():
        process.start(work())
        await asyncio.sleep(1.5)
        process.freeze(5.0)
        await asyncio.sleep(20.0)

    loop.run_until_complete(loop.create_task(world(), context=loop.outside))
    assert seen == [1.0, 6.5, 7.5]


def test_a_program_that_spins_is_found(loop):
    async def spin():
        while True:  # noqa: ASYNC110
            await asyncio.sleep(0)

    task = loop.create_task(spin())
    with pytest.raises(Stuck, match="spins"):
        loop.run_until_complete(task)
    loop.bury([])


def test_what_nobody_catches_is_told_but_a_kill_is_not(loop):
    told = []
    loop.trouble = told.append

    def fails():
        raise ValueError("oh")

    def killed():
        raise Killed

    async def world():
        loop.call_soon(fails)
        loop.call_soon(killed)
        await asyncio.sleep(1.0)

    loop.run_until_complete(world())
    assert len(told) == 1
    assert "oh" in told[0]
