"""The handheld page in headless Chromium, against a real Mosquitto over WebSocket (rows A7, A12, C6)."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from contract.payloads import Alert, Bilingual, CustomerCard
from tests.handheld.far_end import STORE, HubVoice, Store, alert, embedded_store, encoded, full_alert, lane_alert
from tests.pages.shop_window import phone, served, sign_in, spied

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

CARD = '[data-alert="{}"] article'


def special(alert_id: str = "s1", **changes: object) -> Alert:
    text = Bilingual(ja="少しお疲れのご様子です。休憩室をご案内ください。", en="She seems unwell. Offer the rest room.")
    card = CustomerCard(
        customer="m-2", name="高橋 健一", rank="シルバー", visits=7, average_purchase_minor=6200, points=830
    )
    return alert(
        alert_id, **{"kind": "special_treatment", "role": "deputy", "message": text, "customer": card} | changes
    )


async def shoot(page: Page, name: str) -> None:
    """Keeps a picture when PAGE_PICTURES names a folder, for a person to judge."""
    if folder := os.environ.get("PAGE_PICTURES"):
        await page.wait_for_timeout(1700)
        await page.screenshot(path=Path(folder) / f"{name}.png")


@pytest_asyncio.fixture(loop_scope="session")
async def page(handset: BrowserContext, store: Store, hub: HubVoice, address: str) -> AsyncIterator[Page]:
    """Signed in as c01 and connected."""
    own = await handset.new_page()
    await sign_in(own, address, "c01", store.passwords["clerk-c01"])
    await expect(own.locator("#state")).to_have_text("接続中")
    await hub.until_status("ready")
    yield own
    assert await spied(own, "violations") == []
    assert await spied(own, "errors") == []


@pytest.mark.row("A7", "A12")
async def test_an_alert_appears_vibrates_and_sounds_in_both_languages(page: Page, hub: HubVoice) -> None:
    await shoot(page, "empty-ja")
    hub.say(alert("a1"))
    card = page.locator(CARD.format("a1"))
    await expect(card.locator(".name")).to_have_text("佐藤 花子 様")
    await expect(card.locator(".message")).to_have_text("大切なお客様、佐藤 花子様がご来店です。ご対応をお願いします。")
    await expect(card).to_contain_text("接客のお願い")
    for text in ("主担当", "ゴールド", "ご来店 42 回", "12,480 ポイント", "18,500", "紅茶がお好き"):
        await expect(card).to_contain_text(text)
    await expect(page.locator("#announce")).to_contain_text("佐藤 花子")
    assert await spied(page, "vibrated") == [[300, 120, 300, 120, 600]]
    assert await spied(page, "tones") == [880, 1175]
    hub.say(alert("a1"))
    hub.say(special())
    await expect(page.locator(CARD.format("s1"))).to_contain_text("特別なご対応")
    assert len(await spied(page, "vibrated")) == 2
    assert len(await spied(page, "tones")) == 6
    await shoot(page, "two-ja")
    await page.locator("#language").tap()
    await expect(card.locator(".message")).to_have_text("Our valued customer Hanako Sato has arrived. Please attend.")
    await expect(card).to_contain_text("Service request")
    await expect(card).to_contain_text("42 visits")
    await expect(page.locator("html")).to_have_attribute("lang", "en")
    await shoot(page, "two-en")


async def test_the_waiting_time_ticks_by_the_hubs_clock(page: Page, hub: HubVoice) -> None:
    hub.say(alert("a1"))  # raised 5 s before it was sent
    await expect(page.locator(CARD.format("a1")).locator("time")).to_have_text("0:05")
    await expect(page.locator(CARD.format("a1")).locator("time")).to_have_text("0:06")


@pytest.mark.row("C6")
async def test_accept_serve_and_give_back_send_answers_of_the_contract(page: Page, hub: HubVoice) -> None:
    hub.say(alert("a1"), message_id="offer-1")
    card = page.locator(CARD.format("a1"))
    await card.get_by_role("button", name="対応する").tap()
    answer = await hub.until_answer("a1", "accept")
    assert (answer.source, answer.cause) == ("clerk/c01", "offer-1")
    await expect(card.locator(".act")).to_be_disabled()
    hub.say(alert("a1", revision=2, state="accepted", holder="c01"))
    await expect(card).to_have_attribute("data-status", "mine")
    await expect(card).to_contain_text("あなたが対応中")
    await shoot(page, "mine-ja")
    await card.get_by_role("button", name="交代する").tap()
    await hub.until_answer("a1", "decline")
    hub.say(alert("a1", revision=3, state="declined"))
    await card.get_by_role("button", name="やはり対応する").tap()
    hub.say(alert("a1", revision=4, state="accepted", holder="c01"))
    await card.get_by_role("button", name="対応完了").tap()
    await hub.until_answer("a1", "served")
    hub.say(alert("a1", revision=5, state="closed", holder="c01"))
    await expect(card).to_contain_text("終了しました")


@pytest.mark.row("A7", "A13", "C6")
@pytest.mark.parametrize(("button", "answer", "end"), [
    ("ご購入", "bought", "お買い上げになりました"), ("ご不在", "not_found", "見つかりませんでした")])  # fmt: skip
async def test_all_that_a_clerk_needs_and_how_it_ended(
    page: Page, hub: HubVoice, button: str, answer: str, end: str
) -> None:
    hub.say(full_alert("a1", role="group"))
    card = page.locator(CARD.format("a1"))
    for text in ("応援のお願い", "場所: 2階 婦人服", "お好み: 紺色、シルク", "おすすめください: 婦人服 1,000円引き"):
        await expect(card).to_contain_text(text)
    await card.locator("summary").tap()
    await expect(card.locator(".history li")).to_have_text(
        [re.compile("3月1日  ワンピース、スカーフ  .38,000"), re.compile("2月11日")]
    )
    await shoot(page, "full-ja")
    hub.say(full_alert("a1", revision=2, state="accepted", holder="c01"))
    await card.get_by_role("button", name=button).tap()
    await hub.until_answer("a1", answer)
    hub.say(full_alert("a1", revision=3, state="closed", holder="c01", outcome=answer))
    await expect(card.locator(".standing")).to_have_text(end)


@pytest.mark.row("A13")
async def test_a_coupon_to_offer_and_the_name_of_who_holds_it(page: Page, hub: HubVoice) -> None:
    hub.say(full_alert("a1", kind="coupon"))
    card = page.locator(CARD.format("a1"))
    await expect(card).to_contain_text("クーポンのご案内")
    assert await spied(page, "vibrated") == [[200]]
    await shoot(page, "coupon-ja")
    hub.say(full_alert("a1", kind="coupon", revision=2, state="accepted", holder="c02", holder_name="鈴木 葵"))
    await expect(card).to_contain_text("鈴木 葵 さんが対応中")


@pytest.mark.row("C6")
@pytest.mark.row("B12", "A12")
async def test_a_lane_that_calls_for_a_clerk(page: Page, hub: HubVoice) -> None:
    hub.say(lane_alert("l1"), message_id="offer-1")
    card = page.locator(CARD.format("l1"))
    await expect(card).to_contain_text("出口の応援")
    await expect(card.locator(".name")).to_have_text("出口 レーン1 / Exit, lane 1")
    await expect(card.locator(".message")).to_have_text("出口 レーン1 に係員が必要です: お客様が呼んでいます")
    await expect(card.locator(".visits")).to_be_hidden()
    assert await spied(page, "vibrated") == [[500, 150, 500]]
    await shoot(page, "lane-ja")
    await card.get_by_role("button", name="対応する").tap()
    await hub.until_answer("l1", "accept")
    hub.say(lane_alert("l1", revision=2, state="accepted", holder="c01"))
    await expect(card).to_have_attribute("data-status", "mine")
    await expect(card.get_by_role("button", name="対応完了")).to_be_visible()
    await expect(card.get_by_role("button", name="お買い上げ")).to_have_count(0)
    await page.locator("#language").tap()
    await expect(card).to_contain_text("Lane needs a clerk")


async def test_an_answer_is_repeated_until_the_hub_reacts(page: Page, hub: HubVoice) -> None:
    hub.say(alert("a1"))
    await page.locator(CARD.format("a1")).get_by_role("button", name="対応できない").tap()
    first = await hub.until_answer("a1", "decline")
    hub.forget()
    assert (await hub.until_answer("a1", "decline")).id == first.id


@pytest.mark.row("C6", "A12")
async def test_two_handhelds_one_holds_it_the_other_sees_by_whom(
    browser: Browser, page: Page, hub: HubVoice, store: Store, address: str
) -> None:
    async with phone(browser) as second:
        other = await second.new_page()
        await sign_in(other, address, "c02", store.passwords["clerk-c02"])
        await hub.until_status("ready", clerk="c02")
        hub.say(alert("a1"))
        hub.say(alert("a1", role="deputy"), clerk="c02")
        await other.locator(CARD.format("a1")).get_by_role("button", name="対応する").tap()
        await hub.until_answer("a1", "accept", clerk="c02")
        for clerk in ("c01", "c02"):
            hub.say(alert("a1", revision=2, state="accepted", holder="c02"), clerk=clerk)
        await expect(page.locator(CARD.format("a1"))).to_contain_text("c02 さんが対応中")
        await expect(page.locator(CARD.format("a1")).locator("button:visible")).to_have_count(0)
        await expect(other.locator(CARD.format("a1"))).to_contain_text("あなたが対応中")
        hub.say(alert("a2"), clerk="c02")
        await expect(other.locator(CARD.format("a2"))).to_be_visible()
        await expect(page.locator(CARD.format("a2"))).to_have_count(0)
        hub.say(special())
        hub.say(alert("a3", revision=2, state="declined"))
        await expect(page.locator(CARD.format("a3"))).to_contain_text("辞退しました")
        await shoot(page, "taken-ja")


@pytest.mark.row("C6")
async def test_a_killed_broker_is_shown_and_the_page_comes_back(page: Page, store: Store, hub: HubVoice) -> None:
    hub.say(alert("a1"))
    await expect(page.locator(CARD.format("a1"))).to_be_visible()
    store.kill()
    await expect(page.locator("#lost")).to_contain_text("未接続")
    await expect(page.locator("#lost")).to_contain_text("お願いは届きません")
    await expect(page.locator("#lost-since")).to_have_text("0:01")
    await shoot(page, "lost-ja")
    await page.locator(CARD.format("a1")).get_by_role("button", name="対応する").tap()
    hub.forget()
    await asyncio.to_thread(store.start)
    await expect(page.locator("#lost")).to_be_hidden(timeout=15000)
    await hub.until_status("ready")
    await hub.until_answer("a1", "accept")


async def test_a_loss_that_lasts_alarms_once(page: Page, store: Store) -> None:
    store.kill()
    await page.wait_for_function("() => window.spied.vibrated.length > 0")
    assert await spied(page, "vibrated") == [[700]]
    assert await spied(page, "tones") == [330]


async def test_the_hub_away_is_shown(page: Page, hub: HubVoice) -> None:
    hub.status("lost")
    await expect(page.locator("#hub-away")).to_have_text("店舗システムが停止しています。新しいお願いは届きません。")
    hub.forget()
    hub.status("ready")
    await expect(page.locator("#hub-away")).to_be_hidden()
    await hub.until_status("ready")


@pytest.mark.row("A12")
async def test_markup_in_a_name_is_text_and_broken_messages_are_counted(page: Page, hub: HubVoice) -> None:
    evil = '<img src=x onerror="window.owned = true">'
    hub.say(
        alert(
            "a1",
            customer=CustomerCard(customer="m-9", name=evil, rank=evil, note=evil),
            message=Bilingual(ja=evil, en=evil),
        )
    )
    await expect(page.locator(CARD.format("a1")).locator(".name")).to_have_text(evil + " 様")
    assert await page.locator("#alerts img").count() == 0
    assert await page.evaluate("window.owned") is None
    topic, good = encoded(alert("a2"), clerk="c01")
    for payload in (
        b"no json",
        b"{}",
        b"\xff",
        good.replace(b'"source":"hub"', b'"source":"eve"'),
        good.replace(b"offered", b"sold"),
    ):
        hub.say_raw(topic, payload)
    await expect(page.locator("#broken")).to_have_text("読めない通知 5 件")
    hub.say(alert("a3"))
    await expect(page.locator(CARD.format("a3"))).to_be_visible()
    await expect(page.locator(CARD.format("a2"))).to_have_count(0)


async def test_wrong_password_is_said_at_the_form_then_the_right_one_enters(
    handset: BrowserContext, store: Store, address: str
) -> None:
    page = await handset.new_page()
    await sign_in(page, address, "c01", "wrong")
    trouble = page.locator("#sign-in-trouble")
    await expect(trouble).to_have_text(
        "clerk-c01 は受け付けられませんでした。担当者 ID とパスワードを確かめてください。"
    )
    await shoot(page, "refused-ja")
    await page.locator("#language").tap()
    await expect(trouble).to_have_text("clerk-c01 was refused. Check the clerk ID and the password.")
    await page.locator("#clerk").fill("no/such+id")
    await page.locator("#enter").tap()
    await expect(trouble).to_contain_text("A clerk ID has up to 64 letters")
    await page.locator("#clerk").fill("c01")
    await page.locator("#password").fill(store.passwords["clerk-c01"])
    await page.locator("#enter").tap()
    await expect(page.locator("#state")).to_have_text("Connected")


async def test_a_reload_signs_in_again_asks_for_a_tap_to_sound_and_signs_out(page: Page, hub: HubVoice) -> None:
    hub.forget()
    await page.reload()
    await expect(page.locator("#state")).to_have_text("接続中")
    await hub.until_status("ready")
    await expect(page.locator("#sound")).to_have_text("ここをタップすると音が鳴ります")
    await shoot(page, "tap-ja")
    await page.locator("#sound").tap()
    await expect(page.locator("#sound")).to_be_hidden()
    await page.locator("#sign-out").tap()
    await expect(page.locator("#sign-in")).to_be_visible()
    await hub.until_status("disconnected")
    assert "password" not in await page.evaluate("localStorage.getItem('instore.handheld')")


async def test_installable_and_starts_without_the_hubs_web_server(
    page: Page, handset: BrowserContext, address: str
) -> None:
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    manifest = await page.evaluate("fetch('manifest.webmanifest').then((answer) => answer.json())")
    assert {icon["sizes"] for icon in manifest["icons"]} >= {"192x192", "512x512"}
    session = await handset.new_cdp_session(page)
    problems = (await session.send("Page.getInstallabilityErrors"))["installabilityErrors"]
    assert {problem["errorId"] for problem in problems} <= {"in-incognito"}  # the test's own private profile
    await page.reload()
    await page.wait_for_function("() => navigator.serviceWorker.controller !== null")
    await page.route("**/*", lambda route: route.abort())
    await handset.route("**/*", lambda route: route.abort())
    await page.reload()
    await expect(page.locator("#state")).to_have_text("接続中")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_pictures_in_both_schemes(
    browser: Browser, store: Store, hub: HubVoice, address: str, scheme: str
) -> None:
    async with phone(browser, color_scheme=scheme, locale="en-US") as context:
        page = await context.new_page()
        await sign_in(page, address, "c01", store.passwords["clerk-c01"])
        await hub.until_status("ready")
        hub.say(special())
        await expect(page.locator(CARD.format("s1")).locator(".message")).to_have_text(
            "She seems unwell. Offer the rest room."
        )
        ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == {"light": "rgb(238, 242, 246)", "dark": "rgb(10, 18, 27)"}[scheme]
        await shoot(page, f"special-en-{scheme}")


@pytest.mark.row("A12")
async def test_the_same_on_the_embedded_broker(handset: BrowserContext, tmp_path: Path) -> None:
    async with embedded_store(tmp_path) as store, HubVoice(store) as hub:
        with served({"store": STORE, "ws_url": f"ws://127.0.0.1:{store.ws_port}/mqtt"}) as address:
            page = await handset.new_page()
            await sign_in(page, address, "c01", "wrong")
            await expect(page.locator("#sign-in-trouble")).to_contain_text("clerk-c01")
            await page.locator("#password").fill(store.passwords["clerk-c01"])
            await page.locator("#enter").tap()
            await hub.until_status("ready")
            hub.say(alert("a1"))
            await page.locator(CARD.format("a1")).get_by_role("button", name="対応する").tap()
            await hub.until_answer("a1", "accept")
            await page.close()
            await hub.until_status("lost")
