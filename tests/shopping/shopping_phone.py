"""A phone that shops, and the server of a POS that takes the money."""

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
from contract.envelope import decode
from hub.shopping.signing import checked, signed
from tests.hub.conftest import Store
from tests.members.conftest import serving
from tests.shopping.conftest import MUG, Phone

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
    async with asyncio.timeout(30):
        frame = json.loads(await socket.recv())
    return decode(frame["topic"], json.dumps(frame["message"]).encode()).data


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
