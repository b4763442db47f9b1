"""bleak keeps one D-Bus connection per event loop and never closes it; here the last scanner to end does."""

from __future__ import annotations

import asyncio
import sys
from types import TracebackType
from typing import ClassVar, Self
from weakref import WeakKeyDictionary

__all__ = ["BleakBus"]

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


async def _close_bus(loop: asyncio.AbstractEventLoop) -> None:
    """Through bleak's inside: it offers no way. Everything is looked up with care, so that another version of bleak
    costs an open socket at the end of a process and nothing more."""
    if sys.platform != "linux":
        return
    from bleak.backends.bluezdbus import manager as bluez

    manager = getattr(bluez, "_global_instances", {}).get(loop)
    bus = getattr(manager, "_bus", None)
    watcher = getattr(manager, "_bus_watcher_task", None)
    if bus is None or watcher is None:
        return
    bus.disconnect()
    await asyncio.wait({watcher}, timeout=CLOSE_TIMEOUT_S)
