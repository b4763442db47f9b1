"""The agent by itself: nothing there, nothing writable, nothing sensible from outside."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from config.edge_settings import load_edge
from config.load import SettingsError
from contract.payloads import AgentStatus, ClientState
from delivery.journal import JournalError
from devices.beacon_scanner import Advert
from devices.status import DeviceStatus, PowerState
from edge import announcer as announcer_module
from edge import health
from edge.agent import Agent
from edge.announcer import Announcer
from edge.detectors import detection
from tests.delivery.real import free_ports, until
from tests.edge.lane_bench import KEYS
from tests.edge.lane_ways import decision


def settings(folder: Path, *, more: str = "", lane: bool = True) -> Path:
    path = folder / "edge.toml"
    path.write_text(
        f'store = "s1"\nagent = "exit"\ndatabase = "{folder}/exit.db"\nheartbeat_s = 0.05\n'
        f'[mqtt]\nport = {free_ports(1)[0]}\nusername = "agent-exit"\npassword = "x"\n{more}\n'
        + (
            "".join(
                f'{head}\nport = "{folder}/{port}"\n'
                for head, port in (
                    ('[[lane]]\nid = "1"\n[lane.reader]', "reader"), ("[lane.printer]", "printer"), ("[lane.gate]", "gate")
                )
            )
            if lane
            else ""
        )
    )  # fmt: skip
    return path


@asynccontextmanager
async def running(path: Path) -> AsyncIterator[Agent]:
    agent = Agent(load_edge(path), path)
    task = asyncio.create_task(agent.run())
    try:
        yield agent
        assert not task.done(), "the agent ended by itself"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def message(name: str, data: dict[str, Any], seq: int = 1) -> tuple[str, bytes]:
    topics = {
        "decision": ("instore/s1/agent/exit/lane/{lane}/decision", "instore.lane.decision.v1"),
        "keys": ("instore/s1/hub/main/exit-keys", "instore.exit.keys.v1"),
    }
    topic, kind = topics[name]
    head: dict[str, Any] = {"specversion": "1.0", "id": f"h{seq}", "source": "hub", "type": kind}
    if name == "decision":
        head |= {"epoch": "e", "seq": seq}
    else:
        head["source"] = "hub/main"
    return topic.format(lane=data.pop("lane", "")), json.dumps(head | {"data": data}).encode()


async def test_devices_that_are_not_there_are_told_with_what_to_do(tmp_path: Path) -> None:
    async with running(settings(tmp_path)) as agent:
        await until(lambda: len(agent.announcer.devices) == 3)
        for name, status in agent.announcer.devices.items():
            assert status.power.value == "off_offline", name
            assert "no such port" in status.reason
            assert str(tmp_path) in status.reason


async def test_a_decision_for_a_lane_that_is_not_here_is_kept_aside_and_the_next_is_taken(tmp_path: Path) -> None:
    async with running(settings(tmp_path)) as agent:
        data = decision("s1").model_dump(mode="json", exclude_none=True)
        agent.engine.receive(
            [message("decision", {**data, "lane": "9"}, 1), message("decision", {**data, "lane": "1"}, 2)]
        )
        assert agent.engine.counters["quarantined_handler"] == 1
        assert agent.lanes["1"].counters["late_decision"] == 1
        (detail,) = agent.engine.journal.db.execute("SELECT detail FROM quarantine").fetchone()
        assert "no lane '9'" in detail


async def test_keys_of_another_store_are_not_taken(tmp_path: Path) -> None:
    async with running(settings(tmp_path)) as agent:
        agent.engine.receive([message("keys", {"keys": KEYS, "store": "umeda"})])
        assert (len(agent.keys), agent.engine.counters["quarantined_handler"]) == (0, 1)
        agent.engine.receive([message("keys", {"keys": {**KEYS, "00": "no key"}, "store": "s1"})])
        assert len(agent.keys) == 1
    assert (
        len(stored_keys(tmp_path)) == 2
    )  # the one that can't be read stays on disk, and is told again at the next start


def stored_keys(folder: Path) -> dict[str, str]:
    path = folder / "edge.toml"
    agent = Agent(load_edge(path), path)
    found = agent.store.keys()
    agent.engine.journal.close()
    return found


@pytest.mark.row("C1")
async def test_a_full_disk_ends_neither_drivers_nor_heartbeat_nor_sightings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcer_module, "DISK_RETRY_S", 0.02)
    monkeypatch.setattr(detection, "DISK_RETRY_S", 0.02)
    async with running(settings(tmp_path, more='[beacons]\nadapter = "hci99"')) as agent:
        await until(lambda: len(agent.announcer.devices) >= 3)
        agent.engine.journal.db.execute("PRAGMA query_only = 1")
        agent.announcer.device("gate-1", "gate", DeviceStatus(PowerState.ONLINE))
        assert agent.sightings is not None
        now = agent.engine.clock.monotonic()
        for n in range(40):
            agent.sightings.on_advert(Advert("b1", "ibeacon", -50, -59, "aa", "hci0", now + n * 0.1))  # type: ignore[arg-type]
        await until(lambda: agent.detection is not None and agent.detection._untold)
        await asyncio.sleep(0.15)  # three heartbeats that can't be
        assert agent.engine.unacknowledged() == 0
        agent.engine.journal.db.execute("PRAGMA query_only = 0")
        await until(lambda: agent.engine.unacknowledged() == 1)
        await until(lambda: not agent.announcer._changed)


async def test_a_driver_that_fails_is_told_and_started_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "AGAIN_S", 0.01)
    told: list[DeviceStatus] = []
    runs = 0

    async def run() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise ZeroDivisionError
        await asyncio.Event().wait()

    task = asyncio.create_task(health.keep_running("gate-1", run, told.append))
    await until(lambda: runs == 3)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [status.power for status in told] == [PowerState.OFF_OFFLINE] * 2
    assert "ZeroDivisionError" in told[0].reason


def test_counters_of_the_lane_stand_beside_those_of_its_reader() -> None:
    announcer = Announcer(AgentStatus(state=ClientState.READY))
    announcer.counters("reader-1", {"refused": 1})
    announcer.device("reader-1", "scanner", DeviceStatus(PowerState.ONLINE, reason="r" * 900, counters={"scans": 5}))
    assert announcer.devices["reader-1"].counters == {"scans": 5, "refused": 1}
    assert len(announcer.devices["reader-1"].reason) == 500
    announcer.counters("reader-1", {"refused": 2})
    assert announcer.devices["reader-1"].counters == {"scans": 5, "refused": 2}
    announcer.device("reader-1", "scanner", DeviceStatus(PowerState.ONLINE, counters={str(n): n for n in range(99)}))
    assert len(announcer.devices["reader-1"].counters) == 64


async def test_what_cannot_start_says_why(tmp_path: Path) -> None:
    path = settings(tmp_path, more='[beacons]\nheartbeat = "IBEACON:nonsense"')
    with pytest.raises(SettingsError, match=r"edge\.toml: beacons: "):
        Agent(load_edge(path), path)
    path = settings(tmp_path)
    (tmp_path / "exit.db").write_bytes(b"this is no database at all" * 100)
    with pytest.raises(JournalError, match=r"exit\.db: file is not a database"):
        Agent(load_edge(path), path)
    path.write_text(path.read_text().replace(f"{tmp_path}/exit.db", "/proc/no/exit.db"))
    with pytest.raises(JournalError, match="/proc/no"):
        Agent(load_edge(path), path)
