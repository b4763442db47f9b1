"""The devices of one lane, built from its settings. Printer and gate may be missing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from config.edge_settings import LANE_DEVICES, GatePort, LaneSettings, PrinterPort, ReaderPort
from devices.gate import CommandResult, Gate, GateSettings
from devices.gate_events import GateEvent
from devices.gate_map import GateCounters, is_newer
from devices.keypad import Keypad, KeypadSettings
from devices.nfc import NfcReader, NfcSettings
from devices.printer import OutputComplete, ReceiptPrinter
from devices.printer_settings import PrinterSettings
from devices.reader import QrReader, ReaderSettings
from devices.reader_frames import Scan
from devices.status import DeviceStatus, PowerState
from edge.health import Health, keep_running

OnStatus = Callable[[str, str, DeviceStatus], None]
"""Called with the device's name (`reader-1`), its category, and its state."""

PRINTER_BACK_S = 4.0
"""So long after its loss a printer is waited for. A plug that was pulled by a foot is back within two."""
OPEN_MIN_S = 1.0
"""Nobody walks through a gate in less."""


class LaneDevices:
    """`connect` before `run`: whom the devices tell. `on_wire_open(t)`: an open command went out (monotonic s).

    `reader`, `printer` and `gate` are made anew when their driver hung or failed: ask for them each time.
    """

    def __init__(self, settings: LaneSettings, on_status: OnStatus) -> None:
        self._settings, self._on_status = settings, on_status
        self.health = Health()
        """Where restarts of the drivers are counted; an agent has one for all."""
        self._makers: dict[str, Callable[[], None]] = {}
        self._tellers: dict[str, Callable[[DeviceStatus], None]] = {}
        self._lost_at: float | None = None
        """When the printer was lost, in seconds of the loop's clock; None while it is there."""
        self._printer_there = asyncio.Event()
        self.reader: QrReader | None = None
        self.printer: ReceiptPrinter | None = None
        self.gate: Gate | None = None
        self.keypad: Keypad | None = None
        self.nfc: NfcReader | None = None
        self.on_typed: Callable[[str, float], None] = lambda _digits, _t: None
        """Set before `run`: digits entered on the keypad, and when (monotonic s)."""
        self.on_keys: Callable[[int], None] = lambda _digits: None
        """How many digits stand there, whenever it changes: for the display."""
        self.on_near: Callable[[str, float], None] = lambda _text, _t: None
        """Set before `run`: the text of what was held near, and when."""
        self.on_help: Callable[[], None] = lambda: None
        """Set before `run`: the key for help went down."""
        self.on_device: Callable[[str, DeviceStatus], None] = lambda _kind, _status: None
        """Set before `run`: how `reader`, `printer` … are, beside `on_status`."""

    def connect(self, on_scan: Callable[[Scan], None], on_paper: Callable[[OutputComplete], None],
                on_gate: Callable[[GateEvent], None], known: GateCounters | None,
                on_wire_open: Callable[[float], None] | None = None) -> None:  # fmt: skip
        """Make the drivers; nothing is opened before `run`."""
        lane = self._settings

        def reader() -> None:
            self.reader = QrReader(lane.reader.port, _reader(lane.reader), on_scan, self._teller("reader", "scanner"))

        def printer() -> None:
            if lane.printer is not None:
                tell = self._teller("printer", "pos_printer")
                self.printer = ReceiptPrinter(lane.printer.port, _printer(lane.printer), on_paper, tell)

        def gate() -> None:
            if lane.gate is not None:
                seen = self.gate_counters() or known  # what passed meanwhile is told by the next reading
                self.gate = Gate(lane.gate.port, _gate(lane.gate), on_gate, self._teller("gate", "gate"), known=seen,
                                 on_wire_open=on_wire_open)  # fmt: skip

        def keypad() -> None:
            if (port := lane.keypad) is not None:
                self.keypad = Keypad(port.port, KeypadSettings(baud=port.baud, help_key=port.help_key),
                                     lambda entry: self.on_typed(entry.digits, entry.t_last_byte),
                                     lambda: self.on_help(), self._teller("keypad", "keypad"),
                                     lambda digits: self.on_keys(digits))  # fmt: skip

        def nfc() -> None:
            if (port := lane.nfc) is not None:
                self.nfc = NfcReader(port.port, NfcSettings(baud=port.baud), lambda text, t: self.on_near(text, t),
                                     self._teller("nfc", "nfc"))  # fmt: skip

        self._makers = {"reader": reader, "printer": printer, "gate": gate, "keypad": keypad, "nfc": nfc}
        for make in self._makers.values():
            make()

    def _teller(self, kind: str, category: str) -> Callable[[DeviceStatus], None]:
        name = f"{kind}-{self._settings.id}"

        def tell(status: DeviceStatus) -> None:
            if kind == "printer":
                self._note_printer(status)
            self._on_status(name, category, status)
            self.on_device(kind, status)

        self._tellers[kind] = tell
        return tell

    def _note_printer(self, status: DeviceStatus) -> None:
        if status.power is not PowerState.OFF_OFFLINE:
            self._lost_at = None
            self._printer_there.set()
        elif self._lost_at is None:
            self._lost_at = asyncio.get_running_loop().time()
            self._printer_there.clear()

    async def printer_back(self) -> None:
        """Wait for a printer that was lost a moment ago: a loose plug, a restart. One that stays away costs nobody time."""
        if self._lost_at is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(self._lost_at + PRINTER_BACK_S):
                await self._printer_there.wait()

    async def run(self) -> None:
        """Drive all devices until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for kind in LANE_DEVICES:
                if self._driver(kind) is not None:
                    tasks.create_task(self._keep(kind), name=f"{kind} {self._settings.id}")

    async def _keep(self, kind: str) -> None:
        name = f"{kind}-{self._settings.id}"
        await keep_running(name, lambda: self._driver(kind).run(), self._tellers[kind], health=self.health,
                           pulse=lambda: self._driver(kind).pulse, renew=self._makers[kind])  # fmt: skip

    def _driver(self, kind: str) -> Any:
        return getattr(self, kind)

    def gate_counters(self) -> GateCounters | None:
        """The counters of the last reading of the gate's board, or None without a gate or before the first."""
        return self.gate.counters if self.gate is not None else None

    def gate_unread(self) -> bool:
        """There is a gate, and its board was not read yet in this life of the program, or is offline now."""
        return self.gate is not None and self.gate.image is None

    async def open_gate(self, command: int, seconds: float) -> CommandResult:
        """Open for one person who leaves. A lane without a gate is open already."""
        if self.gate is None:
            return CommandResult("accepted")
        return await self.gate.open_gate("exit", command, max(OPEN_MIN_S, seconds))

    def dealt_with(self, command: int) -> int:
        """The board's newest command number if it shows that `command` did not open the gate and never will; else 0.

        A board does nothing when it is told a number again, also when it had refused it; and it refuses a number that is
        older than its newest (a clock that was wrong at the first start, a board from another lane).
        """
        image = self.gate.image if self.gate is not None else None
        if image is None or image.opening_seq == command or is_newer(command, image.seq):
            return 0
        return image.seq


def _reader(port: ReaderPort) -> ReaderSettings:
    return ReaderSettings(baud=port.baud, framing=port.framing)


def _printer(port: PrinterPort) -> PrinterSettings:
    return PrinterSettings(
        baud=port.baud, columns=port.columns, completion=port.completion, cut_counter=port.cut_counter
    )


def _gate(port: GatePort) -> GateSettings:
    return GateSettings(baud=port.baud, parity=port.parity)
