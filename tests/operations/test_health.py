"""A worker that hangs or fails is told, counted and started anew; the rest of the agent goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from config.edge_settings import load_edge
from devices.gate import Gate
from devices.pulse import Pulse
from devices.status import DeviceStatus, PowerState
from edge import health as health_module
from edge.agent import Agent, World
from edge.health import Health, keep_running
from edge.lane_devices import LaneDevices
from tests.delivery.real import until
from tests.edge.shop import Shop


async def ended(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"HANGS_AFTER_S": 0.2, "LOOK_EVERY_S": 0.03, "CANCEL_S": 0.05, "AGAIN_S": 0.02}.items():
        monkeypatch.setattr(health_module, name, value)


class Worker:
    """Goes round `lives` times as each of them says."""

    def __init__(self, *lives: Callable[[Worker], Awaitable[None]]) -> None:
        self.lives, self.begun, self.pulse, self.poked = lives, 0, Pulse(), 0

    async def run(self) -> None:
        self.begun += 1
        await self.lives[min(self.begun, len(self.lives)) - 1](self)

    def poke(self) -> None:
        self.poked += 1


async def works(worker: Worker) -> None:
    while True:
        worker.pulse.beat("work")
        await asyncio.sleep(0.02)


async def hangs(worker: Worker) -> None:
    worker.pulse.beat("work")
    await asyncio.Event().wait()


async def never_begins(worker: Worker) -> None:
    await asyncio.Event().wait()


async def one_of_two_hangs(worker: Worker) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(works(worker))
        worker.pulse.beat("other")
        await asyncio.Event().wait()


async def does_not_end(worker: Worker) -> None:
    end = asyncio.get_running_loop().time() + 0.5
    while asyncio.get_running_loop().time() < end:
        try:
            await asyncio.sleep(0.5)
        except asyncio.CancelledError:
            pass  # a library that swallows it


async def raises(worker: Worker) -> None:
    raise ZeroDivisionError


async def cancels_itself(worker: Worker) -> None:
    raise asyncio.CancelledError


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("life", "hung", "reason"),
    [
        (hangs, 1, "'work' stands still"),
        (never_begins, 1, "has not begun"),
        (one_of_two_hangs, 1, "'other' stands still"),
        (does_not_end, 1, "has not begun"),
        (raises, 0, "ZeroDivisionError"),
        (cancels_itself, 0, "cancelled itself"),
    ],
)
async def test_one_bad_life_and_then_a_good_one(life: Any, hung: int, reason: str) -> None:
    told: list[DeviceStatus] = []
    health, worker, renewed = Health(), Worker(life, works), []
    task = asyncio.create_task(
        keep_running("gate-1", worker.run, told.append, pulse=lambda: worker.pulse, poke=worker.poke,
                     renew=lambda: renewed.append(worker.begun), health=health)
    )  # fmt: skip
    await until(lambda: worker.begun == 2)
    await asyncio.sleep(0.4)  # twice the time that a hang takes to show
    await ended(task)
    assert (worker.begun, renewed) == (2, [1])
    assert (health.hung["gate-1"], health.failed["gate-1"]) == (hung, 1 - hung)
    assert health.left["gate-1"] == (life is does_not_end)
    assert [status.power for status in told] == [PowerState.OFF_OFFLINE]
    assert reason in told[0].reason


@pytest.mark.usefixtures("quick")
async def test_who_rightly_waits_is_left_alone() -> None:
    async def rests(worker: Worker) -> None:
        worker.pulse.beat("work")
        worker.pulse.rest("polls")
        while True:
            worker.pulse.beat("work")
            worker.pulse.touch("polls")  # somebody else's sign: it goes on resting
            await asyncio.sleep(0.02)

    health, worker = Health(), Worker(rests)
    task = asyncio.create_task(keep_running("x", worker.run, pulse=lambda: worker.pulse, health=health))
    await asyncio.sleep(0.5)
    await ended(task)
    assert (worker.begun, health.all_restarts()) == (1, 0)


async def test_restarts_in_a_row_come_more_and_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 8:
            raise asyncio.CancelledError

    monkeypatch.setattr(health_module.asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await keep_running("x", Worker(raises).run)
    assert slept == [1, 2, 4, 8, 16, 30, 30, 30]


class GateThatHangs(Gate):
    """Reads the board a few times, then waits for a lock that nobody gives back."""

    reads = 0

    async def _poll(self) -> bool:
        self.reads += 1
        if self.reads > 20:
            await asyncio.Event().wait()
        return await super()._poll()


class GateThatFails(Gate):
    async def run(self) -> None:
        await asyncio.sleep(0.1)
        raise RuntimeError("a fault of its own")


class FirstGateIs(LaneDevices):
    """The first gate is of a kind that does not work; the one that is made in its place is a right one."""

    kind: type[Gate] = Gate

    def connect(self, *args: Any, **more: Any) -> None:
        super().connect(*args, **more)
        assert self.gate is not None
        self.gate.__class__ = self.kind


@pytest.mark.row("C9")
@pytest.mark.parametrize(("kind", "word"), [(GateThatHangs, "hung"), (GateThatFails, "failed")])
async def test_a_gate_whose_driver_hangs_or_fails_works_again_within_fifteen_seconds(
    tmp_path: Path, kind: type[Gate], word: str
) -> None:
    """The shipped time limits: a customer who stands there gets out, and the reader beside it never stopped."""
    devices = type("Devices", (FirstGateIs,), {"kind": kind})
    async with Shop(tmp_path) as shop:
        agent = Agent(load_edge(shop.settings), shop.settings, world=World(devices=devices))
        began = time.monotonic()
        shop.start("agent", agent.run())
        await shop.ready("reader", "printer")
        await until(lambda: len(agent.keys) == 1)
        await until(lambda: f"its driver {word}" in shop.state("gate").get("reason", ""))
        noticed_s = time.monotonic() - began
        await shop.show()
        await until(lambda: shop.state("gate")["power"] == "online")
        assert time.monotonic() - began < 15.0, f"noticed after {noticed_s:.1f} s"
        await shop.walk()
        await shop.told("scan", "printed printed", "opened", "passage passed")
        assert shop.state("gate")["counters"]["driver_restarts"] == 1
        assert shop.state("reader")["counters"]["port_losses"] == 0
        assert agent.health.restarts("gate-1") == agent.health.all_restarts() == 1
        print(f"{word}: told after {noticed_s:.1f} s, online after {time.monotonic() - began:.1f} s")


async def test_a_lane_whose_loop_hangs_goes_on_with_what_it_had_in_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"HANGS_AFTER_S": 2.0, "LOOK_EVERY_S": 0.2, "AGAIN_S": 0.05}.items():
        monkeypatch.setattr(health_module, name, value)
    async with Shop(tmp_path) as shop:
        agent = shop.agent()
        await shop.ready()
        await until(lambda: len(agent.keys) == 1)
        lane = agent.lanes["1"]
        right = lane._retried
        hung = asyncio.Event()

        async def hang(act: Callable[[], None]) -> None:
            monkeypatch.setattr(lane, "_retried", right)
            hung.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(lane, "_retried", hang)
        await shop.show()
        await asyncio.wait_for(hung.wait(), 30)
        await shop.walk()
        await shop.told("scan", "printed printed", "opened", "passage passed")
        assert agent.health.hung == {"lane-1": 1}
