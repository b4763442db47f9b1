"""The embedded broker: where it listens, whom it refuses, how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from pathlib import Path

import pytest
import websockets
from structlog.testing import capture_logs

from broker import connection as connection_module
from broker.credentials import Credentials
from broker.embedded import BrokerSettings, EmbeddedBroker, loopback_address, tell_in_a_line
from broker.errors import AddressRefused, CredentialsError, PortInUse
from contract.access import Principal
from contract.messages import Role
from tests.broker.stage import AGENT, CLERK, HUB, OBSERVER, free_ports, running
from tests.broker.wire import connect_packet, connected, mqtt_string, open_client, packet, publish_packet

ALERT = "instore/ginza/clerk/c1/alert"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_this_machine_is_allowed(host: str) -> None:
    assert loopback_address(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "", "store.example", "10.0.0.1", "8.8.8.8"])
def test_other_addresses_are_refused_with_the_reason_and_the_way_out(host: str) -> None:
    with pytest.raises(
        AddressRefused, match=r"only on this machine .* because amqtt .* `instore broker --mosquitto-config"
    ):
        loopback_address(host)


@pytest.mark.parametrize("which", ["tcp_port", "ws_port"])
async def test_a_port_in_use_is_named(which: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = BrokerSettings("ginza", tmp_path / "c.json", **{"tcp_port": 0, "ws_port": 0, which: port})
        with pytest.raises(
            PortInUse, match=rf"port {port} on 127.0.0.1 can't be used .*\(Address already in use\).*ss -ltnp"
        ):
            async with EmbeddedBroker(settings):
                pass


async def test_a_damaged_file_of_users_is_named(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text("{")
    with pytest.raises(CredentialsError, match=r"c\.json: this is no file of broker users"):
        EmbeddedBroker(BrokerSettings("ginza", tmp_path / "c.json"))


async def test_every_accepted_socket_sends_at_once(tmp_path: Path) -> None:
    async with running("embedded", tmp_path) as stage, stage.connect(AGENT):
        url = f"ws://127.0.0.1:{stage.ws_port}/mqtt"
        async with websockets.connect(url, subprotocols=[websockets.Subprotocol("mqtt")]) as page:
            await page.send(connect_packet("clerk-c1", "clerk-c1", stage.passwords[CLERK]))
            assert await page.recv() == b"\x20\x02\x00\x00"
            assert stage.embedded is not None
            sockets = [connection.wire.socket for connection in stage.embedded.connections]
            assert [s and s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for s in sockets] == [1, 1]


async def test_a_page_over_websocket_hears_and_answers(tmp_path: Path) -> None:
    async with running("embedded", tmp_path) as stage, stage.connect(HUB) as hub:
        await hub.subscribe(["instore/ginza/clerk/+/answer"])
        url = f"ws://127.0.0.1:{stage.ws_port}/mqtt"
        async with websockets.connect(url, subprotocols=[websockets.Subprotocol("mqtt")]) as page:
            assert page.subprotocol == "mqtt"
            whole = connect_packet("clerk-c1:page", "clerk-c1", stage.passwords[CLERK]) + packet(
                0x82, b"\0\1" + mqtt_string(ALERT) + b"\0"
            )
            for at in range(0, len(whole), 7):  # MQTT packets need not be WebSocket messages
                await page.send(whole[at : at + 7])
            assert [await page.recv(), await page.recv()] == [b"\x20\x02\x00\x00", b"\x90\x03\x00\x01\x00"]
            hub.publish(ALERT, b"come")
            assert await page.recv() == publish_packet(ALERT, b"come")
            await page.send(publish_packet("instore/ginza/clerk/c1/answer", b"yes"))
            await hub.until(lambda: hub.messages)
            assert hub.messages == [("instore/ginza/clerk/c1/answer", b"yes", False)]


@pytest.mark.parametrize(("client_id", "answer"), [("agent-a1", 0), ("agent-a1:tool", 0), ("agent-a1-b", 2), ("agent-a", 2),
                                                   ("hub-main", 2)])  # fmt: skip
async def test_a_client_id_belongs_to_its_user(client_id: str, answer: int, tmp_path: Path) -> None:
    async with running("embedded", tmp_path) as stage:
        client, got = await open_client(stage.port, connect_packet(client_id, "agent-a1", stage.passwords[AGENT]))
        await client.close()
        assert got == answer


@pytest.mark.parametrize("level", [3, 5])
async def test_other_protocol_versions_are_answered(level: int, tmp_path: Path) -> None:
    async with running("embedded", tmp_path) as stage:
        client, got = await open_client(
            stage.port, connect_packet("agent-a1", "agent-a1", stage.passwords[AGENT], level=level)
        )
        await client.close()
        assert got == 1


async def test_refusals_are_counted_and_logged_without_the_password(tmp_path: Path) -> None:
    async with running("embedded", tmp_path) as stage:
        with capture_logs() as logs:
            client, _ = await open_client(stage.port, connect_packet("agent-a1", "agent-a1", "guessed-secret"))
            await client.close()
        assert stage.embedded is not None
        assert stage.embedded.refused_connections == 1
        assert [entry["event"] for entry in logs] == ["broker.refused"]
        assert "unknown or its password is wrong" in logs[0]["reason"]
        assert "guessed-secret" not in str(logs)


@pytest.mark.parametrize("how", ["withdraw", "issue"])
async def test_a_withdrawn_or_new_password_ends_the_connection(how: str, tmp_path: Path) -> None:
    async with running("embedded", tmp_path) as stage, stage.connect(AGENT) as agent, stage.connect(CLERK) as other:
        getattr(Credentials(stage.credentials.path), how)(AGENT)  # another process
        await agent.until(lambda: agent.closed)
        await other.ping()
        assert (agent.closed, other.closed) == (True, False)
        client, got = await open_client(stage.port, connect_packet("agent-a1", "agent-a1", stage.passwords[AGENT]))
        await client.close()
        assert got == 5


async def test_connections_are_bounded(tmp_path: Path) -> None:
    credentials = Credentials(tmp_path / "c.json")
    password = credentials.issue(HUB)
    settings = BrokerSettings("ginza", credentials.path, tcp_port=0, ws_port=0, max_connections=2)
    async with EmbeddedBroker(settings) as broker, contextlib.AsyncExitStack() as stack:
        for number in range(2):
            await stack.enter_async_context(connected(broker.tcp_port, "hub-main", password, f"hub-main:{number}"))
        client, got = await open_client(broker.tcp_port, connect_packet("hub-main:3", "hub-main", password))
        await client.close()
        assert got is None


async def test_who_takes_nothing_is_cut_off_and_does_not_hold_up_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "WRITE_TIMEOUT_S", 0.3)
    topic = "instore/ginza/agent/a1/sighting"
    async with running("embedded", tmp_path) as stage, stage.connect(AGENT) as agent, stage.connect(HUB) as hub:
        await hub.subscribe([topic])
        stuck, _ = await open_client(
            stage.port, connect_packet("observer-o1", "observer-o1", stage.passwords[OBSERVER])
        )
        await stuck.subscribe([topic])
        assert stuck._reading is not None
        stuck._reading.cancel()
        count = 0
        assert stage.embedded is not None
        async with asyncio.timeout(30):
            while len(stage.embedded.connections) == 3:
                for _ in range(20):
                    agent.publish(topic, bytes(60_000))
                    count += 1
                await agent.writer.drain()
                await hub.until(lambda expected=count: len(hub.messages) == expected)
        assert not hub.closed
        await stuck.close()


async def test_writing_to_a_client_that_is_gone_is_a_lost_connection_in_every_event_loop() -> None:
    """uvloop raises RuntimeError instead, and amqtt's task ended with it (found by a busy hour of kills)."""
    server = await asyncio.start_server(lambda _, writer: writer.transport.abort(), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.transport.abort()
        with pytest.raises(ConnectionResetError):
            await connection_module.TcpWire(reader, writer).write(b"late")
        await connection_module.TcpWire(reader, writer).close()


async def test_a_client_that_acknowledges_nothing_is_a_line_and_no_stack_trace(
    caplog: pytest.LogCaptureFixture,
) -> None:
    loop = asyncio.get_running_loop()
    with capture_logs() as logs:
        tell_in_a_line(loop, {"message": "", "exception": TimeoutError("Timeout waiting for PUBACK for packet ID 9")})
        assert [line["event"] for line in logs] == ["broker.client_does_not_acknowledge"]
        tell_in_a_line(loop, {"message": "something else", "exception": KeyError("bug")})
    assert "something else" in caplog.text
    assert len(logs) == 1


async def test_a_stop_leaves_nothing_behind(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with running("embedded", tmp_path) as stage:
            before = stage.port
            client = await stack.enter_async_context(stage.connect(AGENT, keepalive_s=0))
        await client.until(lambda: client.closed)
        assert client.closed
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", before)
    leftover = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    assert leftover == []


async def test_run_broker_as_a_process_until_sigterm(tmp_path: Path) -> None:
    credentials = Credentials(tmp_path / "c.json")
    password = credentials.issue(Principal(Role.AGENT, "a1"))
    tcp_port, ws_port = free_ports(2)
    program = (
        "import asyncio, pathlib, sys; from broker.embedded import BrokerSettings, run_broker;"
        "asyncio.run(run_broker(BrokerSettings('ginza', pathlib.Path(sys.argv[1]), tcp_port=int(sys.argv[2]),"
        " ws_port=int(sys.argv[3]))))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", program, str(credentials.path), str(tcp_port), str(ws_port),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            assert b"broker.listening" in await process.stdout.readline()
        async with connected(tcp_port, "agent-a1", password) as agent:
            await agent.ping()
            process.send_signal(signal.SIGTERM)
            await agent.until(lambda: agent.closed)
        _, errors = await asyncio.wait_for(process.communicate(), 30)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0
    assert errors == b""
