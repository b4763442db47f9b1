"""`org.bluez` on a D-Bus: `bluez_state` behind the interfaces that a scanner uses. Public dbus-fast, one connection.

Interfaces: ObjectManager, Properties, Adapter1 (SetDiscoveryFilter, StartDiscovery, StopDiscovery, Powered),
AdvertisementMonitorManager1 (RegisterMonitor, UnregisterMonitor; Activate and Release are called on the monitor).
"""

from __future__ import annotations

import asyncio
import select
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

import structlog
from dbus_fast import Message, MessageFlag, MessageType, RequestNameReply, Variant
from dbus_fast.aio import MessageBus

from firmware_sim.bluez_state import Adapter, Added, BluezError, Heard, Removed, Signal

__all__ = ["BluezService"]

log = structlog.get_logger()

OBJECTS, PROPERTIES = "org.freedesktop.DBus.ObjectManager", "org.freedesktop.DBus.Properties"
ADAPTER, DEVICE = "org.bluez.Adapter1", "org.bluez.Device1"
MONITORS, MONITOR = "org.bluez.AdvertisementMonitorManager1", "org.bluez.AdvertisementMonitor1"

#: Signals sent before the socket is asked again whether it takes more. A writable UNIX socket has three quarters of its
#: buffer free (208 kB by default, some 1 kB a message with overhead).
BURST = 32
#: Waiting signals; beyond it the oldest advertisement is lost, as in a real controller, and counted.
OUTBOX_LIMIT = 20_000
RETRY_S = 0.001
SWEEP_S = 1.0

MATCH_RULES = (
    "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged'",
    f"type='signal',interface='{OBJECTS}',member='InterfacesAdded',path_namespace='/org/bleak'",
)

_SIGNATURES = {"Class": "u", "RSSI": "n", "TxPower": "n", "Adapter": "o", "UUIDs": "as", "Roles": "as"}


def _variant(name: str, value: Any) -> Variant:
    if name == "ManufacturerData":
        return Variant("a{qv}", {company: Variant("ay", data) for company, data in value.items()})
    if name == "ServiceData":
        return Variant("a{sv}", {uuid: Variant("ay", data) for uuid, data in value.items()})
    return Variant(_SIGNATURES.get(name, "b" if isinstance(value, bool) else "s"), value)


def _variants(values: dict[str, Any]) -> dict[str, Variant]:
    return {name: _variant(name, value) for name, value in values.items()}


class BluezService:
    """`start` and `stop` may follow each other: that is a restart of bluetoothd. `adapters` by name."""

    def __init__(self, bus_address: str, adapters: Iterable[Adapter]) -> None:
        self.adapters = {adapter.name: adapter for adapter in adapters}
        self.sent_signals = self.lost_signals = 0
        self._address = bus_address
        self._bus: MessageBus | None = None
        self._out: deque[Message] = deque()
        self._retry: asyncio.TimerHandle | None = None
        self._sweep: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        return self._bus is not None and self._bus.connected

    async def start(self) -> None:
        """Connect and take the name `org.bluez`. Raises OSError when the bus is not there."""
        bus = MessageBus(bus_address=self._address)
        try:
            await bus.connect()
            bus.add_message_handler(self._message)
            for rule in MATCH_RULES:
                await bus.call(_add_match(rule))
            self._bus = bus
            reply = await bus.request_name("org.bluez")
        except BaseException:
            self._bus = None
            await _disconnect(bus)
            raise
        if reply is not RequestNameReply.PRIMARY_OWNER:
            await self.stop()
            raise OSError(f"org.bluez is taken on {self._address}: another simulator runs on this bus")
        self._sweep = asyncio.create_task(self._expire(), name="bluez temporary devices")

    async def stop(self) -> None:
        """Vanish from the bus as a killed bluetoothd does: sessions, monitors and devices are forgotten."""
        if self._sweep is not None:
            self._sweep.cancel()
            await asyncio.gather(self._sweep, return_exceptions=True)
            self._sweep = None
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self._out.clear()
        bus, self._bus = self._bus, None
        if bus is not None:
            await _disconnect(bus)
        for adapter in self.adapters.values():
            adapter.forget()

    def hear(self, adapter: str, heard: Heard) -> bool:
        """One advertisement reaches `adapter`. False if nobody is told: no adapter, no scan, no change."""
        radio = self.adapters.get(adapter)
        if radio is None or not self.running:
            return False
        signals = radio.hear(heard, asyncio.get_running_loop().time())
        self.tell(signals)
        return bool(signals)

    def tell(self, signals: Iterable[Signal]) -> None:
        for signal in signals:
            if len(self._out) >= OUTBOX_LIMIT:
                self._out.popleft()
                self.lost_signals += 1
            self._out.append(_message_of(signal))
        if self._retry is None:
            self._pump()

    def add_adapter(self, adapter: Adapter) -> None:
        self.adapters[adapter.name] = adapter
        if self.running:
            self._out.append(
                _signal("/", OBJECTS, "InterfacesAdded", "oa{sa{sv}}", [adapter.path, _interfaces(adapter)])
            )
            self._pump()

    def remove_adapter(self, name: str) -> Adapter:
        """Unplug the radio. Raises KeyError."""
        adapter = self.adapters.pop(name)
        if self.running:
            self.tell([Removed(device.path) for device in adapter.devices.values()])
            names = list(_interfaces(adapter))
            self._out.append(_signal("/", OBJECTS, "InterfacesRemoved", "oas", [adapter.path, names]))
            self._pump()
        adapter.forget()
        return adapter

    def _pump(self) -> None:
        """dbus-fast 5.2 gives up its connection when a write meets a full socket: never let it."""
        self._retry = None
        bus = self._bus
        if bus is None or not bus.connected:
            self._out.clear()
            return
        while self._out:
            if bus._fd is None or not select.select([], [bus._fd], [], 0)[1]:
                self._retry = asyncio.get_running_loop().call_later(RETRY_S, self._pump)
                return
            for _ in range(min(BURST, len(self._out))):
                bus.send(self._out.popleft())
                self.sent_signals += 1

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            now = asyncio.get_running_loop().time()
            for adapter in list(self.adapters.values()):
                self.tell(adapter.expire(now))

    # -- calls ----------------------------------------------------------------------------------------------------

    def _message(self, message: Message) -> Message | bool | None:
        if message.message_type is MessageType.SIGNAL:
            self._signalled(message)
            return None
        if message.message_type is not MessageType.METHOD_CALL or message.interface in (
            "org.freedesktop.DBus.Peer",
            "org.freedesktop.DBus.Introspectable",
        ):
            return None
        try:
            signature, body = self._call(message)
        except BluezError as error:
            return Message.new_error(message, error.name, error.text)
        return Message.new_method_return(message, signature, body)

    def _call(self, message: Message) -> tuple[str, list[Any]]:
        client, body = message.sender or "", message.body
        if message.interface == OBJECTS and message.member == "GetManagedObjects":
            return "a{oa{sa{sv}}}", [self._objects()]
        adapter = next((a for a in self.adapters.values() if a.path == message.path), None)
        match (message.interface, message.member):
            case _ if adapter is None:
                pass
            case (str(), "SetDiscoveryFilter"):
                adapter.set_filter(client, {name: variant.value for name, variant in body[0].items()})
                return "", []
            case (str(), "StartDiscovery"):
                self.tell(adapter.start(client))
                return "", []
            case (str(), "StopDiscovery"):
                self.tell(adapter.stop(client))
                return "", []
            case (str(), "RegisterMonitor"):
                adapter.register(client, body[0])
                return "", []
            case (str(), "UnregisterMonitor"):
                adapter.unregister(client, body[0])
                return "", []
            case (str(), "Get"):
                return "v", [_variant(body[1], adapter.properties()[body[1]])]
            case (str(), "GetAll"):
                return "a{sv}", [_variants(adapter.properties())]
            case (str(), "Set") if body[1] == "Powered":
                self.tell(adapter.power(bool(body[2].value)))
                return "", []
        raise BluezError(
            "org.freedesktop.DBus.Error.UnknownMethod", f"{message.member} on {message.path}: no such method"
        )

    def _objects(self) -> dict[str, Any]:
        objects: dict[str, Any] = {"/org/bluez": {"org.bluez.AgentManager1": {}}}
        for adapter in self.adapters.values():
            objects[adapter.path] = _interfaces(adapter)
            for device in adapter.devices.values():
                objects[device.path] = {DEVICE: _variants(device.properties())}
        return objects

    def _signalled(self, message: Message) -> None:
        if message.member == "NameOwnerChanged":
            name, _, new = message.body
            if name.startswith(":") and not new:
                for adapter in self.adapters.values():
                    self.tell(adapter.client_gone(name))
        elif message.member == "InterfacesAdded" and MONITOR in message.body[1]:
            self._monitor_exported(message.sender or "", message.body[0], message.body[1][MONITOR])

    def _monitor_exported(self, client: str, path: str, properties: dict[str, Variant]) -> None:
        patterns: Sequence[Sequence[Any]] = properties["Patterns"].value
        wanted = [(int(start), int(kind), bytes(content)) for start, kind, content in patterns]
        if self._bus is None:
            return
        for adapter in self.adapters.values():
            if adapter.activate(client, path, wanted):
                self._bus.send(
                    Message(
                        destination=client,
                        path=path,
                        interface=MONITOR,
                        member="Activate",
                        flags=MessageFlag.NO_REPLY_EXPECTED,
                    )
                )


def _interfaces(adapter: Adapter) -> dict[str, dict[str, Variant]]:
    interfaces = {ADAPTER: _variants(adapter.properties())}
    if not adapter.refuse_monitors:
        interfaces[MONITORS] = {
            "SupportedMonitorTypes": Variant("as", ["or_patterns"]),
            "SupportedFeatures": Variant("as", []),
        }
    return interfaces


def _message_of(signal: Signal) -> Message:
    if isinstance(signal, Added):
        body: list[Any] = [signal.path, {DEVICE: _variants(signal.properties)}]
        return _signal("/", OBJECTS, "InterfacesAdded", "oa{sa{sv}}", body)
    if isinstance(signal, Removed):
        return _signal("/", OBJECTS, "InterfacesRemoved", "oas", [signal.path, [DEVICE]])
    body = [signal.interface, _variants(signal.properties), list(signal.invalidated)]
    return _signal(signal.path, PROPERTIES, "PropertiesChanged", "sa{sv}as", body)


def _signal(path: str, interface: str, member: str, signature: str, body: list[Any]) -> Message:
    return Message.new_signal(path, interface, member, signature, body)


def _add_match(rule: str) -> Message:
    return Message(
        destination="org.freedesktop.DBus",
        path="/org/freedesktop/DBus",
        interface="org.freedesktop.DBus",
        member="AddMatch",
        signature="s",
        body=[rule],
    )


async def _disconnect(bus: MessageBus) -> None:
    """Close the connection for good: dbus-fast only shuts the socket and closes it when its reader sees the end."""
    if not bus.connected:
        return
    bus.disconnect()
    try:
        async with asyncio.timeout(2.0):
            await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
    except (OSError, EOFError, TimeoutError):
        pass  # the daemon was gone first
