"""What becomes of a coupon when its paper fails, for real: the hub, the agent, a broker, and a simulated printer that breaks in
every way. Each ends in a slip with the coupon's ID or in an electronic one of the same ID, used once (row C4)."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import pytest

from config.hub_settings import load_hub
from delivery.engine import Engine
from delivery.journal import Journal
from delivery.node import Node
from firmware_sim.kiosk import Kiosk
from firmware_sim.shopper_eyes import on_screen, read
from hub.core import Hub
from hub.database import givings
from hub.database.schema import MIGRATIONS
from hub.exit_keys import read_keys
from hub.importing import import_file
from hub.offers.redeeming import RedeemPost
from hub.rules.reload import RunningPolicy
from hub.sale_shapes import SalePost
from hub.service import on_link
from tests.delivery.real import HUB, STORE, RealBroker, free_ports, until
from tests.edge.shop import Shop
from tests.hub.conftest import SHIPPED


class WholeHub:
    """The real hub at the real broker, in this process."""

    def __init__(self, folder: Path, broker: RealBroker) -> None:
        here = folder / "hub"
        shutil.copytree(SHIPPED, here)
        file = here / "hub.toml"
        file.write_text(file.read_text(encoding="utf-8").replace('id = "ginza"', f'id = "{STORE}"'), encoding="utf-8")
        settings = load_hub(file)
        policy = RunningPolicy(settings)
        self.hub = Hub(settings, read_keys(file, settings.exit_code.key_files), lambda: policy.current)
        self.journal = Journal(settings.database, MIGRATIONS)
        self.engine = Engine(self.journal, HUB, STORE, self.hub.handle)
        self.node = Node(self.engine, broker.address(HUB), on_link=on_link(self.hub, self.engine))
        import_file(self.journal.db, here / "customers.csv", settings)

    def sell(self, sale: str = "S-1", customer: str | None = "C0001") -> str:
        post = SalePost(sale=sale, customer=customer, amount_minor=3000, currency="JPY", paid_on="terminal")
        with self.engine.transaction() as tx:
            return self.hub.purchases.post(tx, post, "pos").exit_code

    def incentive(self, sale: str = "S-1"):
        row = self.journal.db.execute("SELECT coupon, state, paper FROM incentive WHERE sale = ?", (sale,)).fetchone()
        return SimpleNamespace(coupon=row[0], state=row[1], paper=row[2]) if row else None

    def redeem(self, coupon: str, sale: str):
        with self.engine.transaction() as tx:
            return self.hub.redeeming.redeem(tx, coupon, RedeemPost(sale=sale), "till-1")


class Store(Shop):
    """A lane whose printer is waited for only shortly."""

    hub_type = WholeHub  # type: ignore[assignment]

    def __init__(self, folder: Path, patience_s: float) -> None:
        super().__init__(folder, lane=f"print_patience_s = {patience_s}\ndecide_s = 10.0")

    async def broken(self) -> None:
        """Until the printer is not ready any more."""
        async with asyncio.timeout(30):
            for wait_s in itertools.repeat(0.02):
                if not (await self.do("printer", "state"))["online"]:
                    return
                await asyncio.sleep(wait_s)

    async def leaves(self, *, walk_s: float = 20) -> None:
        """She passes as soon as the lane lets her."""
        assert (await self.do("gate", "walk", wait_s=walk_s))["passed"]
        await until(lambda: (found := self.hub.incentive()) is not None and found.state == "committed", 15)


FAULTS = {
    "no paper": ([("paper_out", {})], []),
    "the roll ends in the middle": ([("paper_out", {"after_lines": 2})], []),
    "the cover is open": ([("cover_open", {})], []),
    "the cutter is stuck": ([("cutter_error", {})], []),
    "the cable is out": ([("unplug", {})], []),
    "no power": ([("power_off", {})], []),
    "power cut in the middle": ([("power_off", {"after_lines": 2})], []),
    "it answers nothing": ([("silent", {"on": True})], []),
    "it answers nonsense": ([("garbage", {"bytes": 40, "seed": 7, "each": True})], []),
    "a new roll in time": ([("paper_out", {"after_lines": 2})], [("paper_ok", {})]),
    "the cover is closed in time": ([("cover_open", {})], [("cover_close", {})]),
    "power is back in time": ([("power_off", {"after_lines": 2})], [("power_on", {})]),
    "the cable is in again in time": ([("unplug", {})], [("plug", {})]),
}


@pytest.mark.row("C4")
@pytest.mark.row("B9")
@pytest.mark.parametrize("fault", FAULTS)
async def test_every_fault_of_the_printer_ends_in_paper_or_in_an_electronic_coupon(tmp_path: Path, fault: str) -> None:
    before, after = FAULTS[fault]
    async with Store(tmp_path, 10.0 if after else 1.5) as store:
        agent = store.agent()
        await store.ready()
        await until(lambda: len(agent.keys) == 1)
        for what, more in before:
            await store.do("printer", what, **more)
        await store.show(store.hub.sell())
        await until(lambda: store.hub.incentive() is not None)
        for what, more in after:
            if what != "plug":
                await store.broken()
            await store.do("printer", what, **more)
        await store.leaves()
        found = store.hub.incentive()
        given = givings.given(store.hub.journal.db, found.coupon)
        paper = [code for code in store.coupons() if code]
        print(f"{fault}: paper {found.paper!r}, slips {paper}, electronic {given is not None}")
        # Nobody leaves with nothing, and whatever she has is one coupon.
        assert (found.paper == "printed") == (given is None)
        assert given is not None or paper == [found.coupon]
        assert set(paper) <= {found.coupon}
        assert len(paper) <= 1
        if after and found.paper:  # "": the hub knew of the fault, and gave it electronically at once
            assert given is None, "it could have been printed"
        assert store.hub.redeem(found.coupon, "T-1").usable
        assert [store.hub.redeem(found.coupon, f"T-{n}").reason for n in (2, 3)] == ["used", "used"]
        with store.hub.engine.transaction() as tx:
            store.hub.hub.giving.tick(tx)
        if given is not None:
            assert givings.given(store.hub.journal.db, found.coupon).state == "redeemed"


class AtTheDisplay(Store):
    """With a display, and a page that shows it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, 0.5)
        self.views: list[dict] = []
        (self.port,) = free_ports(1)
        self.settings.write_text(f"{self.settings.read_text()}[display]\nport = {self.port}\n")

    async def photographed(self) -> str:
        """What a camera reads from the display."""
        await until(lambda: any(view["qr"] for view in self.views), 15)
        return read(on_screen(unquote(next(view["qr"] for view in self.views if view["qr"]))))


@pytest.mark.row("C4")
@pytest.mark.row("B9")
async def test_whom_nobody_knows_leaves_with_the_code_of_a_coupon_that_was_not_printed(tmp_path: Path) -> None:
    """She has no terminal of ours: a picture of the display is her coupon, and a till takes it once."""
    async with AtTheDisplay(tmp_path) as store:
        agent = store.agent()
        kiosk = asyncio.create_task(Kiosk(store.port, "1", store.views.append).run())
        await store.ready()
        await until(lambda: len(agent.keys) == 1 and agent.lanes["1"].policy.display)
        await store.do("printer", "paper_out")
        await store.show(store.hub.sell(customer=None))
        text = await store.photographed()
        coupon = store.hub.incentive().coupon
        assert text == f"COUPON:{coupon}"
        agent.lanes["1"].lane = replace(agent.lanes["1"].lane, deadline=0.0)  # 20 s later
        agent.lanes["1"].poke()
        await store.leaves()
        assert [store.hub.redeem(coupon, f"T-{n}").usable for n in (1, 2)] == [True, False]
        kiosk.cancel()
        with suppress(asyncio.CancelledError):
            await kiosk
