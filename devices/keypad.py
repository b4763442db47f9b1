"""A keypad on a serial port: entered digits, the help key and status to callbacks; reconnects by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from devices.errors import DeviceOffline
from devices.keypad_frames import Entry, KeypadFramer
from devices.pulse import Pulse
from devices.serial_port import SerialPort, keep_open
from devices.status import DeviceStatus, PowerState

__all__ = ["Keypad", "KeypadSettings"]

log = structlog.get_logger()

TICK_S = 0.5


@dataclass(frozen=True, slots=True)
class KeypadSettings:
    """As set in the keypad. `help_key`: a letter from A to D, None when it has no such key."""

    baud: int = 9600
    help_key: str | None = "A"
    idle_s: float = 15.0


class Keypad:
    """`run()` for ever. `on_entry` per entered number, `on_help` when the key for help goes down, `on_typed` with the number of
    digits that stand there, whenever it changes.

    A keypad has no sign of life of its own, so "online" means that its port is there.
    """

    def __init__(
        self,
        path: str | Path,
        settings: KeypadSettings,
        on_entry: Callable[[Entry], None],
        on_help: Callable[[], None],
        on_status: Callable[[DeviceStatus], None],
        on_typed: Callable[[int], None] = lambda _digits: None,
    ) -> None:
        self.pulse = Pulse()
        self._framer = KeypadFramer(settings.help_key, idle_s=settings.idle_s)
        self._on_entry, self._on_help, self._on_status, self._on_typed = on_entry, on_help, on_status, on_typed
        self._losses = self._typed = 0
        self._told: DeviceStatus | None = None
        self._port = SerialPort(path, baud=settings.baud, on_bytes=self._bytes, on_lost=self._lost)

    async def run(self) -> None:
        """Read for ever; cancel to end."""
        async with asyncio.TaskGroup() as group:
            kept = keep_open(self._port, on_up=self._up, on_down=self._down, on_round=lambda: self.pulse.beat("port"))
            group.create_task(kept, name="keypad port")
            group.create_task(self._tick(), name="keypad tick")

    async def _tick(self) -> None:
        while True:
            self.pulse.beat("tick")
            await asyncio.sleep(TICK_S)
            self._framer.tick(time.monotonic())
            self._show()
            if self._told is not None:
                self._tell(self._told.power, self._told.reason)

    def _bytes(self, data: bytes) -> None:
        for event in self._framer.feed(data, time.monotonic()):
            try:
                if isinstance(event, Entry):
                    self._on_entry(event)
                else:
                    self._on_help()
            except Exception:  # whatever the application does, the next key must still be heard
                log.exception("a key was not handled", path=self._port.path)
        self._show()

    def _show(self) -> None:
        if self._framer.typed != self._typed:
            self._typed = self._framer.typed
            self._on_typed(self._typed)

    def _up(self) -> None:
        self._tell(PowerState.ONLINE)

    def _down(self, error: DeviceOffline) -> None:
        self._tell(PowerState.OFF_OFFLINE, str(error))

    def _lost(self, error: DeviceOffline) -> None:
        self._losses += 1
        self._framer.reset()
        self._show()
        self._down(error)

    def _tell(self, power: PowerState, reason: str = "") -> None:
        status = DeviceStatus(power, reason=reason, counters={**self._framer.counters, "port_losses": self._losses})
        if status != self._told:
            self._told = status
            self._on_status(status)
