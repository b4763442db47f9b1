"""The radio for beacons: what it hears in some seconds."""

from __future__ import annotations

import asyncio

from config.edge_settings import BeaconSettings
from devices.beacon_scanner import Advert, BeaconScanner
from devices.beacon_settings import BeaconSettings as ScannerSettings
from devices.status import DeviceStatus
from doctor.finding import Finding, Level

LISTEN_S = 6.0


async def listen(beacons: BeaconSettings, seconds: float = LISTEN_S) -> Finding:
    """`seconds` of scanning as the agent does it; more while the adapter comes up, at most as long again."""
    heard: dict[str, int] = {}
    adverts = 0
    told: list[DeviceStatus] = []
    first = asyncio.Event()

    def on_advert(advert: Advert) -> None:
        nonlocal adverts
        adverts += 1
        heard[advert.beacon_id] = max(advert.rssi_dbm, heard.get(advert.beacon_id, -127))
        first.set()

    # The heartbeat beacon is heard here as any other is; the agent's scanner keeps it to itself.
    settings = ScannerSettings(adapter=beacons.adapter, passive=beacons.passive, silence_s=beacons.silence_s)
    scanner = BeaconScanner(settings, on_advert, told.append)
    task = asyncio.create_task(scanner.run(), name="doctor's scan")
    try:
        await asyncio.wait(
            (asyncio.ensure_future(first.wait()), task), timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        await asyncio.wait((task,), timeout=seconds)
    finally:
        first.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    state = told[-1] if told else scanner.status
    if not state.online:
        return Finding("beacons", Level.ERROR, "radio_bad", {"why": state.reason or "no adapter was found"})
    values = {"beacons": len(heard), "adverts": adverts, "seconds": seconds, "best_dbm": max(heard.values(), default=0)}
    if heard and beacons.heartbeat is not None and beacons.heartbeat not in heard:
        return Finding("beacons", Level.WARNING, "radio_no_heartbeat", {"heartbeat": beacons.heartbeat})
    if not heard:
        return Finding("beacons", Level.WARNING, "radio_quiet", values)
    return Finding("beacons", Level.OK, "radio_good", values)
