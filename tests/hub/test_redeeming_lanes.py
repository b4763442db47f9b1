"""What a lane gave, at the checkout: every reason with its sentence, and the sums a till needs (rows B8, C3)."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from delivery.link import Address
from delivery.node import Node
from hub import web
from hub.offers.redeeming import normal
from tests.hub.test_grants import HER, JOHN, Exit, write

KEYS = {"0123456789abcdef": "pos-1", "fedcba9876543210": "pos-2"}
TILL_1, TILL_2 = ({"Authorization": f"Bearer {key}"} for key in KEYS)
pytestmark = pytest.mark.row("B8")


@pytest.fixture
async def till(store):
    app = web.build(store.hub, Node(store.engine, Address("127.0.0.1", 1, "hub-main", "x")), store.policy, KEYS)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hub") as made:
        yield made


@pytest.fixture
def exit_(store) -> Exit:
    return Exit(store)


async def redeem(till, coupon: str, sale: str = "S-9", headers=TILL_1, **more) -> tuple[int, dict]:
    answer = await till.post(f"/api/v1/coupons/{coupon}/redeem", json={"sale": sale, **more}, headers=headers)
    return answer.status_code, answer.json()


async def reason(till, coupon: str, *args, **more) -> str:
    return (await redeem(till, coupon, *args, **more))[1]["reason"]


async def test_below_its_minimum(till, store, exit_):
    write(store, "amount_minor = 300\nminimum_minor = 2000")
    coupon = exit_.leave("A").coupon
    status, state = await redeem(till, coupon, amount_minor=1999)
    assert (status, state["reason"], state["minimum_minor"]) == (409, "below_minimum", 2000)
    assert state["sentence"]["en"] == "This coupon can be used from a purchase of 2,000 yen on."
    assert state["sentence"]["ja"] == "このクーポンは2,000円以上のお買い上げでご利用いただけます。"
    assert await reason(till, coupon) == "amount_missing"
    look = (await till.get(f"/api/v1/coupons/{coupon}?amount_minor=1999", headers=TILL_1)).json()
    assert (look["usable"], look["reason"]) == (False, "below_minimum")
    assert (await till.get(f"/api/v1/coupons/{coupon}", headers=TILL_1)).json()["usable"]
    status, state = await redeem(till, coupon, amount_minor=2000)
    assert (status, state["discount_minor"]) == (200, 300)
    assert store.counters["redemptions_below_minimum"] == 1


@pytest.mark.parametrize(
    ("rule", "amount", "off"),
    [("percent = 10", 1999, 199), ("amount_minor = 300", 250, 250), ("amount_minor = 300", 999, 300)],
)
async def test_what_it_takes_off(till, store, exit_, rule, amount, off):
    write(store, rule)
    coupon = exit_.leave("A").coupon
    assert (await redeem(till, coupon, amount_minor=amount))[1]["discount_minor"] == off


async def test_a_product(till, store, exit_):
    write(store, 'kind = "product"\nproduct = "MUG-7"')
    coupon = exit_.leave("A").coupon
    _, state = await redeem(till, coupon)
    assert (state["kind"], state["product"], state["discount_minor"]) == ("product", "MUG-7", None)


async def test_not_in_the_purchase_that_brought_it(till, store, exit_):
    write(store, "")
    coupon = exit_.leave("A").coupon
    assert await reason(till, coupon, "A") == "not_begun"
    assert await reason(till, coupon, "B") == "ok"


async def test_not_before_the_next_day_and_not_after_its_last(till, store, exit_):
    write(store, "valid_from = 'next_day'\nvalid_days = 2")
    coupon = exit_.leave("A").coupon
    assert await reason(till, coupon) == "not_begun"
    store.later(hours=62, minutes=59)
    assert store.now.isoformat() == "2026-03-03T15:59:00+00:00"
    assert await reason(till, coupon) == "expired", "it held to the end of the third of March, Tokyo time"
    store.later(hours=-1, minutes=-1)
    assert await reason(till, coupon) == "ok"


async def test_points_are_no_coupon(till, store, exit_):
    write(store, "kind = 'points'\npoints = 50")
    (before,) = store.one("SELECT points FROM customer WHERE customer = ?", HER)
    given = exit_.leave("A")
    status, state = await redeem(till, given.coupon)
    assert (status, state["reason"]) == (409, "points_added")
    assert store.one("SELECT points FROM customer WHERE customer = ?", HER) == (before + 50 + 30,), (
        "and 30 for the purchase"
    )


async def test_hers_and_nobody_elses(till, store, exit_):
    write(store, "")
    coupon = exit_.leave("A").coupon
    assert await reason(till, coupon, customer=JOHN) == "not_yours"
    assert await reason(till, coupon, customer=HER) == "ok"


async def test_two_tills_at_the_same_moment(till, store, exit_):
    write(store, "")
    coupon = exit_.leave("A").coupon
    both = await asyncio.gather(
        *(redeem(till, coupon, f"S-{n}", headers) for n, headers in enumerate((TILL_1, TILL_2) * 5))
    )
    assert sorted(status for status, _ in both) == [200] + [409] * 9
    assert {state["reason"] for status, state in both if status == 409} == {"used"}
    assert store.one("SELECT count(*) FROM redemption") == (1,)


async def test_a_budget_that_was_lowered(till, store, exit_):
    write(store, "amount_minor = 200\nbudget_minor = 1000")
    coupons = [exit_.leave(sale).coupon for sale in "ABC"]
    assert await reason(till, coupons[0]) == "ok"
    write(store, "amount_minor = 200\nbudget_minor = 300")
    assert await reason(till, coupons[1], "S-10") == "budget_reached"
    write(store, "amount_minor = 200\nbudget_minor = 400")
    assert await reason(till, coupons[1], "S-10") == "ok"
    assert await reason(till, coupons[2], "S-11") == "budget_reached"
    write(store, "amount_minor = 200")
    assert await reason(till, coupons[2], "S-11") == "ok"


@pytest.mark.parametrize("typed", ["K123", "hello", "K00000000000000OO", "4901234567894"])
async def test_typed_wrong(till, typed):
    status, state = await redeem(till, typed)
    assert (status, state["reason"]) == (409, "mistyped")
    assert "how it is typed" in state["sentence"]["en"]


async def test_as_people_and_readers_type_it(till, store, exit_):
    write(store, "")
    coupon = exit_.leave("A").coupon
    for typed in (
        coupon.lower(),
        f" {coupon[:5]} {coupon[5:9]}-{coupon[9:]} ",
        f"COUPON:{coupon}",
        coupon.translate({48: 0xFF10}),
    ):
        assert normal(typed) == coupon
    spaced = f"{coupon[:9]} {coupon[9:]}"
    assert (await till.get(f"/api/v1/coupons/{spaced}", headers=TILL_1)).json()["usable"]


async def test_any_bytes_get_a_reason(till):
    for typed in ("%00", "%F0%9F%98%80", "a" * 64, "%20", "K%0D%0A"):
        answer = await till.get(f"/api/v1/coupons/{typed}", headers=TILL_1)
        assert answer.status_code in (200, 422)
        assert answer.status_code == 422 or answer.json()["reason"] in ("mistyped", "unknown")


@pytest.mark.row("B7")
async def test_what_is_left_of_budgets_is_measured(till, store, exit_):
    write(
        store,
        "amount_minor = 200\nbudget_minor = 500",
        "name = 'n'\nbudget_count = 9",
        "name = 'free'",
        top="combine = 'sum'",
    )
    exit_.leave("A")
    text = (await till.get("/metrics")).text
    left = {line for line in text.splitlines() if line.startswith("instore_hub_incentive_left")}
    assert left == {
        'instore_hub_incentive_left{of="minor",rule="r0"} 300.0',
        'instore_hub_incentive_left{of="count",rule="n"} 8.0',
    }
