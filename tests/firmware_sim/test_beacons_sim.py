"""The beacon simulator as a process: a scanner hears it, faults on command, `kill -9` and a restart."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from devices.beacon_scanner import Advert, BeaconScanner, BeaconSettings
from firmware_sim.beacons import AdapterPlace, BeaconSpec, run_beacons
from firmware_sim.bluez_bus import BusUnavailable, PrivateBus
from firmware_sim.control import ControlClient, ControlError
from firmware_sim.radio import Radio

FRAME = "ibeacon:2f234454-cf6d-4a0f-adf2-f4911ba9ffa6:1:7"
HEARTBEAT = BeaconSpec("heartbeat", "altbeacon:" + "ab" * 20, (0.0, 2.0), interval_s=0.05)
PLACES = [AdapterPlace("hci0", (0.0, 0.0)), AdapterPlace("hci1", (20.0, 0.0))]
EXACT = Radio(sigma_db=0, deep_fade_share=0, loss=0)


class Ear:
    """A scanner on one adapter and what it hears."""

    def __init__(self, adapter: str = "hci0", silence_s: float = 1.0) -> None:
        self.adverts: asyncio.Queue[Advert] = asyncio.Queue()
        self.changed = asyncio.Event()
        settings = BeaconSettings(
            adapter=adapter, heartbeat_id=HEARTBEAT.frame, silence_s=silence_s, backoff_min_s=0.05, backoff_max_s=0.5
        )
        self.scanner = BeaconScanner(settings, self.adverts.put_nowait, lambda status: self.changed.set())

    async def is_online(self, online: bool, timeout_s: float = 30.0) -> None:
        async with asyncio.timeout(timeout_s):
            while self.scanner.status.online is not online:
                self.changed.clear()
                await self.changed.wait()

    async def next(self, frame: str = FRAME, timeout_s: float = 30.0) -> Advert:
        async with asyncio.timeout(timeout_s):
            while (advert := await self.adverts.get()).beacon_id != frame:
                pass
        return advert


@asynccontextmanager
async def running(work) -> AsyncIterator[asyncio.Task]:
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def control(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ControlClient]:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'bus'}")
    work = run_beacons(tmp_path / "bus", tmp_path / "control", adapters=PLACES, seed=3, fixed=[HEARTBEAT], radio=EXACT)
    async with running(work), ControlClient(tmp_path / "control") as client:
        yield client


@pytest.mark.row("C9")
async def test_a_shopper_walks_from_the_entrance_to_the_exit(control: ControlClient):
    entrance, lane = Ear("hci0", 30.0), Ear("hci1", 30.0)  # a pause of a busy machine is no silence here
    async with running(entrance.scanner.run()), running(lane.scanner.run()):
        await entrance.is_online(True)
        await lane.is_online(True)
        added = await control.call({"do": "add", "id": "alice", "frame": FRAME, "at": [1, 0], "interval_ms": 20})
        assert added["ok"]
        while (event := await control.event("first_advert"))["id"] != "alice":
            pass  # the heartbeat is one too
        assert (event["id"], event["adapter"], event["rssi"]) in [("alice", "hci0", -59), ("alice", "hci1", -87)]
        advert = await entrance.next()
        assert (advert.rssi_dbm, advert.address) == (-59, added["address"])
        assert advert.t - event["t"] < 1.0
        assert (await control.call({"do": "walk", "id": "alice", "to": [19, 0], "speed_m_s": 50}))[
            "takes_s"
        ] == pytest.approx(0.36)
        await control.event("walked")
        async with asyncio.timeout(30):
            while (await lane.next()).rssi_dbm != -59:
                pass  # of her way, and still under way
        await control.call({"do": "remove", "id": "alice"})
        state = await control.call({"do": "state"})
        assert list(state["beacons"]) == ["heartbeat"]
        assert [adapter["scans"] for adapter in state["adapters"].values()] == [1, 1]


async def test_one_exact_advertisement_on_command(control: ControlClient):
    ear = Ear()
    async with running(ear.scanner.run()):
        await ear.is_online(True)
        before = time.monotonic()
        reply = await control.call({"do": "advert", "frame": FRAME, "adapter": "hci0", "rssi": -47})
        advert = await ear.next()
        assert reply["told"] is True
        assert advert.rssi_dbm == -47
        assert before <= reply["t"] <= advert.t < before + 1


@pytest.mark.parametrize("what", ["daemon", "bus", "power", "adapter", "deaf", "monitors", "in_progress"])
async def test_each_fault_comes_and_goes_and_the_scanner_recovers(control: ControlClient, what: str):
    ear = Ear(silence_s=0.4)
    for_s = 0.8 if what == "deaf" else 0.2  # silence has to last until it is noticed
    async with running(ear.scanner.run()):
        await ear.is_online(True)
        assert await control.call({"do": "fault", "what": what, "for_s": for_s}) == {"ok": True}
        if what in ("daemon", "bus", "adapter", "deaf"):
            await ear.is_online(False)
        await ear.is_online(True)
        async with running(_keep_sending(control)):
            await ear.next()


async def _keep_sending(control: ControlClient) -> None:
    task = asyncio.current_task()
    while task is not None and not task.cancelling():  # asyncio.wait_for in 3.11 may swallow the cancellation
        await control.call({"do": "advert", "frame": FRAME, "rssi": -50})
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({"do": "add", "id": "a", "frame": "x", "at": [0, 0]}, "'x' is no beacon identifier"),
        ({"do": "add", "id": "a", "frame": FRAME, "at": [0]}, '"at" must be \\[x, y\\] in metres'),
        ({"do": "add", "id": "a", "frame": FRAME, "at": [0, 0], "interval_ms": 1}, "an interval of 0.001 s"),
        ({"do": "add", "frame": FRAME, "at": [0, 0]}, '"id" must be a text'),
        ({"do": "walk", "id": "nobody", "to": [0, 0]}, "no beacon 'nobody'; there are heartbeat"),
        ({"do": "walk", "id": "heartbeat"}, '"to" must be'),
        ({"do": "advert", "frame": FRAME, "adapter": "hci9"}, "no adapter 'hci9'; there are hci0, hci1"),
        ({"do": "advert", "frame": FRAME, "rssi": -200}, "an RSSI of -200 dBm does not exist"),
        ({"do": "advert", "frame": FRAME, "rssi": "loud"}, '"rssi" must be a number'),
        ({"do": "fault", "what": "rain"}, "unknown fault 'rain'; known are daemon, bus"),
    ],
)
async def test_a_command_that_cannot_be_is_told(control: ControlClient, request_, sentence):
    with pytest.raises(AssertionError, match=sentence):
        reply = await control.call(request_)
        assert "error" not in reply, reply["error"]


async def test_kill_9_of_the_simulator_takes_the_bus_along_and_a_restart_is_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'bus'}")
    ear = Ear(silence_s=0.5)

    async def spawn() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, str(tmp_path), cwd=Path.cwd())

    child = await spawn()
    try:
        async with running(ear.scanner.run()):
            async with ControlClient(tmp_path / "control") as control:
                await ear.is_online(True)
                await control.call({"do": "advert", "frame": FRAME, "rssi": -47})
                await ear.next()
            os.kill(child.pid, signal.SIGKILL)
            await child.wait()
            await ear.is_online(False)
            assert "the D-Bus system bus is gone" in ear.scanner.status.reason
            child = await spawn()
            async with ControlClient(tmp_path / "control") as control:
                await ear.is_online(True)
                async with running(_keep_sending(control)):
                    await ear.next()
    finally:
        child.terminate()
        await child.wait()


PROGRAM = """
import asyncio, signal, sys
from pathlib import Path
from firmware_sim.beacons import AdapterPlace, BeaconSpec, run_beacons

async def main():
    place = Path(sys.argv[1])
    heartbeat = BeaconSpec("heartbeat", "altbeacon:" + "ab" * 20, (0.0, 2.0), interval_s=0.05)
    task = asyncio.create_task(
        run_beacons(place / "bus", place / "control", adapters=[AdapterPlace("hci0")], seed=1, fixed=[heartbeat])
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await asyncio.gather(task, return_exceptions=True)

asyncio.run(main())
"""


async def test_a_bus_that_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(BusUnavailable, match="a socket path has at most 107 bytes"):
        await PrivateBus(tmp_path / ("x" * 120)).start()
    (tmp_path / "taken").mkdir()
    with pytest.raises(BusUnavailable, match="no place for the bus's socket"):
        await PrivateBus(tmp_path / "taken").start()
    monkeypatch.setattr("firmware_sim.bluez_bus.CONFIG", "<busconfig>{path}")
    with pytest.raises(BusUnavailable, match=r"dbus-daemon does not start at .*bus: .*Error in file"):
        await PrivateBus(tmp_path / "bus").start()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BusUnavailable, match="sudo apt install dbus-daemon"):
        await PrivateBus(tmp_path / "bus").start()


async def test_two_simulators_do_not_share_a_bus(control: ControlClient, tmp_path: Path):
    with pytest.raises(ControlError, match="another simulator listens there"):
        await run_beacons(tmp_path / "bus2", tmp_path / "control", adapters=PLACES, seed=1)
