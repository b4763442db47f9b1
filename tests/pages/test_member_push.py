"""Notifications on the member's page: asked for, shown while it is closed, ended where they began (rows B9, C11)."""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.async_api import Page, expect

from tests.hub.conftest import Store
from tests.pages.member_fixtures import address, context, hub, own
from tests.pages.member_terminal import coupon_of, customer_of, joined, say, shoot

__all__ = ["address", "context", "hub", "own"]
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.row("B9")]

P256DH = urlsafe_b64encode(
    ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
)
PHONE = {"permissions": ["notifications"]}
SETTINGS = '\n[push]\ncontact = "mailto:store@example.com"\nservices = ["push.test"]\n'
BROWSER = """
window.subscribed = null;
const made = ({ userVisibleOnly, applicationServerKey }) => ({
  userVisibleOnly, key: [...applicationServerKey], toJSON: () => ({ endpoint: "https://push.test/one", keys: { p256dh: "%s", auth: "AAAAAAAAAAAAAAAAAAAAAA" } }),
  endpoint: "https://push.test/one", unsubscribe: async () => { window.subscribed = null; return true; },
});
PushManager.prototype.subscribe = async (options) => (window.subscribed = made(options));
PushManager.prototype.getSubscription = async () => window.subscribed;
"""


@pytest_asyncio.fixture(loop_scope="session")
async def page(own: Page, address: str) -> Page:
    await own.add_init_script(BROWSER % P256DH.decode().rstrip("="))
    await joined(own, address)
    await own.locator("#to-settings").tap()
    return own


@pytest.mark.row("C11")
async def test_nothing_is_subscribed_until_she_asks_and_it_ends_at_a_touch(page: Page, hub: Store) -> None:
    await expect(page.locator("#notify")).to_have_text("画面を閉じていても通知を受け取る")
    await expect(page.locator("#notify-state")).not_to_be_empty()  # what she agrees to stands above it
    assert await page.evaluate("window.subscribed") is None
    assert hub.all("SELECT * FROM push_subscription") == []
    await shoot(page, "push-off")
    await page.locator("#notify").tap()
    await expect(page.locator("#notify-state")).to_contain_text("画面を閉じていても")
    assert hub.one("SELECT endpoint, language FROM push_subscription") == ("https://push.test/one", "ja")
    assert await page.evaluate("[window.subscribed.userVisibleOnly, window.subscribed.key.length]") == [True, 65]
    await page.locator("#notify-end").tap()
    await expect(page.locator("#notify")).to_be_visible()
    assert hub.all("SELECT * FROM push_subscription") == []
    assert await page.evaluate("window.subscribed") is None


async def test_a_browser_that_refuses_is_said(page: Page, hub: Store) -> None:
    await page.evaluate(
        "() => { PushManager.prototype.subscribe = () => Promise.reject(new DOMException('no', 'AbortError')); }"
    )
    await page.locator("#notify").tap()
    await expect(page.locator("#notify-state")).to_contain_text("設定できませんでした")
    assert hub.all("SELECT * FROM push_subscription") == []


async def pushed(page: Page, address: str, data: str) -> list[dict[str, Any]]:
    """The browser's own push service delivers it to the page's worker; what is on the screen then."""
    devtools = await page.context.new_cdp_session(page)
    found: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def registered(event: dict[str, Any]) -> None:
        for each in event["registrations"]:
            if each["scopeURL"] == address and not found.done():
                found.set_result(each["registrationId"])

    devtools.on("ServiceWorker.workerRegistrationUpdated", registered)
    await devtools.send("ServiceWorker.enable")
    origin = address.removesuffix("/member/")
    said = {"origin": origin, "registrationId": await asyncio.wait_for(found, 20), "data": data}
    await devtools.send("ServiceWorker.deliverPushMessage", said)
    shown: list[dict[str, Any]] = []
    async with asyncio.timeout(20):
        while not shown:
            shown = await page.evaluate("""navigator.serviceWorker.ready.then((worker) => worker.getNotifications()).then((all) => {
              const seen = all.map(({ title, body, tag, data }) => ({ title, body, tag, data }));
              all.forEach((each) => each.close());
              return seen;
            })""")
    return shown


async def test_what_is_pushed_is_shown_and_leads_to_its_coupon(page: Page, hub: Store, address: str) -> None:
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    text = {"title": "銀座店からクーポン", "body": "200円引き", "url": "./#coupons", "coupon": "k1"}
    (shown,) = await pushed(page, address, json.dumps(text))
    assert (shown["title"], shown["body"], shown["tag"]) == ("銀座店からクーポン", "200円引き", "k1")
    assert shown["data"]["url"] == f"{address}?coupon=k1#coupons"
    customer = customer_of(hub)
    say(hub, "member_coupon", coupon_of(customer), customer)
    await expect(page.locator("#badge")).to_have_text("1")
    worker = page.context.service_workers[0]
    await worker.evaluate(
        "(url) => goTo(url).catch(() => {})", shown["data"]["url"]
    )  # a window is focused at a touch only
    await expect(page.locator("#coupon-title")).to_have_text("食器 500円引き")


@pytest.mark.parametrize("data", ["", "no json", '{"title": 7, "url": "https://evil.example/"}', "[]"])
async def test_a_push_that_says_nothing_sensible_shows_a_plain_one_and_leads_nowhere_else(
    page: Page, address: str, data: str
) -> None:
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    (shown,) = await pushed(page, address, data)
    assert shown["title"] == "instore"
    worker = page.context.service_workers[0]
    await worker.evaluate("(url) => goTo(url).catch(() => {})", shown["data"]["url"])
    assert page.url == address
