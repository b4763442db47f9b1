"""The hardware of one lane, and how an agent's life is connected to it in place of `edge.lane_devices.LaneDevices`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

from config.edge_settings import LaneSettings
from devices.gate_events import GateEvent
from devices.gate_map import GateCounters
from devices.printer import OutputComplete
from devices.reader_frames import ReaderFramer, RepeatFilter, Scan
from devices.status import DeviceStatus, PowerState
from edge.lane_devices import LaneDevices, OnStatus
from simulation.gate import GateMachine, SimGate
from simulation.loop import Process, VirtualLoop
from simulation.printer import Model, PrinterMachine, SimPrinter, Slip

READ_S = 0.02
"""A code of 186 characters on a line of 115,200 baud."""


class LaneMachines:
    """Reader, printer and gate of one lane; they outlive every program."""

    def __init__(self, loop: VirtualLoop, rng: Random, name: str, model: Model, on_slip: Callable[[Slip], None],
                 on_gate: Callable[[dict[str, Any]], None]) -> None:  # fmt: skip
        self.name, self.loop = name, loop
        self.gate = GateMachine(loop, rng, on_gate)
        self.printer = PrinterMachine(loop, rng, model, on_slip)
        self.reader_plugged = True
        self.noise = self.stutter = 0.0
        """Share of bytes that the reader's line damages; share of codes that are read several times."""
        self._rng = rng
        self.reader: Callable[[bytes], None] | None = None
        self.help: Callable[[], None] = lambda: None
        """Of the living agent: somebody presses the button."""
        self.keypad: Callable[[str], None] = lambda _digits: None
        self.nfc: Callable[[str], None] = lambda _text: None
        self.reader_is: Callable[[bool], None] = lambda _there: None
        """Of the living agent: its reader was plugged in or out."""
        self.queue = asyncio.Lock()
        """One person at a time stands before the reader."""

    def unplugged(self) -> None:
        """Its agent is dead."""
        self.reader = self.gate.driver = self.printer.driver = None
        self.help, self.keypad, self.nfc = lambda: None, lambda _digits: None, lambda _text: None
        self.reader_is = lambda _there: None

    def plug_reader(self, there: bool) -> None:
        self.reader_plugged = there
        self.reader_is(there)

    def present(self, code: str) -> None:
        """Somebody holds a code in front of the reader."""
        times = self._rng.randint(2, 4) if self.stutter and self._rng.random() < self.stutter else 1
        for n in range(times):
            self.loop.call_later(n * self._rng.uniform(0.05, 2.0), self._read, code, context=self.loop.outside)

    def _read(self, code: str) -> None:
        if self.reader_plugged and self.reader is not None:
            self.reader(self._damaged(code.encode() + b"\r"))

    def _damaged(self, line: bytes) -> bytes:
        if not self.noise:
            return line
        rng, found = self._rng, bytearray()
        for byte in line:
            chance = rng.random()
            if chance < self.noise:  # another byte, none, or one more
                found += (bytes((rng.randrange(256),)), b"", bytes((byte, rng.randrange(256))))[
                    int(chance * 3 / self.noise)
                ]
            else:
                found.append(byte)
        return bytes(found)


class SimDevices(LaneDevices):
    """The devices of one lane for one life of an agent."""

    def __init__(self, machines: LaneMachines, process: Process, settings: LaneSettings, on_status: OnStatus) -> None:
        super().__init__(settings, on_status)
        self._machines, self._process = machines, process
        self._framer, self._filter = ReaderFramer(), RepeatFilter()
        self._on_scan: Callable[[Scan], None] = lambda _: None

    def connect(self, on_scan: Callable[[Scan], None], on_paper: Callable[[OutputComplete], None],
                on_gate: Callable[[GateEvent], None], known: GateCounters | None,
                on_wire_open: Callable[[float], None] | None = None) -> None:  # noqa: ARG002  # fmt: skip
        self._on_scan = on_scan
        printer = SimPrinter(self._machines.printer, self._process, lambda job, why: on_paper(OutputComplete(job, why)),
                             self._teller("printer", "pos_printer"))  # fmt: skip
        gate = SimGate(self._machines.gate, self._process, on_gate, self._teller("gate", "gate"), known)
        self.printer, self.gate = printer, gate  # type: ignore[assignment]

    async def run(self) -> None:
        machines = self._machines
        machines.reader = self._bytes_soon
        machines.help = lambda: self._process.soon(self.on_help)
        machines.keypad = lambda digits: self._process.soon(self._typed, digits)
        machines.nfc = lambda text: self._process.soon(self._near, text, after_s=READ_S)
        machines.reader_is = lambda there: self._process.soon(self._reader_is, there)
        self._reader_is(machines.reader_plugged)
        async with asyncio.TaskGroup() as tasks:
            for device in (self.printer, self.gate):
                assert device is not None
                tasks.create_task(device.run())

    def _bytes_soon(self, data: bytes) -> None:
        self._process.soon(self._bytes, data, after_s=READ_S)

    def _near(self, text: str) -> None:
        self.on_near(text, self._machines.loop.time())

    def _reader_is(self, there: bool) -> None:
        status = DeviceStatus(PowerState.ONLINE if there else PowerState.OFF_OFFLINE)
        self._teller("reader", "scanner")(status)

    def _typed(self, digits: str) -> None:
        self.on_typed(digits, self._machines.loop.time())

    def _bytes(self, data: bytes) -> None:
        for scan in self._framer.feed(data, self._machines.loop.time()):
            if self._filter.is_new(scan):
                self._on_scan(scan)
