"""`instore up` for real: one machine with everything, and several machines as several processes with folders of their own."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from contextlib import AsyncExitStack

import pytest

from config.writing import toml_text
from hub.exit_keys import read_keys
from instore.demo.hardware import Simulator
from instore.store_files import free_port
from tests.system.commands import instore
from tests.system.playing import leftovers
from tests.system.store import Running, answers, program
from tests.up.way_out import devices, lane, leave, paid, shows

pytestmark = [pytest.mark.row("B13", "C9"), pytest.mark.system]
BEACON = "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e"


def pid_of(up: Running, name: str) -> int:
    return int(re.findall(rf"{name}: started \(process (\d+)\)", up.said)[-1])


@pytest.mark.row("C2", "B5")
async def test_one_machine_from_an_empty_folder_to_an_exit_and_a_killed_hub(tmp_path):
    folder, dev = tmp_path / "shop", tmp_path / "dev"
    dev.mkdir()
    assert (await instore("up", "--new", str(folder), cwd=tmp_path)).code == 0
    port, mqtt_port, ws_port = free_port(), free_port(), free_port()
    document = {
        "clerks": ["c01", "c02", "c03", "m01"],
        "store": {"id": "ginza", "name": {"ja": "銀座店", "en": "Ginza"}},
        "machine": [{"name": "here", "runs": ["broker", "hub", "agent:entrance", "agent:exit"]}],
        "broker": {"kind": "embedded", "port": mqtt_port, "ws_port": ws_port},
        "hub": {"http": {"port": port}, "alerts": {"reoffer_s": 2}},
        "agent": [
            {"name": "entrance", "beacons": {"adapter": "hci0", "heartbeat": f"{BEACON}:9:1"}},
            {"name": "exit", "lane": [lane(dev)]},
        ],
    }
    config = folder / "store.toml"
    config.write_text(toml_text(document), encoding="utf-8")
    bus, sock = tmp_path / "bus.sock", tmp_path / "beacons.sock"
    hub = f"http://127.0.0.1:{port}"
    async with AsyncExitStack() as stack:
        told, reader, gate = await stack.enter_async_context(devices(dev))
        await stack.enter_async_context(
            program("sim", "beacons", "--bus", str(bus), "--control", str(sock), "--adapter", "hci0@0,0", cwd=tmp_path)
        )
        up = await stack.enter_async_context(
            program(
                "up", "--config", str(config), cwd=tmp_path, environment={"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={bus}"}
            )
        )
        await up.says("all programs of this machine are ready")
        assert f"{hub}/member/" in up.said
        for what in ("clerks", "customers"):
            done = await instore(what, "import", str(folder / f"{what}.csv"), "--config", str(folder / "data/hub.toml"), cwd=tmp_path)  # fmt: skip
            assert done.code == 0, done.out + done.err
        second = await instore("up", "--config", str(config), cwd=tmp_path)
        assert (second.code, "broker of this store runs already" in second.err) == (2, True), second.err
        # A customer walks in, and the clerk in charge is asked.
        clerk = {"INSTORE_PASSWORD": (folder / "data/secrets/clerk-c01").read_text().strip()}
        handheld = await stack.enter_async_context(
            program("handheld", "--clerk", "c01", "--store", "ginza", "--port", str(mqtt_port), "--json", cwd=tmp_path, environment=clerk)
        )  # fmt: skip
        beacons = Simulator("beacons", sock, lambda _, __: None)
        listening = asyncio.create_task(beacons.run())
        stack.callback(listening.cancel)
        await beacons.there.wait()
        await beacons.call(
            {"do": "add", "id": "hanako", "frame": f"{BEACON}:1:1", "interval_ms": 100, "at": [0.5, 0.0]}
        )
        await handheld.says('"handheld.alert"', '"C0001"')
        key = re.search(r'pos = "(.+)"', (folder / "data/api-keys.toml").read_text())[1]
        await leave(up, hub, key, told, reader, gate, "S1")
        # kill -9: it is there again, and the store goes on.
        first = pid_of(up, "hub")
        os.kill(first, signal.SIGKILL)
        await up.says("hub: ended by itself (signal SIGKILL); it is started again")
        await answers(f"{hub}/healthz", lambda status, said: status == 200 and said["broker"] == "ok")
        assert pid_of(up, "hub") != first
        await leave(up, hub, key, told, reader, gate, "S2")
        # A key for exit codes is exchanged while lane and broker go on (row C2).
        lane_pid, code = pid_of(up, "agent-exit"), await paid(up, hub, key, "S3")
        read_keys(config, (folder / "data/next.pem",))  # as openssl makes one
        for keys in (["data/exit-code-key.pem", "data/next.pem"], ["data/next.pem", "data/exit-code-key.pem"]):
            document["hub"]["exit_code"] = {"key_files": keys}
            config.write_text(toml_text(document), encoding="utf-8")
            before = up.said.count("2 of 2 agents there")
            up.process.send_signal(signal.SIGHUP)
            async with asyncio.timeout(30):
                while up.said.count("2 of 2 agents there") == before:  # noqa: ASYNC110  # no task of ours
                    await asyncio.sleep(0.05)
        assert up.said.count("store.toml was read anew; hub is started anew") == 2
        await shows(told, reader, gate, code)
        await leave(up, hub, key, told, reader, gate, "S4")
        config.write_text(toml_text(document | {"agent": []}), encoding="utf-8")
        up.process.send_signal(signal.SIGHUP)
        await up.says("not taken up, everything goes on as before")
        assert pid_of(up, "agent-exit") == lane_pid
        assert await up.end() == 0
        assert "everything has ended" in up.said
    assert leftovers(folder) == []


async def test_several_machines_with_one_file_and_a_way_in_from_outside(tmp_path):
    office, pi, dev = tmp_path / "office", tmp_path / "pi", tmp_path / "dev"
    for each in (pi, dev):
        each.mkdir()
    assert (await instore("up", "--new", str(office), cwd=tmp_path)).code == 0
    port, web_port = free_port(), free_port()
    document = {
        "store": {"id": "ginza", "name": {"ja": "銀座店", "en": "Ginza"}},
        "machine": [
            {"name": "office", "address": "127.0.0.1", "runs": ["broker", "hub"]},
            {"name": "exit-pi", "address": "127.0.0.2", "runs": ["agent:exit", "web"]},
        ],
        "broker": {"kind": "mosquitto", "port": free_port(), "ws_port": free_port()},
        "hub": {"http": {"port": port}},
        "web": {"port": web_port},
        "agent": [{"name": "exit", "lane": [lane(dev)]}],
    }
    (office / "store.toml").write_text(toml_text(document), encoding="utf-8")
    carried = await instore("up", "--config", "store.toml", "--export-machine", "exit-pi", cwd=office)
    assert carried.code == 0, carried.err
    (office / "exit-pi.store.toml").rename(pi / "store.toml")
    async with AsyncExitStack() as stack:
        told, reader, gate = await stack.enter_async_context(devices(dev))
        # The far machine first: it waits for the broker.
        there = await stack.enter_async_context(program("up", cwd=pi))
        here = await stack.enter_async_context(program("up", "--only", "office", cwd=office))
        await here.says("all programs of this machine are ready")
        await there.says("all programs of this machine are ready", f"http://127.0.0.2:{web_port}/member/")
        health = await answers(f"http://127.0.0.2:{web_port}/healthz", lambda status, said: status == 200)
        assert health["broker"] == "ok"
        key = re.search(r'pos = "(.+)"', (office / "data/api-keys.toml").read_text())[1]
        await leave(here, f"http://127.0.0.1:{port}", key, told, reader, gate, "S1")
        # A clerk's password is issued while it runs: Mosquitto takes it, and the lane goes on.
        issued = await instore("credentials", "issue", "clerk", "c07", "--file", str(office / "data/credentials.json"), cwd=office)  # fmt: skip
        assert issued.code == 0
        await here.says("broker: its users have changed")
        await answers(f"http://127.0.0.2:{web_port}/healthz", lambda status, said: said.get("broker") == "ok")
        await leave(here, f"http://127.0.0.2:{web_port}", key, told, reader, gate, "S2")
        assert [await there.end(), await here.end()] == [0, 0]
    assert leftovers(office) == []
    assert leftovers(pi) == []
