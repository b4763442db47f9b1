"""How the display's page looks in Chromium, on every size of screen (row B10)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.display.rig import SIZES, Rig, every_screen, kiosk

pytestmark = [pytest.mark.browser, pytest.mark.row("B10"), pytest.mark.asyncio(loop_scope="session")]


# --- how it looks

MEASURE = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (colour) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const luminance = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => { for (let e = element; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c[3] === 255) return c; } return [255, 255, 255]; };
  const box = document.getElementById("text").getBoundingClientRect();
  const words = [...document.querySelectorAll("#head span, #lines span, #left, #lane, #clock")].filter((e) => e.getClientRects().length > 0).map((e) => {
    const [high, low] = [luminance(rgb(getComputedStyle(e).color)), luminance(ground(e))].sort((a, b) => b - a);
    const own = e.getBoundingClientRect();
    return { key: e.parentElement.id === "head", text: e.textContent, lang: e.lang, percent: 100 * parseFloat(getComputedStyle(e).fontSize) / innerHeight,
             contrast: (high + 0.05) / (low + 0.05), inside: own.left >= 0 && own.top >= 0 && own.right <= innerWidth + 1 && own.bottom <= innerHeight + 1,
             inBox: e.closest("#text") === null || (own.top >= box.top - 1 && own.bottom <= box.bottom + 1 && own.right <= box.right + 1) };
  });
  const pictures = [...document.querySelectorAll("#picture > *")].filter((e) => getComputedStyle(e).display !== "none");
  return { words, pictures: pictures.length, scrolls: document.documentElement.scrollHeight > innerHeight || document.documentElement.scrollWidth > innerWidth };
}"""


def judge(screen: str, found: dict[str, Any]) -> list[str]:
    """What is wrong with a screen."""
    wrong = [f"{screen}: {found['pictures']} pictures"] if found["pictures"] != 1 else []
    wrong += [f"{screen}: scrolls"] if found["scrolls"] else []
    for word in found["words"]:
        what = f"{screen}: {word['text']!r} "
        if word["key"] and word["percent"] < 6:
            wrong.append(what + f"is {word['percent']:.1f}% high")
        if word["contrast"] < 7:
            wrong.append(what + f"has contrast {word['contrast']:.1f}")
        if not (word["inside"] and word["inBox"]):
            wrong.append(what + "is cut off")
    languages = [word["lang"] for word in found["words"] if word["key"]]
    return wrong + ([] if languages == ["ja", "en"] else [f"{screen}: languages {languages}"])


@pytest.mark.parametrize("size", SIZES)
async def test_every_screen_is_legible_from_two_metres(browser: Browser, rig: Rig, size: str) -> None:
    wrong, seen = [], []
    async with kiosk(browser, rig.url, size, reduced_motion="reduce") as page:
        async for screen in every_screen(rig, page):
            await page.page.evaluate("document.fonts.ready.then(() => true)")
            found = await page.page.evaluate(MEASURE)
            wrong += judge(screen, found)
            assert await page.page.evaluate("document.getAnimations().length") == 0, "movement although none is wanted"
            seen.append(screen)
        page.said.clear()  # the browser itself tells that the agent is away
        await page.clean(rig)
    assert wrong == []
    assert len(seen) == 15


@pytest.mark.parametrize("size", SIZES)
async def test_the_longest_names_and_words_are_not_cut(browser: Browser, tmp_path: Path, size: str) -> None:
    long = {
        "ja": "長谷川・フォン・" * 12 + "様、誠にありがとうございました。",
        "en": "Maximilian-Alexander " * 18 + "thank you.",
    }
    screen = {"thanks": long, "rank": long, "gift": long}
    async with Rig(tmp_path) as rig, kiosk(browser, rig.url, size) as page:
        await page.shows("waiting")
        await rig.comes(give=None, screen=screen)
        await page.shows("pass")
        found = await page.page.evaluate(MEASURE)
        assert [each for each in judge("pass", found) if "high" not in each] == []
        assert json.dumps(found).count('"key": true') == 2


async def test_english_first_where_the_store_wants_it(browser: Browser, tmp_path: Path) -> None:
    async with Rig(tmp_path, languages=("en", "ja")) as rig, kiosk(browser, rig.url) as page:
        await page.shows("waiting")
        first, second = await page.page.locator("#head span").all_inner_texts()
        assert first.startswith("Please hold")
        assert second.startswith("退店コード")
        assert await page.page.evaluate("document.documentElement.lang") == "en"


async def test_the_arrow_shows_where_the_gate_is(browser: Browser, tmp_path: Path) -> None:
    async with Rig(tmp_path, arrow="left") as rig, kiosk(browser, rig.url, reduced_motion="reduce") as page:
        await page.shows("waiting")
        await rig.comes(give=None)
        await page.shows("pass")
        turned = await page.page.evaluate("getComputedStyle(document.querySelector('.arrow')).transform")
        assert turned.startswith("matrix(0, -1, 1, 0")
