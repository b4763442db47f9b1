"""What comes in at a lane, in one queue and in order: codes, the gate, paper, the help button, how its devices are."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass

from contract.payloads import By
from devices.gate_events import GateEvent
from devices.printer import OutputComplete
from devices.reader_frames import Scan
from devices.status import DeviceStatus
from edge import lane_calls
from edge import lane_types as core
from edge.lane_desk import trouble

QUEUE_MAX = 1000
GATE_QUEUE_MAX = 100_000
"""Events of the gate that wait for a disk: a day of passages. Beyond, they are counted; its own counters tell them later."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """A code was read, held near or typed."""

    text: str
    by: By
    t: float


Item = Scanned | GateEvent | OutputComplete | core.Event | lane_calls.Event


class LaneInbox:
    """The queue, and whom the drivers tell. All in the event loop; nothing here blocks."""

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self._queue: deque[Item] = deque()
        self._wake = asyncio.Event()
        self._troubles: dict[lane_calls.Device, str] = {}

    def put(self, item: Item) -> None:
        """Something happened."""
        if isinstance(item, GateEvent) and len(self._queue) >= GATE_QUEUE_MAX:
            self.counters["dropped_gate_events"] += 1
            return
        self._queue.append(item)
        self._wake.set()

    def on_scan(self, scan: Scan) -> None:
        """The reader has read a code."""
        self._code(Scanned(scan.text, "qr", scan.t_last_byte))

    def on_near(self, text: str, t: float) -> None:
        """A terminal was held near the reader for short-range wireless, and gave this text."""
        self._code(Scanned(text, "nfc", t))

    def on_typed(self, digits: str, t: float) -> None:
        """A number was typed on the keypad, and entered."""
        self._code(Scanned(digits, "keypad", t))

    def _code(self, item: Scanned) -> None:
        if len(self._queue) < QUEUE_MAX:
            self.put(item)
        else:
            self.counters["dropped_scans"] += 1

    def on_help(self) -> None:
        """Somebody has pressed the button."""
        self.counters["help_pressed"] += 1
        self.put(lane_calls.Wanted("help", "somebody has pressed the help button"))

    def on_device(self, kind: str, status: DeviceStatus) -> None:
        """How a device of this lane is; what changes nothing for the customer is passed over."""
        if kind not in lane_calls.REASON_OF:
            return
        device: lane_calls.Device = kind
        why = trouble(device, status)
        if self._troubles.get(device) != why:
            self._troubles[device] = why
            self.put(lane_calls.DeviceTold(device, why))
