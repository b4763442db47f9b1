"""What a page needs around it in a test: a web server that serves hub/pages, and a headless Chromium with spies."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

PAGES = Path(__file__).parents[2] / "hub" / "pages"
PHONE = {"width": 390, "height": 844}
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
          "--disable-component-update", "--disable-sync"]  # fmt: skip

SPIES = """
window.spied = { vibrated: [], tones: [], violations: [], errors: [] };
navigator.vibrate = (pattern) => { window.spied.vibrated.push(pattern); return true; };
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...when) { window.spied.tones.push(this.frequency.value); return start.apply(this, when); };
document.addEventListener("securitypolicyviolation", (event) => window.spied.violations.push(event.violatedDirective + " " + event.blockedURI));
window.addEventListener("error", (event) => window.spied.errors.push(event.message));
window.addEventListener("unhandledrejection", (event) => window.spied.errors.push(String(event.reason)));
"""


class _Handler(SimpleHTTPRequestHandler):
    extensions_map: ClassVar[dict[str, str]] = {**SimpleHTTPRequestHandler.extensions_map, ".js": "text/javascript"}
    timeout = 0.5  # a browser opens connections ahead of need; without it the server's end waits for them
    config: ClassVar[dict[str, Any]]

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/handheld/config.json":
            super().do_GET()
            return
        body = json.dumps(self.config).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent."""


@contextmanager
def served(config: dict[str, Any]) -> Iterator[str]:
    """Serves hub/pages on loopback, with this config.json; gives the address of the handheld page."""
    handler = type("Handler", (_Handler,), {"config": config})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(PAGES)))
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/handheld/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@asynccontextmanager
async def chromium(*more: str) -> AsyncIterator[Browser]:
    """A headless Chromium with a new, empty profile; `more` are flags."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=[*_FLAGS, *more])
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def phone(browser: Browser, **options: Any) -> AsyncIterator[BrowserContext]:
    """A phone: storage of its own, small screen, touch, and the spies in every page."""
    context = await browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True, **{"locale": "ja-JP"} | options)
    try:
        await context.add_init_script(SPIES)
        context.set_default_timeout(20_000)
        yield context
    finally:
        await context.close()


async def spied(page: Page, what: str) -> list[Any]:
    """What a spy has seen: `vibrated`, `tones`, `violations`, `errors`."""
    seen: list[Any] = await page.evaluate(f"window.spied.{what}")
    return seen


async def until(page: Page, holds: str, within_s: float = 30.0) -> None:
    """Waits until an expression is true in the page. (`wait_for_function` needs eval, which the pages' policy forbids.)"""
    async with asyncio.timeout(within_s):
        while not await page.evaluate(f"async () => Boolean({holds})"):  # noqa: ASYNC110  # a page is no task of ours
            await asyncio.sleep(0.03)


async def sign_in(page: Page, address: str, clerk: str, password: str) -> None:
    """Types the ID and the password, and waits for the board."""
    await page.goto(address)
    await page.locator("#clerk").fill(clerk)
    await page.locator("#password").fill(password)
    await page.locator("#enter").tap()
