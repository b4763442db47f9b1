"""Signing in by a code: the page's address with the credentials behind #, as an installer prints it for a clerk."""

from __future__ import annotations

import pytest
from playwright.async_api import BrowserContext, expect

from tests.handheld.far_end import HubVoice, Store

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.row("A12")
async def test_a_sign_in_code_signs_in_and_leaves_no_password_in_the_address(
    handset: BrowserContext, store: Store, hub: HubVoice, address: str
) -> None:
    page = await handset.new_page()
    await page.goto(f"{address}#clerk=c01&password={store.passwords['clerk-c01']}")
    await expect(page.locator("#state")).to_have_text("接続中")
    await hub.until_status("ready")
    assert "password" not in page.url
    await page.reload()
    await expect(page.locator("#state")).to_have_text("接続中")
