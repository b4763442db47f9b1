"""A device on a serial port that only talks: what its framer makes of its bytes goes to a callback, reconnects by itself.

It has no sign of life of its own on a plain serial line, so "online" means that its port is there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import structlog

from devices.errors import DeviceOffline
from devices.pulse import Pulse
from devices.serial_port import SerialPort, keep_open
from devices.status import DeviceStatus, PowerState

__all__ = ["Framer", "Listener"]

log = structlog.get_logger()

#: How often half frames are looked for and changed counters told.
TICK_S = 0.5
Event_co = TypeVar("Event_co", covariant=True)
Event = TypeVar("Event")


class Framer(Protocol[Event_co]):
    """From bytes to events, without I/O; `now` in monotonic seconds."""

    @property
    def counters(self) -> Mapping[str, int]: ...
    def feed(self, data: bytes, now: float) -> Iterable[Event_co]: ...
    def tick(self, now: float) -> None: ...
    def reset(self) -> None: ...


class Listener(Generic[Event]):
    """`run()` for ever. `on_event` per event; `on_status` when the port comes or goes and when counters change; `after` when the
    framer may have changed. `line` as for `SerialPort`; `counted` are further counters."""

    def __init__(self, name: str, path: str | Path, framer: Framer[Event], on_event: Callable[[Event], None],
                 on_status: Callable[[DeviceStatus], None], *, counted: Callable[[], Mapping[str, int]] = dict,
                 after: Callable[[], None] = lambda: None, **line: Any) -> None:  # fmt: skip
        self.pulse = Pulse()
        self._name, self._framer, self._on_event, self._on_status = name, framer, on_event, on_status
        self._counted, self._after = counted, after
        self._losses = 0
        self._told: DeviceStatus | None = None
        self._port = SerialPort(path, on_bytes=self._bytes, on_lost=self._lost, **line)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            kept = keep_open(self._port, on_up=self._up, on_down=self._down, on_round=lambda: self.pulse.beat("port"))
            group.create_task(kept, name=f"{self._name} port")
            group.create_task(self._tick(), name=f"{self._name} tick")

    async def _tick(self) -> None:
        while True:
            self.pulse.beat("tick")
            await asyncio.sleep(TICK_S)
            self._framer.tick(time.monotonic())
            self._after()
            if self._told is not None:
                self._tell(self._told.power, self._told.reason)

    def _bytes(self, data: bytes) -> None:
        for event in self._framer.feed(data, time.monotonic()):
            try:
                self._on_event(event)
            except Exception:  # whatever the application does, the next one must still be heard
                log.exception(f"an event of a {self._name} was not handled", path=self._port.path)
        self._after()

    def _up(self) -> None:
        self._tell(PowerState.ONLINE)

    def _down(self, error: DeviceOffline) -> None:
        self._tell(PowerState.OFF_OFFLINE, str(error))

    def _lost(self, error: DeviceOffline) -> None:
        self._losses += 1
        self._framer.reset()
        self._after()
        self._down(error)

    def _tell(self, power: PowerState, reason: str = "") -> None:
        counters = {**self._framer.counters, **self._counted(), "port_losses": self._losses}
        status = DeviceStatus(power, reason=reason, counters=counters)
        if status != self._told:
            self._told = status
            self._on_status(status)
