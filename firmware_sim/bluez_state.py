"""What bluetoothd knows and what it tells: adapters, devices, scanning sessions, monitors. Pure; `now` in seconds.

Every call returns the signals that bluetoothd would send. Rules as run against bluetoothd 5.66 (fidelity `bluez-5.66`)
and as read in later sources (`bluez`, from 5.88 on):

- nothing is told of an advertisement while no client scans and no monitor is registered on that adapter;
- active scanning: 5.66 tells every RSSI; `bluez` only if a session's filter names RSSI or Pathloss, else a change of
  8 dB or more (`RSSI_THRESHOLD`);
- monitors alone (passive): a change of 8 dB or more, only advertisements that match a pattern;
- manufacturer and service data are told when they changed, or each time when a session asked for `DuplicateData`;
- frames of one address are merged: by company, by service UUID;
- a device unheard for `TemporaryTimeout` (30 s) is removed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Adapter", "Added", "BluezError", "Changed", "Device", "Fidelity", "Heard", "Removed", "Signal"]

Fidelity = Literal["bluez-5.66", "bluez"]

RSSI_THRESHOLD_DB = 8
TEMPORARY_TIMEOUT_S = 30.0
SERVICE_DATA_16_BIT, MANUFACTURER_DATA = 0x16, 0xFF


class BluezError(Exception):
    """A method call that bluetoothd refuses: D-Bus error `name` with `text`."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")
        self.name = name if "." in name else f"org.bluez.Error.{name}"
        self.text = text


@dataclass(frozen=True, slots=True)
class Heard:
    """One advertisement at one adapter. `service_data` by 128-bit UUID text, `rssi_dbm` -126 to 20."""

    address: str
    rssi_dbm: int
    manufacturer_data: Mapping[int, bytes] = field(default_factory=dict)
    service_data: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Added:
    """InterfacesAdded of a Device1; `properties` plain values."""

    path: str
    properties: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Changed:
    """PropertiesChanged; `interface` is Device1 or Adapter1."""

    path: str
    interface: str
    properties: dict[str, Any]
    invalidated: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Removed:
    """InterfacesRemoved of a Device1."""

    path: str


Signal = Added | Changed | Removed
Pattern = tuple[int, int, bytes]  # start, advertising data type, content


@dataclass(slots=True)
class Device:
    path: str
    address: str
    adapter: str
    last_heard: float
    rssi_dbm: int
    manufacturer_data: dict[int, bytes]
    service_data: dict[str, bytes]

    def properties(self) -> dict[str, Any]:
        return {
            "Address": self.address,
            "AddressType": "random",
            "Alias": self.address.replace(":", "-"),
            "Adapter": self.adapter,
            "Paired": False,
            "Bonded": False,
            "Trusted": False,
            "Blocked": False,
            "LegacyPairing": False,
            "Connected": False,
            "ServicesResolved": False,
            "UUIDs": sorted(self.service_data),
            "RSSI": self.rssi_dbm,
            **self.data(),
        }

    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.manufacturer_data:
            found["ManufacturerData"] = dict(self.manufacturer_data)
        if self.service_data:
            found["ServiceData"] = dict(self.service_data)
        return found


class Adapter:
    """One radio: `name` hci0 and so on. Clients are D-Bus unique names."""

    def __init__(self, name: str, address: str, fidelity: Fidelity = "bluez-5.66") -> None:
        self.name, self.address, self.fidelity = name, address, fidelity
        self.path = f"/org/bluez/{name}"
        self.powered = True
        self.in_progress = False
        self.refuse_monitors = False
        self.deaf = False
        self.filters: dict[str, dict[str, Any]] = {}
        self.sessions: set[str] = set()
        self.monitors: dict[tuple[str, str], tuple[Pattern, ...]] = {}
        self.devices: dict[str, Device] = {}

    # -- clients --------------------------------------------------------------------------------------------------

    def set_filter(self, client: str, values: Mapping[str, Any]) -> None:
        if values:
            self.filters[client] = dict(values)
        else:
            self.filters.pop(client, None)

    def start(self, client: str) -> list[Signal]:
        if not self.powered:
            raise BluezError("NotReady", "Resource Not Ready")
        if self.in_progress or client in self.sessions:
            raise BluezError("InProgress", "Operation already in progress")
        return self._scanning(lambda: self.sessions.add(client))

    def stop(self, client: str) -> list[Signal]:
        if not self.powered:
            raise BluezError("NotReady", "Resource Not Ready")
        if client not in self.sessions:
            raise BluezError("Failed", "No discovery started")
        return self._scanning(lambda: self.sessions.discard(client))

    def register(self, client: str, path: str) -> None:
        if self.refuse_monitors:
            # Word for word what GDBus answers when bluetoothd runs without --experimental.
            raise BluezError(
                "org.freedesktop.DBus.Error.UnknownMethod",
                'Method "RegisterMonitor" with signature "o" on interface '
                '"org.bluez.AdvertisementMonitorManager1" doesn\'t exist',
            )
        if (client, path) in self.monitors:
            raise BluezError("AlreadyExists", "Already Exists")
        self.monitors[client, path] = ()

    def activate(self, client: str, path: str, patterns: Iterable[Pattern]) -> bool:
        """The client has exported its monitor. True if it is one that was registered."""
        if (client, path) not in self.monitors:
            return False
        self.monitors[client, path] = tuple(patterns)
        return True

    def unregister(self, client: str, path: str) -> None:
        if self.monitors.pop((client, path), None) is None:
            raise BluezError("DoesNotExist", "Does Not Exist")

    def client_gone(self, client: str) -> list[Signal]:
        """Its session and monitors end with it, as bluetoothd does when a bus name vanishes."""
        self.filters.pop(client, None)
        for key in [key for key in self.monitors if key[0] == client]:
            del self.monitors[key]
        return self._scanning(lambda: self.sessions.discard(client)) if client in self.sessions else []

    def power(self, on: bool) -> list[Signal]:
        """Power off ends every session; a power cycle also ends a stuck "in progress", as on a real 5.66."""
        if on == self.powered:
            return []
        self.powered = on
        if on:
            return [Changed(self.path, "org.bluez.Adapter1", {"Powered": True})]
        self.in_progress = False
        self.filters.clear()
        gone = self._scanning(self.sessions.clear)
        return [*gone, Changed(self.path, "org.bluez.Adapter1", {"Powered": False})]

    def forget(self) -> None:
        """bluetoothd is gone, or the radio unplugged: nothing of its clients and devices remains."""
        self.sessions.clear()
        self.filters.clear()
        self.monitors.clear()
        self.devices.clear()

    # -- radio ----------------------------------------------------------------------------------------------------

    def hear(self, heard: Heard, now: float) -> list[Signal]:
        if not self.powered or self.deaf:
            return []
        if not self.sessions and not any(self._matches(heard, p) for p in self.monitors.values()):
            return []
        device = self.devices.get(heard.address)
        if device is None:
            return [self._new(heard, now)]
        device.last_heard = now
        changed = self._changed_data(device, heard)
        delta = abs(heard.rssi_dbm - device.rssi_dbm)
        if delta >= (0 if self._every_rssi() else RSSI_THRESHOLD_DB):
            device.rssi_dbm = heard.rssi_dbm
            changed["RSSI"] = heard.rssi_dbm
        return [Changed(device.path, "org.bluez.Device1", changed)] if changed else []

    def expire(self, now: float) -> list[Signal]:
        gone = [d for d in self.devices.values() if now - d.last_heard >= TEMPORARY_TIMEOUT_S]
        for device in gone:
            del self.devices[device.address]
        return [Removed(device.path) for device in gone]

    def properties(self) -> dict[str, Any]:
        return {
            "Address": self.address,
            "AddressType": "public",
            "Name": self.name,
            "Alias": self.name,
            "Class": 0,
            "Powered": self.powered,
            "Discoverable": False,
            "Pairable": False,
            "Discovering": bool(self.sessions),
            "UUIDs": [],
            "Roles": ["central", "peripheral"],
        }

    def _new(self, heard: Heard, now: float) -> Added:
        path = f"{self.path}/dev_{heard.address.replace(':', '_')}"
        device = self.devices[heard.address] = Device(
            path,
            heard.address,
            self.path,
            now,
            heard.rssi_dbm,
            dict(heard.manufacturer_data),
            dict(heard.service_data),
        )
        return Added(path, device.properties())

    def _changed_data(self, device: Device, heard: Heard) -> dict[str, Any]:
        manufacturer = {**device.manufacturer_data, **heard.manufacturer_data}
        service = {**device.service_data, **heard.service_data}
        again = any(f.get("DuplicateData") for c, f in self.filters.items() if c in self.sessions)
        changed: dict[str, Any] = {}
        if manufacturer != device.manufacturer_data or (again and heard.manufacturer_data):
            changed["ManufacturerData"] = device.manufacturer_data = manufacturer
        if service != device.service_data or (again and heard.service_data):
            if service.keys() != device.service_data.keys():
                changed["UUIDs"] = sorted(service)
            changed["ServiceData"] = device.service_data = service
        return changed

    def _every_rssi(self) -> bool:
        if not self.sessions:
            return False
        if self.fidelity == "bluez-5.66":
            return True
        filters = (self.filters.get(client, {}) for client in self.sessions)
        return any("RSSI" in f or "Pathloss" in f for f in filters)

    def _scanning(self, change: Callable[[], object]) -> list[Signal]:
        before = bool(self.sessions)
        change()
        after = bool(self.sessions)
        if before == after:
            return []
        signals: list[Signal] = [Changed(self.path, "org.bluez.Adapter1", {"Discovering": after})]
        if not after:  # bluetoothd withdraws the levels when discovery ends; that is no advertisement
            signals += [Changed(d.path, "org.bluez.Device1", {}, ("RSSI", "TxPower")) for d in self.devices.values()]
        return signals

    @staticmethod
    def _matches(heard: Heard, patterns: tuple[Pattern, ...]) -> bool:
        fields = [
            (MANUFACTURER_DATA, company.to_bytes(2, "little") + data)
            for company, data in heard.manufacturer_data.items()
        ] + [(SERVICE_DATA_16_BIT, bytes.fromhex(uuid[4:8])[::-1] + data) for uuid, data in heard.service_data.items()]
        return any(
            kind == field_kind and data[start : start + len(content)] == content
            for start, kind, content in patterns
            for field_kind, data in fields
        )
