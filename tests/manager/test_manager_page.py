"""The manager's page in headless Chromium, served by the hub's own web application (row C7)."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from contract.payloads import AgentStatus, LaneCall, LaneIncident
from hub.clerks import import_clerks
from tests.hub.conftest import Store, folder, store
from tests.members.conftest import serving
from tests.pages.shop_window import SPIES, chromium, spied

__all__ = ["folder", "store"]
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
KEY = "manager-0123456789"
HANAKO, ICHIRO = (f"ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:{n}" for n in (1, 3))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, store: Store) -> AsyncIterator[Page]:
    """A manager's screen, not yet let in."""
    async with serving(store, manager_keys={KEY: "anna"}) as address:
        context = await browser.new_context(viewport={"width": 1280, "height": 900}, locale="ja-JP")
        await context.add_init_script(SPIES)
        own = await context.new_page()
        await own.goto(f"{address}/manager/")
        yield own
        assert await spied(own, "violations") == []
        assert await spied(own, "errors") == []
        await context.close()


async def enter(page: Page, key: str = KEY) -> None:
    await page.locator("#key").fill(key)
    await page.locator("#enter-button").click()


async def shoot(page: Page, name: str) -> None:
    if folder := os.environ.get("PAGE_PICTURES"):
        await page.screenshot(path=Path(folder) / f"{name}.png")


@pytest.mark.row("C7")
async def test_the_day_what_is_wrong_and_why(page: Page, store: Store) -> None:
    for agent, state in (("door-1", "ready"), ("exit", "lost")):
        store.hear(store.bytes_of("agent_status", AgentStatus(state=state), agent=agent))
    store.sight(HANAKO)
    store.answer("c01", store.of("alert")[0].data.alert, "accept")
    store.sell(amount=5480)
    store.later(seconds=4)
    store.sight(ICHIRO)
    store.tick()
    await enter(page)
    await expect(page.locator("#store")).to_have_text("銀座店")
    await expect(page.locator("#state")).to_have_text("異常があります")
    await expect(page.locator(".agent.ill")).to_contain_text("exit")
    await expect(page.locator("#numbers")).to_contain_text("￥5,480")
    await expect(page.locator("#visits li")).to_have_count(2)
    await page.get_by_role("button", name="山田 花子").click()
    await expect(page.locator("#why dd").first).to_contain_text("vip: yes, rank >= gold")
    await expect(page.locator(".story .decision").first).to_be_visible()
    await expect(page.locator(".story")).to_contain_text("service request for C0001")
    await expect(page.locator(".story time").first).to_have_text("10:00:00")  # of Tokyo
    await shoot(page, "manager-ja")
    await page.locator("#search").fill("鈴木")
    await expect(page.locator("#visits li")).to_have_count(1)
    await page.locator("#language").click()
    await expect(page.locator("#state")).to_have_text("Something is wrong")
    await page.get_by_role("button", name="鈴木").click()
    await expect(page.locator("#why dd").first).to_contain_text("no, nearest vip: rank >= gold")
    await shoot(page, "manager-en")


async def test_a_wrong_key_and_leaving(page: Page) -> None:
    await enter(page, "wrong")
    await expect(page.locator("#enter-trouble")).to_have_text("このキーでは開けません。")
    await enter(page)
    await expect(page.locator("#board")).to_be_visible()
    await page.locator("#leave").click()
    await expect(page.locator("#enter")).to_be_visible()
    await page.reload()
    await expect(page.locator("#enter")).to_be_visible()


async def test_a_mistake_in_the_rules_is_shown_with_its_place(page: Page, store: Store) -> None:
    (store.folder / "rules.toml").write_text("[[rank]", encoding="utf-8")
    store.policy.check()
    await enter(page)
    await expect(page.locator("#troubles")).to_contain_text("rules.toml: no valid TOML")


@pytest.mark.row("B12")
@pytest.mark.row("C2")
async def test_lanes_that_call_and_who_passed_them_without_a_code(page: Page, store: Store) -> None:
    import_clerks(store.journal.db, store.folder / "clerks.csv")
    call = LaneCall(call="1-x", reason="gate", detail="jammed", since=store.now)
    store.hear(store.bytes_of("lane_call", call, agent="exit", lane="1"))
    for kind, count in (("tailgating", 2), ("wrong_way", 1)):
        data = LaneIncident(kind=kind, count=count, seen=store.now)
        store.hear(store.bytes_of("lane_incident", data, agent="exit", lane="1"))
    code = store.sell().exit_code
    for agent in ("north", "south"):  # both were cut off from the hub
        store.scan(code, id=f"scan-{agent}", agent=agent)
        store.passage(scan=f"scan-{agent}", agent=agent, offline=True)
    await enter(page)
    await page.locator("#language").click()
    await expect(page.locator("#calls li")).to_have_count(1)
    await expect(page.locator("#calls")).to_contain_text("exit/1")
    await expect(page.locator("#calls")).to_contain_text("gate: offered")
    await expect(page.locator("#incidents li")).to_have_count(3)
    await expect(page.locator("#incidents")).to_contain_text("followed through ×2")
    await expect(page.locator("#incidents")).to_contain_text("one code used twice")
    await expect(page.locator("#incidents")).to_contain_text("was used at north/1 already")
    await shoot(page, "manager-lanes")
    store.hear(store.bytes_of("lane_call", call.model_copy(update={"over": True}), agent="exit", lane="1"))
    await expect(page.locator("#calls li")).to_have_count(0)
