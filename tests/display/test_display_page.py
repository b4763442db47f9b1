"""The display's page in Chromium, at a real lane whose devices are played (row B10)."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image
from playwright.async_api import Browser, expect

from devices.gate import CommandResult
from edge import lane_work
from edge.display import server as server_module
from edge.lane_types import Phase
from tests.display.customers import CODE_TEXT, PERSONAL
from tests.display.rig import Kiosk, Rig, kiosk

pytestmark = [pytest.mark.browser, pytest.mark.row("B10"), pytest.mark.asyncio(loop_scope="session")]


def nothing_personal(text: str) -> bool:
    return not any(word in text for word in PERSONAL)


async def test_waiting_in_both_languages_with_a_moving_picture(own: Kiosk) -> None:
    text = await own.text()
    assert "退店コードを" in text
    assert "Please hold your exit code over the reader" in text.replace("\n", " ")
    await expect(own.page.locator('[data-for="waiting"]')).to_be_visible()
    assert await own.page.locator("#picture > :visible").count() == 1
    assert await own.page.evaluate("document.getAnimations().length") > 0
    await expect(own.page.locator("#lane")).to_have_text("レーン 1 · Lane 1")


async def test_how_many_digits_are_typed_and_not_which(own: Kiosk, rig: Rig) -> None:
    for typed in (1, 4, 12, 3):
        rig.board.typed("1", typed)
        await expect(own.page.locator("#digits .there")).to_have_count(typed)
    rig.board.typed("1", 0)
    await own.shows("waiting")
    await expect(own.page.locator("#digits")).to_be_hidden()


@pytest.mark.row("B12")
async def test_a_customer_with_a_paper_coupon_from_code_to_passage(own: Kiosk, rig: Rig) -> None:
    await rig.accepted()
    await own.shows("reading")
    rig.decides()
    await own.shows("printing")
    text = await own.text()
    assert "佐藤 花子様、ありがとうございました。" in text
    assert "2,000 yen more this month and you reach Gold." in text.replace("\n", " ")
    await expect(own.page.locator('[data-for="printing"]')).to_be_visible()
    rig.paper_comes()
    await own.shows("pass")
    text = await own.text()
    assert "どうぞお通りください" in text
    assert "Please take your printed coupon" in text
    assert "佐藤 花子様" in text
    await expect(own.page.locator('[data-for="pass"]')).to_be_visible()
    await rig.passes()
    await own.shows("waiting")
    assert nothing_personal(await own.page.content())


@pytest.mark.row("B9", "B12")
async def test_a_coupon_on_the_display_is_read_by_a_camera_and_then_the_gate_opens(own: Kiosk, rig: Rig) -> None:
    await rig.comes(give="display")
    await own.shows("coupon")
    await expect(own.page.locator("#left")).to_contain_text("あと")
    first = await own.page.locator("#left").inner_text()
    shot = Image.open(io.BytesIO(await own.page.screenshot()))
    (code,) = zxingcpp.read_barcodes(shot)
    assert code.text == CODE_TEXT
    await expect(own.page.locator("#left")).not_to_have_text(first)
    rig.coupon_is_read()
    await own.shows("pass")
    assert await own.page.locator("#qr-code").get_attribute("src") is None
    assert CODE_TEXT not in await own.page.content()


async def test_without_a_living_display_the_gate_opens_at_once(browser: Browser, rig: Rig) -> None:
    await rig.comes(give="display")
    await rig.opens()
    await rig.passes()
    async with kiosk(browser, rig.url) as page:
        await page.shows("waiting")
        await rig.comes(give="display")
        assert rig.phase is Phase.SHOWING


async def test_where_nothing_opens_thanks_stand_and_go(browser: Browser, tmp_path: Path) -> None:
    async with Rig(tmp_path, lane={"gate": None, "printer": None}) as rig, kiosk(browser, rig.url) as page:
        await page.shows("waiting")
        await rig.comes(give=None)
        await page.shows("thanks")
        assert "またのご来店をお待ちしております" in await page.text()
        await page.shows("waiting", within_s=8)
        assert nothing_personal(await page.page.content())


async def test_codes_that_are_refused_say_why_and_what_to_do(own: Kiosk, rig: Rig) -> None:
    rig.bad_code()
    await own.shows("refused")
    assert "お支払いのあとに表示されるコード" in await own.text()
    await rig.accepted()
    await own.shows("reading")
    rig.decides(outcome="refuse", reason="already_used")
    await own.shows("refused")


async def test_help_is_called_a_clerk_comes_and_the_lane_goes_on(own: Kiosk, rig: Rig) -> None:
    await rig.calls_for_help()
    await own.shows("clerk")
    assert "係員を呼んでいます" in (await own.text()).replace("\n", "")
    rig.clerk("coming")
    await expect(own.page.locator("#head")).to_contain_text("A clerk is coming")
    rig.clerk("served")
    await own.shows("waiting")


@pytest.mark.row("B12")
async def test_a_gate_that_does_not_open_holds_nobody_without_a_word(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_work, "AGAIN_S", 0.01)
    async with Rig(tmp_path, lane={"gate_patience_s": 0.5}) as rig, kiosk(browser, rig.url) as page:
        await page.shows("waiting")
        rig.devices.answer = lambda _: CommandResult("refused", "stuck")
        await rig.comes(give=None)
        await page.shows("clerk")
        text = (await page.text()).replace("\n", "")
        assert "係員を呼んでいます" in text
        assert "ゲートが開きません" in text


async def test_out_of_order_and_in_order_again_and_fire(own: Kiosk, rig: Rig) -> None:
    rig.looks(reader=False)
    await own.shows("out_of_order")
    rig.looks()
    await own.shows("waiting")
    await rig.comes(give=None)
    await rig.opens()
    rig.looks(fire=True)
    await own.shows("fire")
    text = (await own.text()).replace("\n", " ")
    assert "Fire alarm. Leave the building" in text
    assert nothing_personal(text)


async def test_a_name_vanishes_after_name_s_while_the_lane_still_works_for_her(
    browser: Browser, tmp_path: Path
) -> None:
    async with Rig(tmp_path, name_s=1.2) as rig, kiosk(browser, rig.url) as page:
        await page.shows("waiting")
        await rig.comes(give="display")
        await page.shows("coupon")
        began = asyncio.get_running_loop().time()
        assert "佐藤 花子様" in await page.text()
        await expect(page.page.locator("#text")).not_to_contain_text("佐藤")
        assert asyncio.get_running_loop().time() - began < 5
        assert nothing_personal(await page.page.content())
        assert await page.page.evaluate("document.body.dataset.screen") == "coupon"
        await page.clean(rig)


# --- connection


async def test_an_agent_that_goes_away_in_the_middle_of_please_pass(own: Kiosk, rig: Rig) -> None:
    await rig.comes(give=None)
    await rig.opens()
    await own.shows("pass")
    await rig.away()
    await own.shows("lost", within_s=8)
    text = (await own.text()).replace("\n", " ")
    assert "Connection lost" in text
    assert nothing_personal(await own.page.content())
    await rig.passes()
    await rig.back()
    await own.shows("waiting")
    own.said.clear()  # the browser itself tells of refused connections


async def test_an_agent_that_hangs_is_noticed_too(own: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(server_module, "BEAT_S", 60.0)
    monkeypatch.setattr(server_module.DisplayServer, "_stream", hangs)
    await own.shows("lost")


async def test_a_display_that_is_switched_on_while_the_agent_is_away_says_so(own: Kiosk, rig: Rig) -> None:
    await own.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    async with asyncio.timeout(30):
        while not await own.page.evaluate("caches.match('/page/index.html').then(Boolean)"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await rig.away()
    await own.page.reload()
    await own.shows("lost")
    await rig.back()
    await own.shows("waiting")
    own.said.clear()


async def test_a_new_version_of_the_page_is_loaded_by_itself(own: Kiosk, rig: Rig) -> None:
    await rig.away()
    async with own.page.expect_event("load"):
        await rig.back(version="another")
    await own.shows("waiting")
    own.said.clear()


# --- sound


async def test_tones_for_each_step_once_and_none_for_what_is_over(own: Kiosk, rig: Rig) -> None:
    assert await own.spied("tones") == []
    await rig.accepted()
    await own.shows("reading")
    assert await own.spied("tones") == [1175]
    rig.decides(give=None)
    await own.shows("pass")
    assert (await own.spied("tones"))[-3:] == [784, 988, 1319]
    before = len(await own.spied("tones"))
    await own.page.reload()
    await own.shows("pass")
    assert await own.spied("tones") == []
    assert before >= 4
    rig.looks(fire=True)
    await own.shows("fire")
    assert 960 in await own.spied("tones")
    await expect(own.page.locator("#mute")).to_be_hidden()


async def test_both_languages_are_spoken_where_there_are_voices(browser: Browser, tmp_path: Path) -> None:
    async with Rig(tmp_path, volume=50) as rig, kiosk(browser, rig.url, voices=True) as page:
        await page.shows("waiting")
        await rig.comes(give=None)
        await page.shows("pass")
        ja, en = await page.spoken(2)
        assert ja == "ja-JP 0.5 佐藤 花子様、ありがとうございました。どうぞお通りください"
        assert en == "en-US 0.5 Thank you, Hanako Sato. Please pass"
        await rig.passes()
        await page.page.evaluate("window.voices[0].name = 'Japanese eSpeak NG'; window.spied.spoken = []")
        await rig.comes(give=None)
        await page.shows("pass")
        assert await page.spoken(1) == ["en-US 0.5 Thank you, Hanako Sato. Please pass"]


async def test_quiet(browser: Browser, tmp_path: Path) -> None:
    async with Rig(tmp_path, quiet=("00:00-23:59",)) as rig, kiosk(browser, rig.url, voices=True) as page:
        await page.shows("waiting")
        await rig.comes(give=None)
        await page.shows("pass")
        assert await page.spied("tones") == []
        assert set(await page.spied("spoken")) <= {"hush"}
