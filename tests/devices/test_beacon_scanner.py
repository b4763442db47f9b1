"""The scanner with unmodified bleak over the emulated bluetoothd: exact levels, and every way in which scanning dies."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from devices.advert_frames import encode_frame
from devices.beacon_scanner import Advert, BeaconScanner, BeaconSettings
from devices.status import DeviceStatus, PowerState
from firmware_sim.bluez_bus import PrivateBus
from firmware_sim.bluez_service import BluezService
from firmware_sim.bluez_state import Adapter, Heard

BEACON = "ibeacon:2f234454-cf6d-4a0f-adf2-f4911ba9ffa6:1:7"
HEARTBEAT = "altbeacon:" + "ab" * 20
EDDYSTONE = "eddystone-uid:00010203040506070809:aabbccddeeff"
ADDRESS = "AA:BB:CC:00:00:01"
#: Fast enough for a test, and still ten times what the emulator needs.
QUICK = BeaconSettings(adapter="hci0", silence_s=0.4, silence_without_heartbeat_s=30, backoff_min_s=0.02)


class Store:
    """A bus, a bluetoothd with hci0 on it, and whatever the scanner told."""

    def __init__(self, socket: Path) -> None:
        self.bus = PrivateBus(socket)
        self.bluez = BluezService(self.bus.address, [Adapter("hci0", "00:00:00:00:00:01")])
        self.adverts: list[Advert] = []
        self.statuses: list[DeviceStatus] = []
        self.changed = asyncio.Event()

    def took(self, advert: Advert) -> None:
        self.adverts.append(advert)
        self.changed.set()

    def told(self, status: DeviceStatus) -> None:
        self.statuses.append(status)
        self.changed.set()

    def send(self, beacon_id: str, rssi: int, address: str = ADDRESS, adapter: str = "hci0") -> bool:
        payload = encode_frame(beacon_id, -59)
        return self.bluez.hear(adapter, Heard(address, rssi, payload.manufacturer_data, payload.service_data))

    async def until(self, true: Callable[[], bool], timeout_s: float = 30.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not true():
                self.changed.clear()
                await self.changed.wait()

    async def online(self, after: int = 0) -> None:
        await self.until(lambda: any(status.online for status in self.statuses[after:]))

    async def lost(self, text: str, after: int = 0) -> DeviceStatus:
        found: list[DeviceStatus] = []

        def seen() -> bool:
            found[:] = [s for s in self.statuses[after:] if not s.online and text in s.reason]
            return bool(found)

        try:
            await self.until(seen)
        except TimeoutError:
            pytest.fail(f"no status with {text!r}; there were {[s.reason for s in self.statuses[after:]]}")
        return found[0]

    async def advert_comes_through(self) -> None:
        """Sent again and again, as a beacon does, until it is heard."""
        before = len(self.adverts)
        async with asyncio.timeout(30):
            while len(self.adverts) == before:
                self.send(BEACON, -61)
                await asyncio.sleep(0.02)


@pytest.fixture
async def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    store = Store(tmp_path / "bus")
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", store.bus.address)
    yield store
    await store.bluez.stop()
    await store.bus.stop()


@asynccontextmanager
async def scanning(store: Store, settings: BeaconSettings = QUICK) -> AsyncIterator[BeaconScanner]:
    scanner = BeaconScanner(settings, store.took, store.told)
    task = asyncio.create_task(scanner.run())
    try:
        yield scanner
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def beating(store: Store) -> AsyncIterator[None]:
    """A heartbeat beacon of 20 a second hangs in the store."""

    async def beat() -> None:
        while True:
            store.send(HEARTBEAT, -70, "AA:BB:CC:00:00:99")
            await asyncio.sleep(0.05)

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def up(store: Store) -> None:
    await store.bus.start()
    await store.bluez.start()


@pytest.mark.row("A4")
@pytest.mark.parametrize("fidelity", ["bluez-5.66", "bluez"])
async def test_every_level_arrives_exactly_and_once(store: Store, fidelity):
    store.bluez.adapters["hci0"].fidelity = fidelity
    await up(store)
    levels = [-60, -61, -63, -63, -66, -68, -75]
    async with scanning(store):
        await store.online()
        assert store.statuses[-1].reason == ""
        assert len(store.bluez.adapters["hci0"].monitors) == 1, "the passive scan runs beside the active one"
        for level in levels:
            store.send(BEACON, level)
        await store.until(lambda: len(store.adverts) >= len(levels))
        await asyncio.sleep(0.05)
    assert [advert.rssi_dbm for advert in store.adverts] == levels
    first = store.adverts[0]
    assert (first.beacon_id, first.measured_power_dbm) == (BEACON, -59)
    assert (first.address, first.adapter) == (ADDRESS, "hci0")
    assert store.bluez.adapters["hci0"].sessions == set(), "a scanner that ends leaves no scan behind"


async def test_frames_that_one_address_alternates_all_arrive(store: Store):
    await up(store)
    async with scanning(store):
        await store.online()
        for level, beacon in [(-60, BEACON), (-61, EDDYSTONE), (-62, BEACON)]:
            store.send(beacon, level)
        await store.until(lambda: len(store.adverts) == 5)
    assert [(a.kind.value, a.rssi_dbm) for a in store.adverts] == [
        ("ibeacon", -60),
        ("ibeacon", -61),
        ("eddystone-uid", -61),
        ("ibeacon", -62),
        ("eddystone-uid", -62),
    ]


async def test_two_adapters_hear_each_their_own(store: Store):
    await up(store)
    store.bluez.add_adapter(Adapter("hci1", "00:00:00:00:00:02"))
    other = Store(store.bus.socket)
    async with scanning(store), scanning(other, BeaconSettings(adapter="hci1")):
        await store.online()
        await other.online()
        store.send(BEACON, -60, adapter="hci0")
        store.send(EDDYSTONE, -80, adapter="hci1")
        await store.until(lambda: len(store.adverts) == 1)
        await other.until(lambda: len(other.adverts) == 1)
    assert (store.adverts[0].adapter, store.adverts[0].rssi_dbm) == ("hci0", -60)
    assert (other.adverts[0].adapter, other.adverts[0].rssi_dbm) == ("hci1", -80)


async def test_without_monitors_it_scans_actively_and_says_so(store: Store):
    store.bluez.adapters["hci0"].refuse_monitors = True
    await up(store)
    async with scanning(store):
        await store.online()
        assert store.statuses[-1].reason.startswith("active scanning only, bluetoothd refuses")
        await store.advert_comes_through()


async def test_bluetoothd_restarts(store: Store):
    await up(store)
    async with scanning(store):
        await store.online()
        mark = len(store.statuses)
        await store.bluez.stop()
        await store.lost("bluetoothd does not run: sudo systemctl start bluetooth", mark)
        await store.bluez.start()
        await store.online(mark)
        await store.advert_comes_through()
        assert store.statuses[-1].counters["restarts"] == 1


async def test_the_whole_bus_goes_and_comes_back(store: Store):
    await up(store)
    async with scanning(store):
        await store.online()
        mark = len(store.statuses)
        await store.bus.stop()
        await store.bluez.stop()
        await store.lost("the D-Bus system bus is gone", mark)
        await up(store)
        await store.online(mark)
        store.adverts.clear()
        levels = [-60, -61, -62]
        for level in levels:
            store.send(BEACON, level)
        await store.until(lambda: len(store.adverts) >= len(levels))
        await asyncio.sleep(0.05)
        assert [advert.rssi_dbm for advert in store.adverts] == levels, "the old scan is not heard as well"


async def test_started_before_there_is_a_bus_an_adapter_or_power(store: Store):
    adapter = store.bluez.adapters.pop("hci0")
    adapter.powered = False
    async with scanning(store):
        await store.lost("the D-Bus system bus is gone")
        await store.bus.start()
        await store.lost("bluetoothd does not run")
        await store.bluez.start()
        await store.lost("hci0: no such Bluetooth adapter: is the radio plugged in")
        store.bluez.add_adapter(adapter)
        await store.lost("hci0: the Bluetooth adapter is powered off: sudo rfkill unblock bluetooth")
        await store.online()
        await store.advert_comes_through()
    assert adapter.powered, "it was switched on by us"


async def test_a_powered_off_adapter_waits_for_a_person_when_it_must(store: Store):
    await up(store)
    async with scanning(store, BeaconSettings(adapter="hci0", may_switch_power=False, backoff_min_s=0.02)):
        await store.online()
        mark = len(store.statuses)
        store.bluez.tell(store.bluez.adapters["hci0"].power(False))
        await store.lost("powered off", mark)
        store.bluez.tell(store.bluez.adapters["hci0"].power(True))
        await store.online(mark)
        await store.advert_comes_through()


async def test_an_unplugged_radio_is_taken_up_again(store: Store):
    await up(store)
    async with scanning(store):
        await store.online()
        mark = len(store.statuses)
        adapter = store.bluez.remove_adapter("hci0")
        await store.lost("no such Bluetooth adapter", mark)
        store.bluez.add_adapter(adapter)
        await store.online(mark)
        await store.advert_comes_through()


async def test_in_progress_for_ever_ends_with_a_power_cycle(store: Store):
    store.bluez.adapters["hci0"].in_progress = True
    await up(store)
    async with scanning(store):
        await store.lost("scanning does not start (org.bluez.Error.InProgress Operation already in progress)")
        await store.online()
        await store.advert_comes_through()
        assert store.statuses[-1].counters["power_cycles"] == 1


async def test_a_scan_that_dies_silently_is_started_anew(store: Store):
    await up(store)
    settings = BeaconSettings(adapter="hci0", heartbeat_id=HEARTBEAT, silence_s=0.4, backoff_min_s=0.02)
    async with scanning(store, settings), beating(store):
        await store.online()
        await asyncio.sleep(0.6)
        assert [s.online for s in store.statuses] == [True], "a heartbeat that is heard needs no restart"
        store.bluez.adapters["hci0"].deaf = True
        status = await store.lost("hci0: no advertisement for 0.4 s")
        assert status.flags == {"no_answer"}
        mark = len(store.statuses)
        store.bluez.adapters["hci0"].deaf = False
        await store.online(mark)
        await store.advert_comes_through()
    assert all(advert.beacon_id != HEARTBEAT for advert in store.adverts), "the heartbeat is no customer"


async def test_a_flat_heartbeat_battery_restarts_nothing(store: Store):
    await up(store)
    settings = BeaconSettings(adapter="hci0", heartbeat_id=HEARTBEAT, silence_s=0.3, backoff_min_s=0.02)
    async with scanning(store, settings):
        await store.online()
        async with asyncio.timeout(30):
            while not store.statuses[-1].flags:
                store.send(BEACON, -60)
                await asyncio.sleep(0.02)
    assert store.statuses[-1].power is PowerState.ONLINE
    assert "is silent, others are heard: check its battery" in store.statuses[-1].reason
    assert store.statuses[-1].counters["restarts"] == 0


async def test_a_consumer_that_raises_stops_nothing(store: Store):
    await up(store)

    def fail(advert: Advert) -> None:
        store.changed.set()
        raise RuntimeError("the consumer has a bug")

    store.took = fail
    async with scanning(store) as scanner:
        await store.online()
        store.send(BEACON, -60)
        store.send(BEACON, -61)
        await store.until(lambda: scanner._counters["errors"] == 2)


async def test_a_full_queue_loses_the_oldest_and_counts(store: Store):
    await up(store)
    async with scanning(store, BeaconSettings(adapter="hci0", queue_limit=10)) as scanner:
        await store.online()
        for minor in range(25):
            scanner._put(Advert(f"{minor}", None, -60, -59, ADDRESS, "hci0", 0.0))  # type: ignore[arg-type]
        await store.until(lambda: len(store.adverts) == 10)
        assert [advert.beacon_id for advert in store.adverts] == [str(n) for n in range(15, 25)]
        assert scanner._counters["dropped"] == 15


def test_settings_that_cannot_be_are_told():
    with pytest.raises(ValueError, match="must be spelt 'altbeacon:abab"):
        BeaconSettings(heartbeat_id=HEARTBEAT.upper())
    with pytest.raises(ValueError, match="queue_limit is 0"):
        BeaconSettings(queue_limit=0)
