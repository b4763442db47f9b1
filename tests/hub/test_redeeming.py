"""A coupon is used once, at one till, and every other answer has a reason and a sentence (rows A11, B8)."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from delivery.link import Address
from delivery.node import Node
from hub import web
from hub.offers.redeeming import SENTENCES, Reason

KEYS = {"0123456789abcdef": "pos-1", "fedcba9876543210": "pos-2"}
TILL_1, TILL_2 = ({"Authorization": f"Bearer {key}"} for key in KEYS)
LINES = [{"product": "P-1", "category": "食器", "quantity": 3, "amount_minor": 3000}]


@pytest.fixture
async def till(store):
    app = web.build(store.hub, Node(store.engine, Address("127.0.0.1", 1, "hub-main", "x")), store.policy, KEYS)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hub") as made:
        yield made


@pytest.fixture
def coupon(store, beacons) -> str:
    store.sell(lines=LINES)
    store.sight(beacons[0])
    store.tick()
    return store.of("member_coupon")[0].data.code


async def redeem(till, coupon: str, sale: str = "S-9", headers=TILL_1, **more) -> tuple[int, str]:
    answer = await till.post(f"/api/v1/coupons/{coupon}/redeem", json={"sale": sale, **more}, headers=headers)
    return answer.status_code, answer.json()["reason"]


@pytest.mark.row("A11")
async def test_used_once_and_her_terminal_is_told(till, store, coupon):
    look = (await till.get(f"/api/v1/coupons/{coupon.lower()}", headers=TILL_1)).json()
    assert (look["usable"], look["reason"], look["title"]["en"]) == (True, "ok", "A free piece of tableware")
    assert await redeem(till, coupon, customer="C0001") == (200, "ok")
    assert await redeem(till, coupon) == (200, "ok"), "the answer was lost, the till asks again"
    assert await redeem(till, coupon, "S-10") == (409, "used")
    assert await redeem(till, coupon, headers=TILL_2) == (409, "used")
    store.listen()
    assert [message.data.state for message in store.of("member_coupon")] == ["offered", "redeemed"]
    assert store.counters["redemptions"] == 1


async def test_two_tills_at_the_same_moment(till, coupon):
    both = await asyncio.gather(redeem(till, coupon, "S-1"), redeem(till, coupon, "S-2", headers=TILL_2))
    assert sorted(both) == [(200, "ok"), (409, "used")]


async def test_every_reason(till, store, coupon):
    assert await redeem(till, "H0000000000000000") == (409, "unknown")
    assert await redeem(till, coupon, customer="C0002") == (409, "not_yours")
    store.journal.db.execute("UPDATE coupon SET valid_from = '2026-03-09T00:00:00.000000Z'")
    assert await redeem(till, coupon) == (409, "not_begun")
    store.later(days=40)
    assert await redeem(till, coupon) == (409, "expired"), "also before the tick that says so"
    store.tick()
    assert await redeem(till, coupon) == (409, "expired")
    store.journal.db.execute("UPDATE coupon SET state = 'withdrawn'")
    assert await redeem(till, coupon) == (409, "withdrawn")
    assert store.counters["redemptions_unknown"] == 1
    assert store.one("SELECT count(*) FROM redemption") == (0,)


async def test_a_budget_that_was_lowered(till, store, coupon):
    path = store.folder / "coupons.toml"
    text = path.read_text(encoding="utf-8").replace('kind = "product"', "amount_minor = 300\nbudget_minor = 200")
    path.write_text(text, encoding="utf-8")
    store.policy.check()
    store.journal.db.execute("UPDATE coupon SET amount_minor = 300")
    assert await redeem(till, coupon) == (409, "budget_reached")


@pytest.mark.row("B8")
async def test_what_a_lane_gave_is_usable_from_the_next_purchase_on(till, store):
    store.scan(store.sell().exit_code)
    given = store.of("lane_decision")[0].data.incentive.coupon
    assert await redeem(till, given) == (409, "not_begun"), "she stands at the lane"
    store.printed(given)
    store.passage()
    store.later(seconds=1)
    assert await redeem(till, given, customer="C0001") == (200, "ok")
    assert await redeem(till, given, "S-10") == (409, "used")


async def test_what_was_released_is_worth_nothing(till, store):
    store.scan(store.sell().exit_code)
    given = store.of("lane_decision")[0].data.incentive.coupon
    store.passage("not_passed")
    assert await redeem(till, given) == (409, "withdrawn")


async def test_mistakes_of_a_till(till, coupon):
    for body, headers, status in (({"sale": "a/b"}, TILL_1, 422), ({}, TILL_1, 422), ({"sale": "S-1"}, {}, 401)):
        answer = await till.post(f"/api/v1/coupons/{coupon}/redeem", json=body, headers=headers)
        assert answer.status_code == status
        assert answer.json()["error"]
    assert (await till.get(f"/api/v1/coupons/{'x' * 65}", headers=TILL_1)).status_code == 422


def test_every_reason_has_a_sentence_in_both_languages():
    assert set(SENTENCES) == set(Reason)
    assert all(ja and en and ja != en for ja, en in SENTENCES.values())
