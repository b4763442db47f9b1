"""Readings and position on the member's page in headless Chromium (rows A8, A13, C11)."""

from __future__ import annotations

from datetime import timedelta

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.hub.conftest import Store
from tests.pages.member_fixtures import address, context, hub, own
from tests.pages.member_terminal import (
    AT_HOME,
    CIRCLE,
    IN_STORE,
    customer_of,
    register,
    request_of,
    say,
    shoot,
    until,
    until_heard,
)
from tests.pages.shop_window import phone

__all__ = ["address", "context", "hub", "own"]
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
SETTINGS, PHONE = CIRCLE, {"permissions": ["geolocation"], "geolocation": AT_HOME}


@pytest_asyncio.fixture(loop_scope="session")
async def page(own: Page, address: str) -> Page:
    """Registered, with consent to care and coupons."""
    await register(own, address)
    return own


@pytest.mark.row("A8", "C11")
async def test_readings_are_sent_with_consent_and_she_sees_what_and_why(
    page: Page, hub: Store, context: BrowserContext
) -> None:
    customer = customer_of(hub)
    await context.set_geolocation({"latitude": 35.671234, "longitude": 139.765, "accuracy": 8})
    moving = """setInterval(() => dispatchEvent(new DeviceMotionEvent("devicemotion", {acceleration: {x: 0.3, y: 0.4, z: 1.2}})), 50)"""
    await page.evaluate(moving)
    say(hub, "sensing_request", request_of(hub, customer), customer)
    answer = await until_heard(hub, "sensing_answer")
    assert (answer.request, answer.customer, answer.refused) == ("r1", customer, None)
    assert (answer.readings.position.latitude_deg, answer.readings.position.accuracy_m) == (35.671234, 8)
    assert answer.readings.acceleration_m_s2 == pytest.approx(1.3)
    assert answer.readings.heart_rate_per_min is None  # no strap here
    asked = page.locator("#asked")
    await expect(asked).to_contain_text("この端末が答えました")
    await expect(page.locator("#asked-now")).to_be_in_viewport()
    await expect(asked).to_contain_text("位置: 35.6712°, 139.7650°")
    await expect(asked).to_contain_text("お店は測定値を保存せず")
    await shoot(page, "asked-ja")
    await page.locator("#language").tap()
    await expect(asked).to_contain_text("so that you can be offered a drink or a rest")
    await shoot(page, "asked-en")
    say(hub, "sensing_request", request_of(hub, customer), customer)  # the same again: one answer is enough
    say(hub, "sensing_request", request_of(hub, customer, "r2", readings=["body_temperature"]), customer)
    answer = await until_heard(hub, "sensing_answer", 2)
    assert (answer.request, answer.refused) == ("r2", "no_sensors")
    assert "35.67" not in str(await page.evaluate("JSON.stringify(localStorage)")).replace("35.6717", "")


@pytest.mark.row("A8", "C11")
async def test_no_answer_for_another_and_no_readings_without_consent(page: Page, hub: Store) -> None:
    customer = customer_of(hub)
    say(hub, "sensing_request", request_of(hub, "C0001", "r0"), customer)  # on her topic, with another's ID
    say(hub, "sensing_request", request_of(hub, customer, "late", deadline=hub.now - timedelta(seconds=1)), customer)
    await page.locator("#to-settings").tap()
    await page.locator("#agreed-sensing").uncheck()
    await expect(page.locator("#agreed-sensing")).not_to_be_checked()
    await until(
        lambda: hub.one("SELECT withdrawn FROM consent WHERE customer = ? AND purpose = 'sensing'", customer) != (None,)
    )
    say(hub, "sensing_request", request_of(hub, customer), customer)
    answer = await until_heard(hub, "sensing_answer")
    assert (answer.request, answer.refused) == ("r1", "no_consent")
    assert answer.readings.model_dump(exclude_none=True) == {}
    await page.locator("#to-card").tap()
    await expect(page.locator("#asked")).to_contain_text("同意がないため送っていません")


@pytest.mark.row("A13", "C11")
async def test_only_whether_she_is_in_the_store_leaves_the_device(
    page: Page, hub: Store, context: BrowserContext
) -> None:
    customer = customer_of(hub)
    await context.set_geolocation(IN_STORE)
    await page.locator("#to-settings").tap()
    await page.locator("#agreed-position").check()
    arrived = await until_heard(hub, "terminal_presence")
    assert (arrived.customer, arrived.event) == (customer, "arrived")
    await context.set_geolocation(AT_HOME)
    left = await until_heard(hub, "terminal_presence", 2)
    assert left.event == "left"
    assert set(left.model_dump()) == {"customer", "event", "at"}


@pytest.mark.row("A13")
async def test_a_position_that_is_allowed_later_is_watched_then(browser: Browser, hub: Store, address: str) -> None:
    async with phone(browser, geolocation=IN_STORE) as context:
        page = await context.new_page()
        await register(page, address, consents=("position",))
        await context.grant_permissions(["geolocation"])
        await page.reload()
        assert (await until_heard(hub, "terminal_presence")).event == "arrived"


STRAP = """
class Target extends EventTarget {}
const characteristic = Object.assign(new Target(), { startNotifications: async () => characteristic });
const device = Object.assign(new Target(), { gatt: { connect: async () => ({ getPrimaryService: async () => ({
  getCharacteristic: async (name) => { if (name !== "heart_rate_measurement") throw new Error(name); return characteristic; } }) }) } });
Object.defineProperty(navigator, "bluetooth", { value: { requestDevice: async ({ filters }) => {
  if (filters[0].services[0] !== "heart_rate") throw new Error("wrong service"); return device; } } });
window.strap = {
  beat: (rate) => { characteristic.value = new DataView(new Uint8Array([0, rate]).buffer);
                    characteristic.dispatchEvent(new Event("characteristicvaluechanged")); },
  lose: () => device.dispatchEvent(new Event("gattserverdisconnected")),
};
"""


@pytest.mark.row("A8")
async def test_a_heart_rate_strap(context: BrowserContext, hub: Store, address: str) -> None:
    """The browser's Bluetooth is played by the test: a headless one has none."""
    await context.add_init_script(STRAP)
    page = await context.new_page()
    await register(page, address)
    await page.locator("#to-settings").tap()
    await page.locator("#strap").tap()
    await expect(page.locator("#strap-state")).to_have_text("心拍センサーと接続しています。")
    await page.evaluate("strap.beat(112)")
    customer = customer_of(hub)
    say(hub, "sensing_request", request_of(hub, customer, readings=["heart_rate"]), customer)
    assert (await until_heard(hub, "sensing_answer")).readings.heart_rate_per_min == 112
    await page.evaluate("strap.lose()")
    await expect(page.locator("#strap-state")).to_contain_text("切れました")
    say(hub, "sensing_request", request_of(hub, customer, "r2", readings=["heart_rate"]), customer)
    assert (await until_heard(hub, "sensing_answer", 2)).refused == "no_sensors"
