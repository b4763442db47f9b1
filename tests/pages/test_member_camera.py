"""The camera of the member's page in headless Chromium, with real barcodes as its video, through the vendored decoder (row B2)."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from hub import coupons
from tests.hub.conftest import Store
from tests.pages.barcode_video import blank, film, flags, linear, square
from tests.pages.member_fixtures import address, own
from tests.pages.member_terminal import SIMULATED, joined, shoot, store_in
from tests.pages.shop_window import chromium, phone, spied, until
from tests.shopping.conftest import BAG, BREAD, COLA

__all__ = ["address", "own"]
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.row("B2")]

LINK = f"https://id.shop.example/01/0{BAG}?17=271231"
UNKNOWN = "4006381333931"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def seeing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    """A browser before whose camera products pass by, and a lane's display."""
    scenes = [
        (linear(COLA, "EAN13"), 2.0), (blank(), 0.3), (linear(BREAD, "EAN8"), 1.2), (blank(), 0.3), (square(LINK), 1.0), (blank(), 0.3),
        (linear(UNKNOWN, "EAN13"), 1.2), (blank(), 0.3), (square("COUPON:KDISPLAY7"), 1.0), (blank(), 0.3),
    ]  # fmt: skip
    video = film(tmp_path_factory.mktemp("camera") / "products.mjpeg", scenes)
    async with chromium(*flags(video)) as running:
        yield running


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Store]:
    made = store_in(tmp_path, SIMULATED, rules=lambda text: text.replace('give = "print"', 'give = "display"', 1))
    yield made
    made.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def context(seeing: Browser) -> AsyncIterator[BrowserContext]:
    async with phone(seeing, permissions=["camera"]) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def page(own: Page, address: str) -> Page:
    await joined(own, address)
    await own.locator("#to-shop").tap()
    return own


@pytest.mark.row("B9")
async def test_products_that_pass_the_camera_are_on_the_list_once_and_a_display_s_coupon_is_asked_for(
    page: Page,
) -> None:
    """EAN-13, EAN-8, a GS1 Digital Link as QR, a product that nobody knows, a coupon; the first again: it was away."""
    assert await page.evaluate("window.BarcodeDetector") is None, "this browser decodes with what the hub serves"
    await page.evaluate("""() => {
      window.told = [];
      const said = document.getElementById("finder-said");
      new MutationObserver(() => window.told.push(`${said.dataset.kind}: ${said.textContent}`)).observe(said, { childList: true, attributes: true });
    }""")
    await page.locator("#scan").tap()
    await expect(page.locator("#finder")).to_be_visible()
    await expect(page.locator(f'[data-product="{COLA}"] .quantity')).to_have_text("1")
    await shoot(page, "camera")
    await expect(page.locator(f'[data-product="{BREAD}"]')).to_be_visible()
    await expect(page.locator(f'[data-product="{BAG}"]')).to_be_visible()
    await until(page, f"window.told.some((text) => text.startsWith('bad: ') && text.includes('{UNKNOWN}'))")
    await until(
        page,
        "window.told.some((text) => text.startsWith('bad: ') && text.includes('このクーポンは登録されていません'))",
    )
    assert await page.locator(".quantity").all_text_contents() == ["1", "1", "1"], "what stays in view counts once"
    await expect(page.locator(f'[data-product="{COLA}"] .quantity')).to_have_text("2")
    assert [60] in await spied(page, "vibrated")
    assert 1319 in await spied(page, "tones")
    await page.locator("#scan").tap()
    await expect(page.locator("#finder")).to_be_hidden()
    assert await page.evaluate("document.getElementById('camera').srcObject") is None


@pytest.mark.row("B9", "B10", "B12")
async def test_at_the_exit_the_coupon_on_the_lane_s_display_is_read_and_hers(
    page: Page, hub: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coupons, "new_coupon_id", lambda: "KDISPLAY7")
    await page.clock.set_fixed_time(hub.now)
    await page.locator("#product").fill(BAG)
    await page.locator("#product-add").tap()
    await page.locator("#shop-pay").tap()
    await page.locator("#paying-simulated").tap()
    await expect(page.locator("#exit-code")).to_be_visible()
    (sale,) = hub.one("SELECT sale FROM sale")
    with hub.engine.transaction() as tx:
        code, text = hub.hub.purchases.exit_code(tx, sale, 120)
    (decision,) = [m.data for m in hub.scan(text, sale=sale, code_id=code.code) if m.channel.name == "lane_decision"]
    assert (decision.incentive.give, decision.screen.coupon_code) == ("display", "COUPON:KDISPLAY7")
    await expect(page.locator("#exit-title")).to_have_text("読み取りました")
    await page.locator("#exit-coupon-read").tap()
    await expect(page.locator("#finder-said")).to_contain_text("出口の画面のコード")
    await expect(page.locator("#exit-given strong")).to_have_text("200円引きクーポン")
    await expect(page.locator("#finder")).to_be_hidden()
    assert await page.locator("#exit-given li").count() == 1
    hub.listen()
    assert [message.data.coupon for message in hub.of("coupon_read")] == ["KDISPLAY7"], (
        "the lane need not show it any more"
    )
    assert hub.all("SELECT cart FROM cart WHERE state = 'open'") == [], "what else the camera saw is no purchase"
    await shoot(page, "coupon-claimed")


async def test_it_ends_when_the_page_shows_something_else_and_keeps_the_screen_on_till_then(page: Page) -> None:
    await page.evaluate("""() => {
      window.locks = [];
      Object.defineProperty(navigator, "wakeLock", { value: { request: async (kind) => {
        const lock = { released: false, release: async () => { lock.released = true; } };
        window.locks.push(lock);
        return lock;
      } } });
    }""")
    await page.locator("#scan").tap()
    await expect(page.locator("#finder")).to_have_attribute("data-state", "on")
    await until(page, "window.locks.length === 1 && !window.locks[0].released")
    await page.locator("#to-card").tap()
    assert await page.evaluate("document.getElementById('camera').srcObject") is None
    await until(page, "window.locks.every((lock) => lock.released)")
    await page.locator("#to-shop").tap()
    await expect(page.locator("#finder")).to_be_hidden()


async def test_the_light_can_be_switched_on_where_there_is_one(page: Page) -> None:
    await page.evaluate("""() => {
      window.lit = [];
      MediaStreamTrack.prototype.getCapabilities = () => ({ torch: true });
      MediaStreamTrack.prototype.applyConstraints = async ({ advanced: [{ torch }] }) => { window.lit.push(torch); };
    }""")
    await page.locator("#scan").tap()
    await page.locator("#light").tap()
    await expect(page.locator("#light")).to_have_attribute("aria-pressed", "true")
    await page.locator("#light").tap()
    await expect(page.locator("#light")).to_have_attribute("aria-pressed", "false")
    assert await page.evaluate("window.lit") == [True, False]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("NotAllowedError", "許可されていません"),
        ("NotFoundError", "カメラを使えません"),
        ("NotReadableError", "ほかのアプリを閉じて"),
    ],
)
async def test_without_a_camera_she_is_told_and_types(page: Page, error: str, told: str) -> None:
    await page.evaluate(f"""() => {{
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "{error}"));
    }}""")
    await page.locator("#scan").tap()
    await expect(page.locator("#camera-trouble")).to_contain_text(told)
    await page.locator("#product").fill(COLA)
    await page.locator("#product-add").tap()
    await expect(page.locator(f'[data-product="{COLA}"]')).to_be_visible()


async def test_a_browser_that_reads_codes_itself_does_so(page: Page) -> None:
    await page.evaluate(f"""() => {{
      window.BarcodeDetector = class {{
        static getSupportedFormats = async () => ["ean_13", "ean_8", "upc_a", "qr_code"];
        detect = async () => [{{ rawValue: "{BAG[1:]}", format: "upc_a" }}];
      }};
      window.Worker = class {{ constructor() {{ throw new Error("not needed"); }} }};
    }}""")
    await page.locator("#scan").tap()
    await expect(page.locator(f'[data-product="{BAG}"] .quantity')).to_have_text("1")


async def test_a_browser_whose_own_reader_fails_reads_with_the_vendored_one(page: Page) -> None:
    """As on phones without the service that does it: the reader is there, and says no to each picture."""
    await page.evaluate("""() => {
      window.BarcodeDetector = class {
        static getSupportedFormats = async () => ["ean_13", "ean_8", "upc_a", "qr_code"];
        detect = () => Promise.reject(new DOMException("Barcode detection service unavailable.", "NotSupportedError"));
      };
    }""")
    await page.locator("#scan").tap()
    await expect(page.locator(f'[data-product="{COLA}"] .quantity')).to_have_text("1")


async def test_a_decoder_that_can_t_be_loaded_is_said(page: Page, context: BrowserContext) -> None:
    await context.route("**/vendor/zxing_reader.wasm", lambda route: route.abort())
    await page.evaluate("navigator.serviceWorker.getRegistration().then((worker) => worker?.unregister())")
    await page.evaluate("caches.keys().then((names) => Promise.all(names.map((name) => caches.delete(name))))")
    await page.reload()
    await page.locator("#to-shop").tap()
    await page.locator("#scan").tap()
    await expect(page.locator("#camera-trouble")).to_contain_text("読み取りを開始できません")
    await page.locator("#product").fill(COLA)
    await page.locator("#product-add").tap()
    await expect(page.locator(f'[data-product="{COLA}"]')).to_be_visible()


async def test_the_vendored_decoder_reads_every_kind_of_product_code(page: Page) -> None:
    """One picture each, and nothing in a picture of nothing. JAN is EAN-13 that begins with 45 or 49."""
    read = """async (picture) => {
      const { bestDecoder } = await import("./decoder.js");
      const image = new Image();
      image.src = URL.createObjectURL(new Blob([Uint8Array.from(atob(picture), (sign) => sign.charCodeAt(0))], { type: "image/png" }));
      await image.decode();
      const sheet = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
      sheet.getContext("2d").drawImage(image, 0, 0);
      window.decoder ??= await bestDecoder();
      const found = await window.decoder.read(Object.assign(sheet, { videoWidth: image.width, videoHeight: image.height }));
      return found.map(({ text, linear }) => [text, linear]);
    }"""
    for scene, expected in (
        (linear(COLA, "EAN13"), [[COLA, True]]), (linear(BREAD, "EAN8"), [[BREAD, True]]), (linear(BAG[1:], "UPCA"), [[BAG, True]]),
        (square("MUG-7"), [["MUG-7", False]]), (square(LINK), [[LINK, False]]), (blank(), []),
    ):  # fmt: skip
        png = io.BytesIO()
        scene.save(png, "PNG")
        found = await page.evaluate(read, b64encode(png.getvalue()).decode())
        assert [[text.zfill(13) if text == BAG[1:] else text, bars] for text, bars in found] == expected


async def test_the_same_code_counts_once_until_it_was_away(page: Page) -> None:
    """The rule itself, frame by frame: times in milliseconds."""
    count = """async (frames) => {
      const { Seen } = await import("./seen.js");
      const seen = new Seen();
      return frames.map(([at, ...found]) => seen.hear(found.map(([text, linear]) => ({ text, linear })), at));
    }"""
    one, other, upc = ["4901234567894", True], ["COUPON:K1", False], ["036000291452", True]
    assert await page.evaluate(count, [[0, one], [100, one], [200, one], [900], [1690, one], [3189, one]]) == [
        [], ["4901234567894"], [], [], [], []]  # fmt: skip
    assert await page.evaluate(count, [[0, one], [100, one], [1600, one], [1700, one]]) == [
        [], ["4901234567894"], [], ["4901234567894"]]  # fmt: skip
    assert await page.evaluate(count, [[0, other], [50, other], [1549, other], [3049, other]]) == [
        ["COUPON:K1"], [], [], ["COUPON:K1"]]  # fmt: skip
    assert await page.evaluate(count, [[0, one], [100], [200, one], [300]]) == [[], [], [], []], (
        "frames that agree follow each other"
    )
    assert await page.evaluate(count, [[0, upc], [100, ["0036000291452", True]]]) == [[], ["0036000291452"]]
    assert await page.evaluate(count, [[0, one, other], [100, one, upc]]) == [["COUPON:K1"], ["4901234567894"]]
