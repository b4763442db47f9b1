"""What goes wrong while she shops: a clear sentence on the page, the reason in the trace, no double effect (rows B2, B4, B5, C7)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, Route, expect

from contract.payloads import LaneScan
from tests.hub.conftest import Store
from tests.pages.member_fixtures import address, context, own
from tests.pages.member_terminal import SIMULATED, customer_of, joined, store_in
from tests.pages.shop_window import until
from tests.shopping.conftest import BAG, COLA, MUG, PRODUCTS

__all__ = ["address", "context", "own"]
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.row("C7")]

GONE = "4006381333931"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Store]:
    head, *rows = PRODUCTS.splitlines()
    rows = [f"{head},on_sale", *(f"{row},yes" for row in rows), f"{GONE},古いペン,Old pen,100,10,pens,no"]
    made = store_in(tmp_path, SIMULATED, "\n".join(rows))
    yield made
    made.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def page(own: Page, address: str, hub: Store) -> Page:
    """A member who is in the store, with a bag in her list."""
    await joined(own, address)
    (token,) = hub.one("SELECT beacon FROM customer_beacon WHERE customer = ?", customer_of(hub))
    hub.sight(token)
    await own.locator("#to-shop").tap()
    await add(own, BAG)
    await expect(own.locator(f'[data-product="{BAG}"]')).to_be_visible()
    return own


async def add(page: Page, code: str) -> None:
    await page.locator("#product").fill(code)
    await page.locator("#product-add").tap()


def traced(hub: Store, part: str) -> list[str]:
    """Lines of her visit's trace."""
    return [row[0] for row in hub.all("SELECT t.summary FROM trace t JOIN visit USING (visit)") if part in row[0]]


async def told(page: Page, sentence: str) -> None:
    await expect(page.locator("#shop-trouble")).to_contain_text(sentence)


@pytest.mark.row("B2")
@pytest.mark.parametrize(
    ("code", "ja", "en", "reason"),
    [
        ("4901234567895", "最後の数字が合いません", "does not fit the others", "check_digit"),
        ("4901777018686", "登録されていません。係員に", "Please ask a clerk", "unknown_product"),
        (GONE, "「古いペン」は現在お取り扱いしておりません", "Old pen is not on sale now", "not_on_sale"),
        ("x" * 70, "64文字まで", "at most 64", "length"),
    ],
)
async def test_a_code_that_is_no_product_of_the_store(
    page: Page, hub: Store, code: str, ja: str, en: str, reason: str
) -> None:
    await add(page, code)
    await told(page, ja)
    await expect(page.locator("#product")).to_have_value(code)  # to be corrected
    await page.locator("#language").tap()
    await told(page, en)
    assert await page.locator("#lines li").count() == 1
    assert traced(hub, reason)
    await add(page, COLA)
    await expect(page.locator("#shop-trouble")).to_be_hidden()


@pytest.mark.row("B4")
async def test_a_list_that_another_terminal_has_changed_is_not_paid_unseen(page: Page, hub: Store) -> None:
    async def older(route: Route) -> None:
        said = json.loads(route.request.post_data or "")
        await route.continue_(post_data=json.dumps({**said, "revision": said["revision"] - 1}))

    await page.route("**/cart/pay", older)
    await page.locator("#shop-pay").tap()
    await told(page, "リストが変更されました")
    assert traced(hub, "changed")
    assert hub.all("SELECT * FROM payment") == []
    await page.unroute("**/cart/pay")
    await page.locator("#shop-pay").tap()
    await expect(page.locator("#paying")).to_be_visible()


@pytest.mark.row("B4")
async def test_a_list_that_is_being_paid_stays_as_it_is_on_all_terminals(
    page: Page, context: BrowserContext, address: str, hub: Store
) -> None:
    other = await context.new_page()
    await other.goto(address)
    await other.locator("#to-shop").tap()
    await expect(other.locator("#lines li")).to_have_count(1)
    await other.route("**/ws", lambda route: route.abort())
    command = f"""fetch("api/cart/add", {{ method: "POST", headers: {{ "Content-Type": "application/json" }},
      body: JSON.stringify({{ command: "late-1", product: "{MUG}" }}) }}).then((answer) => answer.json())"""
    await page.locator("#shop-pay").tap()
    await expect(other.locator("#paying")).to_be_visible()
    await expect(other.locator("#shop-add")).to_be_hidden()
    answer = await other.evaluate(command)
    assert answer["errors"][0]["kind"] == "paying"
    assert "お支払い" in answer["errors"][0]["ja"]
    assert traced(hub, "paying")
    await other.close()


@pytest.mark.row("B4")
@pytest.mark.parametrize("how", ["failed", "expired", "expired, meanwhile the page was closed"])
async def test_a_payment_that_comes_to_nothing_is_said_and_the_list_is_there(
    page: Page, hub: Store, address: str, how: str
) -> None:
    await page.locator("#shop-pay").tap()
    await expect(page.locator("#paying")).to_be_visible()
    how, _, closed = how.partition(",")
    if closed:
        await page.goto("about:blank")
    if how == "expired":
        hub.later(seconds=301)
        hub.tick()
    else:
        (payment,) = hub.one("SELECT payment FROM payment")
        with hub.engine.transaction() as tx:
            hub.hub.payments.fail(tx, payment)
    if closed:
        await page.goto(address)
        await page.locator("#to-shop").tap()
    await told(page, "お支払いは完了しませんでした")
    await expect(page.locator(f'[data-product="{BAG}"]')).to_be_visible()
    assert traced(hub, how)
    await page.locator("#shop-pay").tap()
    await expect(page.locator("#shop-trouble")).to_be_hidden()
    await page.locator("#paying-cancel").tap()
    await expect(page.locator("#shop-pay")).to_be_visible()
    await expect(page.locator("#shop-trouble")).to_be_hidden()  # she stopped it herself
    assert hub.all("SELECT * FROM sale") == []


@pytest.mark.row("B4")
async def test_pressed_twice_it_is_one_payment_and_one_sale(page: Page, hub: Store) -> None:
    await page.evaluate("['', ''].forEach(() => document.getElementById('shop-pay').click())")
    await expect(page.locator("#paying")).to_be_visible()
    await page.evaluate("['', ''].forEach(() => document.getElementById('paying-simulated').click())")
    await expect(page.locator("#exit-box")).to_be_visible()
    assert len(hub.all("SELECT * FROM sale")) == 1


@pytest.mark.row("B5", "C2")
async def test_a_screenshot_of_the_code_is_refused_with_its_reason_and_her_page_shows_the_newer_one(
    page: Page, hub: Store
) -> None:
    await page.locator("#shop-pay").tap()
    await page.locator("#paying-simulated").tap()
    await until(page, "document.getElementById('exit-code').naturalWidth > 0")
    (sale,) = hub.one("SELECT sale FROM sale")
    with hub.engine.transaction() as tx:
        code, picture = hub.hub.purchases.exit_code(tx, sale, 120)
        digits = hub.hub.exit_numbers.of(tx, code)
    hub.later(seconds=200)  # the page renews it all the time; a picture does not
    scanned = LaneScan(code_id=code.code, sale=sale, code=picture, scanned=hub.now)
    for place, data in enumerate((scanned, LaneScan(digits=digits, by="keypad", scanned=hub.now))):
        hub.hear(hub.bytes_of("lane_scan", data, agent="exit", lane="1", id=f"picture-{place}"))
        decision = hub.of("lane_decision")[-1].data
        assert (decision.outcome, decision.reason) == ("refuse", "expired")
        assert decision.show.ja
    assert len(traced(hub, "refused, expired")) == 2
    await expect(page.locator("#exit-box")).to_be_visible()
    assert hub.one("SELECT used FROM exit_code") == (None,)


async def test_a_store_that_can_t_be_reached_is_said_and_nothing_is_done_twice(page: Page, hub: Store) -> None:
    lost = 0

    async def lose(route: Route) -> None:
        nonlocal lost
        lost += 1
        await route.fetch()  # the hub takes it; the answer is lost
        await route.abort()

    await page.route("**/cart/add", lose)
    await add(page, COLA)
    await told(page, "お店に接続できませんでした")
    assert lost == 2
    assert hub.one("SELECT quantity FROM cart_line WHERE product = ?", COLA) == (1,)
    await expect(page.locator(f'[data-product="{COLA}"] .quantity')).to_have_text("1")  # the other way told it
