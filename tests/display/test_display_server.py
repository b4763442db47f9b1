"""The displays' port: pages, the stream of views, who may ask, and what a slow page costs (row B10)."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from config.display_settings import DisplaySettings
from edge.display import board as board_module
from edge.display import server as server_module
from edge.display.board import Board, qr_image
from edge.display.server import PAGE, DisplayServer
from edge.display.view import Call, Devices
from edge.lane_refusals import Refused
from edge.lane_types import Event, Lane
from tests.display.customers import PERSONAL, Play

pytestmark = pytest.mark.row("B10")


class Counter:
    """A lane as its display sees it, played by the test."""

    def __init__(self) -> None:
        self.play = Play()
        self.policy = self.play.policy
        self.watch: Any = None

    @property
    def lane(self) -> Lane:
        return self.play.lane

    def happens(self, event: Event | Refused) -> None:
        if not isinstance(event, Refused):
            self.play.does(event)
        self.watch(event)


class Shop:
    """A board with two lanes and its server."""

    def __init__(self) -> None:
        self.lanes = {"1": Counter(), "2": Counter()}
        self.devices, self.call = Devices(), None
        self.at = 100.0
        self.board = Board(DisplaySettings(port=0), self.lanes, lambda _: self.devices, self.called, lambda: self.at,
                           lambda: 600)  # fmt: skip
        self.server = DisplayServer(self.board)

    def called(self, lane: str) -> Call | None:
        return self.call

    async def ask(self, path: str, *, method: str = "GET", host: str = "", raw: bytes = b"") -> tuple[int, str, bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        head = f"{method} {path} HTTP/1.1\r\nHost: {host or f'127.0.0.1:{self.server.port}'}\r\n\r\n"
        writer.write(raw or head.encode())
        answer = await reader.read()
        writer.close()
        head_back, _, body = answer.partition(b"\r\n\r\n")
        status = int(head_back.split()[1]) if head_back else 0
        return status, head_back.decode(), body

    async def watch(self, lane: str = "1") -> Stream:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        writer.write(f"GET /lane/{lane}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        return Stream(reader, writer)


class Stream:
    """The far end of a stream of views."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def event(self) -> tuple[str, str]:
        async with asyncio.timeout(30):
            text = (await self.reader.readuntil(b"\n\n")).decode()
        fields = dict(line.split(":", 1) for line in text.strip().splitlines())
        return fields.get("event", "message").strip(), fields.get("data", "").strip()

    async def view(self) -> dict[str, Any]:
        while True:
            name, data = await self.event()
            if name == "message":
                return dict(json.loads(data))

    async def until(self, screen: str) -> dict[str, Any]:
        while (shown := await self.view())["screen"] != screen:
            pass
        return shown


@pytest_asyncio.fixture
async def shop(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    monkeypatch.setattr(board_module, "TICK_S", 0.02)
    monkeypatch.setattr(server_module, "BEAT_S", 0.05)
    own = Shop()
    async with own.server, asyncio.TaskGroup() as tasks:
        running = tasks.create_task(own.board.run())
        yield own
        running.cancel()


async def test_each_lane_has_its_page_with_a_strict_policy(shop: Shop) -> None:
    for lane in ("1", "2"):
        status, head, body = await shop.ask(f"/lane/{lane}")
        assert status == 200
        assert body == (PAGE / "index.html").read_bytes()
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in head
        assert "unsafe" not in head
        assert "Cache-Control: no-cache" in head
    for path in PAGE.iterdir():
        status, head, body = await shop.ask(f"/page/{path.name}")
        assert (status, body) == (200, path.read_bytes())
    assert (await shop.ask("/sw.js"))[0] == 200
    status, _, body = await shop.ask("/")
    assert (status, body.count(b"/lane/")) == (200, 2)


@pytest.mark.parametrize(
    ("path", "method", "host", "status"),
    [
        ("/lane/3", "GET", "", 404),
        ("/lane/1/other", "GET", "", 404),
        ("/page/../server.py", "GET", "", 404),
        ("/page/", "GET", "", 404),
        ("/app.js", "GET", "", 404),
        ("/lane/1", "POST", "", 405),
        ("/lane/1/events", "POST", "", 405),
        ("/lane/1", "GET", "evil.example", 421),
        ("/lane/1/events", "GET", "evil.example:8088", 421),
        ("/lane/1", "GET", "127.0.0.1.evil.example", 421),
        ("/lane/1", "GET", "localhost", 200),
        ("/lane/1", "HEAD", "", 200),
    ],
)
async def test_who_may_ask_what(shop: Shop, path: str, method: str, host: str, status: int) -> None:
    answered, _, body = await shop.ask(path, method=method, host=host)
    assert answered == status
    if method == "HEAD":
        assert body == b""


@pytest.mark.parametrize("raw", [b"\r\n\r\n", b"GET\r\n\r\n", b"\xff\xfe / HTTP/1.1\r\nHost: localhost\r\n\r\n",
                                 b"GET " + b"/" * 9000 + b" HTTP/1.1\r\n\r\n"])  # fmt: skip
async def test_nonsense_gets_an_answer_or_none_and_the_page_stays(shop: Shop, raw: bytes) -> None:
    assert (await shop.ask("", raw=raw))[0] in (0, 404, 405, 421)
    assert (await shop.ask("/lane/1"))[0] == 200


async def test_a_view_follows_each_step_of_its_own_lane_only(shop: Shop) -> None:
    one, two = await shop.watch("1"), await shop.watch("2")
    assert (await one.event())[0] == "hello"
    assert (await one.view())["screen"] == (await two.view())["screen"] == "waiting"
    counter = shop.lanes["1"]
    counter.play.at = shop.at
    counter.play.scanned()
    shop.board.poke()
    assert (await one.until("reading"))["languages"] == ["ja", "en"]
    counter.happens(Refused("expired"))
    assert (await two.event())[0] == "beat"
    for each in (one, two):
        each.writer.close()


async def test_a_page_that_comes_later_sees_at_once_how_it_is(shop: Shop) -> None:
    shop.devices = Devices(reader=False)
    await (first := await shop.watch()).until("out_of_order")
    second = await shop.watch()
    assert (await second.view())["screen"] == "out_of_order"
    for each in (first, second):
        each.writer.close()


async def test_a_name_vanishes_by_itself_and_with_it_from_the_agents_memory(shop: Shop) -> None:
    counter, stream = shop.lanes["1"], await shop.watch()
    counter.play.at = shop.at
    counter.play.scanned()
    shop.board._memories["1"] = counter.play.decided(give=None).memory
    shop.board.poke()
    assert (await stream.until("opening"))["head"]["en"] == "Thank you, Hanako Sato."
    shop.at += 10
    shown = json.dumps(await stream.view(), ensure_ascii=False)
    kept = repr(shop.board._memories) + repr(shop.board._texts)
    assert not any(word in shown + kept for word in PERSONAL)
    stream.writer.close()


async def test_without_a_display_that_lives_no_coupon_is_shown_on_it(shop: Shop) -> None:
    lane = shop.lanes["1"]
    stream = await shop.watch()
    assert (lane.policy.display, shop.lanes["2"].policy.display, shop.board.watched("1")) == (True, False, 1)
    await (other := await shop.watch("2")).view()
    other.writer.close()
    async with asyncio.timeout(30):
        while shop.lanes["2"].policy.display:  # noqa: ASYNC110 - the server notices at its next beat
            await asyncio.sleep(0.01)
    assert lane.policy.display
    stream.writer.close()


async def test_a_page_that_does_not_read_is_dropped_and_nobody_waits_for_it(shop: Shop) -> None:
    stuck, good = await shop.watch("1"), await shop.watch("2")
    stuck.reader._transport.pause_reading()  # type: ignore[attr-defined]
    async with asyncio.timeout(30):
        while not shop.board.counters["watchers_dropped"]:
            for watcher in shop.board._watchers:
                if watcher.lane == "1":
                    watcher.put("x" * 500_000)
            await good.event()
    assert (shop.board.counters["watchers_dropped"], shop.board.watched("1"), shop.board.watched("2")) == (1, 0, 1)
    for each in (stuck, good):
        each.writer.close()


async def test_no_more_watchers_than_a_store_has_displays(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_module, "WATCHERS_MAX", 2)
    streams = [await shop.watch(), await shop.watch("2")]
    assert (await shop.ask("/lane/1/events"))[0] == 503
    assert shop.board.counters["watchers_refused"] == 1
    streams[0].writer.close()
    async with asyncio.timeout(30):
        while shop.board.watched("1"):  # noqa: ASYNC110 - the server notices at its next beat
            await asyncio.sleep(0.01)
    streams.append(await shop.watch())
    for each in streams:
        each.writer.close()


async def test_a_fault_in_the_display_costs_the_lane_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(board_module, "remember", broken)
    shop.lanes["1"].happens(Refused("expired"))
    assert shop.board.counters["display_errors"] == 1


async def test_a_port_that_is_taken_says_what_to_do(shop: Shop) -> None:
    other = Shop()
    other.server.port = shop.server.port
    with pytest.raises(OSError, match=r"\[display\] port \d+ can't be used: .*give it another port"):
        await other.server.__aenter__()


def test_the_coupons_code_is_a_picture_that_a_camera_reads() -> None:
    image = qr_image("COUPON:K0123456789ABCDEF")
    assert image.startswith("data:image/svg+xml;utf8,<svg ")
    assert not re.search(r"[\"#\s]https?:(?!//www\.w3\.org)", image)
    assert len(image) < 6000
