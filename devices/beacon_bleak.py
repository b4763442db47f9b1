"""bleak keeps one D-Bus connection per event loop and never closes it; here the last scanner to end does."""

from __future__ import annotations

import asyncio
import sys
from types import TracebackType
from typing import ClassVar, Self
from weakref import WeakKeyDictionary

__all__ = ["BleakBus", "forget_scans"]

CLOSE_TIMEOUT_S = 2.0


class BleakBus:
    """`async with BleakBus()` around everything that scans."""

    _users: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, int]] = WeakKeyDictionary()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._users[loop] = self._users.get(loop, 0) + 1
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        loop = asyncio.get_running_loop()
        self._users[loop] -= 1
        if self._users[loop] == 0:
            await _close_bus(loop)


def forget_scans(adapter: str) -> bool:
    """After the bus has gone: take the callbacks of `adapter` out of bleak without a word on the dead connection.

    `BleakScanner.stop` would do it too, but dbus-fast then leaves an exception that nobody retrieves, and asyncio logs a
    stack trace for it. False when this bleak is built differently; then `stop` it must be.
    """
    manager = _manager(asyncio.get_running_loop())
    callbacks = getattr(manager, "_advertisement_callbacks", None)
    removed = getattr(manager, "_device_removed_callbacks", None)
    if not isinstance(callbacks, dict) or not isinstance(removed, list):
        return False
    path = f"/org/bluez/{adapter}"
    callbacks.pop(path, None)
    removed[:] = [entry for entry in removed if getattr(entry, "adapter_path", None) != path]
    return True


def _manager(loop: asyncio.AbstractEventLoop) -> object | None:
    if sys.platform != "linux":
        return None
    from bleak.backends.bluezdbus import manager as bluez

    instances = getattr(bluez, "_global_instances", {})
    manager: object | None = instances.get(loop)
    return manager


async def _close_bus(loop: asyncio.AbstractEventLoop) -> None:
    """Through bleak's inside: it offers no way. Everything is looked up with care, so that another version of bleak
    costs an open socket at the end of a process and nothing more."""
    manager = _manager(loop)
    bus = getattr(manager, "_bus", None)
    watcher = getattr(manager, "_bus_watcher_task", None)
    if bus is None or watcher is None:
        return
    bus.disconnect()
    await asyncio.wait({watcher}, timeout=CLOSE_TIMEOUT_S)
