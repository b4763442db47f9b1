"""The second connection for what is critical: first come, first taken, and each copy once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from contract.envelope import Message
from delivery import express as module
from delivery.engine import Engine, Tx
from delivery.express import Express
from delivery.inbox import Inbox
from delivery.journal import Journal
from delivery.node import Node
from tests.delivery.real import AGENT, HUB, STORE, Party, RealBroker, _end, until


def scan(n: int) -> tuple[str, bytes]:
    return "instore/s1/agent/exit/lane/1/scan", b"%d" % n


def answer(n: int) -> tuple[str, bytes]:
    return "instore/s1/clerk/c01/answer", b"%d" % n


def all_of(inbox: Inbox) -> list[tuple[str, bytes]]:
    return [inbox.popleft() for _ in range(len(inbox))]


def test_the_copy_of_what_has_come_is_left_out() -> None:
    inbox = Inbox()
    both = Express(inbox)
    assert both.fast(scan(1))
    assert both.slow(answer(1))
    assert not both.slow(scan(1))
    assert sorted(all_of(inbox)) == [scan(1), answer(1)]


def test_whichever_copy_is_first_is_taken() -> None:
    inbox = Inbox()
    both = Express(inbox)
    assert both.slow(scan(1))
    assert both.fast(scan(2))
    assert not both.fast(scan(1))
    assert not both.slow(scan(2))
    assert all_of(inbox) == [scan(1), scan(2)]


def test_what_is_sent_again_is_taken_again() -> None:
    inbox = Inbox()
    both = Express(inbox)
    for first, second in ((both.fast, both.slow), (both.slow, both.fast), (both.fast, both.slow)):
        assert first(scan(1))
        assert not second(scan(1))
    assert all_of(inbox) == [scan(1)] * 3


def test_what_one_connection_lost_is_taken_when_it_is_sent_again() -> None:
    inbox = Inbox()
    both = Express(inbox)
    assert both.slow(scan(1))  # the copy of the second connection is lost
    assert not both.fast(scan(1))  # sent again: taken for the copy …
    assert both.slow(scan(1))  # … and taken here


def test_without_the_second_connection_all_comes_over_the_first() -> None:
    inbox = Inbox()
    both = Express(inbox)
    for _ in range(2):
        assert all(both.slow(scan(n)) for n in range(3))
    assert all_of(inbox) == [scan(n) for n in range(3)] * 2


def test_a_new_connection_begins_anew() -> None:
    inbox = Inbox()
    both = Express(inbox)
    both.slow(scan(1))
    both.begin()
    assert both.fast(scan(1))


def test_what_never_comes_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OWED_MAX", 10)
    both = Express(Inbox())
    for n in range(100):
        both.fast(scan(n))
        both.slow(scan(1000 + n))
    assert (len(both._slow_owes), len(both._fast_owes)) == (10, 10)


class Hub:
    """Notes what it is told. With a second connection."""

    def __init__(self, folder: Path, broker: RealBroker) -> None:
        self.seen: list[str] = []
        self.engine = Engine(Journal(folder / "hub.db"), HUB, STORE, self._handle)
        self.node = Node(self.engine, broker.address(HUB), express=True)

    def _handle(self, message: Message, _tx: Tx) -> None:
        if message.channel.stream is not None:
            self.seen.append(getattr(message.data, "code_id", "") or message.data.beacon)  # type: ignore[attr-defined]


@pytest.mark.row("C1")
@pytest.mark.parametrize("kind", ["mosquitto", "embedded"])
async def test_each_message_once_with_either_connection_cut(kind: str, tmp_path: Path) -> None:

    async with RealBroker(kind, tmp_path / "broker") as broker:
        hub = Hub(tmp_path, broker)
        running = asyncio.create_task(hub.node.run())
        try:
            async with Party(AGENT, tmp_path, broker.address(AGENT)) as agent:
                assert hub.node.express is not None
                links = [hub.node.link, hub.node.express]
                await until(lambda: all(link.up for link in links) and agent.node.link.up)
                expected = []
                for n in range(9):
                    agent.scan(f"s{n}")
                    agent.sight(f"b{n}")
                    expected += [f"s{n}", f"b{n}"]
                    await until(lambda: sorted(hub.seen) == sorted(expected))  # noqa: B023
                    if n in (2, 5):
                        link = links[n // 3]
                        client, before = link._client, link.connects
                        assert client is not None
                        client._connection._transport.abort()
                        # With full jitter it may be up again before anybody looks.
                        await until(lambda: link.connects > before or not link.up)  # noqa: B023
                    if n == 7:
                        await until(lambda: all(link.up for link in links))
                assert [what for what in hub.seen if what[0] == "s"] == [f"s{n}" for n in range(9)]
                assert hub.engine.counters["duplicates"] <= 4  # whose receipts went with the connection
        finally:
            await _end(running)
            hub.engine.journal.close()
