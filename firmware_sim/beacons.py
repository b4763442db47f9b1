"""Simulated beacons behind a simulated bluetoothd: an agent with DBUS_SYSTEM_BUS_ADDRESS=unix:path=<bus> hears them.

    {"do": "add", "id": "alice", "frame": "ibeacon:<uuid>:1:7", "at": [x, y]}      metres; "interval_ms" 100, "power_dbm" -59
        … "frame": "eid:<32 hex digits>:<exponent>", "counter": 1234567890, "speed": 60   a rotating beacon; "counter": UNIX time
    {"do": "walk", "id": "alice", "to": [x, y], "speed_m_s": 1.2}                  or "via": [[x, y], …]; tells "walked"
    {"do": "remove", "id": "alice"}
    {"do": "advert", "frame": "…", "adapter": "hci0", "rssi": -60}                 one exact advertisement; replies "t", "told"
    {"do": "fault", "what": "daemon", "on": true, "for_s": 3}                      ends by itself after "for_s", if given
    {"do": "state"}

Faults: `daemon` bluetoothd dies; `bus` the whole D-Bus dies; and with "adapter": `power` off, `adapter` unplugged,
`in_progress` every start of a scan is refused, `deaf` scanning dies silently, `monitors` passive scanning is refused.

Tells `{"event": "first_advert", "id", "frame", "adapter", "rssi", "t"}` when an agent is told of a beacon for the first
time since it was added, and `{"event": "walked", "id", "t"}`. `t` is the machine's monotonic clock.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from devices.advert_frames import encode_frame
from firmware_sim.beacons_world import AdapterPlace, BeaconSpec, Reception, World, address_of
from firmware_sim.bluez_bus import PrivateBus
from firmware_sim.bluez_service import BluezService
from firmware_sim.bluez_state import Adapter, Fidelity, Heard
from firmware_sim.control import ControlError, ControlServer, commands
from firmware_sim.radio import Point, Radio

__all__ = ["AdapterPlace", "BeaconSpec", "BeaconsSim", "Radio", "run_beacons"]

Json = dict[str, Any]
ADAPTER_FAULTS = ("power", "adapter", "in_progress", "deaf", "monitors")
FAULTS = ("daemon", "bus", *ADAPTER_FAULTS)


class BeaconsSim:
    """`async with` it; `run()` advertises until cancelled. `tell(event)` gets its events."""

    def __init__(
        self,
        bus_socket: Path,
        tell: Callable[[Json], None],
        *,
        adapters: Sequence[AdapterPlace],
        seed: int,
        fixed: Sequence[BeaconSpec] = (),
        radio: Radio | None = None,
        fidelity: Fidelity = "bluez-5.66",
    ) -> None:
        self.bus = PrivateBus(bus_socket)
        radios = [
            Adapter(place.name, f"00:1A:7D:00:00:{number:02X}", fidelity) for number, place in enumerate(adapters)
        ]
        self.bluez = BluezService(self.bus.address, radios)
        self._unplugged: dict[str, Adapter] = {}
        self.world = World(adapters, radio or Radio(), seed)
        self._tell = tell
        self._changed = asyncio.Event()
        self._timers: set[asyncio.Task[None]] = set()
        self._lock = asyncio.Lock()
        for spec in fixed:
            self.world.add(spec, time.monotonic())
        self.handle = commands(
            {
                "add": self._add,
                "walk": self._walk,
                "remove": self._remove,
                "advert": self._advert,
                "fault": self._fault,
                "state": self._state,
            }
        )

    async def __aenter__(self) -> BeaconsSim:
        await self.bus.start()
        try:
            await self.bluez.start()
        except BaseException:
            await self.bus.stop()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        for task in self._timers:
            task.cancel()
        await asyncio.gather(*self._timers, return_exceptions=True)
        await self.bluez.stop()
        await self.bus.stop()

    async def run(self) -> None:
        while True:
            for reception in self.world.advance(time.monotonic()):
                self._hear(reception)
            self._changed.clear()
            due = self.world.next_due()
            try:
                async with asyncio.timeout(None if due is None else max(0.0, due - time.monotonic())):
                    await self._changed.wait()
            except TimeoutError:
                pass  # the next advertisement is due

    def _hear(self, reception: Reception) -> None:
        now = time.monotonic()
        beacon = self.world.beacons[reception.beacon_id]
        told = self.bluez.hear(reception.adapter, reception.heard)
        if told and reception.adapter not in beacon.heard_by:
            beacon.heard_by.add(reception.adapter)
            event = {"id": beacon.spec.id, "frame": beacon.spec.frame, "adapter": reception.adapter}
            self._tell({"event": "first_advert", **event, "rssi": reception.heard.rssi_dbm, "t": now})

    # -- commands -------------------------------------------------------------------------------------------------

    def _add(self, request: Json) -> Json:
        try:
            spec = BeaconSpec(
                _text(request, "id"),
                _text(request, "frame"),
                _point(request, "at"),
                _number(request, "interval_ms", 100) / 1000,
                round(_number(request, "power_dbm", -59)),
                _number(request, "counter", time.time()),
                _number(request, "speed", 1.0),
            )
            beacon = self.world.add(spec, time.monotonic())
        except ValueError as error:
            raise ControlError(str(error)) from error
        self._changed.set()
        return {"ok": True, "address": beacon.address, "frame": beacon.spec.frame}

    def _walk(self, request: Json) -> Json:
        name = self._known(request)
        via = [_as_point(point, "via") for point in request.get("via", [])]
        through = via + ([_point(request, "to")] if "to" in request or not via else [])
        now = time.monotonic()
        try:
            there = self.world.walk(name, through, _number(request, "speed_m_s", 1.2), now)
        except ValueError as error:
            raise ControlError(str(error)) from error
        path = self.world.beacons[name].path

        async def arrive() -> None:
            await asyncio.sleep(there - now)
            beacon = self.world.beacons.get(name)
            if beacon is not None and beacon.path is path:
                self._tell({"event": "walked", "id": name, "t": time.monotonic()})

        self._later(arrive())
        return {"ok": True, "takes_s": there - now}

    def _remove(self, request: Json) -> Json:
        self.world.remove(self._known(request))
        return {"ok": True}

    def _advert(self, request: Json) -> Json:
        adapter, frame = self._adapter(request), _text(request, "frame")
        rssi = round(_number(request, "rssi", -60))
        if not -126 <= rssi <= 20:
            raise ControlError(f"an RSSI of {rssi} dBm does not exist; -126 to 20")
        try:
            payload = encode_frame(frame, round(_number(request, "power_dbm", -59)))
        except ValueError as error:
            raise ControlError(str(error)) from error
        address = request.get("address") or address_of(frame)
        heard = Heard(str(address), rssi, payload.manufacturer_data, payload.service_data)
        now = time.monotonic()
        return {"ok": True, "told": self.bluez.hear(adapter, heard), "t": now}

    async def _fault(self, request: Json) -> Json:
        what, on = request.get("what"), request.get("on", True)
        if what not in FAULTS or not isinstance(on, bool):
            raise ControlError(f'unknown fault {what!r}; known are {", ".join(FAULTS)}, with "on" true or false')
        adapter = self._adapter(request) if what in ADAPTER_FAULTS else ""
        await self._set_fault(what, adapter, on)
        if on and "for_s" in request:
            self._later(self._heal(what, adapter, _number(request, "for_s", 1)))
        return {"ok": True}

    def _state(self, _request: Json) -> Json:
        now = time.monotonic()
        beacons = {
            name: {
                "frame": beacon.spec.frame,
                "at": beacon.position(now),
                "interval_ms": beacon.spec.interval_s * 1000,
                "power_dbm": beacon.spec.power_dbm,
                "heard_by": sorted(beacon.heard_by),
            }
            for name, beacon in self.world.beacons.items()
        }
        adapters = {name: {"at": place.at, **self._radio_state(name)} for name, place in self.world.adapters.items()}
        counts = {"sent_signals": self.bluez.sent_signals, "lost_signals": self.bluez.lost_signals}
        return {"ok": True, "daemon": self.bluez.running, "adapters": adapters, "beacons": beacons, **counts}

    def _radio_state(self, name: str) -> Json:
        radio = self.bluez.adapters.get(name)
        if radio is None:
            return {"present": False}
        return {
            "present": True,
            "powered": radio.powered,
            "scans": len(radio.sessions),
            "monitors": len(radio.monitors),
            "deaf": radio.deaf,
        }

    # -- faults ---------------------------------------------------------------------------------------------------

    async def _set_fault(self, what: str, adapter: str, on: bool) -> None:
        async with self._lock:
            if what in ("daemon", "bus"):
                await self._set_service(what, on)
            elif what == "adapter":
                self._set_plugged(adapter, not on)
            else:
                self._set_radio(what, adapter, on)

    async def _set_service(self, what: str, gone: bool) -> None:
        await self.bluez.stop()
        if what == "bus":
            await self.bus.stop()
        if not gone:
            try:
                if what == "bus":
                    await self.bus.start()
                await self.bluez.start()
            except OSError as error:
                raise ControlError(f"bluetoothd cannot start ({error}): is the bus fault still on?") from error

    def _set_plugged(self, name: str, plugged: bool) -> None:
        if plugged and name in self._unplugged:
            self.bluez.add_adapter(self._unplugged.pop(name))
        elif not plugged and name in self.bluez.adapters:
            self._unplugged[name] = self.bluez.remove_adapter(name)

    def _set_radio(self, what: str, name: str, on: bool) -> None:
        radio = self.bluez.adapters.get(name)
        if radio is None:
            raise ControlError(f"{name} is unplugged: end that fault first")
        if what == "power":
            self.bluez.tell(radio.power(not on))
        elif what == "deaf":
            radio.deaf = on
        elif what == "in_progress":
            radio.in_progress = on
        else:
            radio.refuse_monitors = on

    async def _heal(self, what: str, adapter: str, after_s: float) -> None:
        await asyncio.sleep(after_s)
        await self._set_fault(what, adapter, False)

    def _later(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._timers.add(task)
        task.add_done_callback(self._timers.discard)

    def _known(self, request: Json) -> str:
        name = _text(request, "id")
        if name not in self.world.beacons:
            raise ControlError(f"no beacon {name!r}; there are {', '.join(sorted(self.world.beacons)[:20]) or 'none'}")
        return name

    def _adapter(self, request: Json) -> str:
        name = request.get("adapter", next(iter(self.world.adapters)))
        if name not in self.world.adapters:
            raise ControlError(f"no adapter {name!r}; there are {', '.join(self.world.adapters)}")
        return str(name)


async def run_beacons(
    bus_socket: Path,
    control: Path,
    *,
    adapters: Sequence[AdapterPlace],
    seed: int,
    fixed: Sequence[BeaconSpec] = (),
    radio: Radio | None = None,
    fidelity: Fidelity = "bluez-5.66",
) -> None:
    """Simulate until cancelled. `fixed` beacons (heartbeats) are there from the start, also after a restart.

    Ready when something listens at `control`. Raises `BusUnavailable`, `ControlError`, `ValueError`.
    """
    if not adapters:
        raise ValueError("at least one adapter is needed, such as AdapterPlace('hci0')")
    server: ControlServer

    async def handle(request: Json) -> Json:
        reply = sim.handle(request)
        return await reply if isinstance(reply, Awaitable) else reply

    server = ControlServer(control, handle)
    sim = BeaconsSim(
        bus_socket, server.broadcast, adapters=adapters, seed=seed, fixed=fixed, radio=radio, fidelity=fidelity
    )
    async with sim, server:
        await sim.run()


def _text(request: Json, key: str) -> str:
    value = request.get(key)
    if not isinstance(value, str) or not value:
        raise ControlError(f'"{key}" must be a text, not {value!r}')
    return value


def _number(request: Json, key: str, default: float) -> float:
    value = request.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ControlError(f'"{key}" must be a number, not {value!r}')
    return float(value)


def _point(request: Json, key: str) -> Point:
    return _as_point(request.get(key), key)


def _as_point(value: Any, key: str) -> Point:
    numbers = isinstance(value, (list, tuple)) and len(value) == 2
    if not numbers or not all(isinstance(part, (int, float)) and not isinstance(part, bool) for part in value):
        raise ControlError(f'"{key}" must be [x, y] in metres, not {value!r}')
    return (float(value[0]), float(value[1]))
