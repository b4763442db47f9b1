"""The member's page held to the contract that it mirrors, and its pure parts (rows A8, A13, C12)."""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page

from contract.envelope import decode
from contract.errors import ContractError
from contract.messages import BY_NAME
from contract.payloads import Reading
from tests.members.test_gateway import coupon_of, frame, request_of
from tests.pages.shop_window import PAGES, served

MEMBER = PAGES / "member"
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def page(handset: BrowserContext) -> AsyncIterator[Page]:
    with served({}) as address:
        own = await handset.new_page()
        await own.goto(address.replace("/handheld/", "/member/icon.svg"))
        await own.goto(address.replace("/handheld/", "/member/index.html"))
        yield own


COMPUTED = {
    "name",
    "phone",
    "email",
    "birth_year",
    "gender",
    "language",
    "other_language",
    "title",
    "readings",
    "genders",
}
"""Named by what they are of, or by the class of words itself."""


@pytest.mark.row("A2")
async def test_both_languages_say_the_same_things(page: Page) -> None:
    keys = await page.evaluate(
        "async () => { const w = await import('./words.js'); return w.LANGUAGES.map(w.keysOf); }"
    )
    assert keys[0] == keys[1]
    source = "".join(path.read_text(encoding="utf-8") for path in MEMBER.glob("*.js"))
    used = set(re.findall(r'say\("(\w+)"', source))
    assert used <= set(keys[0])
    begun = tuple(re.findall(r"say\(`(\w+_)\$", source))
    words = source.replace((MEMBER / "words.js").read_text(encoding="utf-8"), "").replace(
        (MEMBER / "words_shop.js").read_text(encoding="utf-8"), ""
    )
    assert [
        key for key in keys[0] if f'"{key}"' not in words and not key.startswith(begun) and key not in COMPUTED
    ] == []


@pytest.mark.row("A8", "C12")
async def test_what_the_page_says_is_of_the_contract(page: Page) -> None:
    texts = await page.evaluate(
        """async () => {
          const c = await import("./contract.js");
          const readings = { position: { latitude_deg: 35, longitude_deg: 139, accuracy_m: 5 }, speed_m_s: 1, acceleration_m_s2: 0.5,
                             heart_rate_per_min: 80 };
          return [c.sensingAnswer("C1", "r1", "m1", { readings }), c.sensingAnswer("C1", "r1", "m1", { refused: "no_consent" }),
                  c.couponKept("C1", { coupon: "k1", revision: 3 }), c.presence("C1", "arrived")].map((made) => made("ginza"));
        }"""
    )
    names = ["sensing_answer", "sensing_answer", "coupon_kept", "terminal_presence"]
    for text, name in zip(texts, names, strict=True):
        said = json.loads(text)
        message = decode(said["topic"], json.dumps(said["message"]).encode())
        assert message.channel is BY_NAME[name]
        assert message.data.customer == "C1"  # type: ignore[attr-defined]
    readings = await page.evaluate("async () => (await import('./contract.js')).READINGS")
    assert readings == list(Reading)


def _bent(seed: int) -> tuple[str, dict[str, Any]]:
    """A frame of the hub with one thing changed, valid or not."""
    chance = random.Random(seed)
    name, data = chance.choice([("member_coupon", coupon_of("C1")), ("sensing_request", request_of("C1"))])
    made = json.loads(frame(name, data, "C1"))
    message = made["message"]
    where = chance.choice([message, message["data"], message["data"]])
    key = chance.choice(sorted(where))
    values = [
        None,
        0,
        -1,
        1.5,
        "",
        "x",
        "C1",
        "C2",
        "a b",
        [],
        ["position"],
        ["x"],
        {},
        True,
        {"ja": "x"},
        "2026-01-02T03:04:05Z",
        "x" * 600,
    ]
    if chance.random() < 0.2:
        del where[key]
    else:
        where[key] = chance.choice(values)
    return name, made


@pytest.mark.row("A8", "C12")
async def test_the_page_takes_nothing_that_the_contract_refuses(page: Page) -> None:
    cases = [_bent(seed) for seed in range(500)]
    seen = await page.evaluate(
        """async (cases) => {
          const { decode, Broken } = await import("./contract.js");
          return cases.map((text) => {
            try { return decode(text, "ginza", "C1").kind; } catch (error) { return error instanceof Broken ? "" : `crash: ${error}`; }
          });
        }""",
        [json.dumps(made) for _, made in cases],
    )
    taken = fitting = 0
    for seed, ((_, made), found) in enumerate(zip(cases, seen, strict=True)):
        assert not found.startswith("crash"), f"seed {seed}: {found}"
        try:
            message = decode(made["topic"], json.dumps(made["message"]).encode())
            fits = message.data.customer == "C1"  # type: ignore[attr-defined]
        except ContractError:
            fits = False
        assert fits or not found, f"seed {seed}: the contract refuses, the page takes {made}"
        taken, fitting = taken + bool(found), fitting + fits
    assert fitting >= taken > 0.8 * fitting > 30


FENCE = """async ([circle, places]) => {
  const { Fence, metres } = await import("./circle.js");
  const fence = new Fence(circle);
  return places.map((place) => [metres(place, circle), fence.hear(place)]);
}"""


@pytest.mark.row("A13")
async def test_the_circle_says_arrived_and_left_once_and_never_wavers(page: Page) -> None:
    circle = {"latitude_deg": 35.6717, "longitude_deg": 139.765, "radius_m": 80}

    def at(metres_north: float, accuracy_m: float = 10) -> dict[str, float]:
        return {"latitude_deg": 35.6717 + metres_north / 111_195, "longitude_deg": 139.765, "accuracy_m": accuracy_m}

    steps = [(500, 10, None), (500, 5000, None), (40, 10, "arrived"), (60, 10, None), (85, 10, None), (75, 10, None), (88, 30, None),
             (300, 400, None), (120, 10, "left"), (85, 10, None), (79, 10, "arrived")]  # fmt: skip
    found = await page.evaluate(FENCE, [circle, [at(north, accuracy) for north, accuracy, _ in steps]])
    assert [event for _, event in found] == [event for *_, event in steps]
    for (distance, _), (north, _, _) in zip(found, steps, strict=True):
        assert math.isclose(distance, north, rel_tol=0.01)


@pytest.mark.row("A8")
async def test_a_straps_bytes(page: Page) -> None:
    """Heart Rate Service 1.0: one byte, or two little-endian when the first bit of the flags is set."""
    found = await page.evaluate(
        """async () => {
          const { heartRate } = await import("./senses.js");
          return [[0x00, 72], [0x01, 0x2c, 0x01], [0x16, 88, 1, 2]].map((bytes) => heartRate(new DataView(new Uint8Array(bytes).buffer)));
        }"""
    )
    assert found == [72, 300, 88]
