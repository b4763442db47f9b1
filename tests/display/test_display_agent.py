"""The display in a whole agent: it starts with it, follows its devices, and never costs it anything (row B10)."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from config.edge_settings import LaneSettings, load_edge
from contract.payloads import DeviceStatus
from delivery.watchdog import Watchdog
from devices.status import DeviceStatus as Told
from devices.status import PowerState
from edge import health
from edge.agent import Agent
from edge.display.looking import called, look
from edge.display.view import Call, Devices
from edge.health_page import checks, page
from edge.lane_calls import Call as LaneCall
from edge.lane_calls import Calls
from tests.delivery.real import free_ports

pytestmark = pytest.mark.row("B10")


@asynccontextmanager
async def agent(folder: Path, port: int) -> AsyncIterator[Agent]:
    path = folder / "edge.toml"
    path.write_text(
        f'store = "s1"\nagent = "exit"\ndatabase = "{folder}/exit.db"\n'
        f'[mqtt]\nport = {free_ports(1)[0]}\nusername = "agent-exit"\npassword = "x"\n'
        f'[display]\nport = {port}\nlanguages = ["en", "ja"]\n'
        f'[[lane]]\nid = "1"\n[lane.reader]\nport = "{folder}/r1"\n'
        f'[[lane]]\nid = "counter-2"\n[lane.reader]\nport = "{folder}/r2"\n'
    )
    own = Agent(load_edge(path), path)
    task = asyncio.create_task(own.run())
    try:
        yield own
        assert not task.done(), "the agent ended by itself"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - what is awaited has no event of its own
            await asyncio.sleep(0.01)


async def screens(port: int, lane: str) -> AsyncIterator[dict[str, Any]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /lane/{lane}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    try:
        async for line in reader:
            if line.startswith(b"data: {"):
                yield json.loads(line.removeprefix(b"data: "))
    finally:
        writer.close()


async def test_an_agent_serves_a_display_for_each_lane_that_follows_its_devices(tmp_path: Path) -> None:
    async with agent(tmp_path, 0) as own:
        assert own.display is not None
        await until(lambda: own.display.port)  # type: ignore[union-attr]
        own.announcer.device("reader-1", "scanner", Told(PowerState.ONLINE))
        seen = []
        async with asyncio.timeout(30):
            stream = screens(own.display.port, "1")
            async for shown in stream:
                seen.append(shown["screen"])
                if shown["screen"] == "waiting":
                    own.announcer.device("reader-1", "scanner", Told(PowerState.OFF_OFFLINE, reason="unplugged"))
                elif "waiting" in seen:
                    break
            assert page(own, Watchdog(checks(own), lambda: ""))[1]["displays"] == {
                "1": "shown", "counter-2": "no page is open"}  # fmt: skip
            await stream.aclose()  # type: ignore[attr-defined]
        assert seen[-2:] == ["waiting", "out_of_order"]
        assert own.lanes["1"].policy.display
        assert not own.lanes["counter-2"].policy.display


async def test_a_port_that_is_taken_costs_the_lanes_nothing_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "AGAIN_S", 0.02)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        async with agent(tmp_path, port) as own:
            await until(lambda: own.health.failed["display server"] >= 1)
            await until(lambda: len(own.announcer.devices) == 2)
            other.close()
            async with asyncio.timeout(30):
                while True:
                    try:
                        stream = screens(port, "1")
                        assert (await anext(stream))["languages"] == ["en", "ja"]
                        await stream.aclose()  # type: ignore[attr-defined]
                        break
                    except OSError:
                        await asyncio.sleep(0.05)


def told(power: str = "online", *flags: str) -> DeviceStatus:
    return DeviceStatus(category="gate", power=power, flags=list(flags))  # type: ignore[arg-type]


WAYS = {"keypad": {"port": "/k"}, "nfc": {"port": "/n"}}


@pytest.mark.parametrize(
    ("devices", "more", "expected"),
    [
        ({}, {}, Devices(reader=None, gate=None)),
        ({"reader-1": told(), "gate-1": told()}, {}, Devices()),
        ({"reader-1": told("off_offline"), "gate-1": told()}, {}, Devices(reader=False)),
        ({"reader-1": told(), "gate-1": told("unknown")}, {}, Devices(gate=None)),
        ({"reader-1": told(), "gate-1": told("online", "gate_malfunction")}, {}, Devices(gate=False)),
        ({"reader-1": told(), "gate-1": told("online", "no_answer")}, {}, Devices(gate=False)),
        ({"reader-1": told(), "gate-1": told("online", "gate_open", "fire_alarm")}, {}, Devices(fire=True)),
        ({"reader-1": told(), "gate-1": told()}, {"disk": False}, Devices(disk=False)),
        ({"reader-1": told(), "gate-1": told()}, {"hub": False}, Devices()),
        ({"reader-1": told(), "gate-1": told()}, {"hub": False, "offline": "refuse"}, Devices(hub=False)),
        ({"reader-1": told()}, {"gate": None}, Devices()),
        (
            {"reader-1": told(), "gate-1": told(), "keypad-1": told(), "nfc-1": told()},
            WAYS,
            Devices(keypad=True, nfc=True),
        ),
        ({"reader-1": told(), "gate-1": told(), "keypad-1": told("off_offline")}, WAYS, Devices()),
    ],
)
def test_how_a_lane_is(devices: dict[str, DeviceStatus], more: dict[str, Any], expected: Devices) -> None:
    lane = {"id": "1", "reader": {"port": "/r"}, "gate": {"port": "/g"}, **more}
    known = {name: value for name, value in lane.items() if name not in ("hub", "disk")}
    found = look(LaneSettings.model_validate(known), devices, hub=more.get("hub", True), disk=more.get("disk", True))
    assert found == expected


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        ([], None),
        (["printer", "out_of_order"], None),
        (["stuck", "help"], Call("help", "coming")),
        (["printer", "no_decision"], Call("no_decision", "coming")),
    ],
)
def test_the_call_that_a_customer_is_to_know_of(reasons: list[Any], expected: Call | None) -> None:
    calls = tuple(LaneCall(f"c{n}", reason, "", None, "coming") for n, reason in enumerate(reasons))  # type: ignore[arg-type]
    assert called(Calls(open=calls)) == expected
