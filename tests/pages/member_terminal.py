"""A member's terminal in the tests of her page: registered, spoken to by the hub, looked at."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import zxingcpp
from PIL import Image
from playwright.async_api import Page, expect

from contract.envelope import Message
from contract.payloads import Bilingual, MemberCoupon, SensingRequest
from delivery.engine import Tx
from hub.shopping.products import import_products
from tests.hub.conftest import SHIPPED, Store
from tests.shopping.conftest import PRODUCTS

AT_HOME = {"latitude": 35.70, "longitude": 139.70, "accuracy": 10}
IN_STORE = {"latitude": 35.6718, "longitude": 139.7651, "accuracy": 10}
CIRCLE = "\n[members.circle]\nlatitude_deg = 35.6717\nlongitude_deg = 139.7650\nradius_m = 80\n"
SIMULATED = '\n[shopping.payment]\nprovider = "simulated"\n'


def store_in(
    folder: Path, settings: str = "", products: str = PRODUCTS, rules: Callable[[str], str] | None = None
) -> Store:
    """A hub with the shipped rules (`rules` changes incentives.toml) and these products; `heard` is what terminals said."""
    for file in SHIPPED.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    with (folder / "hub.toml").open("a", encoding="utf-8") as added:
        added.write(settings)
    if rules is not None:
        incentives = folder / "incentives.toml"
        incentives.write_text(rules(incentives.read_text(encoding="utf-8")), encoding="utf-8")
    (folder / "products.csv").write_text(products, encoding="utf-8")
    made = Store(folder)
    import_products(made.journal.db, folder / "products.csv")
    heard: list[Message] = []
    handle = made.engine.handle

    def both(message: Message, tx: Tx) -> None:
        heard.append(message)
        handle(message, tx)

    made.engine.handle = both
    made.heard = heard  # type: ignore[attr-defined]
    return made


async def joined(page: Page, address: str) -> None:
    """A member, with consent to care and coupons, at once: the form itself has its own tests."""
    parts = urlsplit(address)
    form = {"name": "佐藤 美咲", "email": "misaki@example.com", "birth_year": "1990", "language": "ja",
            "consents": {"service": "service-1", "coupons": "coupons-1"}}  # fmt: skip
    origin = {"Origin": f"{parts.scheme}://{parts.netloc}"}
    answer = await page.context.request.post(f"{address}api/register", data=form, headers=origin)
    assert answer.status == 201, await answer.text()
    await page.goto(address)
    await expect(page.locator("#state")).to_have_text("接続中")


async def register(page: Page, address: str, *, consents: tuple[str, ...] = ("service", "sensing", "coupons")) -> None:
    await page.goto(address)
    await page.locator("#field-name").fill("佐藤 美咲")
    await page.locator("#field-email").fill("misaki@example.com")
    await page.locator("#field-birth_year").fill("1990")
    for purpose in consents:
        await page.locator(f"#choice-{purpose}").check()
    await page.locator("#join").tap()
    await expect(page.locator("#state")).to_have_text("接続中")


async def shoot(page: Page, name: str) -> None:
    """Keeps a picture when PAGE_PICTURES names a folder, for a person to judge."""
    if folder := os.environ.get("PAGE_PICTURES"):
        await page.wait_for_timeout(300)
        await page.screenshot(path=Path(folder) / f"member-{name}.png")


async def read_code(page: Page) -> list[str]:
    """What an independent reader makes of the codes on the screen."""
    picture = Image.open(io.BytesIO(await page.screenshot())).convert("L")
    return [found.text for found in zxingcpp.read_barcodes(picture)]


def customer_of(hub: Store) -> str:
    customer: str = hub.one("SELECT customer FROM member ORDER BY registered DESC")[0]
    return customer


def say(hub: Store, name: str, data: Any, customer: str) -> None:
    with hub.engine.transaction() as tx:
        tx.send(name, data, customer=customer)


def coupon_of(customer: str, **changes: Any) -> MemberCoupon:
    now = datetime.now(UTC)
    base = {"coupon": "k1", "customer": customer, "title": Bilingual(ja="食器 500円引き", en="500 yen off tableware"), "code": "K7QX-2B9D",
            "text": Bilingual(ja="3,000円以上のお買い上げで", en="When you spend 3,000 yen"), "kind": "discount", "amount_minor": 500,
            "valid_from": now - timedelta(days=1), "valid_until": now + timedelta(days=30)}  # fmt: skip
    return MemberCoupon.model_validate(base | changes)


def request_of(hub: Store, customer: str, request: str = "r1", **changes: Any) -> SensingRequest:
    names = ["position", "speed", "acceleration", "heart_rate", "body_temperature"]
    base = {"request": request, "customer": customer, "readings": names, "deadline": hub.now + timedelta(seconds=5)}
    return SensingRequest.model_validate(base | changes)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110  # a browser is no task of ours
            await asyncio.sleep(0.02)


async def until_heard(hub: Store, name: str, count: int = 1) -> Any:
    heard: list[Message] = hub.heard  # type: ignore[attr-defined]
    await until(lambda: sum(message.channel.name == name for message in heard) >= count)
    return [message for message in heard if message.channel.name == name][-1].data
