"""A gate that fails in the middle of an opening, for real: broker, agent, and a simulated board behind its port (decision 21)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.delivery.real import until
from tests.edge.shop import Shop

pytestmark = [pytest.mark.row("B12"), pytest.mark.row("C3")]


async def test_a_short_fault_opens_again_and_a_board_that_was_dark_waits_for_her_code(tmp_path: Path) -> None:
    async with Shop(tmp_path) as shop:
        shop.hub.give = None
        agent = shop.agent()
        await shop.ready()
        await until(lambda: len(agent.keys) == 1)
        lane = agent.lanes["1"]
        code = await shop.show()
        await until(lambda: lane.lane.phase.value == "open")
        await shop.do("gate", "fault", code=7)
        await until(lambda: lane.lane.trouble)
        await shop.do("gate", "fault", code=0)
        await until(lambda: lane.lane.phase.value == "open")
        assert (lane.lane.reopened, await shop.pulses()) == (1, 2)
        await shop.do("gate", "unplug")
        await shop.do("gate", "restart")  # without power its flaps are free: she may have gone
        await until(lambda: shop.state("gate")["power"] != "online")
        await shop.do("gate", "plug")
        await until(lambda: lane.lane.phase.value == "idle")
        await until(lambda: shop.state("gate")["power"] == "online")
        assert await shop.pulses() == 2
        assert shop.hub.told()[-1] == "passage not_passed"
        await shop.show("no code of ours")  # a reader tells the same code again after another one, or after a while
        await shop.show(code)
        await shop.walk()
        await until(lambda: shop.hub.told()[-1] == "passage passed")
        assert await shop.pulses() == 3
