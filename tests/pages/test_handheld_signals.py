"""What makes a clerk look up who can neither hear nor feel it, and a screen that stays on for eight hours (row A12)."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from tests.handheld.far_end import HubVoice, Store, alert
from tests.pages.shop_window import PHONE, phone, sign_in
from tests.pages.test_handheld_page import special

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

WAKE_LOCK = """
window.locks = [];
Object.defineProperty(navigator, "wakeLock", { value: { request: async (what) => {
  const lock = { what, released: false, release: async () => { lock.released = true; } };
  window.locks.push(lock);
  return lock;
} } });
"""
HELD = "window.locks.filter((lock) => !lock.released).map((lock) => lock.what)"


@pytest.mark.row("A12")
async def test_the_whole_screen_flashes_and_stays_on(
    browser: Browser, store: Store, hub: HubVoice, address: str
) -> None:
    async with phone(browser) as context:
        await context.add_init_script(WAKE_LOCK)
        page = await context.new_page()
        await sign_in(page, address, "c01", store.passwords["clerk-c01"])
        await hub.until_status("ready")
        await expect(page.locator("#screen")).to_have_text("画面: 常時点灯")
        assert await page.evaluate(HELD) == ["screen"]
        flash = page.locator("#flash")
        for said, colour in ((alert("a1"), "service"), (special(), "special")):
            hub.say(said)
            await expect(flash).to_have_attribute("data-colour", colour)
            box = await flash.bounding_box()
            assert box is not None
            assert (box["width"], box["height"]) == (PHONE["width"], PHONE["height"])
            assert await flash.evaluate("(element) => element.getAnimations().length") == 1
        await expect(flash).to_have_attribute("data-colour", "")
        store.kill()
        await expect(flash).to_have_attribute("data-colour", "lost")
        await page.locator("#sign-out").tap()
        await expect(page.locator("#sign-in")).to_be_visible()
        assert await page.evaluate(HELD) == []
