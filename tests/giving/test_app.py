"""The way over the member's page, at a real WebSocket: told at the grant and at each sign-in, confirmed when it is kept."""

from __future__ import annotations

import json

import pytest

from contract.payloads import CouponKept
from hub.database import givings
from hub.giving.app import AppWay
from tests.giving.conftest import MAIL, Away, Giver, agrees, leave
from tests.members.conftest import Phone, serving


@pytest.fixture(autouse=True)
def settings(folder):
    """Before the hub starts."""
    with (folder / "hub.toml").open("a", encoding="utf-8") as file:
        file.write(MAIL + '[giving]\nways = ["app", "email"]\n')


@pytest.fixture
async def phone(store):
    async with serving(store) as address:
        made = Phone(address)
        yield made
        await made.http.aclose()


async def coupon_of(socket) -> tuple[str, dict]:
    """The next coupon that this terminal is told of."""
    while True:
        frame = json.loads(await socket.recv())
        if frame.get("topic", "").endswith("/coupon"):
            return frame["topic"], frame["message"]


async def keeps(socket, store, topic: str, said: dict) -> None:
    data = said["data"]
    told, payload = store.bytes_of("coupon_kept", _kept(data), customer=data["customer"])
    assert told == f"{topic}/kept"
    await socket.send(json.dumps({"topic": told, "message": json.loads(payload)}))


def _kept(data: dict) -> CouponKept:
    return CouponKept(coupon=data["coupon"], customer=data["customer"], revision=data.get("revision", 1))


def giver_of(store, email: Away) -> Giver:
    giver = Giver(store, email)
    giver.ways["app"] = AppWay(giver.node, 60.0)
    giver.courier._ways = giver.ways
    return giver


@pytest.mark.row("B9")
async def test_a_terminal_that_is_there_keeps_it_and_no_letter_is_sent(store, phone):
    customer = await phone.register()
    agrees(store, "email", customer=customer)
    email = Away("email")
    giver = giver_of(store, email)
    async with phone.socket() as socket:
        coupon = leave(store, customer=customer)
        topic, said = await coupon_of(socket)
        assert (said["data"]["coupon"], said["data"].get("state", "offered")) == (coupon, "offered")
        await giver.turn()
        assert giver.states(coupon) == {"app": "sent", "email": "waiting"}
        await keeps(socket, store, topic, said)
        await (await socket.ping())  # it was read
    assert giver.states(coupon) == {"app": "confirmed", "email": "unneeded"}
    await giver.turn(minutes=5)
    assert email.brought == []


@pytest.mark.row("B9")
async def test_a_terminal_that_comes_later_gets_it_then_though_a_letter_was_sent(store, phone):
    customer = await phone.register()
    email = Away("email")
    giver = giver_of(store, email)
    coupon = leave(store, customer=customer)
    await giver.turn()
    await giver.turn(seconds=61)
    await giver.turn()
    assert giver.states(coupon) == {"app": "failed", "email": "sent"}
    async with phone.socket() as socket:
        topic, said = await coupon_of(socket)
        await keeps(socket, store, topic, said)
        await (await socket.ping())
    assert giver.states(coupon) == {"app": "confirmed", "email": "sent"}
    assert givings.given(store.journal.db, coupon).kept == 1


@pytest.mark.row("B9")
async def test_who_has_no_terminal_is_not_waited_for(store):
    email = Away("email")
    giver = giver_of(store, email)
    coupon = leave(store)  # from the store's own records: she never registered
    await giver.turn()
    await giver.turn()
    assert giver.states(coupon) == {"app": "failed", "email": "sent"}
    assert giver.detail(coupon, "app") == "no terminal of hers is signed in"
