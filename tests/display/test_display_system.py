"""The display of a real exit: Mosquitto, a hub, the agent as a process of its own, simulated devices on serial lines (row B10)."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from contract.payloads import CouponRead
from delivery.engine import Tx
from tests.delivery.real import free_ports, until
from tests.display.customers import PERSONAL, words_for
from tests.display.rig import Kiosk, kiosk
from tests.edge.lane_ways import COUPON
from tests.edge.shop import Shop, SmallHub

pytestmark = [pytest.mark.browser, pytest.mark.row("B10"), pytest.mark.asyncio(loop_scope="session")]


class TalkingHub(SmallHub):
    """Decides with a member's words."""

    def decide(self, scan: str, tx: Tx) -> None:
        tx.send("lane_decision", words_for(scan, give=self.give, open_s=90), agent="exit", lane="1", cause=scan)

    def coupon_is_read(self) -> None:
        """Her terminal has sent the coupon's code to the hub."""
        with self.node.transaction() as tx:
            tx.send("coupon_read", CouponRead(scan=self.heard("scan")[-1]["id"], coupon=COUPON), agent="exit", lane="1")


class Exit(Shop):
    hub_type = TalkingHub

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, lane="show_s = 60\ndecide_s = 20")
        (self.port,) = free_ports(1)
        self.settings.write_text(f"{self.settings.read_text()}\n[display]\nport = {self.port}\nname_s = 60\n")

    async def keys_known(self) -> None:
        """The agent has the hub's keys: they are in its database."""

        def stored() -> bool:
            with sqlite3.connect(f"file:{self.folder / 'exit.db'}?mode=ro", uri=True) as db:
                found = db.execute("SELECT count(*) FROM exit_key").fetchone()[0] > 0
            db.close()
            return bool(found)

        await until(stored)


async def listening(shop: Exit) -> None:
    """Wait until the display's port is there."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", shop.port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        return


@pytest.mark.row("B9", "B12")
async def test_customers_at_a_real_exit_and_an_agent_that_is_killed_while_one_passes(
    browser: Browser, tmp_path: Path
) -> None:
    async with Exit(tmp_path) as shop:
        agent = await shop.process()
        await shop.ready()
        await shop.keys_known()
        await listening(shop)
        async with kiosk(browser, f"http://127.0.0.1:{shop.port}/lane/1") as page:
            await page.shows("waiting")
            await paper(shop, page)
            await on_the_display(shop, page)
            shop.hub.give = None
            await shop.show()
            await page.shows("pass")
            await shop.kill(agent)
            await page.shows("lost")
            await nothing_personal(page)
            await shop.process()
            await page.shows("pass")  # the agent goes on where it was, without her name
            await nothing_personal(page)
            await shop.walk()
            await page.shows("waiting")
            await shop.stop("hub")
            await shop.do("reader", "unplug")
            await page.shows("out_of_order")
            await shop.do("reader", "plug")
            await page.shows("waiting")
            await shop.do("gate", "fire", on=True)
            await page.shows("fire")


async def nothing_personal(page: Kiosk) -> None:
    content = await page.page.content()
    assert not any(word in content for word in PERSONAL)


async def paper(shop: Exit, page: Kiosk) -> None:
    await shop.show()
    await page.shows("pass")
    await expect(page.page.locator("#text")).to_contain_text("印刷されたクーポンをお取りください")
    await expect(page.page.locator("#text")).to_contain_text("佐藤 花子様")
    await shop.walk()
    await page.shows("waiting")
    assert shop.coupons() == [COUPON]


async def on_the_display(shop: Exit, page: Kiosk) -> None:
    shop.hub.give = "display"
    await shop.show()
    await page.shows("coupon")
    shop.hub.coupon_is_read()  # type: ignore[attr-defined]
    await page.shows("pass")
    await shop.walk()
    await page.shows("waiting")
