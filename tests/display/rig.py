"""A real lane with its display: journal, engine and runner as in an agent, devices played, and the page's server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from config.display_settings import DisplaySettings
from contract.payloads import CouponRead, LaneCallAnswered
from devices.gate import CommandResult
from devices.gate_events import NotPassed, Passage
from devices.gate_map import Outcome
from edge.display.board import Board
from edge.display.looking import called
from edge.display.server import DisplayServer
from edge.display.view import Devices
from edge.lane_types import Phase, PrintEnded
from tests.display.customers import words_for
from tests.edge.lane_bench import Bench, scan
from tests.edge.lane_ways import COUPON, incentive

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required"]  # fmt: skip
SIZES = {"wide": (1920, 1080), "tall": (1080, 1920), "small": (800, 480)}

SPIES = """
window.spied = { tones: [], spoken: [], violations: [], errors: [] };
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...when) { window.spied.tones.push(Math.round(this.frequency.value)); return start.apply(this, when); };
document.addEventListener("securitypolicyviolation", (event) => window.spied.violations.push(event.violatedDirective + " " + event.blockedURI));
window.addEventListener("error", (event) => window.spied.errors.push(event.message));
window.addEventListener("unhandledrejection", (event) => window.spied.errors.push(String(event.reason)));
"""
VOICES = """
window.voices = [{ lang: "ja-JP", name: "ja" }, { lang: "en-US", name: "en" }];
window.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };
Object.defineProperty(window, "speechSynthesis", { value: {
  getVoices: () => window.voices, cancel() { window.spied.spoken.push("hush"); },
  speak(words) { window.spied.spoken.push(`${words.lang} ${words.volume} ${words.text}`); },
} });
"""
PATIENT = {"decide_s": 60, "print_patience_s": 60, "show_s": 60}
"""A browser on a crowded machine takes its time, and the lane is to wait for the test."""


class Rig(Bench):
    """`async with Rig(folder)`: lane 1, its board, its server."""

    def __init__(self, folder: Path, *, lane: dict[str, Any] | None = None, **display: Any) -> None:
        super().__init__(folder, **PATIENT, **(lane or {}))
        self.display = DisplaySettings(port=0, **{"name_s": 60, **display})
        self.look = Devices()
        self._ends = AsyncExitStack()

    async def __aenter__(self) -> Rig:
        await super().__aenter__()
        self.board = Board(self.display, {"1": self.runner}, lambda _: self.look, lambda _: called(self.runner.desk.calls),
                           self.node.engine.clock.monotonic, lambda: 600)  # fmt: skip
        self.runner.desk.changed = self.board.poke
        self.spawn(self.board.run(), "board")
        self.server = await self._ends.enter_async_context(DisplayServer(self.board))
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._ends.aclose()
        await super().__aexit__(*error)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}/lane/1"

    async def away(self) -> None:
        """The agent is gone, as far as a browser can see."""
        await self._ends.aclose()

    async def back(self, version: str = "") -> None:
        """It is back on the same port, with another version of the page if so wanted."""
        server = DisplayServer(self.board)
        server.port, server.version = self.server.port, version or server.version
        self.server = await self._ends.enter_async_context(server)

    def looks(self, **devices: Any) -> None:
        """The devices are now so."""
        self.look = Devices(**devices)
        self.board.poke()

    # --- what customers, hub and gate do

    def decides(self, **options: Any) -> None:
        """The hub's decision with a member's words."""
        with self.engine.transaction() as tx:
            self.runner.decided(words_for(self.runner.lane.scan, **options), "hub-main.e.1", "v1", tx)

    async def comes(self, **options: Any) -> None:
        """A customer's code is read, and the hub decides."""
        await self.accepted()
        self.decides(**options)

    def paper_comes(self) -> None:
        """The printer has put the paper out."""
        self.runner.put(PrintEnded(self.runner.lane.job, "printed"))

    async def paper_fails(self) -> None:
        """Of a customer whom nobody knows: at each try nothing comes out."""
        await self.comes(incentive=incentive("print").model_copy(update={"no_paper": "display"}))
        for attempt in range(self.runner.policy.print_attempts):
            self.runner.put(PrintEnded(f"{self.runner.lane.scan}#{attempt + 1}", "not_printed", "paper end"))
        await self.until(lambda: self.phase is Phase.SHOWING)

    async def opens(self) -> None:
        await self.until(lambda: self.phase is Phase.OPEN)

    async def passes(self) -> None:
        self.runner.put(Passage(t=self.now, direction="exit", command_seq=self.runner.lane.command, count=1))
        await self.until(lambda: self.phase is Phase.IDLE)

    async def is_cut_off(self) -> None:
        """The gate's board was without power while it was open."""
        self.runner.put(NotPassed(t=self.now, command_seq=self.runner.lane.command, why=Outcome.CUT_OFF, missed=True))
        await self.until(lambda: self.phase is Phase.IDLE)

    async def steps_back(self) -> None:
        self.runner.put(NotPassed(t=self.now, command_seq=self.runner.lane.command, why=Outcome.NOBODY))
        await self.until(lambda: self.phase is Phase.IDLE)

    def coupon_is_read(self) -> None:
        with self.engine.transaction() as tx:
            self.runner.coupon_read(CouponRead(scan=self.runner.lane.scan, coupon=COUPON), tx)

    async def calls_for_help(self) -> None:
        self.runner.on_help()
        await self.until(lambda: self.runner.desk.calls.open)

    def clerk(self, state: Any) -> None:
        """What has become of the call."""
        with self.engine.transaction() as tx:
            self.runner.call_answered(LaneCallAnswered(call=self.runner.desk.calls.open[0].call, state=state), tx)

    def bad_code(self, text: str = "https://example.org/") -> None:
        self.runner.on_scan(scan(text))

    @property
    def now(self) -> float:
        return self.node.engine.clock.monotonic()


@dataclass
class Kiosk:
    """A page on a display."""

    page: Page
    asked: list[str]
    """Addresses that the page has asked for."""
    said: list[str]
    """Errors and warnings on its console."""

    async def shows(self, screen: str, within_s: float = 40.0) -> None:
        async with asyncio.timeout(within_s):
            while await self.page.evaluate("document.body.dataset.screen") != screen:  # noqa: ASYNC110  # no task of ours
                await asyncio.sleep(0.02)

    async def text(self) -> str:
        return str(await self.page.locator("#text").inner_text())

    async def spied(self, what: str) -> list[Any]:
        return list(await self.page.evaluate(f"window.spied.{what}"))

    async def spoken(self, number: int, within_s: float = 20.0) -> list[Any]:
        """What has been said, once it is so much."""
        async with asyncio.timeout(within_s):
            while len(said := [each for each in await self.spied("spoken") if each != "hush"]) < number:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return said

    async def clean(self, rig: Rig) -> None:
        """Nothing went wrong, and nobody else was asked."""
        assert await self.spied("violations") == []
        assert await self.spied("errors") == []
        own = rig.url.removesuffix("/lane/1")
        assert [url for url in self.asked if not url.startswith((own, "data:"))] == []
        assert self.said == []


@asynccontextmanager
async def chromium(*more: str) -> AsyncIterator[Browser]:
    """As the kiosk's unit starts it, without a screen."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=[*FLAGS, *more])
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def kiosk(browser: Browser, url: str, size: str = "wide", *, voices: bool = False,
                **options: Any) -> AsyncIterator[Kiosk]:  # fmt: skip
    """A display of this size that has loaded the page."""
    width, height = SIZES[size]
    context: BrowserContext = await browser.new_context(viewport={"width": width, "height": height}, **options)
    try:
        await context.add_init_script(SPIES + (VOICES if voices else ""))
        page = await context.new_page()
        own = Kiosk(page, [], [])
        page.on("request", lambda request: own.asked.append(request.url))
        page.on("console", lambda line: own.said.append(line.text) if line.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: own.said.append(str(error)))
        await page.goto(url)
        yield own
    finally:
        await context.close()


async def every_screen(rig: Rig, page: Kiosk) -> AsyncIterator[str]:
    """Brings a lane through all its screens."""
    await page.shows("waiting")
    yield "waiting"
    rig.board.typed("1", 7)
    await page.shows("typing")
    yield "typing"
    rig.board.typed("1", 0)
    rig.bad_code()
    await page.shows("refused")
    yield "refused"
    await rig.accepted()
    await page.shows("reading")
    yield "reading"
    rig.decides()
    await page.shows("printing")
    yield "printing"
    rig.devices.answer = lambda _: CommandResult("refused", "not now")
    rig.paper_comes()
    await page.shows("opening")
    yield "opening"
    rig.devices.answer = lambda _: CommandResult("accepted")
    await page.shows("pass")
    yield "pass"
    await rig.is_cut_off()
    await page.shows("waiting")
    yield "again"
    await rig.paper_fails()
    await page.shows("coupon")
    yield "not_printed"
    rig.coupon_is_read()
    await rig.opens()
    await rig.passes()
    await rig.comes(give="display")
    await page.shows("coupon")
    yield "coupon"
    rig.coupon_is_read()
    await rig.opens()
    await rig.passes()
    await rig.calls_for_help()
    await page.shows("clerk")
    yield "clerk"
    rig.clerk("served")
    for devices, screen in (
        ({"reader": False}, "out_of_order"),
        ({"reader": None}, "starting"),
        ({"fire": True}, "fire"),
    ):
        rig.looks(**devices)
        await page.shows(screen)
        yield screen
    await rig.away()
    await page.shows("lost")
    yield "lost"
