"""What bluetoothd says of one Bluetooth adapter, over a D-Bus connection of our own.

bleak never tells that scanning died: after a restart of bluetoothd, or a powered-off adapter, its callbacks just stay
away. This connection tells at once, and can switch the adapter's power, which bleak cannot.
"""

from __future__ import annotations

import asyncio
from enum import Enum
from types import TracebackType
from typing import Any, Self

from dbus_fast import BusType, DBusFastError, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from devices.errors import DeviceOffline, DeviceRefused

__all__ = ["AdapterState", "AdapterWatch"]

BLUEZ, ADAPTER = "org.bluez", "org.bluez.Adapter1"
OBJECTS, PROPERTIES = "org.freedesktop.DBus.ObjectManager", "org.freedesktop.DBus.Properties"
#: bluetoothd answers within milliseconds; switching a radio's power takes up to about 2 s.
CALL_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 2.0

MATCH_RULES = (
    "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='org.bluez'",
    f"type='signal',sender='{BLUEZ}',interface='{PROPERTIES}',member='PropertiesChanged',arg0='{ADAPTER}'",
    f"type='signal',sender='{BLUEZ}',interface='{OBJECTS}',member='InterfacesAdded',arg0path='/org/bluez/'",
    f"type='signal',sender='{BLUEZ}',interface='{OBJECTS}',member='InterfacesRemoved',arg0path='/org/bluez/'",
)


class AdapterState(Enum):
    """The value is (what is the matter, what to do)."""

    NO_BUS = ("the D-Bus system bus is gone", "is dbus running?")
    NO_DAEMON = ("bluetoothd does not run", "sudo systemctl start bluetooth")
    NO_ADAPTER = ("no such Bluetooth adapter", "is the radio plugged in, and enabled?")
    OFF = ("the Bluetooth adapter is powered off", "sudo rfkill unblock bluetooth")
    ON = ("", "")


class AdapterWatch:
    """`async with AdapterWatch("hci0")`. `name` None takes the first adapter there is, powered ones first.

    `changed` is set on every change of `state`. `losses` counts the moments at which a running scan died: the daemon or
    the bus went, the adapter went or lost its power; it also counts what was over before anybody looked.
    """

    def __init__(self, name: str | None = None) -> None:
        self._wanted = name
        self._bus: MessageBus | None = None
        self._daemon = False
        self._powered: dict[str, bool] = {}
        self._watcher: asyncio.Task[None] | None = None
        self.changed = asyncio.Event()
        self.losses = 0
        self.last_loss = AdapterState.ON

    @property
    def name(self) -> str:
        """hci0 and so on; the wanted one also while it is absent."""
        if self._wanted is not None:
            return self._wanted
        by_power = sorted(self._powered, key=lambda path: (not self._powered[path], path))
        return by_power[0].rpartition("/")[2] if by_power else "hci0"

    @property
    def state(self) -> AdapterState:
        if self._bus is None or not self._bus.connected:
            return AdapterState.NO_BUS
        if not self._daemon:
            return AdapterState.NO_DAEMON
        powered = self._powered.get(f"/org/bluez/{self.name}")
        if powered is None:
            return AdapterState.NO_ADAPTER
        return AdapterState.ON if powered else AdapterState.OFF

    def offline(self, state: AdapterState) -> DeviceOffline:
        return DeviceOffline(self.name, *state.value)

    async def open(self) -> None:
        """Raises `DeviceOffline` when there is no bus; everything else is a `state`."""
        bus = MessageBus(bus_type=BusType.SYSTEM)
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                await bus.connect()
        except (OSError, EOFError, TimeoutError, DBusFastError) as error:
            reason, advice = AdapterState.NO_BUS.value
            raise DeviceOffline(self.name, f"{reason} ({error})", advice) from error
        self._bus = bus
        self._watcher = asyncio.create_task(self._watch(bus), name="bluetooth bus watch")
        bus.add_message_handler(self._signalled)
        for rule in MATCH_RULES:
            await self._call(
                "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", "s", [rule]
            )
        await self._look()

    async def set_power(self, on: bool) -> None:
        """Raises `DeviceRefused` when bluetoothd says no, `DeviceOffline` when it is gone or does not answer."""
        path = f"/org/bluez/{self.name}"
        await self._call(BLUEZ, path, PROPERTIES, "Set", "ssv", [ADAPTER, "Powered", Variant("b", on)])

    async def close(self) -> None:
        if self._bus is None or self._watcher is None:
            return
        self._bus.disconnect()
        await asyncio.wait({self._watcher}, timeout=CLOSE_TIMEOUT_S)
        self._watcher.cancel()
        await asyncio.gather(self._watcher, return_exceptions=True)

    async def __aenter__(self) -> Self:
        try:
            await self.open()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _call(
        self, destination: str, path: str, interface: str, member: str, signature: str = "", body: Any = ()
    ) -> Message:
        assert self._bus is not None
        message = Message(
            destination=destination,
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=list(body),
        )
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                reply = await self._bus.call(message)
        except (OSError, EOFError, TimeoutError, DBusFastError) as error:
            raise DeviceOffline(self.name, f"bluetoothd does not answer {member}", "restart it") from error
        if reply.message_type is MessageType.ERROR:
            raise DeviceRefused(0, f"{member}: {reply.error_name} {reply.body[0] if reply.body else ''}".rstrip())
        return reply

    async def _look(self) -> None:
        """Ask for everything once; signals keep it up to date from here on."""
        try:
            reply = await self._call(BLUEZ, "/", OBJECTS, "GetManagedObjects")
        except DeviceRefused:  # ServiceUnknown: nobody owns the name
            self._daemon, self._powered = False, {}
        else:
            self._daemon = True
            self._powered = {
                path: bool(interfaces[ADAPTER]["Powered"].value)
                for path, interfaces in reply.body[0].items()
                if ADAPTER in interfaces
            }
        self.changed.set()

    def _signalled(self, message: Message) -> None:
        if message.message_type is not MessageType.SIGNAL:
            return
        before = self.state
        match message.member:
            case "NameOwnerChanged":
                self._owner_changed(new=message.body[2])
            case "PropertiesChanged" if "Powered" in message.body[1]:
                self._powered[message.path or ""] = bool(message.body[1]["Powered"].value)
            case "InterfacesAdded" if ADAPTER in message.body[1]:
                self._powered[message.body[0]] = bool(message.body[1][ADAPTER]["Powered"].value)
            case "InterfacesRemoved" if ADAPTER in message.body[1]:
                self._powered.pop(message.body[0], None)
            case _:
                return
        self._note(before)

    def _owner_changed(self, new: str) -> None:
        self._powered = {}
        self._daemon = False
        if new:  # its adapters follow as InterfacesAdded, or were there before its name: ask for them
            self._daemon = True
            self._again = asyncio.create_task(self._look_again(), name="bluetooth adapters")

    _again: asyncio.Task[None] | None = None

    async def _look_again(self) -> None:
        try:
            await self._look()
        except DeviceOffline:
            pass  # gone again already; its going is told by a signal, or by the end of the connection

    def _note(self, before: AdapterState) -> None:
        now = self.state
        if before is AdapterState.ON and now is not AdapterState.ON:
            self.losses += 1
            self.last_loss = now
        if now is not before:
            self.changed.set()

    async def _watch(self, bus: MessageBus) -> None:
        try:
            await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
        except (OSError, EOFError, DBusFastError):
            pass  # how it ended does not matter
        if self._again is not None:
            self._again.cancel()
            await asyncio.gather(self._again, return_exceptions=True)
        self.losses += 1
        self.last_loss = AdapterState.NO_BUS
        self.changed.set()
