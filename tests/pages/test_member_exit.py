"""The exit code on the member's page in headless Chromium: its forms, its time, without a connection, once read (row B5)."""

from __future__ import annotations

import io

import pytest
import pytest_asyncio
import zxingcpp
from PIL import Image
from playwright.async_api import Browser, BrowserContext, Page, expect

from contract.exit_digits import read_digits
from contract.payloads import Bilingual, LaneScan
from tests.hub.conftest import Store
from tests.pages.member_fixtures import address, context, hub, own
from tests.pages.member_terminal import coupon_of, customer_of, joined, say, shoot
from tests.pages.shop_window import phone, spied, until
from tests.shopping.conftest import BAG

__all__ = ["address", "context", "hub", "own"]
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.row("B5")]

NFC = """
window.written = [];
window.NDEFReader = class {
  write(message, { signal }) {
    window.written.push(message.records[0]);
    return new Promise((done, failed) => { window.touched = done; signal.addEventListener("abort", () => failed(signal.reason)); });
  }
};
"""


@pytest_asyncio.fixture(loop_scope="session")
async def page(own: Page, address: str) -> Page:
    """A member who has paid, before whom the clock is ours."""
    await own.clock.install()
    await joined(own, address)
    await pay(own)
    return own


async def pay(page: Page) -> None:
    await page.locator("#to-shop").tap()
    await page.locator("#product").fill(BAG)
    await page.locator("#product-add").tap()
    await page.locator("#shop-pay").tap()
    await page.locator("#paying-simulated").tap()
    await expect(page.locator("#exit-box")).to_be_visible()


async def choose(page: Page, form: str) -> None:
    await page.locator(f'#exit-forms [data-form="{form}"]').tap()


async def codes(page: Page) -> dict[str, str]:
    """What an independent reader reads from the screen, by kind of code."""
    picture = Image.open(io.BytesIO(await page.screenshot())).convert("L")
    return {found.format.name: found.text for found in zxingcpp.read_barcodes(picture)}


async def pass_time(page: Page, hub: Store, seconds: int) -> None:
    hub.later(seconds=seconds)
    await page.clock.fast_forward(seconds * 1000)


def scan(hub: Store, code: str = "", digits: str = "", id: str = "scan-1") -> str:
    """A lane reads it; what the hub decides."""
    row = hub.one("SELECT code, sale FROM exit_code ORDER BY issued DESC")
    data = (
        LaneScan(digits=digits, by="keypad", scanned=hub.now)
        if digits
        else LaneScan(code_id=row[0], sale=row[1], code=code, scanned=hub.now)
    )
    hub.hear(hub.bytes_of("lane_scan", data, agent="exit", lane="1", id=id))
    decided: str = hub.of("lane_decision")[-1].data.reason
    return decided


@pytest.mark.row("B6")
async def test_as_a_square_as_bars_and_as_a_number_and_her_choice_is_kept(page: Page, hub: Store) -> None:
    await until(page, "document.getElementById('exit-code').naturalWidth > 0")
    assert (await codes(page))["QRCode"].startswith("IS1:")
    assert await page.locator('#exit-forms [data-form="nfc"]').count() == 0, "this browser has no NFC"
    await choose(page, "bars")
    await until(page, "document.getElementById('exit-bars').naturalWidth > 0")
    number = read_digits((await codes(page))["Code128"])
    assert number is not None
    assert await page.locator("#exit-digits").get_attribute("data-digits") == number
    await choose(page, "digits")
    await expect(page.locator("#exit-digits span")).to_have_text([number[:4], number[4:8], number[8:]])
    assert await page.locator("#exit-digits").get_attribute("aria-label") == ", ".join(
        " ".join(number[at : at + 4]) for at in (0, 4, 8)
    )
    await page.reload()
    await page.locator("#to-shop").tap()
    await expect(page.locator("#exit-digits")).to_be_visible()
    assert scan(hub, digits=number) == "ok"
    await expect(page.locator("#exit-show")).to_be_hidden()


@pytest.mark.row("B6")
async def test_it_is_renewed_while_it_is_shown_and_says_when(page: Page, hub: Store) -> None:
    await expect(page.locator("#exit-left")).to_have_text("あと60秒で新しいコードに変わります")
    first = await page.locator("#exit-digits").get_attribute("data-digits")
    await pass_time(page, hub, 20)
    await expect(page.locator("#exit-left")).to_have_text("あと40秒で新しいコードに変わります")
    await pass_time(page, hub, 41)
    await until(page, f"document.getElementById('exit-digits').dataset.digits !== '{first}'")
    await expect(page.locator("#exit-left")).to_contain_text("あと60秒")
    await choose(page, "digits")
    await expect(page.locator("#exit-left")).to_have_text(
        "あと95秒で新しいコードに変わります"
    )  # nobody types against the clock


async def test_without_a_connection_it_stays_until_its_time_is_over_and_says_so(
    page: Page, hub: Store, context: BrowserContext
) -> None:
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    await until(page, "document.getElementById('exit-code').naturalWidth > 0")
    shown = (await codes(page))["QRCode"]
    await context.set_offline(True)
    await pass_time(page, hub, 62)
    await expect(page.locator("#exit-left")).to_contain_text("未接続:このコードはあと58秒使えます")
    assert (await codes(page))["QRCode"] == shown
    await until(page, "(await (await caches.open('instore-member-3')).keys()).length >= 35")
    await page.reload()  # also a page that was loaded anew
    await page.locator("#to-shop").tap()
    await until(page, "document.getElementById('exit-code').naturalWidth > 0")
    assert (await codes(page))["QRCode"] == shown
    await shoot(page, "exit-offline")
    await pass_time(page, hub, 61)
    await expect(page.locator("#exit-over")).to_contain_text("有効期限が切れました")
    await expect(page.locator("#exit-box")).to_be_hidden()
    await shoot(page, "exit-over")
    await context.set_offline(False)
    await pass_time(page, hub, 4)
    await expect(page.locator("#exit-box")).to_be_visible()
    await until(page, "document.getElementById('exit-code').naturalWidth > 0")
    assert (await codes(page))["QRCode"] != shown
    assert scan(hub, code=shown) == "ok", "a lane's leeway of a minute"


@pytest.mark.row("B10")
async def test_once_read_it_is_gone_everywhere_with_thanks_the_coupon_and_her_points(
    page: Page, hub: Store, context: BrowserContext, address: str
) -> None:
    await page.evaluate("""() => {
      window.spoken = [];
      window.speechSynthesis.speak = ({ text, lang }) => window.spoken.push(`${lang} ${text}`);
    }""")
    other = await context.new_page()
    await other.goto(address)
    await other.locator("#to-shop").tap()
    await until(other, "document.getElementById('exit-code').naturalWidth > 0")
    assert scan(hub, code=(await codes(other))["QRCode"]) == "ok"
    for each in (page, other):
        await expect(each.locator("#exit-title")).to_have_text("読み取りました")
        await expect(each.locator("#exit-show")).to_be_hidden()
        assert "QRCode" not in await codes(each)
    assert await page.evaluate("window.spoken") == ["ja-JP ありがとうございました。クーポンをお受け取りください。"]
    assert [200] in await spied(page, "vibrated")
    hub.passage("passed")
    await expect(page.locator("#exit-title")).to_have_text("ありがとうございました")
    await expect(page.locator("#exit-points")).to_have_text("55 ポイント")
    customer = customer_of(hub)
    text = Bilingual(ja="次回、3,000円以上のお買い上げで", en="When you spend 3,000 yen next time")
    say(
        hub,
        "member_coupon",
        coupon_of(customer, title=Bilingual(ja="200円引きクーポン", en="200 yen off"), text=text),
        customer,
    )
    await expect(page.locator("#exit-given")).to_contain_text("次回、3,000円以上のお買い上げで")
    await shoot(page, "exit-thanks")
    await page.locator("#exit-given button").tap()
    await expect(page.locator("#coupon-title")).to_have_text("200円引きクーポン")
    await page.locator("#coupon-close").tap()
    await page.locator("#exit-done").tap()
    await expect(page.locator("#shop-empty")).to_be_visible()
    await other.close()


async def test_who_ends_it_before_it_was_read_gets_it_back(page: Page) -> None:
    await page.locator("#exit-done").tap()
    await expect(page.locator("#exit-box")).to_be_hidden()
    await page.locator("#exit-again").tap()
    await expect(page.locator("#exit-box")).to_be_visible()


@pytest.mark.row("C11")
async def test_who_signs_out_leaves_no_code_behind(page: Page) -> None:
    await until(page, "JSON.stringify(localStorage).includes('IS1:')")  # for when the store can't be reached
    await page.locator("#to-settings").tap()
    await page.locator("#sign-out").tap()
    await page.locator("#sign-out").tap()
    await expect(page.locator("#register-title")).to_be_visible()
    assert "IS1:" not in str(await page.evaluate("JSON.stringify(localStorage)"))


async def test_the_screen_stays_on_and_is_white_while_it_shows_the_code(browser: Browser, address: str) -> None:
    async with phone(browser, color_scheme="dark") as dark:
        page = await dark.new_page()
        await page.add_init_script("""
          window.locks = [];
          Object.defineProperty(navigator, "wakeLock", { value: { request: async () => {
            const lock = { released: false, release: async () => { lock.released = true; } };
            window.locks.push(lock);
            return lock;
          } } });""")
        await joined(page, address)
        await pay(page)
        await until(page, "window.locks.length === 1 && !window.locks[0].released")
        assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        await page.locator("#exit-done").tap()
        await until(page, "window.locks.every((lock) => lock.released)")
        assert await page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"


@pytest.mark.row("B6")
async def test_by_touch_where_the_browser_can_and_each_renewal_is_written_anew(
    browser: Browser, hub: Store, address: str
) -> None:
    async with phone(browser) as android:
        await android.add_init_script(NFC)
        page = await android.new_page()
        await page.clock.install()
        await joined(page, address)
        await pay(page)
        await until(page, "document.getElementById('exit-code').naturalWidth > 0")
        code = (await codes(page))["QRCode"]
        await choose(page, "nfc")
        await expect(page.locator("#exit-nfc-state")).to_have_text("読み取り機を待っています…")
        assert await page.evaluate("window.written") == [{"recordType": "text", "lang": "en", "data": code}]
        await shoot(page, "exit-nfc")
        await pass_time(page, hub, 61)
        await until(page, "window.written.length === 2")
        newer = (await page.evaluate("window.written"))[1]["data"]
        assert newer != code
        await page.evaluate("window.touched()")
        await expect(page.locator("#exit-nfc-state")).to_have_text("送りました")
        assert scan(hub, code=newer) == "ok"
