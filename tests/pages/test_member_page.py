"""The member's page in headless Chromium, against the hub's real web server and WebSocket (rows A2, A4, A11, C11)."""

from __future__ import annotations

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.hub.conftest import Store
from tests.pages.member_fixtures import address, context, hub, own
from tests.pages.member_terminal import (
    AT_HOME,
    CIRCLE,
    coupon_of,
    customer_of,
    read_code,
    register,
    say,
    shoot,
    until,
    until_heard,
)
from tests.pages.shop_window import phone, spied
from tests.pages.shop_window import until as in_page

__all__ = ["address", "context", "hub", "own"]
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
SETTINGS, PHONE = CIRCLE, {"permissions": ["geolocation"], "geolocation": AT_HOME}


@pytest_asyncio.fixture(loop_scope="session")
async def page(own: Page, address: str) -> Page:
    """Registered, with consent to care and coupons."""
    await register(own, address)
    return own


# --- registration


@pytest.mark.row("A2")
async def test_the_form_tells_every_mistake_and_then_makes_the_member(
    context: BrowserContext, address: str, hub: Store
) -> None:
    page = await context.new_page()
    await page.goto(address)
    await expect(page.locator("#register-title")).to_have_text("会員登録")
    assert await page.locator("#choices input:checked").count() == 0  # nobody agrees by doing nothing
    await shoot(page, "register-ja")
    await page.locator("#field-phone").fill("123")
    await page.locator("#field-birth_year").fill("90")
    await page.locator("#join").tap()
    await expect(page.locator('[data-problem="phone"]')).to_contain_text("数字8〜15桁")
    await expect(page.locator('[data-problem="birth_year"]')).to_contain_text("西暦4桁")
    await expect(page.locator('[data-problem="name"]')).to_have_text("お名前をご入力ください。")
    await expect(page.locator("#field-name")).to_be_focused()
    await shoot(page, "register-mistakes-ja")
    await page.locator("#language").tap()
    await expect(page.locator('[data-problem="name"]')).to_have_text("Please write your name.")
    await expect(page.locator("#field-phone")).to_have_value("123")
    await shoot(page, "register-mistakes-en")
    await page.locator("#field-name").fill("Mary Major")
    await page.locator("#field-phone").fill("090 1234 5678")
    await page.locator("#field-birth_year").fill("1984")
    await page.locator("#field-gender").select_option("female")
    await page.locator("#choice-coupons").check()
    await page.locator("#join").tap()
    await expect(page.locator("#greeting")).to_have_text("Mary Major")
    customer = customer_of(hub)
    row = hub.one("SELECT name, gender, born, phone, language FROM customer WHERE customer = ?", customer)
    assert row == ("Mary Major", "female", "1984", "09012345678", "en")
    assert hub.all("SELECT purpose, wording FROM consent WHERE customer = ?", customer) == [("coupons", "coupons-1")]
    assert await spied(page, "violations") == []
    await shoot(page, "card-en")


@pytest.mark.row("A2", "A4")
async def test_the_card_is_read_from_the_screen_and_is_there_again(page: Page, hub: Store, address: str) -> None:
    await expect(page.locator("#greeting")).to_have_text("佐藤 美咲 様")
    await expect(page.locator("#member-code")).to_be_visible()
    await shoot(page, "card-ja")
    [text] = await read_code(page)
    token = text.removeprefix("MEMBER:")
    assert hub.one("SELECT customer FROM customer_beacon WHERE beacon = ?", f"member:{token}") == (customer_of(hub),)
    await page.reload()
    await expect(page.locator("#state")).to_have_text("接続中")
    assert await read_code(page) == [text]
    await page.evaluate("localStorage.clear()")  # the cookie alone signs in again
    await page.reload()
    await expect(page.locator("#greeting")).to_have_text("佐藤 美咲 様")


@pytest.mark.row("A2", "A11")
async def test_without_the_hub_the_card_and_the_coupons_are_there(
    page: Page, hub: Store, context: BrowserContext
) -> None:
    customer = customer_of(hub)
    say(hub, "member_coupon", coupon_of(customer), customer)
    await until_heard(hub, "coupon_kept")
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    await in_page(page, "(await (await caches.open('instore-member-3')).keys()).length >= 35")
    await in_page(page, "JSON.parse(localStorage['instore.member']).coupons[0].svg !== undefined")
    code = await read_code(page)
    await context.set_offline(True)
    await expect(page.locator("#state")).to_have_text("未接続")  # at once: the browser says so
    await page.reload()
    await expect(page.locator("#state")).to_have_text("未接続")
    await expect(page.locator("#lost")).to_contain_text("会員証とクーポンはこのまま使えます")
    assert await read_code(page) == code
    await page.locator("#to-coupons").tap()
    await page.locator('[data-coupon="k1"]').tap()
    await shoot(page, "coupon-offline-ja")
    assert "K7QX-2B9D" in await read_code(page)
    await page.locator("#coupon-close").tap()
    await context.set_offline(False)
    await page.evaluate("dispatchEvent(new Event('online'))")
    await expect(page.locator("#state")).to_have_text("接続中")


@pytest.mark.row("A2")
async def test_sign_out_leaves_nothing_and_asks_twice(page: Page, hub: Store) -> None:
    await page.locator("#to-settings").tap()
    await shoot(page, "settings-ja")
    await page.locator("#sign-out").tap()
    await expect(page.locator("#sign-out")).to_have_text("もう一度押すとログアウトします")
    await page.locator("#sign-out").tap()
    await expect(page.locator("#register-title")).to_be_visible()
    assert "佐藤" not in str(await page.evaluate("JSON.stringify(localStorage)"))
    assert hub.one("SELECT count(*) FROM member_session") == (0,)
    await until(lambda: len(hub.hub.terminals) == 0)


@pytest.mark.row("C11")
async def test_who_is_erased_finds_nothing_on_her_phone(page: Page, hub: Store) -> None:
    customer = customer_of(hub)
    say(hub, "member_coupon", coupon_of(customer), customer)
    await until_heard(hub, "coupon_kept")
    with hub.engine.transaction() as tx:
        tx.db.execute("DELETE FROM customer WHERE customer = ?", (customer,))
    say(hub, "member_coupon", coupon_of(customer), customer)
    await expect(page.locator("#register-title")).to_be_visible()
    assert "佐藤" not in str(await page.evaluate("JSON.stringify(localStorage)"))
    assert "K7QX" not in str(await page.evaluate("JSON.stringify(localStorage)"))


@pytest.mark.row("A2")
async def test_a_member_on_a_new_phone_is_let_in_at_the_counter(
    context: BrowserContext, address: str, hub: Store
) -> None:
    from hub.importing import import_file

    import_file(hub.journal.db, hub.folder / "customers.csv", hub.settings)
    page = await context.new_page()
    await page.goto(address)
    await page.locator("#to-sign-in").tap()
    await page.locator("#contact").fill("x")
    await page.locator("#ask").tap()
    await expect(page.locator('[data-problem="contact"]')).to_contain_text("電話番号は")
    await page.locator("#contact").fill("hanako@example.com")
    await shoot(page, "sign-in-ja")
    await page.locator("#ask").tap()
    await expect(page.locator("#claim-number")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await shoot(page, "claim-ja")
    number = str(await page.locator("#claim-number").text_content())
    from hub.members.claims import Claims

    with hub.engine.transaction() as tx:
        assert Claims(hub.settings, hub.hub.counters).confirm(tx, number, "c01") == "C0001"
    await expect(page.locator("#greeting")).to_have_text("山田 花子 様")
    await expect(page.locator("#points")).to_contain_text("5,952")


# --- coupons


@pytest.mark.row("A11")
async def test_a_coupon_is_kept_announced_shown_and_used(page: Page, hub: Store) -> None:
    customer, code = customer_of(hub), "K0123456789ABCDEF"
    say(hub, "member_coupon", coupon_of(customer, code=code), customer)
    kept = await until_heard(hub, "coupon_kept")
    assert (kept.coupon, kept.customer, kept.revision) == ("k1", customer, 1)
    await expect(page.locator("#arrival")).to_contain_text("食器 500円引き")
    await expect(page.locator("#badge")).to_have_text("1")
    await expect(page.locator("#announce")).to_contain_text("クーポンが届きました")
    assert await spied(page, "vibrated") == [[120, 80, 240]]
    assert await spied(page, "tones") == [784, 1047]
    await shoot(page, "arrival-ja")
    await page.locator("#arrival").tap()
    await expect(page.locator("#coupon-digits")).to_have_text("K 0123 4567 89AB CDEF")
    await expect(page.locator("#coupon-code")).to_be_visible()
    await shoot(page, "coupon-ja")
    assert code in await read_code(page)
    say(hub, "member_coupon", coupon_of(customer, code=code, revision=2, state="redeemed"), customer)
    await until_heard(hub, "coupon_kept", 2)
    await expect(page.locator("#coupon")).not_to_be_visible()
    await expect(page.locator('[data-coupon="k1"]')).to_contain_text("使用済み")
    say(hub, "member_coupon", coupon_of(customer), customer)  # the old state, late
    await until_heard(hub, "coupon_kept", 3)
    await expect(page.locator('[data-coupon="k1"]')).to_have_attribute("data-state", "redeemed")
    assert len(await spied(page, "vibrated")) == 1
    say(hub, "member_coupon", coupon_of(customer, coupon="k2", code="AB"), customer)
    await expect(page.locator('[data-coupon="k2"]')).to_contain_text("新着")
    await page.locator("#language").tap()
    await expect(page.locator('[data-coupon="k2"]')).to_contain_text("500 yen off tableware")
    await page.locator("#to-coupons").tap()
    await shoot(page, "coupons-en")


@pytest.mark.row("A11")
async def test_a_coupon_for_another_is_not_kept(page: Page, hub: Store) -> None:
    customer = customer_of(hub)
    say(hub, "member_coupon", coupon_of("C0001"), customer)  # on her topic, with another's ID
    say(hub, "member_coupon", coupon_of(customer, coupon="k2"), customer)
    await until_heard(hub, "coupon_kept")
    assert [row["coupon"] for row in await page.evaluate("JSON.parse(localStorage['instore.member']).coupons")] == [
        "k2"
    ]


async def test_the_page_can_be_installed(page: Page, context: BrowserContext) -> None:
    session = await context.new_cdp_session(page)
    answer = await session.send("Page.getAppManifest")
    assert answer["errors"] == []
    errors = await session.send("Page.getInstallabilityErrors")
    assert [each["errorId"] for each in errors["installabilityErrors"] if each["errorId"] != "in-incognito"] == []


async def test_in_the_dark_it_is_as_readable(browser: Browser, hub: Store, address: str) -> None:
    async with phone(browser, color_scheme="dark", permissions=["geolocation"], geolocation=AT_HOME) as context:
        page = await context.new_page()
        await page.goto(address)
        await page.locator("#choice-sensing").check()
        await page.locator("#choices").scroll_into_view_if_needed()
        await shoot(page, "register-dark")
        await register(page, address)
        [text] = await read_code(page)  # the code stays black on white
        assert text.startswith("MEMBER:")
        await shoot(page, "card-dark")
