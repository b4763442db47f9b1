"""The one file that knows the MQTT library: its sentences, its limits, its good-bye."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import ssl
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import structlog

from delivery import inbox
from delivery.engine import Publication
from delivery.link import Address, Link, _reason
from tests.broker.wire import connected
from tests.delivery.real import AGENT, OBSERVER, Party, RealBroker, free_ports, until

STATUS = "instore/s1/agent/exit/status"
OWN = [("instore/s1/agent/exit/receipt/up", 0)]


class Held:
    """A link that runs, and what it told."""

    def __init__(self, address: Address, subscriptions: list[tuple[str, int]] = OWN, **more: Publication) -> None:
        self.told: list[str] = []
        self.ups = 0
        self.link = Link(address, subscriptions, will=more.get("will"), goodbye=more.get("goodbye"), on_up=self.up,
                         on_down=self.told.append, on_wake=lambda: None, rng=Random(1))  # fmt: skip

    def up(self) -> None:
        self.ups += 1

    async def __aenter__(self) -> Held:
        self._task = asyncio.create_task(self.link.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@pytest.mark.parametrize("kind", ["mosquitto", "embedded"])
async def test_a_wrong_password_is_named_once_with_what_to_do(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with RealBroker(kind, tmp_path) as broker:
        address = Address("127.0.0.1", broker.port, "agent-exit", "wrong")
        with structlog.testing.capture_logs() as logs:
            async with Held(address) as held:
                await until(lambda: held.told)
                await asyncio.sleep(0.5)  # two or three more tries
        assert "agent-exit" in held.told[0]
        assert "password" in held.told[0]
        assert len(held.told) == 1
        assert len([line for line in logs if line["event"] == "no connection to the broker"]) == 1
        assert "CONNACK" not in caplog.text  # the library's own words for it


async def test_no_broker_is_named_and_found_when_it_comes(tmp_path: Path) -> None:
    broker = RealBroker("mosquitto", tmp_path)
    async with Held(broker.address(AGENT)) as held:
        await until(lambda: held.told)
        assert len(held.told) == 1
        assert f"no broker at 127.0.0.1:{broker.port}" in held.told[0]
        assert "is it running?" in held.told[0]
        async with broker:
            await until(lambda: held.link.up)
            assert held.link.trouble == ""


@pytest.mark.row("C13")
async def test_another_node_of_a_cluster_is_taken_when_one_is_lost(tmp_path: Path) -> None:
    first, second = RealBroker("mosquitto", tmp_path / "1"), RealBroker("mosquitto", tmp_path / "2")
    async with second:
        address = replace(first.address(AGENT), password=second.passwords[AGENT.username])
        async with Held(replace(address, others=(("127.0.0.1", second.port),))) as held:
            await until(lambda: held.link.up)
            assert held.link.address.port == second.port
            assert f"127.0.0.1:{first.port}" in held.told[0]


@pytest.mark.parametrize(("shared", "sent"), [(False, "agent-a.b:doctor"), (True, "agent-a~b:doctor")])
def test_the_client_id_has_no_dot_where_the_broker_knows_one_user_for_all(shared: bool, sent: str) -> None:
    assert Address("h", 1, "u", "x", client_id="agent-a.b:doctor", shared_user=shared).identifier == sent


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 1883)"), "Connection refused"),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed ('::1', 1883, 0, 0), …"), "none of its addresses answers"),
        (socket.gaierror(-2, "Name or service not known"), "this name is not known: Name or service not known"),
        (ssl.SSLError(1, "[SSL] record layer failure (_ssl.c:1006)"), "the TLS handshake failed"),
    ],
)  # fmt: skip
def test_why_there_is_no_connection_is_said_in_words(error: OSError, words: str) -> None:
    assert _reason(error) == words


@pytest.mark.parametrize("behaviour", ["says nothing", "hangs up"])
async def test_something_that_is_no_broker_is_named_in_time(behaviour: str) -> None:
    closing = []

    async def served(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        closing.append(writer)
        if behaviour == "hangs up":
            writer.close()

    server = await asyncio.start_server(served, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with Held(Address("127.0.0.1", port, "agent-exit", "x", connect_timeout_s=0.3)) as held:
        await until(lambda: held.told, 3)
    assert f"127.0.0.1:{port}" in held.told[0]
    assert "0.3 s" in held.told[0] or behaviour == "hangs up"
    for writer in closing:
        writer.close()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 300])
async def test_a_host_that_cannot_be_is_named(host: str) -> None:
    async with Held(Address(host, 1883, "agent-exit", "x")) as held:
        await until(lambda: held.told, 10)
        assert host in held.told[0]


async def test_a_subscription_that_is_refused_is_named(tmp_path: Path) -> None:
    async with RealBroker("embedded", tmp_path) as broker:
        async with Held(broker.address(AGENT), [*OWN, ("instore/s1/clerk/+/alert", 1)]) as held:
            await until(lambda: held.told)
        assert "clerk/+/alert" in held.told[0]
        assert "access control" in held.told[0]
        assert held.ups == 0


async def test_the_socket_sends_at_once(tmp_path: Path) -> None:
    async with RealBroker("mosquitto", tmp_path) as broker, Held(broker.address(AGENT)) as held:
        await until(lambda: held.link.up)
        client = held.link._client
        assert client is not None
        sock = client._connection._transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_a_broker_that_freezes_is_noticed(tmp_path: Path) -> None:
    async with RealBroker("mosquitto", tmp_path) as broker, Held(broker.address(AGENT, keepalive_s=1)) as held:
        await until(lambda: held.link.up)
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            await until(lambda: held.told, 5)
            assert "lost" in held.told[0]
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        await until(lambda: held.link.up)
        assert held.ups == 2


@pytest.mark.parametrize("kind", ["mosquitto", "embedded"])
async def test_last_words_on_purpose_and_by_accident(kind: str, tmp_path: Path) -> None:
    will, goodbye = Publication(STATUS, b"lost", 1, retain=True), Publication(STATUS, b"left", 1, retain=True)
    async with RealBroker(kind, tmp_path) as broker:
        observer = connected(broker.port, OBSERVER.username, broker.passwords[OBSERVER.username])
        async with observer as seen:
            await seen.subscribe([STATUS])
            async with Held(broker.address(AGENT), will=will, goodbye=goodbye) as held:
                await until(lambda: held.link.up)
                client = held.link._client
                assert client is not None
                client._connection._transport.abort()
                await until(lambda: [m[1] for m in seen.messages] == [b"lost"])
                await until(lambda: held.link.up)
            await until(lambda: [m[1] for m in seen.messages] == [b"lost", b"left"])


async def test_what_the_library_refuses_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        RealBroker("mosquitto", tmp_path / "b") as broker,
        Party(AGENT, tmp_path, broker.address(AGENT)) as agent,
    ):
        await until(lambda: agent.node.link.up)
        client = agent.node.link._client
        monkeypatch.setattr(client, "publish", lambda *a, **k: (_ for _ in ()).throw(OverflowError("no id left")))
        agent.scan("scan-1")
        assert agent.node.link.unsent == 1
        assert agent.engine.unacknowledged() == 1


async def test_arrivals_beyond_the_limit_are_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "QUEUE_MESSAGES", 2)
    link = Held(Address("127.0.0.1", free_ports(1)[0], "agent-exit", "x")).link
    for _ in range(5):
        link._on_message(None, "t", b"p", 0, {})
    assert (len(link.inbox), link.dropped) == (2, 3)
