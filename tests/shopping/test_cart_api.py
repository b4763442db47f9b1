"""Shopping over HTTP as a page does it, and a POS server that takes the money (rows B1 to B5)."""

from __future__ import annotations

from typing import Any

import pytest

from contract.exit_digits import read_digits
from hub.members.bars import code128_svg
from tests.shopping.conftest import COLA, MUG, Phone
from tests.shopping.shopping_phone import (
    SIMULATED,
    Shopper,
    heard,
    shopper,
    store_with,
)

__all__ = ["shopper", "store_with"]
pytestmark = [pytest.mark.row("B2"), pytest.mark.usefixtures("products")]


@pytest.mark.row("B3")
async def test_a_list_over_http(shopper: Shopper) -> None:
    assert await shopper.look() == {"cart": None, "pay": None, "currency": "JPY"}
    cart = (await shopper.do("add", product=MUG))["cart"]
    assert (cart["total_minor"], cart["promise"]["short_minor"], cart["lines"][0]["name"]["ja"]) == (
        688,
        312,
        "マグカップ",
    )
    cart = (await shopper.do("add", product=COLA, quantity=3))["cart"]
    assert cart["promise"]["holds"] is True
    cart = (await shopper.do("quantity", product=COLA, quantity=1))["cart"]
    assert cart["total_minor"] == 838
    cart = (await shopper.do("remove", product=MUG))["cart"]
    assert [line["product"] for line in cart["lines"]] == [COLA]
    assert (await shopper.look())["cart"] == cart
    assert (await shopper.do("cancel", cart=cart["cart"]))["cart"]["state"] == "cancelled"


async def test_two_terminals_see_the_same(shopper: Shopper) -> None:
    async with shopper.phone.socket() as one, shopper.phone.socket() as other:
        for number in (1, 2, 3):
            await shopper.do("add", product=COLA)
            for socket in (one, other):
                state = await heard(socket)
                assert (state.revision, state.lines[0].quantity) == (number, number)
    async with shopper.phone.socket() as back:
        assert (await heard(back)).revision == 3, "who comes back is told"


async def test_the_same_command_again_is_one(shopper: Shopper) -> None:
    first = await shopper.do("add", product=COLA, command="x")
    assert await shopper.do("add", product=COLA, command="x") == first


@pytest.mark.parametrize(
    ("path", "fields", "status", "kind"),
    [
        ("add", {"product": "4901234567895"}, 422, "check_digit"),
        ("add", {"product": "nothing"}, 404, "unknown_product"),
        ("add", {"product": COLA, "quantity": 0}, 422, "quantity"),
        ("add", {"product": COLA, "quantity": 1.5}, 422, "malformed"),
        ("add", {"product": COLA, "quantity": True}, 422, "malformed"),
        ("add", {"product": COLA, "quantity": "1"}, 422, "malformed"),
        ("add", {"product": 7}, 422, "malformed"),
        ("add", {}, 422, "malformed"),
        ("add", {"product": COLA, "command": "a b"}, 422, "malformed"),
        ("add", {"product": COLA, "command": None}, 422, "malformed"),
        ("add", {"product": COLA, "cart": "L0"}, 409, "closed"),
        ("quantity", {"product": MUG, "quantity": 2}, 409, "unknown_product"),
        ("quantity", {"product": COLA}, 422, "malformed"),
        ("cancel", {"cart": "L0"}, 409, "closed"),
        ("pay", {"cart": "L0", "revision": 1}, 409, "no_payment"),
        ("pay", {"cart": "L0"}, 422, "malformed"),
    ],
)
async def test_what_can_not_be_done_says_why_and_shows_the_list(
    shopper: Shopper, path: str, fields: dict[str, Any], status: int, kind: str
) -> None:
    before = (await shopper.do("add", product=COLA))["cart"]
    answer = await shopper.do(path, status, **fields)
    (error,) = answer["errors"]
    assert error["kind"] == kind
    assert error["ja"]
    assert error["en"]
    assert answer["cart"] == before


async def test_only_who_is_signed_in_and_only_our_own_page(phone: Phone) -> None:
    for path in ("/cart/add", "/cart/cancel", "/cart/pay"):
        assert (await phone.post(path, {"command": "c", "product": COLA})).status_code == 401
    assert (await phone.get("/cart")).status_code == 401
    await phone.register()
    answer = await phone.post(
        "/cart/add", {"command": "c", "product": COLA}, headers={"Origin": "https://evil.example"}
    )
    assert answer.status_code == 403
    assert (await phone.get("/cart")).json()["cart"] is None


@pytest.mark.row("B4", "B5")
async def test_from_the_first_product_to_the_exit(store_with: Any, folder: Any) -> None:
    async with store_with(SIMULATED) as (store, shopper):
        await shopper.look("/exit", 404)
        cart = (await shopper.do("add", product=MUG, quantity=2))["cart"]
        paying = await shopper.do("pay", cart=cart["cart"], revision=cart["revision"])
        assert (paying["cart"]["state"], paying["open"], paying["pay"]) == ("paying", None, "simulated")
        assert (await shopper.do("add", 409, product=COLA))["errors"][0]["kind"] == "paying"
        back = await shopper.do("pay/cancel", payment=paying["payment"])
        assert back["cart"]["state"] == "open"
        paying = await shopper.do("pay", cart=cart["cart"], revision=back["cart"]["revision"])
        async with shopper.phone.socket() as socket:
            assert (await heard(socket)).state == "paying"
            paid = await shopper.do("pay/simulate", payment=paying["payment"], outcome="paid")
            assert (await heard(socket)).state == "paid"
            assert paid["cart"]["promise"]["title"]["en"] == "200 yen off", "a coupon will follow"
            exit = (await shopper.look("/exit"))["exit"]
            assert exit["text"].startswith("IS1:")
            assert exit["svg"].startswith("<svg")
            assert 1 <= exit["again_s"] <= 60 <= exit["left_s"] <= 120
            assert read_digits(exit["digits"]) == exit["digits"]
            assert exit["bars"] == code128_svg(exit["digits"])
            store.scan(exit["text"], sale=paid["cart"]["sale"])
            store.engine.to_terminals.clear()
        assert await shopper.look("/exit") == {**await shopper.look(), "exit": None}
        assert (await shopper.look())["cart"]["exit_code"] == "read"
        assert len(store.all("SELECT * FROM sale")) == 1
        await shopper.do("pay/simulate", 409, payment=paying["payment"], outcome="paid")


async def test_a_simulated_payment_that_fails(store_with: Any) -> None:
    async with store_with(SIMULATED) as (store, shopper):
        cart = (await shopper.do("add", product=MUG))["cart"]
        payment = (await shopper.do("pay", cart=cart["cart"], revision=cart["revision"]))["payment"]
        after = await shopper.do("pay/simulate", payment=payment, outcome="failed")
        assert (after["cart"]["state"], store.all("SELECT * FROM sale")) == ("open", [])
