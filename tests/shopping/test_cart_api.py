"""Shopping over HTTP as a page does it, and a POS server that takes the money (rows B1 to B5)."""

from __future__ import annotations

import asyncio
import json
import secrets as random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from config.hub_settings import load_hub
from config.load import SettingsError
from contract.envelope import decode
from contract.exit_digits import read_digits
from hub.members.bars import code128_svg
from hub.shopping.signing import CallRefused, checked, signed
from tests.hub.conftest import Store
from tests.members.conftest import serving
from tests.shopping.conftest import BREAD, COLA, MUG, Phone

pytestmark = [pytest.mark.row("B2"), pytest.mark.usefixtures("products")]
SECRET = "0123456789abcdef0123456789abcdef"
SIMULATED = '\n[shopping.payment]\nprovider = "simulated"\n'


class Shopper:
    """A phone whose page shops."""

    def __init__(self, phone: Phone) -> None:
        self.phone, self.made = phone, 0

    async def do(self, path: str, status: int = 200, **fields: Any) -> dict[str, Any]:
        self.made += 1
        if path not in ("pay/cancel", "pay/simulate"):
            fields = {"command": f"c{self.made}", **fields}
        answer = await self.phone.post(f"/cart/{path}", fields)
        assert answer.status_code == status, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def look(self, path: str = "", status: int = 200) -> dict[str, Any]:
        answer = await self.phone.get(f"/cart{path}")
        assert answer.status_code == status, answer.text
        assert answer.headers["cache-control"] == "no-store"
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture
async def shopper(phone: Phone) -> Shopper:
    await phone.register()
    return Shopper(phone)


async def heard(socket: Any) -> Any:
    async with asyncio.timeout(5):
        frame = json.loads(await socket.recv())
    return decode(frame["topic"], json.dumps(frame["message"]).encode()).data


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


# --- the store's POS server


class PosServer:
    """A till's server on loopback, with its own HTTP: what it was asked for, and what it answers."""

    def __init__(self) -> None:
        self.orders: list[tuple[str, dict[str, Any]]] = []
        self.answer = b'{"open":"https://pay.example/1"}'
        self.status, self.port, self.silent = 200, 0, False
        self.first: Callable[[str], Awaitable[Any]] | None = None
        """What it does with an order before it answers."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
            body = await reader.readexactly(int(headers["content-length"]))
            path = head[0].split(" ")[1]
            checked(SECRET, "POST", path, body, headers, now_s=int(headers["instore-timestamp"]), skew_s=5)
            self.orders.append((path, json.loads(body)))
            if self.first is not None:
                await self.first(self.orders[-1][1]["payment"])
            if not self.silent:
                writer.write(
                    f"HTTP/1.0 {self.status} x\r\nContent-Length: {len(self.answer)}\r\n\r\n".encode() + self.answer
                )
                await writer.drain()
            else:
                await reader.read()
        finally:
            writer.close()

    def settings(self) -> str:
        return (f'\n[shopping.payment]\nprovider = "pos"\nmethod = "card"\nurl = "http://127.0.0.1:{self.port}/payments"\n'
                'secret_file = "pos.secret"\ntimeout_s = 0.5\n')  # fmt: skip


@pytest.fixture
async def pos() -> AsyncIterator[PosServer]:
    made = PosServer()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()
    await server.wait_closed()


@pytest.fixture
def store_with(store: Store, folder: Any) -> Any:
    """A hub with more settings, and somebody who shops there."""

    @asynccontextmanager
    async def made(text: str) -> AsyncIterator[tuple[Store, Shopper]]:
        with (folder / "hub.toml").open("a", encoding="utf-8") as file:
            file.write(text)
        (folder / "pos.secret").write_text(SECRET + "\n")
        store.settings = load_hub(folder / "hub.toml")
        store.restart()
        async with serving(store, payment_secret=SECRET) as address:
            phone = Phone(address)
            try:
                await phone.register()
                yield store, Shopper(phone)
            finally:
                await phone.http.aclose()

    return made


class Caller:
    """The POS server's calls to the hub."""

    def __init__(self, store: Store, shopper: Shopper) -> None:
        self.store, self.address = store, shopper.phone.address

    async def say(self, payment: str, status: int = 200, *, nonce: str = "", secret: str = SECRET, shift_s: int = 0, tamper: bytes = b"",
                  **fields: Any) -> dict[str, Any]:  # fmt: skip
        path, body = f"/api/v1/payments/{payment}", json.dumps({"currency": "JPY", **fields}).encode()
        headers = signed(secret, "POST", path, body, now_s=int(self.store.now.timestamp()) + shift_s,
                         nonce=nonce or random.token_hex(16))  # fmt: skip
        async with httpx.AsyncClient() as http:
            answer = await http.post(self.address + path, content=tamper or body, headers=headers)
        assert answer.status_code == status, answer.text
        found: dict[str, Any] = answer.json()
        return found


async def begin(shopper: Shopper) -> str:
    cart = (await shopper.do("add", product=MUG))["cart"]
    payment: str = (await shopper.do("pay", cart=cart["cart"], revision=cart["revision"]))["payment"]
    return payment


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
    async with store_with(pos.settings()) as (store, shopper):
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
