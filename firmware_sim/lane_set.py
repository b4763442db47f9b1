"""All devices of one simulated lane in one process: reader, keypad, NFC module, printer and gate, each behind a port and a socket of its own.

In `folder`: ports `reader`, `keypad`, `nfc`, `printer`, `gate`; sockets `reader.sock` …; receipts in `receipts`; what printer and gate
remember without power in `printer.json`, `gate.json`.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from firmware_sim.control import ControlServer
from firmware_sim.gate import GateSim
from firmware_sim.keypad import KeypadSim
from firmware_sim.nfc import NfcSim
from firmware_sim.printer import PrinterSim
from firmware_sim.reader import ReaderSim

__all__ = ["DEVICES", "run_lane_set"]

DEVICES = ("reader", "keypad", "nfc", "printer", "gate")


async def run_lane_set(folder: Path) -> None:
    """Until cancelled; the folder is there."""
    servers: dict[str, ControlServer] = {}

    def tell(name: str) -> Any:
        return lambda event: servers[name].broadcast(event)

    reader = ReaderSim(folder / "reader", tell("reader"))
    keypad = KeypadSim(folder / "keypad", tell("keypad"))
    nfc = NfcSim(folder / "nfc", tell("nfc"))
    gate = GateSim(folder / "gate", tell("gate"), state_file=folder / "gate.json")
    printer = PrinterSim(
        folder / "printer", tell("printer"), out_dir=folder / "receipts", state_file=folder / "printer.json"
    )
    handlers = {"reader": reader.handle, "keypad": keypad.handle, "nfc": nfc.handle, "printer": printer.handle,
                "gate": gate.handle}  # fmt: skip
    async with AsyncExitStack() as stack:
        for device in (reader, keypad, nfc, gate):
            stack.callback(device.close)
        for name, handle in handlers.items():
            servers[name] = ControlServer(folder / f"{name}.sock", handle)
            await stack.enter_async_context(servers[name])
        for device in (reader, keypad, nfc, gate):
            device.port.plug()
        printing = asyncio.create_task(printer.run(), name="printer")
        try:
            await printing
        finally:
            printing.cancel()
            await asyncio.gather(printing, return_exceptions=True)
