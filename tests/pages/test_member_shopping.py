"""Shopping on the member's page in headless Chromium: list, coupon, payment, exit code (rows B2 to B5)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from contract.payloads import Cart, CartLine, CartName
from hub.shopping.signing import signed
from tests.hub.conftest import Store
from tests.members.conftest import KEY, serving
from tests.members.test_gateway import frame
from tests.pages.member_fixtures import address, context, hub, own
from tests.pages.member_terminal import joined, read_code, shoot, store_in
from tests.pages.shop_window import phone, spied, until
from tests.shopping.conftest import BAG, COLA, MUG
from tests.shopping.shopping_phone import SECRET, PosServer

__all__ = ["address", "context", "hub", "own"]
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def page(own: Page, address: str) -> Page:
    await joined(own, address)
    await own.locator("#to-shop").tap()
    return own


async def add(page: Page, code: str) -> None:
    await page.locator("#product").fill(code)
    await page.locator("#product-add").tap()


@pytest.mark.row("B2", "B3")
async def test_the_list_follows_every_change_on_both_terminals(
    page: Page, context: BrowserContext, address: str
) -> None:
    await add(page, MUG)
    line = page.locator(f'#lines [data-product="{MUG}"]')
    await expect(line.locator("strong")).to_have_text("マグカップ")
    await expect(page.locator("#promise")).to_contain_text("あと312円")
    other = await context.new_page()
    await other.goto(address)
    await other.locator("#to-shop").tap()
    await expect(other.locator("#lines strong")).to_have_text(["マグカップ"])
    await line.locator('[name="more"]').tap()
    await expect(page.locator("#total")).to_contain_text("1,376")
    await expect(page.locator("#promise")).to_contain_text("200円引きクーポン")
    await expect(page.locator("#promise")).to_have_attribute("data-holds", "true")
    await expect(other.locator("#total")).to_contain_text("1,376")
    await add(other, COLA)
    await expect(page.locator("#lines strong")).to_have_text(["マグカップ", "コーラ"])
    await shoot(page, "shopping")
    await line.locator('[name="remove"]').tap()
    await expect(other.locator("#lines strong")).to_have_text(["コーラ"])
    await page.reload()
    await page.locator("#to-shop").tap()
    await expect(page.locator("#lines strong")).to_have_text(["コーラ"])
    await page.locator("#shop-cancel").tap()
    await expect(page.locator("#lines strong")).to_have_text(["コーラ"])
    await page.locator("#shop-cancel").tap()
    await expect(page.locator("#shop-empty")).to_be_visible()
    await expect(other.locator("#shop-empty")).to_be_visible()
    await other.close()


STICKS_OUT = """[...document.querySelectorAll("main *, #foot *")].filter((each) => {
  const [box, around] = [each.getBoundingClientRect(), each.parentElement.getBoundingClientRect()];
  return box.width > 0 && box.right > Math.min(innerWidth, around.right) + 1;
}).map((each) => `${each.tagName}#${each.id} ${each.textContent}`)"""


@pytest.mark.row("B2")
async def test_a_list_fits_small_phones_in_both_languages_whatever_it_comes_to(page: Page) -> None:
    await page.evaluate(
        f"""fetch("api/cart/add", {{ method: "POST", headers: {{ "Content-Type": "application/json" }},
        body: JSON.stringify({{ command: "a-1", product: "{BAG}", quantity: 999 }}) }})"""
    )
    await add(page, MUG)
    await expect(page.locator("#total")).to_contain_text("5,495,188")
    for width in (320, 360, 390):
        await page.set_viewport_size({"width": width, "height": 844})
        for other in ("Pay", "お支払い"):
            assert await page.evaluate(STICKS_OUT) == [], width
            await page.evaluate("document.getElementById('language').click()")
            await expect(page.locator("#shop-pay")).to_have_text(other)


@pytest.mark.row("B2")
async def test_a_code_that_nobody_knows_is_said(page: Page) -> None:
    await add(page, "4901234567895")
    await expect(page.locator("#shop-trouble")).to_contain_text("最後の数字が合いません")
    await page.locator("#language").tap()
    await expect(page.locator("#shop-trouble")).to_contain_text("does not fit the others")


@pytest.mark.row("B4", "B5")
async def test_pay_show_the_code_and_it_is_gone_once_read(page: Page, hub: Store) -> None:
    await add(page, MUG)
    await page.locator('#lines [name="more"]').tap()
    await expect(page.locator("#total")).to_contain_text("1,376")
    await page.locator("#shop-pay").tap()
    await expect(page.locator("#paying")).to_be_visible()
    await expect(page.locator("#shop-add")).to_be_hidden()
    await page.locator("#paying-cancel").tap()
    await page.locator("#shop-pay").tap()
    await page.locator("#paying-simulated").tap()
    await expect(page.locator("#exit-code")).to_be_visible()
    await expect(page.locator("#exit-coupon")).to_contain_text("200円引きクーポン")
    await page.locator("#exit-code").scroll_into_view_if_needed()
    await until(page, "document.getElementById('exit-code').naturalWidth > 0")
    codes = [text for text in await read_code(page) if text.startswith("IS1:")]
    await shoot(page, "exit-code")
    (sale,) = hub.one("SELECT sale FROM sale")
    hub.scan(codes[0], sale=sale)
    await expect(page.locator("#exit-code")).to_be_hidden()
    await expect(page.locator("#exit-title")).to_have_text("読み取りました")
    hub.passage("not_passed")
    await expect(page.locator("#exit-code")).to_be_visible()  # she stepped back
    hub.scan(codes[0], sale=sale, id="scan-2")
    hub.passage("passed", scan="scan-2")
    await expect(page.locator("#exit-title")).to_have_text("ありがとうございました")
    await page.reload()
    await page.locator("#to-shop").tap()
    await expect(page.locator("#shop-empty")).to_be_visible()


@pytest.mark.row("B5")
async def test_the_exit_button_ends_it(page: Page) -> None:
    await add(page, MUG)
    await page.locator("#shop-pay").tap()
    await page.locator("#paying-simulated").tap()
    await expect(page.locator("#exit-code")).to_be_visible()
    await page.locator("#exit-done").tap()
    await expect(page.locator("#shop-empty")).to_be_visible()


@pytest.mark.row("B4", "B5")
async def test_the_pos_server_s_page_stays_a_touch_away_and_its_call_ends_the_payment(
    browser: Browser, tmp_path: Path
) -> None:
    pos = PosServer()
    server = await asyncio.start_server(pos.serve, "127.0.0.1", 0)
    pos.port = server.sockets[0].getsockname()[1]
    hub = store_in(tmp_path, pos.settings())
    try:
        async with serving(hub, payment_secret=SECRET) as running, phone(browser) as mine:
            page = await mine.new_page()
            await joined(page, f"{running}/member/")
            await page.locator("#to-shop").tap()
            await add(page, MUG)
            await page.locator("#shop-pay").tap()
            await expect(page.locator("#paying-open")).to_have_attribute("href", "https://pay.example/1")
            await page.reload()  # as phones do with pages in the background
            await page.locator("#to-shop").tap()
            await expect(page.locator("#paying-open")).to_have_attribute("href", "https://pay.example/1")
            await expect(page.locator("#paying-simulated")).to_be_hidden()
            payment = pos.orders[0][1]["payment"]
            path, body = f"/api/v1/payments/{payment}", b'{"outcome": "paid", "amount_minor": 688, "currency": "JPY"}'
            headers = signed(SECRET, "POST", path, body, now_s=int(hub.now.timestamp()), nonce="n" * 20)
            async with httpx.AsyncClient() as http:
                assert (await http.post(running + path, content=body, headers=headers)).status_code == 200
            await expect(page.locator("#exit-code")).to_be_visible()
            assert await spied(page, "errors") == []
    finally:
        hub.stop()
        server.close()
        await server.wait_closed()


@pytest.mark.row("B3", "B4")
async def test_at_a_settlement_device_the_list_is_shown_as_a_code_and_paid_there(page: Page, address: str) -> None:
    await add(page, MUG)
    await page.locator("#till").tap()
    await page.locator('#lines [name="more"]').tap()  # what it brings follows here too
    await expect(page.locator("#promise")).to_contain_text("200円引きクーポン")
    await expect(page.locator("#promise")).to_have_attribute("data-holds", "true")
    await page.evaluate("scrollTo(0, 0)")
    await until(page, "document.getElementById('device-code').naturalWidth > 0")
    (code,) = [text for text in await read_code(page) if text.startswith("LIST:")]
    await shoot(page, "device")
    assert await page.locator("#device-digits").text_content() == f"{code[5:9]} {code[9:]}"
    async with httpx.AsyncClient(
        base_url=address.replace("/member/", "/api/v1"), headers={"Authorization": f"Bearer {KEY}"}
    ) as till:
        read = (await till.get(f"/carts/{code}")).json()
        sale = {"sale": "T-1", "amount_minor": read["total_minor"], "currency": "JPY", "paid_on": "settlement", "device": "till-2",
                "cart": read["cart"], "cart_revision": read["revision"]}  # fmt: skip
        assert (await till.post("/sales", json=sale)).status_code == 201
    await expect(page.locator("#exit-code")).to_be_visible()
    await expect(page.locator("#device")).to_be_hidden()


@pytest.mark.row("B2", "C12")
async def test_a_list_is_read_as_the_contract_has_it_and_nothing_else_is(page: Page) -> None:
    line = CartLine(product=MUG, name=CartName(ja="マグ", en="Mug"), quantity=2, price_minor=688, amount_minor=1376)
    cart = Cart(cart="L1", customer="C1", revision=3, state="open", lines=[line], total_minor=1376, tax_minor=125)
    read = """async ([text, who]) => {
      const { decode, Broken } = await import("./contract.js");
      try { return decode(text, "ginza", who); } catch (error) { if (error instanceof Broken) return error.message; throw error; }
    }"""
    good = frame("cart", cart, "C1")
    found = await page.evaluate(read, [good, "C1"])
    assert (found["kind"], found["cart"]["lines"][0]["quantity"], found["cart"]["exit_code"]) == ("cart", 2, "none")
    for old, new in (('"quantity": 2', '"quantity": -2'), ('"quantity": 2', '"quantity": "2"'), ('"state": "open"', '"state": "x"'),
                     ('"revision": 3', '"revision": 0.5'), ('"revision": 3', '"revision": null'), ('"lines": [', '"lines": [7, '),
                     ('"customer": "C1"', '"customer": "C2"')):  # fmt: skip
        assert old in good
        assert isinstance(await page.evaluate(read, [good.replace(old, new), "C1"]), str), (old, new)
