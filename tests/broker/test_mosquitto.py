"""Mosquitto as `instore broker --mosquitto-config` sets it up, and the helper that runs one."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import websockets

from broker.credentials import Credentials
from broker.errors import MosquittoError, PortInUse
from broker.mosquitto import (
    CONFIGURATION,
    DYNAMIC_SECURITY,
    MAX_QUEUED_MESSAGES,
    dynamic_security,
    find_plugin,
    write_mosquitto_config,
)
from broker.mosquitto_process import start_mosquitto
from contract.envelope import MAX_BYTES
from tests.broker.stage import AGENT, CLERK, HUB, PRINCIPALS, free_ports, running
from tests.broker.wire import connect_packet, connected, mqtt_string, open_client, packet

ALERT = "instore/ginza/clerk/c1/alert"


@pytest.fixture
def credentials(tmp_path: Path) -> Credentials:
    return Credentials(tmp_path / "credentials.json")


def test_the_settings_of_the_design(tmp_path: Path, credentials: Credentials) -> None:
    path = write_mosquitto_config(tmp_path / "m", "ginza", credentials, host="0.0.0.0", tcp_port=1234, ws_port=4321)
    lines = path.read_text().splitlines()
    for wanted in ("allow_anonymous false", "set_tcp_nodelay true", "max_inflight_messages 1000", "persistence true",
                   f"max_queued_messages {MAX_QUEUED_MESSAGES}", "autosave_interval 1", "check_retain_source true",
                   f"message_size_limit {MAX_BYTES}", "listener 1234 0.0.0.0", "listener 4321 0.0.0.0",
                   "protocol websockets", f"plugin {find_plugin()}",
                   f"plugin_opt_config_file {tmp_path / 'm' / DYNAMIC_SECURITY}"):  # fmt: skip
        assert wanted in lines
    for name in (CONFIGURATION, DYNAMIC_SECURITY):
        assert stat.S_IMODE((tmp_path / "m" / name).stat().st_mode) == 0o600


def test_one_role_for_each_principal_and_no_administrator(credentials: Credentials) -> None:
    for principal in PRINCIPALS:
        credentials.issue(principal)
    document = dynamic_security("ginza", credentials)
    names = sorted(principal.username for principal in PRINCIPALS)
    assert [client["username"] for client in document["clients"]] == names
    assert [[role["rolename"] for role in client["roles"]] for client in document["clients"]] == [
        [name] for name in names
    ]
    assert [role["rolename"] for role in document["roles"]] == names
    topics = {acl["topic"] for role in document["roles"] for acl in role["acls"]}
    assert all(topic.startswith("instore/ginza/") and "#" not in topic for topic in topics)
    assert document["defaultACLAccess"] == {
        "publishClientSend": False, "publishClientReceive": False, "subscribe": False, "unsubscribe": True,
    }  # fmt: skip


async def test_issued_passwords_open_and_withdrawn_ones_do_not_after_a_restart(
    tmp_path: Path, credentials: Credentials
) -> None:
    password = credentials.issue(AGENT)
    tcp_port, ws_port = free_ports(2)
    for expected in (0, 5):
        write_mosquitto_config(tmp_path, "ginza", credentials, tcp_port=tcp_port, ws_port=ws_port)
        with start_mosquitto(tmp_path):
            client, answer = await open_client(tcp_port, connect_packet("agent-a1", "agent-a1", password))
            await client.close()
        assert answer == expected
        if AGENT in credentials:
            credentials.withdraw(AGENT)


async def test_websocket(tmp_path: Path) -> None:
    async with running("mosquitto", tmp_path) as stage, stage.connect(HUB) as hub:
        url = f"ws://127.0.0.1:{stage.ws_port}/mqtt"
        async with websockets.connect(url, subprotocols=[websockets.Subprotocol("mqtt")]) as page:
            await page.send(connect_packet("clerk-c1", "clerk-c1", stage.passwords[CLERK]))
            assert await page.recv() == b"\x20\x02\x00\x00"
            await page.send(packet(0x82, b"\0\1" + mqtt_string(ALERT) + b"\0"))
            assert await page.recv() == b"\x90\x03\x00\x01\x00"
            hub.publish(ALERT, b"come")
            assert b"come" in await page.recv()


async def test_no_small_message_waits_for_the_one_before_it(tmp_path: Path) -> None:
    """Nagle's algorithm on the broker's socket costs 44 ms for each answer behind a PUBACK."""
    question, answer = "instore/ginza/agent/a1/status", "instore/ginza/hub/main/status"
    async with running("mosquitto", tmp_path) as stage, stage.connect(HUB) as hub, stage.connect(AGENT) as agent:
        await hub.subscribe([question], qos=1)
        await agent.subscribe([answer], qos=1)
        took = []
        for number in range(1, 31):
            begun = time.perf_counter()
            agent.publish(question, b"x", qos=1)
            await hub.until(lambda count=number: len(hub.messages) == count)
            hub.publish(answer, b"y", qos=1)
            await agent.until(lambda count=number: len(agent.messages) == count)
            took.append(time.perf_counter() - begun)
        assert sorted(took)[3] < 0.02  # each of them would cost it; a crowded machine costs many of them as much


async def test_a_kill_after_a_save_loses_neither_session_nor_retained_message(
    tmp_path: Path, credentials: Credentials
) -> None:
    """`autosave_interval 1`; the default of 30 minutes was measured to lose both."""
    passwords = {principal: credentials.issue(principal) for principal in (HUB, CLERK, AGENT)}
    tcp_port, ws_port = free_ports(2)
    write_mosquitto_config(tmp_path, "ginza", credentials, tcp_port=tcp_port, ws_port=ws_port)
    saved = tmp_path / "data" / "mosquitto.db"
    with start_mosquitto(tmp_path) as first:
        async with connected(tcp_port, "clerk-c1", passwords[CLERK], clean=False) as clerk:
            await clerk.subscribe([ALERT], qos=1)
        async with connected(tcp_port, "hub-main", passwords[HUB]) as hub:
            hub.publish(ALERT, b"missed", qos=1)
            hub.publish("instore/ginza/hub/main/status", b"kept", qos=1, retain=True)
            await hub.until(lambda: hub.acknowledged == {1, 2})
            async with asyncio.timeout(30):
                while not (  # noqa: ASYNC110 - a file tells nobody that it is written
                    saved.exists() and b"missed" in saved.read_bytes() and b"kept" in saved.read_bytes()
                ):
                    await asyncio.sleep(0.02)
        first.kill()
    with start_mosquitto(tmp_path):
        async with connected(tcp_port, "clerk-c1", passwords[CLERK], clean=False) as clerk:
            await clerk.until(lambda: clerk.messages)
            assert clerk.messages == [(ALERT, b"missed", False)]
        async with connected(tcp_port, "agent-a1", passwords[AGENT]) as agent:
            await agent.subscribe(["instore/ginza/hub/+/status"])
            await agent.until(lambda: agent.messages)
            assert agent.messages == [("instore/ginza/hub/main/status", b"kept", True)]


def test_a_port_in_use_is_named(tmp_path: Path, credentials: Credentials) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        write_mosquitto_config(tmp_path, "ginza", credentials, tcp_port=free_ports(1)[0], ws_port=port)
        with pytest.raises(PortInUse, match=rf"port {port} on 127\.0\.0\.1 can't be used .*ss -ltnp"):
            start_mosquitto(tmp_path)


def test_a_mosquitto_that_ends_at_its_start_speaks(tmp_path: Path, credentials: Credentials) -> None:
    tcp_port, ws_port = free_ports(2)
    path = write_mosquitto_config(tmp_path, "ginza", credentials, tcp_port=tcp_port, ws_port=ws_port)
    path.write_text(path.read_text() + "\nno_such_setting true\n")
    with pytest.raises(MosquittoError, match=r"ended at its start; it said: .*no_such_setting"):
        start_mosquitto(tmp_path)


def test_a_missing_configuration_and_a_missing_program_are_named(
    tmp_path: Path, credentials: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MosquittoError, match=r"mosquitto\.conf does not exist; write it with `instore broker"):
        start_mosquitto(tmp_path)
    monkeypatch.setattr("broker.mosquitto_process.shutil.which", lambda *_, **__: None)
    with pytest.raises(MosquittoError, match="mosquitto is not installed; install it"):
        start_mosquitto(tmp_path)
    monkeypatch.setattr("broker.mosquitto._PLUGIN_FOLDERS", (str(tmp_path),))
    with pytest.raises(MosquittoError, match=r"mosquitto_dynamic_security\.so was not found .* install Mosquitto 2"):
        write_mosquitto_config(tmp_path, "ginza", credentials)


def test_it_ends_with_the_process_that_started_it_however_that_ends(tmp_path: Path, credentials: Credentials) -> None:
    tcp_port, ws_port = free_ports(2)
    write_mosquitto_config(tmp_path, "ginza", credentials, tcp_port=tcp_port, ws_port=ws_port)
    program = (
        "import pathlib, sys, time; from broker.mosquitto_process import start_mosquitto;"
        "print(start_mosquitto(pathlib.Path(sys.argv[1])).pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        handle = os.pidfd_open(pid)
        parent.send_signal(signal.SIGKILL)
    try:
        ended, _, _ = select.select([handle], [], [], 5)
    finally:
        os.close(handle)
    assert ended


def test_the_security_file_is_json_that_mosquitto_reads_whole(tmp_path: Path, credentials: Credentials) -> None:
    credentials.issue(AGENT)
    write_mosquitto_config(tmp_path, "ginza", credentials)
    clients = json.loads((tmp_path / DYNAMIC_SECURITY).read_text())["clients"]
    kept = json.loads(credentials.path.read_text())["principals"]["agent-a1"]
    assert {key: clients[0][key] for key in ("password", "salt", "iterations")} == kept
