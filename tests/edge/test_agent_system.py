"""The real agent at a real Mosquitto with simulated devices at real pseudo-terminals: the way out, and what breaks on it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from edge.lane_types import Phase
from tests.delivery.real import STORE, until
from tests.edge.lane_bench import exit_code
from tests.edge.lane_ways import COUPON
from tests.edge.shop import Shop

WAY_OUT = ("scan", "printed printed", "opened", "passage passed")


async def keys_known(agent: object) -> None:
    await until(lambda: len(agent.keys) == 1)  # type: ignore[attr-defined]


@pytest.mark.row("B6")
@pytest.mark.row("B12")
@pytest.mark.row("C4")
async def test_scan_paper_gate_passage(tmp_path: Path) -> None:
    async with Shop(tmp_path) as shop:
        agent = shop.agent()
        await shop.ready()
        await keys_known(agent)
        code = await shop.show()
        await until(lambda: agent.lanes["1"].lane.phase is Phase.OPEN)
        assert await shop.pulses() == 1
        await until(lambda: shop.coupons() == [COUPON])  # paper was out before the gate was told to open
        await shop.walk()
        await shop.told(*WAY_OUT)
        assert shop.hub.heard("scan")[0]["code"] == code
        await asyncio.sleep(2.0)  # the reader counts the same code anew after 1.5 s
        await shop.show(code)
        await shop.told(*WAY_OUT, "refused")
        assert shop.hub.heard("refused")[0]["reason"] == "already_used"
        await until(lambda: shop.state("reader")["counters"].get("refused_already_used") == 1)
        await shop.stop("agent")
        await until(lambda: shop.agent_states()[-1] == "disconnected")
        assert "lost" not in shop.agent_states()


@pytest.mark.parametrize("device", ["reader", "printer", "gate"])
async def test_an_unplugged_device_shows_within_two_seconds_and_comes_back_by_itself(
    tmp_path: Path, device: str
) -> None:
    async with Shop(tmp_path) as shop:
        agent = shop.agent()
        await shop.ready()
        await keys_known(agent)
        for _ in range(2):
            began = time.monotonic()
            await shop.do(device, "unplug")
            await until(lambda: shop.state(device)["power"] == "off_offline")
            assert time.monotonic() - began < 2.0
            assert "unplugged" in shop.state(device)["reason"]
            await shop.do(device, "plug")
            await until(lambda: shop.state(device)["power"] == "online")
        await shop.show()
        await until(lambda: agent.lanes["1"].lane.phase is Phase.OPEN)
        await shop.walk()
        await shop.told(*WAY_OUT)


@pytest.mark.row("C4")
async def test_paper_that_ends_in_the_middle_and_comes_back_gives_one_receipt(tmp_path: Path) -> None:
    async with Shop(tmp_path) as shop:
        agent = shop.agent()
        await shop.ready()
        await keys_known(agent)
        await shop.do("printer", "paper_out", after_lines=1)
        await shop.show()
        await until(lambda: "rec_empty" in shop.state("printer")["flags"])
        await shop.do("printer", "paper_ok")
        await until(lambda: agent.lanes["1"].lane.phase is Phase.OPEN, 20)
        await shop.walk()
        await shop.told(*WAY_OUT)
        await until(lambda: shop.coupons())
        await asyncio.sleep(0.5)
        assert shop.coupons() == [COUPON]


@pytest.mark.row("C4")
async def test_without_paper_the_customer_goes_with_an_electronic_coupon(tmp_path: Path) -> None:
    async with Shop(tmp_path) as shop:
        agent = shop.agent()
        await shop.do("printer", "paper_out")
        await shop.ready()
        await keys_known(agent)
        began = time.monotonic()
        await shop.show()
        await until(lambda: agent.lanes["1"].lane.phase is Phase.OPEN, 20)
        assert time.monotonic() - began < 5.0
        await shop.walk()
        await shop.told("scan", "printed failed", "opened", "passage passed")
        await shop.do("printer", "paper_ok")
        await asyncio.sleep(0.5)
        assert shop.coupons() == []


@pytest.mark.row("C4")
async def test_a_printer_that_loses_power_in_the_middle_prints_the_coupon_again(tmp_path: Path) -> None:
    async with Shop(tmp_path) as shop:
        agent = shop.agent()
        await shop.ready()
        await keys_known(agent)
        await shop.do("printer", "power_off", after_lines=1)
        await shop.show()
        await until(lambda: agent.lanes["1"].lane.sent)
        await asyncio.sleep(0.3)
        await shop.do("printer", "power_on")
        await until(lambda: agent.lanes["1"].lane.phase is Phase.OPEN, 20)
        await shop.walk()
        await shop.told(*WAY_OUT)
        assert shop.hub.heard("printed")[0]["attempts"] == 2
        await until(lambda: shop.coupons() == [COUPON])


@pytest.mark.row("C2")
async def test_a_lane_alone_opens_once_for_a_code_and_settles_when_the_hub_is_back(tmp_path: Path) -> None:
    async with Shop(tmp_path, lane="decide_s = 0.3") as shop:
        agent = shop.agent()
        await shop.ready()
        await keys_known(agent)
        await shop.stop("hub")
        code = await shop.show()
        await until(lambda: agent.lanes["1"].lane.phase is Phase.OPEN)
        await shop.walk()
        await until(lambda: agent.lanes["1"].lane.phase is Phase.IDLE)
        await shop.stop("agent")
        agent = shop.agent()  # a restart does not forget it
        await until(lambda: len(agent.announcer.devices) == 3)
        assert len(agent.keys) == 1
        await shop.show(code)
        await until(lambda: agent.lanes["1"].counters["refused_already_used"] == 1)
        assert await shop.pulses() == 1
        shop.start("hub", shop.hub.node.run())
        await shop.told("scan", "opened", "passage passed", "refused")
        assert shop.hub.heard("passage")[0]["offline"]
        await until(lambda: agent.lanes["1"].counters["late_decision"] == 1)


@pytest.mark.row("C2")
async def test_a_lane_alone_that_may_not_open_stays_closed(tmp_path: Path) -> None:
    async with Shop(tmp_path, lane='decide_s = 0.3\noffline = "refuse"') as shop:
        agent = shop.agent()
        await shop.ready()
        await keys_known(agent)
        shop.hub.answers = False
        await shop.show()
        await shop.told("scan", "passage not_passed", "call")
        assert agent.lanes["1"].counters["clerk_called"] == 1
        assert await shop.pulses() == 0


@pytest.mark.row("B12")
async def test_fire_in_the_middle_opens_for_everybody_and_releases(tmp_path: Path) -> None:
    async with Shop(tmp_path) as shop:
        agent = shop.agent()
        await shop.ready()
        await keys_known(agent)
        shop.hub.answers = False
        await shop.show()
        await shop.told("scan")
        await shop.do("gate", "fire", on=True)
        await shop.told("scan", "passage fire_open")
        assert "fire_alarm" in shop.state("gate")["flags"]
        await shop.walk()
        await shop.told("scan", "passage fire_open", "passage passed")
        await shop.do("gate", "fire", on=False)
        await until(lambda: "gate_closed" in shop.state("gate")["flags"])
        shop.hub.answers = True
        await shop.show()
        await until(lambda: agent.lanes["1"].lane.phase is Phase.OPEN)


@pytest.mark.row("B12")
async def test_a_gate_that_was_busy_or_at_fault_opens_when_it_can(tmp_path: Path) -> None:
    """The board never acts twice on one number, also when it refused it: the lane must try another one."""
    async with Shop(tmp_path) as shop:
        agent = shop.agent()
        shop.hub.give = None
        await shop.ready()
        await keys_known(agent)
        await shop.do("gate", "fault", code=7)
        await until(lambda: "gate_malfunction" in shop.state("gate")["flags"])
        await shop.show()
        lane = agent.lanes["1"]
        await until(lambda: lane.lane.phase is Phase.OPENING)
        first = lane.lane.command
        await until(lambda: lane.lane.command > first)
        await shop.do("gate", "fault", code=0)
        await until(lambda: lane.lane.phase is Phase.OPEN)
        await shop.walk()
        await shop.told("scan", "opened", "passage passed")
        assert await shop.pulses() == 1


@pytest.mark.row("C1")
@pytest.mark.parametrize("phase", ["deciding", "printing", "opening", "open"])
async def test_an_agent_killed_in_any_phase_ends_with_one_paper_one_pulse_one_passage(
    tmp_path: Path, phase: str
) -> None:
    async with Shop(tmp_path) as shop:
        process = await shop.process()
        await shop.ready()
        shop.hub.answers = phase != "deciding"
        if phase == "printing":
            await shop.do("printer", "slow", mm_per_s=30)
        if phase == "opening":
            await shop.do("gate", "unplug")
            await until(lambda: shop.state("gate")["power"] == "off_offline")
        code = await shop.show(exit_code(store=STORE))
        if phase == "deciding":
            await shop.told("scan")
        elif phase == "printing":
            await until(lambda: shop.hub.told() == ["scan"])
            await asyncio.sleep(0.4)  # paper is on its way
            assert shop.coupons() == []
        elif phase == "opening":
            await shop.told("scan", "printed printed")
        else:
            await shop.told("scan", "printed printed", "opened")
        await shop.kill(process)
        await until(lambda: shop.agent_states()[-1] == "lost")
        if phase == "open":
            await shop.walk()  # while nobody reads the gate
        if phase == "opening":
            await shop.do("gate", "plug")
        if phase == "deciding":
            with shop.hub.node.transaction() as tx:
                shop.hub.decide(shop.hub.heard("scan")[0]["id"], tx)
        await shop.process()
        if phase != "open":
            await shop.told("scan", "printed printed", "opened", timeout_s=30.0)
            await shop.walk()
        await shop.told(*WAY_OUT)
        await until(lambda: shop.coupons() == [COUPON])
        assert await shop.pulses() == 1
        await shop.show(code)
        await shop.told(*WAY_OUT, "refused")


@pytest.mark.row("C4")
@pytest.mark.parametrize("nonsense", [{"what": "garbage", "each": True, "seed": 5}, {"what": "silent", "on": True}],
                         ids=lambda given: given["what"])  # fmt: skip
async def test_a_printer_that_answers_nonsense_or_nothing_holds_nobody(
    tmp_path: Path, nonsense: dict[str, object]
) -> None:
    """The gate opens all the same, and what became of the paper is told truly: printed only when it was confirmed."""
    async with Shop(tmp_path, "print_patience_s = 2") as shop:
        agent = shop.agent()
        await shop.ready()
        await keys_known(agent)
        await shop.do("printer", **nonsense)  # type: ignore[arg-type]
        began = time.monotonic()
        await shop.show()
        await until(lambda: agent.lanes["1"].lane.phase is Phase.OPEN, 15)
        assert time.monotonic() - began < 8
        await shop.walk()
        await until(lambda: bool(shop.hub.heard("passage")))
        printed = shop.hub.heard("printed")[0]["outcome"]
        slips = {"printed": ([COUPON],), "failed": ([],), "unknown": ([], [COUPON])}
        assert shop.coupons() in slips[printed], "never a second slip"
        assert shop.hub.heard("passage")[-1]["outcome"] == "passed"
