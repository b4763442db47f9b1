"""Two clerks with the page in their hands, real programs between them and a simulated customer (rows A7, A10, A12, C6)."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from contract.messages import Role
from instore.demo.layout import BEACONS, Layout
from instore.demo.record import Record
from instore.demo.stage import Stage
from tests.pages.shop_window import chromium, phone, sign_in, spied
from tests.system.store import SOON_S, layout_in

pytestmark = [pytest.mark.system, pytest.mark.browser]

HANAKO = f"{BEACONS}:1:1"


@asynccontextmanager
async def store_without_hasty_clerks(layout: Layout) -> AsyncIterator[Stage]:
    """Every program of the store; only people answer."""
    stage = Stage(layout, Record(lambda _: None), clerk_answers_ms=None)
    try:
        await stage.start()
        assert not await stage.ready(60.0)
        yield stage
    finally:
        await stage.stop()


async def enter(page: Page, layout: Layout, clerk: str, connected: str) -> None:
    page.set_default_timeout(SOON_S * 1000)
    await sign_in(page, f"{layout.hub_url}/handheld/", clerk, layout.account(Role.CLERK, clerk)[1])
    await expect(page.locator("#state")).to_have_text(connected)


@pytest.mark.row("A7", "A10", "A12", "C6")
async def test_two_pages_and_a_customer_who_comes(tmp_path: Path) -> None:
    expect.set_options(timeout=SOON_S * 1000)
    layout = layout_in(tmp_path)
    async with (
        store_without_hasty_clerks(layout) as stage,
        chromium() as browser,
        phone(browser) as one,
        phone(browser, locale="en-US") as two,
    ):
        emily, lee = await one.new_page(), await two.new_page()
        await enter(emily, layout, "c02", "接続中")
        await enter(lee, layout, "c03", "Connected")
        await stage.appear("C0001", HANAKO, (0.3, 0.0))
        hers, his = (page.locator("article").filter(has_text="山田 花子") for page in (emily, lee))
        await expect(hers.filter(has_text="接客のお願い")).to_have_count(1)
        await expect(his.filter(has_text="Service request")).to_have_count(1)
        await expect(his).to_contain_text(["Gold"])
        await expect(hers).to_contain_text(["正面入口"])
        for page in (emily, lee):
            assert await spied(page, "vibrated") != []
        await hers.filter(has_text="接客のお願い").get_by_role("button", name="対応する").tap()
        await expect(hers.filter(has_text="接客のお願い")).to_contain_text("あなたが対応中")
        await expect(his.filter(has_text="Service request")).to_contain_text("Taken by Emily Kim")
        # Her phone has told the hub that it is hot and her heart is fast: a drink, and no reading on either page.
        await expect(hers.filter(has_text="特別なご対応")).to_contain_text("飲み物")
        await expect(his.filter(has_text="Special treatment")).to_contain_text("drink")
        for page in (emily, lee):
            shown = await page.locator("body").inner_text()
            assert "112" not in shown
            assert "33.5" not in shown
        await hers.filter(has_text="接客のお願い").get_by_role("button", name="対応完了").tap()
        await expect(hers.filter(has_text="接客のお願い")).to_contain_text("対応完了しました")
        for page in (emily, lee):
            assert await spied(page, "violations") == []
            assert await spied(page, "errors") == []
    with closing(sqlite3.connect(layout.path("hub.sqlite"))) as db:
        ended = db.execute("SELECT state, holder, outcome FROM alert WHERE kind = 'service_request'").fetchall()
    assert ended == [("closed", "c02", "served")]
