"""Bluetooth beacons through unmodified bleak on BlueZ: adverts and status to callbacks, recovers by itself.

Two scans run side by side. The active one, with `RSSI` and `DuplicateData` in its filter, gives every RSSI exactly on
every BlueZ version. The passive one (an advertisement monitor) makes the kernel switch off the radio's duplicate filter,
which on a Raspberry Pi otherwise lets one report per beacon through in about 10 s. bleak hands each advertisement of an
adapter to all of its scanners, so only the active one is listened to and nothing counts twice.

bleak never tells that scanning died. Three things do: our own D-Bus connection (bluetoothd, bus, adapter, power), errors
when starting, and silence: no advertisement for `silence_s` although a heartbeat beacon hangs in the store.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import structlog
from bleak import BleakScanner
from bleak.assigned_numbers import AdvertisementDataType
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakDBusError, BleakError

from devices.advert_frames import APPLE, IBEACON_HEAD, parse_advert
from devices.beacon_adapter import AdapterState, AdapterWatch
from devices.beacon_bleak import BleakBus, forget_scans
from devices.beacon_settings import Advert, BeaconSettings
from devices.errors import DeviceError, DeviceOffline
from devices.pulse import Pulse
from devices.status import DeviceStatus, PowerState

__all__ = ["Advert", "BeaconScanner", "BeaconSettings"]

log = structlog.get_logger()

OR_PATTERNS = [
    (0, AdvertisementDataType.MANUFACTURER_SPECIFIC_DATA, APPLE.to_bytes(2, "little") + IBEACON_HEAD),
    (2, AdvertisementDataType.MANUFACTURER_SPECIFIC_DATA, b"\xbe\xac"),
    (0, AdvertisementDataType.SERVICE_DATA_UUID16, b"\xaa\xfe"),
]
#: What bleak and dbus-fast were seen to raise when bluetoothd or the bus goes: see the notes above each test.
BLEAK_ERRORS = (BleakError, OSError, EOFError, TimeoutError, AssertionError, KeyError)
START_TIMEOUT_S, STOP_TIMEOUT_S = 8.0, 2.0
#: bleak sees the end of the same bus a moment after us; asked to stop before that it writes into a closed socket.
SETTLE_S = 0.05
#: A quiet scan is looked at this often, so that a watcher sees it live.
ROUND_MAX_S = 5.0
#: Adverts handed on before other tasks get their turn.
BATCH = 256
#: An RSSI of -127 or 127 means "not available" (Core Specification, vol 4 part E 7.7.65.2).
RSSI_RANGE_DBM = range(-126, 21)
ACTIVE_ONLY = (
    "active scanning only, bluetoothd refuses advertisement monitors: run it with --experimental; "
    "until then some radios report a beacon once in 10 s"
)


class BeaconScanner:
    """`run()` for ever. `on_advert` must be quick; an exception in it is logged and counted. Adverts of the heartbeat
    beacon end here. `on_status` when the state changes, and every `status_every_s` with the counters:

    adverts (frames handed on), heartbeats, malformed (frames), no_rssi, dropped (queue full), errors (in `on_advert`),
    restarts (of the scan), power_cycles.
    """

    def __init__(
        self,
        settings: BeaconSettings,
        on_advert: Callable[[Advert], None],
        on_status: Callable[[DeviceStatus], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.pulse = Pulse()
        self.status = DeviceStatus(PowerState.UNKNOWN)
        self._on_advert, self._on_status, self._clock = on_advert, on_status, clock
        self._queue: deque[Advert] = deque()
        self._draining: asyncio.Handle | None = None
        self._adapter = settings.adapter or "hci0"
        self._counters = dict.fromkeys(
            ("adverts", "heartbeats", "malformed", "no_rssi", "dropped", "errors", "restarts", "power_cycles"), 0
        )
        self._heard_at = self._heartbeat_at = self._told_at = -1.0
        self._failures = 0
        self._passive_refused = False

    async def run(self) -> None:
        """Scan until cancelled."""
        try:
            async with BleakBus():
                while True:
                    self.pulse.beat("scan")
                    try:
                        await self._session()
                    except DeviceError as error:
                        self._lost(error)
                    self.pulse.beat("scan")
                    await asyncio.sleep(self._backoff_s())
        finally:
            if self._draining is not None:
                self._draining.cancel()

    async def _session(self) -> None:
        """From adapter to scan to its loss, which is raised."""
        async with AdapterWatch(self.settings.adapter) as watch:
            await self._ready(watch)
            self._adapter = watch.name
            losses = watch.losses
            active = await self._start_active(watch)
            passive = None
            try:
                passive = await self._start_passive() if self.settings.passive else None
                self._heard_at = self._heartbeat_at = self._clock()
                await self._guard(watch, losses)
            except DeviceOffline:
                await asyncio.sleep(SETTLE_S)
                if watch.state is AdapterState.NO_BUS:  # with the bus goes bluetoothd's name, a moment earlier
                    raise watch.offline(AdapterState.NO_BUS) from None
                raise
            finally:
                if watch.state is not AdapterState.NO_BUS or not forget_scans(self._adapter):
                    for scanner in (passive, active):
                        if scanner is not None:
                            await _stop(scanner)

    async def _ready(self, watch: AdapterWatch) -> None:
        """Wait until the adapter is there and powered; say what is missing, and switch power on where allowed."""
        while watch.state is not AdapterState.ON:
            self.pulse.beat("scan")
            state = watch.state
            if state is AdapterState.NO_BUS:
                raise watch.offline(state)
            watch.changed.clear()
            self._lost(watch.offline(state))
            if state is AdapterState.OFF and self.settings.may_switch_power:
                try:
                    await watch.set_power(True)
                except DeviceError as error:
                    log.info("adapter does not switch on", adapter=watch.name, reason=str(error))
            await _wait(watch.changed, self.settings.backoff_max_s)

    async def _start_active(self, watch: AdapterWatch) -> BleakScanner:
        scanner = BleakScanner(
            self._heard,
            scanning_mode="active",
            bluez={"adapter": self._adapter, "filters": {"RSSI": -127, "DuplicateData": True}},
        )
        try:
            self.pulse.beat("scan")
            async with asyncio.timeout(START_TIMEOUT_S):
                await scanner.start()
        except BLEAK_ERRORS as error:
            self.pulse.beat("scan")
            await _stop(scanner)
            self._failures += 1
            await self._cycle_power_when_stuck(watch)
            raise DeviceOffline(
                self._adapter, f"scanning does not start ({_said(error)})", "it is tried again"
            ) from error
        return scanner

    async def _start_passive(self) -> BleakScanner | None:
        """None when bluetoothd has no advertisement monitors; the active scan then stands alone."""
        scanner = BleakScanner(
            _nothing, scanning_mode="passive", bluez={"adapter": self._adapter, "or_patterns": OR_PATTERNS}
        )
        try:
            self.pulse.beat("scan")
            async with asyncio.timeout(START_TIMEOUT_S):
                await scanner.start()
        except BLEAK_ERRORS as error:
            if not self._passive_refused:
                log.warning("passive scan refused", adapter=self._adapter, reason=_said(error))
            self._passive_refused = True
            return None
        self._passive_refused = False
        return scanner

    async def _guard(self, watch: AdapterWatch, losses: int) -> None:
        """Raises `DeviceOffline` as soon as the scan is known or taken to be dead."""
        settings = self.settings
        limit_s = settings.silence_s if settings.heartbeat_id else settings.silence_without_heartbeat_s
        while True:
            watch.changed.clear()
            self.pulse.beat("scan")
            if watch.losses != losses:
                raise watch.offline(watch.last_loss)
            silent_s = self._clock() - self._heard_at
            if silent_s >= limit_s:
                self._failures += 1
                await self._cycle_power_when_stuck(watch)
                raise _Silent(self._adapter, f"no advertisement for {silent_s:.1f} s", "scanning is started anew")
            self._online()
            await _wait(watch.changed, min(limit_s - silent_s, settings.status_every_s, limit_s / 4, ROUND_MAX_S))

    async def _cycle_power_when_stuck(self, watch: AdapterWatch) -> None:
        if self._failures < self.settings.failures_before_power_cycle or not self.settings.may_switch_power:
            return
        self._failures = 0
        self._counters["power_cycles"] += 1
        log.warning("adapter stuck, switching it off and on", adapter=self._adapter)
        try:
            await watch.set_power(False)
            self.pulse.beat("scan")
            await watch.set_power(True)
        except DeviceError as error:
            log.warning("adapter does not switch", adapter=self._adapter, reason=str(error))

    def _heard(self, device: BLEDevice, data: AdvertisementData) -> None:
        """Called within bleak's message handling, which swallows exceptions: take, parse, queue, and never raise."""
        try:
            if data.rssi not in RSSI_RANGE_DBM:
                self._counters["no_rssi"] += 1
                return
            self._heard_at = now = self._clock()
            self._failures = 0
            found = parse_advert(data.manufacturer_data, data.service_data)
            self._counters["malformed"] += found.malformed
            for frame in found.frames:
                if frame.beacon_id == self.settings.heartbeat_id:
                    self._heartbeat_at = now
                    self._counters["heartbeats"] += 1
                    continue
                self._put(
                    Advert(
                        frame.beacon_id,
                        frame.kind,
                        data.rssi,
                        frame.measured_power_dbm,
                        device.address,
                        self._adapter,
                        now,
                    )
                )
        except Exception:
            self._counters["errors"] += 1
            log.exception("an advertisement was not understood", address=device.address)

    def _put(self, advert: Advert) -> None:
        """The newest tells where a customer is: a full queue loses the oldest."""
        if len(self._queue) >= self.settings.queue_limit:
            self._queue.popleft()
            self._counters["dropped"] += 1
        self._queue.append(advert)
        if self._draining is None:
            self._draining = asyncio.get_running_loop().call_soon(self._drain)

    def _drain(self) -> None:
        self._draining = None
        for _ in range(min(BATCH, len(self._queue))):
            advert = self._queue.popleft()
            self._counters["adverts"] += 1
            try:
                self._on_advert(advert)
            except Exception:
                self._counters["errors"] += 1
                if self._counters["errors"] == 1:
                    log.exception("an advertisement could not be handed on", beacon=advert.beacon_id)
        if self._queue:
            self._draining = asyncio.get_running_loop().call_soon(self._drain)

    def _online(self) -> None:
        reason = ACTIVE_ONLY if self._passive_refused and self.settings.passive else ""
        flags: frozenset[str] = frozenset()
        if self.settings.heartbeat_id and self._clock() - self._heartbeat_at >= self.settings.silence_s:
            flags = frozenset({"no_answer"})
            reason = f"the heartbeat beacon {self.settings.heartbeat_id} is silent, others are heard: check its battery"
        if not self.status.online:
            log.info("beacon scan runs", adapter=self._adapter, note=reason)
        self._tell(PowerState.ONLINE, reason, flags)

    def _lost(self, error: DeviceError) -> None:
        silent = isinstance(error, _Silent)
        if self.status.power is not PowerState.OFF_OFFLINE:
            log.warning("beacon scan lost", adapter=self._adapter, reason=str(error))
        if self.status.online:
            self._counters["restarts"] += 1
        self._tell(PowerState.OFF_OFFLINE, str(error), frozenset({"no_answer"}) if silent else frozenset())

    def _tell(self, power: PowerState, reason: str, flags: frozenset[str]) -> None:
        status = DeviceStatus(power, flags, reason, dict(self._counters))
        before = self.status
        same = (status.power, status.flags, status.reason) == (before.power, before.flags, before.reason)
        if same and self._clock() - self._told_at < self.settings.status_every_s:
            return
        self.status, self._told_at = status, self._clock()
        self._on_status(status)

    def _backoff_s(self) -> float:
        """Doubling with each failure in a row, with jitter so that many agents do not act in step."""
        settings = self.settings
        ceiling_s: float = min(settings.backoff_max_s, settings.backoff_min_s * 2.0**self._failures)
        return random.uniform(0.5, 1.0) * ceiling_s


class _Silent(DeviceOffline):
    """Nothing is known to be wrong but that nothing is heard."""


def _nothing(device: BLEDevice, data: AdvertisementData) -> None:
    """The passive scan is there for its effect on the radio."""


def _said(error: BaseException) -> str:
    if isinstance(error, BleakDBusError):
        return f"{error.dbus_error} {error.dbus_error_details or ''}".rstrip()
    return str(error) or type(error).__name__


async def _stop(scanner: BleakScanner) -> None:
    """Let go of a scan of which it is not known whether it lives."""
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await scanner.stop()
    except BLEAK_ERRORS as error:
        log.debug("scan was gone before it was stopped", reason=_said(error))


async def _wait(event: asyncio.Event, timeout_s: float) -> Any:
    try:
        async with asyncio.timeout(max(0.0, timeout_s)):
            return await event.wait()
    except TimeoutError:
        return False
