"""A QR code reader on a serial port: scans and status to callbacks, reconnects by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from devices.errors import DeviceOffline
from devices.pulse import Pulse
from devices.reader_frames import Framing, ReaderFramer, RepeatFilter, Scan
from devices.serial_port import SerialPort, keep_open
from devices.status import DeviceStatus, PowerState

__all__ = ["QrReader", "ReaderSettings"]

log = structlog.get_logger()

#: How often half frames are looked for and changed counters told.
TICK_S = 0.5


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """`baud` 4800 to 115200 as set in the reader; `strip_aim` off if codes may begin with `]` and two characters."""

    baud: int = 115200
    bytesize: int = 8
    parity: str = "N"
    stopbits: float = 1.0
    framing: Framing = "terminator"
    strip_aim: bool = True
    rearm_s: float = 1.5


class QrReader:
    """`run()` for ever. `on_scan` per new code; `on_status` when the port comes or goes and when counters change.

    A reader has no sign of life of its own on a plain serial line, so "online" means that its port is there.
    """

    def __init__(
        self,
        path: str | Path,
        settings: ReaderSettings,
        on_scan: Callable[[Scan], None],
        on_status: Callable[[DeviceStatus], None],
    ) -> None:
        self.pulse = Pulse()
        self._framer = ReaderFramer(settings.framing, strip_aim=settings.strip_aim)
        self._filter = RepeatFilter(settings.rearm_s)
        self._on_scan = on_scan
        self._on_status = on_status
        self._losses = 0
        self._told: DeviceStatus | None = None
        self._port = SerialPort(
            path,
            baud=settings.baud,
            bytesize=settings.bytesize,
            parity=settings.parity,
            stopbits=settings.stopbits,
            on_bytes=self._bytes,
            on_lost=self._lost,
        )

    async def run(self) -> None:
        """Read for ever; cancel to end."""
        async with asyncio.TaskGroup() as group:
            kept = keep_open(self._port, on_up=self._up, on_down=self._down, on_round=lambda: self.pulse.beat("port"))
            group.create_task(kept, name="reader port")
            group.create_task(self._tick(), name="reader tick")

    async def _tick(self) -> None:
        while True:
            self.pulse.beat("tick")
            await asyncio.sleep(TICK_S)
            self._framer.tick(time.monotonic())
            if self._told is not None:
                self._tell(self._told.power, self._told.reason)

    def _up(self) -> None:
        self._tell(PowerState.ONLINE)

    def _down(self, error: DeviceOffline) -> None:
        self._tell(PowerState.OFF_OFFLINE, str(error))

    def _lost(self, error: DeviceOffline) -> None:
        self._losses += 1
        self._framer.reset()
        self._down(error)

    def _bytes(self, data: bytes) -> None:
        for scan in self._framer.feed(data, time.monotonic()):
            if not self._filter.is_new(scan):
                continue
            try:
                self._on_scan(scan)
            except Exception:  # whatever the application does, the next code must still be read
                log.exception("a scan was not handled", path=self._port.path)

    def _tell(self, power: PowerState, reason: str = "") -> None:
        counters = {**self._framer.counters, "repeats": self._filter.repeats, "port_losses": self._losses}
        status = DeviceStatus(power, reason=reason, counters=counters)
        if status != self._told:
            self._told = status
            self._on_status(status)
