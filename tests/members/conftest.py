"""A hub behind a real web server on loopback, and members' terminals that speak to it as browsers do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
import websockets

from delivery.link import Address
from delivery.node import Node
from hub import web
from hub.members.gateway import FRAME_MAX_BYTES
from tests.hub.conftest import Store, folder, store

__all__ = ["folder", "store"]

KEY = "0123456789abcdef"
CONSENTS = {"service": "service-1", "sensing": "sensing-1", "coupons": "coupons-1"}
FORM: dict[str, Any] = {"name": "佐藤 美咲", "gender": "female", "birth_year": 1990, "phone": "090-1234-5678",
                        "email": "misaki@example.com", "language": "ja", "consents": CONSENTS}  # fmt: skip


class _Quiet(uvicorn.Server):
    def install_signal_handlers(self) -> None:
        """The test's process keeps its own."""

    def capture_signals(self) -> Any:
        from contextlib import nullcontext

        return nullcontext()


@asynccontextmanager
async def serving(store: Store, port: int = 0, **more: Any) -> AsyncIterator[str]:
    """The hub's web application on loopback; gives its address."""
    node = Node(store.engine, Address("127.0.0.1", 1, "hub-main", "x"))
    # What goes to the broker, a test hears too.
    node.link.publish = lambda publication: store.engine.to_terminals.append(publication)  # type: ignore[method-assign]
    app = web.build(store.hub, node, store.policy, {KEY: "desk"}, **more)
    server = _Quiet(uvicorn.Config(app, port=port, log_config=None, lifespan="off", timeout_graceful_shutdown=1,
                                   ws_max_size=FRAME_MAX_BYTES, ws_per_message_deflate=False))  # fmt: skip
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
        if task.done():
            task.result()
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


class Phone:
    """A browser with a jar of cookies."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.http = httpx.AsyncClient(base_url=f"{address}/member/api", headers={"Origin": address})

    async def get(self, path: str) -> httpx.Response:
        return await self.http.get(path)

    async def post(self, path: str, body: Any = None, **more: Any) -> httpx.Response:
        return await self.http.post(path, json={} if body is None else body, **more)

    async def register(self, **changes: Any) -> str:
        answer = await self.post("/register", {**FORM, **changes})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["customer"])

    async def me(self) -> dict[str, Any]:
        answer = await self.get("/me")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def socket(self, **headers: str) -> websockets.connect:
        """The terminal's WebSocket, with the cookies that this phone has."""
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.http.cookies.jar)
        all_headers = {"Origin": self.address, "Cookie": cookies, **headers}
        return websockets.connect(f"{self.address.replace('http', 'ws')}/member/ws", additional_headers=all_headers)


@pytest.fixture
async def address(store: Store) -> AsyncIterator[str]:
    async with serving(store) as running:
        yield running


@pytest.fixture
async def phone(address: str) -> AsyncIterator[Phone]:
    made = Phone(address)
    yield made
    await made.http.aclose()


@pytest.fixture
async def stranger(address: str) -> AsyncIterator[Phone]:
    made = Phone(address)
    yield made
    await made.http.aclose()


class Mailbox:
    """An SMTP server as RFC 5321 has it, on loopback; `letters` are what it took."""

    def __init__(self) -> None:
        self.letters: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())

        to = ""
        say("220 mail.test ESMTP")
        with suppress(ConnectionError):
            while line := (await reader.readline()).decode():
                match line[:4].upper().strip():
                    case "EHLO" | "HELO":
                        say("250-mail.test\r\n250 8BITMIME")
                    case "RCPT":
                        to = line.partition("<")[2].partition(">")[0]
                        say("250 ok")
                    case "DATA":
                        say("354 go on")
                        text = (await reader.readuntil(b"\r\n.\r\n")).decode()
                        self.letters.put_nowait((to, text))
                        say("250 taken")
                    case "QUIT":
                        say("221 bye")
                        break
                    case _:
                        say("250 ok")
        writer.close()


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    made = Mailbox()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()
    await server.wait_closed()


@pytest.fixture
def with_settings(folder: Path) -> Callable[[str], None]:
    """Adds lines to the hub's settings; before the store is made."""

    def add(text: str) -> None:
        with (folder / "hub.toml").open("a", encoding="utf-8") as file:
            file.write(text)

    return add
