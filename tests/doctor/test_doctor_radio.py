"""The doctor's ear: unmodified bleak at the emulated bluetoothd."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from config.edge_settings import BeaconSettings
from devices.advert_frames import encode_frame
from doctor.finding import Level
from doctor.radio import listen
from firmware_sim.bluez_bus import PrivateBus
from firmware_sim.bluez_service import BluezService
from firmware_sim.bluez_state import Adapter, Heard

BEACON = "ibeacon:2f234454-cf6d-4a0f-adf2-f4911ba9ffa6:1:7"


@pytest.fixture
async def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PrivateBus]:
    made = PrivateBus(tmp_path / "bus")
    await made.start()
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", made.address)
    yield made
    await made.stop()


@contextlib.asynccontextmanager
async def bluetoothd(bus: PrivateBus, rssi_dbm: int | None) -> AsyncIterator[None]:
    """An adapter, and a beacon that is heard ten times a second at `rssi_dbm`; None: no beacon."""
    bluez = BluezService(bus.address, [Adapter("hci0", "00:00:00:00:00:01")])
    await bluez.start()

    async def advertise() -> None:
        payload = encode_frame(BEACON, -59)
        while rssi_dbm is not None:
            bluez.hear("hci0", Heard("AA:BB:CC:00:00:01", rssi_dbm, payload.manufacturer_data, payload.service_data))
            await asyncio.sleep(0.1)

    beacon = asyncio.create_task(advertise())
    try:
        yield
    finally:
        beacon.cancel()
        await asyncio.gather(beacon, return_exceptions=True)
        await bluez.stop()


@pytest.mark.row("C10")
async def test_what_the_radio_hears(bus: PrivateBus) -> None:
    async with bluetoothd(bus, -61):
        found = await listen(BeaconSettings(), 0.8)
        assert (found.level, found.key) == (Level.OK, "radio_good")
        assert (found.values["beacons"], found.values["best_dbm"]) == (1, -61)
        missed = await listen(BeaconSettings(heartbeat="altbeacon:" + "ab" * 20), 0.8)
        assert missed.key == "radio_no_heartbeat"
    async with bluetoothd(bus, None):
        assert (await listen(BeaconSettings(), 0.4)).key == "radio_quiet"


@pytest.mark.row("C10")
async def test_no_bluetooth_is_a_sentence(bus: PrivateBus) -> None:
    found = await listen(BeaconSettings(), 0.3)
    assert (found.level, found.key) == (Level.ERROR, "radio_bad")
    assert found.values["why"]
