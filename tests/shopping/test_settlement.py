"""A list that is paid at a settlement device (row B4): read by its code, sold once, refused when it has changed."""

from __future__ import annotations

import asyncio
import hashlib

import httpx
import pytest

from hub.sale_shapes import SalePost
from hub.shopping.settlement import digits_of
from tests.members.conftest import KEY
from tests.shopping.conftest import BREAD, COLA, MUG

pytestmark = pytest.mark.usefixtures("products")


@pytest.fixture
async def till(address):
    async with httpx.AsyncClient(base_url=f"{address}/api/v1", headers={"Authorization": f"Bearer {KEY}"}) as made:
        yield made


class Shopper:
    """A member's terminal with its list."""

    def __init__(self, phone) -> None:
        self.phone, self.commands = phone, 0

    async def add(self, product: str, quantity: int = 1) -> dict:
        self.commands += 1
        body = {"command": f"c-{id(self)}-{self.commands}", "product": product, "quantity": quantity}
        answer = await self.phone.post("/cart/add", body)
        assert answer.status_code == 200, answer.text
        return answer.json()["cart"]

    async def code(self) -> str:
        answer = await self.phone.get("/cart/device")
        assert answer.status_code == 200, answer.text
        return answer.json()["code"]

    async def cart(self) -> dict:
        return (await self.phone.get("/cart")).json()["cart"]


@pytest.fixture
async def shopper(phone):
    await phone.register()
    made = Shopper(phone)
    await made.add(COLA, 2)
    await made.add(MUG)
    return made


async def read(till, code) -> dict:
    answer = await till.get(f"/carts/{code}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def sale(read_list: dict, **changes) -> dict:
    return {"sale": "T-1", "amount_minor": read_list["total_minor"], "currency": "JPY", "paid_on": "settlement", "device": "till-2",
            "cart": read_list["cart"], "cart_revision": read_list["revision"],
            "tenders": [{"method": "cash", "amount_minor": read_list["total_minor"]}]} | changes  # fmt: skip


@pytest.mark.row("B4")
async def test_a_device_reads_the_list_from_its_code(shopper, till):
    code = await shopper.code()
    cart = await read(till, code)
    assert (cart["state"], cart["total_minor"], cart["tax_minor"], cart["currency"]) == ("open", 988, 84, "JPY")
    assert [(line["product"], line["name_ja"], line["quantity"], line["amount_minor"]) for line in cart["lines"]] == [
        (COLA, "コーラ", 2, 300),
        (MUG, "マグカップ", 1, 688),
    ]
    assert await shopper.code() == code
    assert (await shopper.cart())["revision"] == cart["revision"]  # reading changes nothing
    for written in (code.replace(" ", ""), f"LIST:{code.replace(' ', '')}", code.replace(" ", "-")):
        assert (await read(till, written))["cart"] == cart["cart"]
    assert not {"name", "email", "phone"} & set(cart)


@pytest.mark.row("B4")
@pytest.mark.row("B5")
async def test_paid_there_the_list_is_closed_and_her_page_has_the_exit_code(store, shopper, till):
    cart = await read(till, await shopper.code())
    tenders = [
        {"method": "cash", "amount_minor": 500},
        {"method": "card", "amount_minor": 488, "device": "card-reader-7"},
    ]
    answer = await till.post("/sales", json=sale(cart, tenders=tenders))
    assert answer.status_code == 201, answer.text
    mine = await shopper.cart()
    assert (mine["state"], mine["sale"], mine["exit_code"]) == ("paid", "T-1", "ready")
    shown = (await shopper.phone.get("/cart/exit")).json()["exit"]
    decision = store.scan(shown["text"], sale="T-1")[0]
    assert decision.data.outcome == "open"
    found = (await till.get("/sales/T-1")).json()
    assert (found["paid_on"], found["registered_on"], found["device"]) == ("settlement", "terminal", "till-2")
    assert found["customer"] == cart["customer"]
    assert [(each["method"], each["paid_on"], each["device"]) for each in found["tenders"]] == [
        ("cash", "settlement", "till-2"),
        ("card", "settlement", "card-reader-7"),
    ]
    assert [(line["product"], line["quantity"], line["category"]) for line in found["lines"]] == [
        (COLA, 2, "drinks"),
        (MUG, 1, "tableware"),
    ]


@pytest.mark.row("B4")
async def test_posted_again_it_is_one_sale(store, shopper, till):
    cart = await read(till, await shopper.code())
    first = await till.post("/sales", json=sale(cart))
    again = await till.post("/sales", json=sale(cart))
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["created"] is False
    await shopper.add(BREAD)  # the next list of hers
    assert (await till.post("/sales", json=sale(cart))).status_code == 200
    assert store.one("SELECT count(*) FROM sale") == (1,)
    other = await till.post("/sales", json=sale(cart, amount_minor=1, tenders=[]))
    assert (other.status_code, other.json()["field"]) == (409, "sale")


@pytest.mark.row("B4")
async def test_a_list_that_was_changed_since_is_refused_with_its_revision(store, shopper, till):
    cart = await read(till, await shopper.code())
    changed = await shopper.add(BREAD)
    answer = await till.post("/sales", json=sale(cart))
    assert (answer.status_code, answer.json()["field"], answer.json()["revision"]) == (
        409,
        "cart_revision",
        changed["revision"],
    )
    assert store.one("SELECT count(*) FROM sale") == (0,)
    assert (await shopper.cart())["state"] == "open"
    anew = await read(till, await shopper.code())
    assert anew["revision"] == changed["revision"]
    assert (await till.post("/sales", json=sale(anew))).status_code == 201


@pytest.mark.row("B4")
async def test_two_devices_at_once_one_sells(store, shopper, till):
    cart = await read(till, await shopper.code())
    answers = await asyncio.gather(*(till.post("/sales", json=sale(cart, sale=f"T-{n}")) for n in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert store.one("SELECT count(*) FROM sale") == (1,)


async def test_a_list_that_is_paid_on_the_terminal_is_not_sold_again(folder, with_settings, store, shopper, till):
    cart = await read(till, await shopper.code())
    store.journal.db.execute("UPDATE cart SET state = 'paying', revision = revision + 1")
    answer = await till.post("/sales", json=sale(cart))
    assert answer.status_code == 409
    assert "on her terminal" in answer.json()["error"]


async def test_a_list_that_she_has_cancelled_is_not_sold(shopper, till):
    cart = await read(till, await shopper.code())
    await shopper.phone.post("/cart/cancel", {"command": "x-1"})
    answer = await till.post("/sales", json=sale(cart))
    assert (answer.status_code, answer.json()["revision"]) == (409, cart["revision"] + 1)
    assert (await read(till, cart["cart"]))["state"] == "cancelled"


@pytest.mark.parametrize(("changes", "status", "field"), [
    ({"paid_on": "terminal"}, 422, "paid_on"), ({"cart_revision": None}, 422, "cart_revision"),
    ({"cart": "12345678"}, 404, "cart"), ({"customer": "C0002"}, 409, "customer"), ({"cart": None}, 422, "cart"),
    ({"cart_revision": 0}, 422, "cart_revision"), ({"currency": "EUR"}, 422, "currency"),
    ({"tenders": [{"method": "cash", "amount_minor": 1}]}, 422, "tenders"),
])  # fmt: skip
async def test_what_does_not_fit_changes_nothing(store, shopper, till, changes, status, field):
    cart = await read(till, await shopper.code())
    answer = await till.post("/sales", json=sale(cart, **changes))
    assert (answer.status_code, answer.json()["field"]) == (status, field), answer.text
    assert store.one("SELECT count(*) FROM sale") == (0,)
    assert (await shopper.cart())["state"] == "open"


async def test_a_device_may_take_something_off(store, shopper, till):
    """A coupon at the till: its own lines, its own amount."""
    cart = await read(till, await shopper.code())
    lines = [
        {"product": COLA, "quantity": 2, "amount_minor": 200},
        {"product": MUG, "quantity": 1, "amount_minor": 688},
    ]
    answer = await till.post("/sales", json=sale(cart, amount_minor=888, lines=lines, tenders=[]))
    assert answer.status_code == 201
    assert [line["amount_minor"] for line in (await till.get("/sales/T-1")).json()["lines"]] == [200, 688]


async def test_only_a_list_with_something_in_it_has_a_code(phone, till):
    await phone.register()
    answer = await phone.get("/cart/device")
    assert (answer.status_code, answer.json()["errors"][0]["kind"]) == (409, "nothing_open")


async def test_only_with_a_key(address, shopper):
    code = await shopper.code()
    async with httpx.AsyncClient(base_url=f"{address}/api/v1") as stranger:
        assert (await stranger.get(f"/carts/{code}")).status_code == 401


@pytest.mark.parametrize("code", ["00000000", "1", "x" * 65, "LIST:", "%20", "12 34 56 78 90", "' OR 1"])
async def test_codes_that_are_none(shopper, till, code):
    assert (await till.get(f"/carts/{code}")).status_code in (404, 422)


def test_a_mistyped_digit_is_seen():
    good = next(text for n in range(10) if (text := digits_of(f"1234567{n}")))
    for place in range(8):
        for digit in "0123456789":
            other = good[:place] + digit + good[place + 1 :]
            assert (digits_of(other) == other) == (digit == good[place])


@pytest.mark.row("B4")
async def test_a_void_takes_it_back(store, shopper, till):
    cart = await read(till, await shopper.code())
    await till.post("/sales", json=sale(cart))
    assert (await till.post("/sales/T-1/void", json={"void": "V-1"})).status_code == 201
    assert (await shopper.cart())["exit_code"] == "used"


async def test_openapi_tells_all_of_it(address):
    async with httpx.AsyncClient(base_url=address) as anybody:
        said = (await anybody.get("/openapi.json")).json()
    schemas = said["components"]["schemas"]
    assert "/api/v1/carts/{code}" in said["paths"]
    assert set(said["paths"]["/api/v1/carts/{code}"]["get"]["responses"]) >= {"200", "401", "404"}
    assert {"cart", "cart_revision"} <= set(schemas["SalePost"]["properties"])
    assert "device" in schemas["Tender"]["properties"]
    assert "revision" in schemas["ErrorBody"]["properties"]


def test_what_older_tills_post_has_its_old_fingerprint():
    """A sale that was posted before there were lists at settlement devices, and is posted again, is the same sale."""
    post = SalePost.model_validate({"sale": "S", "amount_minor": 1, "currency": "JPY", "paid_on": "settlement",
                                    "tenders": [{"method": "cash", "amount_minor": 1}]})  # fmt: skip
    said = (b'{"sale":"S","customer":null,"amount_minor":1,"currency":"JPY","paid_on":"settlement","device":"",'
            b'"tenders":[{"method":"cash","amount_minor":1}],"lines":[]}')  # fmt: skip
    assert post.fingerprint == hashlib.sha256(said).hexdigest()[:32]
