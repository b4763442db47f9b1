"""A QR code reader on a serial port: scans and status to callbacks, reconnects by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from devices.listener import Listener
from devices.reader_frames import Framing, ReaderFramer, RepeatFilter, Scan
from devices.status import DeviceStatus

__all__ = ["QrReader", "ReaderSettings"]


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
    """`run()` for ever. `on_scan` per new code; `on_status` when the port comes or goes and when counters change."""

    def __init__(
        self,
        path: str | Path,
        settings: ReaderSettings,
        on_scan: Callable[[Scan], None],
        on_status: Callable[[DeviceStatus], None],
    ) -> None:
        self._filter = RepeatFilter(settings.rearm_s)
        self._on_scan = on_scan
        self._line = Listener(
            "reader",
            path,
            ReaderFramer(settings.framing, strip_aim=settings.strip_aim),
            self._scan,
            on_status,
            counted=lambda: {"repeats": self._filter.repeats},
            baud=settings.baud,
            bytesize=settings.bytesize,
            parity=settings.parity,
            stopbits=settings.stopbits,
        )
        self.pulse = self._line.pulse

    async def run(self) -> None:
        """Read for ever; cancel to end."""
        await self._line.run()

    def _scan(self, scan: Scan) -> None:
        if self._filter.is_new(scan):
            self._on_scan(scan)
