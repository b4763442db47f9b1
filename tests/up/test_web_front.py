"""The way in from outside: what is passed on, what is not, and that WebSockets stay open."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

from instore.web_front import BadRequest, Front, FrontSettings, passed_on

pytestmark = pytest.mark.row("B13")


def lines(raw: bytes) -> list[str]:
    return raw.decode("latin-1").split("\r\n")


def test_the_hub_learns_who_asks_and_nobody_can_say_another():
    head = passed_on(
        b"POST /member/api/me?x=1 HTTP/1.1\r\nHost: shop\r\nX-Forwarded-For: 1.2.3.4\r\nx-forwarded-proto: https\r\n"
        b"Connection: keep-alive, X-Secret\r\nContent-Length: 2\r\n\r\n", "10.0.0.7", "http",
    )  # fmt: skip
    assert lines(head.raw) == ["POST /member/api/me?x=1 HTTP/1.1", "Host: shop", "Content-Length: 2",
                               "X-Forwarded-For: 10.0.0.7", "X-Forwarded-Proto: http", "Connection: close", "", ""]  # fmt: skip
    assert (head.mqtt, head.stays_open) == (False, False)


def test_clerks_pages_go_to_the_broker():
    head = passed_on(
        b"GET /mqtt HTTP/1.1\r\nHost: shop\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\r\n", "::1", "https"
    )
    assert (head.mqtt, head.stays_open) == (True, True)
    assert lines(head.raw)[0] == "GET / HTTP/1.1"
    assert "Upgrade: websocket" in lines(head.raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n\r\n", b"GET /\r\n\r\n", b"GET http://other/ HTTP/1.1\r\n\r\n", b"GET / HTTP/2\r\n\r\n",
        b"GET / HTTP/1.1\r\nX : 1\r\n\r\n", b"GET / HTTP/1.1\r\nX\r\n\r\n", b"GET / HTTP/1.1\r\n: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: 1\nX-Forwarded-For: 6.6.6.6\r\n\r\n", b"GET / HTTP/1.1\r\nA: 1\r\n folded: 2\r\n\r\n",
    ],
)  # fmt: skip
def test_what_is_no_request_is_not_passed_on(raw):
    with pytest.raises(BadRequest):
        passed_on(raw, "::1", "http")


@given(st.binary(max_size=200))
def test_no_bytes_break_it(noise):
    try:
        head = passed_on(noise + b"\r\n\r\n", "10.0.0.7", "http")
    except BadRequest:
        return
    assert [line for line in lines(head.raw) if line.lower().startswith("x-forwarded-for")] == [
        "X-Forwarded-For: 10.0.0.7"
    ]
    assert head.raw.count(b"\r\n\r\n") == 1


@asynccontextmanager
async def behind(answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"):
    """A server that answers once a connection. Yields its address and what it was asked."""
    asked: list[bytes] = []

    async def serve_one(reader, writer):
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[:2], asked


async def ask(port: int, text: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(text)
        async with asyncio.timeout(30):
            return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


async def test_a_request_and_its_answer():
    async with behind() as (hub, asked), Front(FrontSettings("127.0.0.1", 0, hub)) as front:
        said = await ask(front.port, b"GET /member/ HTTP/1.1\r\nHost: shop\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n")
        assert said.endswith(b"\r\n\r\nok")
        assert len(asked) == 1
        assert (await ask(front.port, b"GET /mqtt HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 404 ")
        assert (await ask(front.port, b"nonsense\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
        assert (front.counters["passed_on"], front.counters["bad_requests"]) == (1, 1)


async def test_a_hub_that_is_away_is_said_in_both_languages():
    async with behind() as (hub, _):
        pass
    async with Front(FrontSettings("127.0.0.1", 0, hub)) as front:
        said = (await ask(front.port, b"GET / HTTP/1.1\r\n\r\n")).decode()
        assert said.startswith("HTTP/1.1 502 ")
        assert "もう一度" in said
        assert "try again" in said


async def test_a_websocket_stays_open_both_ways():
    async def echo(socket):
        async for message in socket:
            await socket.send(message * 2)

    async with serve(echo, "127.0.0.1", 0) as server:
        at = next(iter(server.sockets)).getsockname()[:2]
        async with Front(FrontSettings("127.0.0.1", 0, at, at)) as front:
            for path in ("member/ws", "mqtt"):
                async with connect(f"ws://127.0.0.1:{front.port}/{path}") as socket:
                    for word in ("a", "b" * 70_000):
                        await socket.send(word)
                        assert await socket.recv() == word * 2


async def test_a_port_or_a_certificate_that_can_not_be_used_is_said(tmp_path):
    async with behind() as (taken, _):
        with pytest.raises(OSError, match=r"web: 127.0.0.1:\d+ can't be used: .* choose another web.port"):
            async with Front(FrontSettings(*taken, hub=taken)):
                pass
    (tmp_path / "x.pem").write_text("nothing")
    with pytest.raises(OSError, match=r"web\.tls_cert .*x\.pem"):
        async with Front(FrontSettings("127.0.0.1", 0, ("127.0.0.1", 1), None, tmp_path / "x.pem", tmp_path / "x.pem")):
            pass
