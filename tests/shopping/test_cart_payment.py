"""A POS server that takes the money: what it is asked, what it says, and when it says nothing (rows B4, B5)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from config.hub_settings import load_hub
from config.load import SettingsError
from hub.shopping.signing import CallRefused, checked
from tests.hub.conftest import Store
from tests.shopping.conftest import BREAD, MUG
from tests.shopping.shopping_phone import (
    SECRET,
    Caller,
    PosServer,
    begin,
    pos,
    shopper,
    store_with,
)

__all__ = ["pos", "shopper", "store_with"]
pytestmark = [pytest.mark.row("B2"), pytest.mark.usefixtures("products")]


@pytest.mark.row("B4")
async def test_the_pos_server_takes_the_money(store_with: Any, pos: PosServer) -> None:
    async with store_with(pos.settings()) as (store, shopper):
        cart = (await shopper.do("add", product=MUG))["cart"]
        paying = await shopper.do("pay", cart=cart["cart"], revision=cart["revision"])
        assert paying["open"] == "https://pay.example/1"
        ((path, order),) = pos.orders
        assert path == "/payments"
        assert (order["payment"], order["amount_minor"], order["currency"], order["store"]) == (paying["payment"], 688, "JPY", "ginza")  # fmt: skip
        assert order["lines"][0]["product"] == MUG
        assert "customer" not in json.dumps(order)
        call = Caller(store, shopper)
        said = await call.say(paying["payment"], outcome="paid", amount_minor=688)
        assert (said["state"], said["sale"]) == ("confirmed", paying["payment"])
        assert await call.say(paying["payment"], outcome="paid", amount_minor=688) == said
        assert store.all("SELECT amount_minor, paid_on FROM sale") == [(688, "terminal")]
        assert store.all("SELECT method FROM sale_tender") == [("card",)]
        assert (await shopper.look("/exit"))["exit"]["text"].startswith("IS1:")
        assert (await shopper.phone.post("/cart/pay/simulate", {})).status_code in (404, 405)


@pytest.mark.row("B4")
@pytest.mark.parametrize("status", [200, 500])
async def test_paid_before_the_order_is_answered(store_with: Any, pos: PosServer, status: int) -> None:
    """Nothing waits for anything: the terminal hears of the sale, not of a payment that is over."""
    async with store_with(pos.settings().replace("timeout_s = 0.5", "timeout_s = 10")) as (store, shopper):
        call, pos.status = Caller(store, shopper), status
        pos.first = lambda payment: call.say(payment, outcome="paid", amount_minor=688)
        cart = (await shopper.do("add", product=MUG))["cart"]
        paid = (await shopper.do("pay", cart=cart["cart"], revision=cart["revision"]))["cart"]
        assert (paid["state"], paid["exit_code"]) == ("paid", "ready")
        assert len(store.all("SELECT * FROM sale")) == 1
        assert "payments_failed" not in store.counters


@pytest.mark.row("B4")
async def test_calls_that_have_no_effect(store_with: Any, pos: PosServer) -> None:
    async with store_with(pos.settings()) as (store, shopper):
        payment = await begin(shopper)
        call = Caller(store, shopper)
        paid: dict[str, Any] = {"outcome": "paid", "amount_minor": 688}
        assert (await call.say(payment, 401, secret="x" * 32, **paid))["kind"] == "bad_signature"
        assert (await call.say(payment, 401, tamper=b"{}", **paid))["kind"] == "bad_signature"
        assert (await call.say(payment, 401, shift_s=-301, **paid))["kind"] == "clock"
        assert (await call.say(payment, 409, outcome="paid", amount_minor=600))["kind"] == "amount"
        assert (await call.say(payment, 422, outcome="paid"))["kind"] == "malformed"
        assert (await call.say(payment, 422, outcome="perhaps"))["kind"] == "malformed"
        assert (await call.say("P0", 404, **paid))["kind"] == "unknown"
        assert store.all("SELECT * FROM sale") == []
        await call.say(payment, nonce="n" * 20, **paid)
        assert (await call.say(payment, 409, nonce="n" * 20, **paid))["kind"] == "replayed"
        assert (await call.say(payment, 409, outcome="failed"))["kind"] == "paid"
        assert len(store.all("SELECT * FROM sale")) == 1
        assert {name: number for name, number in store.counters.items() if name.startswith("payment_calls_")} == {
            "payment_calls_bad_signature": 2, "payment_calls_clock": 1, "payment_calls_amount": 1, "payment_calls_malformed": 2,
            "payment_calls_unknown": 1, "payment_calls_replayed": 1, "payment_calls_paid": 1,
        }  # fmt: skip


@pytest.mark.row("B4")
async def test_late_after_she_went_back_to_her_list(store_with: Any, pos: PosServer) -> None:
    async with store_with(pos.settings()) as (store, shopper):
        payment = await begin(shopper)
        await shopper.do("pay/cancel", payment=payment)
        assert [path for path, _ in pos.orders] == ["/payments", f"/payments/{payment}/cancel"]
        said = await Caller(store, shopper).say(payment, 409, outcome="paid", amount_minor=688)
        assert (said["kind"], said["give_back"]) == ("late", True)
        assert store.all("SELECT * FROM sale") == []


@pytest.mark.row("B4")
async def test_refused_by_the_bank(store_with: Any, pos: PosServer) -> None:
    async with store_with(pos.settings()) as (store, shopper):
        payment = await begin(shopper)
        assert (await Caller(store, shopper).say(payment, outcome="failed"))["state"] == "failed"
        assert (await shopper.look())["cart"]["state"] == "open"


@pytest.mark.row("B4")
@pytest.mark.parametrize("trouble", ["gone", "silent", "500", "nonsense", "javascript", "large"])
async def test_a_pos_server_that_does_not_answer_leaves_the_list_open(
    store_with: Any, pos: PosServer, trouble: str
) -> None:
    text = pos.settings()
    if trouble == "gone":
        text = text.replace(str(pos.port), "1")
    pos.silent, pos.status = trouble == "silent", 500 if trouble == "500" else 200
    pos.answer = {"nonsense": b"<html>", "javascript": b'{"open":"javascript:alert(1)"}', "large": b"x" * 70_000}.get(trouble, b"{}")  # fmt: skip
    async with store_with(text) as (store, shopper):
        cart = (await shopper.do("add", product=MUG))["cart"]
        answer = await shopper.do("pay", 502, cart=cart["cart"], revision=cart["revision"])
        assert answer["errors"][0]["kind"] == "provider"
        assert answer["cart"]["state"] == "open"
        assert store.counters["payments_failed"] == 1
        await shopper.do("add", product=BREAD)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('provider = "pos"', "needs url and secret_file"),
        ('provider = "pos"\nurl = "ftp://x"\nsecret_file = "pos.secret"', "is no address"),
        ('provider = "cash"', "simulated"),
    ],
)
def test_settings_that_can_not_be(store: Store, folder: Any, text: str, why: str) -> None:
    with (folder / "hub.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n[shopping.payment]\n{text}\n")
    with pytest.raises(SettingsError, match=why):
        load_hub(folder / "hub.toml")


def test_a_secret_is_long(store: Store, folder: Any) -> None:
    with (folder / "hub.toml").open("a", encoding="utf-8") as file:
        file.write('\n[shopping.payment]\nprovider = "pos"\nurl = "http://pos"\nsecret_file = "pos.secret"\n')
    (folder / "pos.secret").write_text("short")
    payment = load_hub(folder / "hub.toml").shopping.payment
    assert payment is not None
    with pytest.raises(SettingsError, match="make a secret"):
        payment.secret(folder / "hub.toml")


def test_a_signature_is_no_password() -> None:
    with pytest.raises(CallRefused):
        checked(SECRET, "POST", "/", b"", {"authorization": f"Bearer {SECRET}"}, now_s=0, skew_s=300)
