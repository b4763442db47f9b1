"""A lane's devices played by a test, and a customer who leaves by it: whatever started the store."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

from firmware_sim.gate import GateSim
from firmware_sim.printer import PrinterSim
from firmware_sim.reader import ReaderSim
from tests.system.store import Running, ask


@asynccontextmanager
async def devices(folder: Path):
    """A lane's devices behind real ports, played by this test. Yields what they tell, and the reader's command."""
    told: asyncio.Queue[dict] = asyncio.Queue()
    printer = PrinterSim(folder / "printer", told.put_nowait, out_dir=folder / "receipts")
    printing = asyncio.create_task(printer.run())
    gate, reader = GateSim(folder / "gate", told.put_nowait), ReaderSim(folder / "reader", told.put_nowait)
    gate.port.plug()
    reader.port.plug()
    try:
        yield told, reader.handle, gate.handle
    finally:
        gate.close()
        reader.close()
        printing.cancel()
        await asyncio.gather(printing, return_exceptions=True)


async def hears(told: asyncio.Queue[dict], event: str) -> dict:
    async with asyncio.timeout(30):
        while (found := await told.get())["event"] != event:
            pass
    return found


def lane(folder: Path) -> dict:
    return {"id": "1", **{name: {"port": str(folder / name)} for name in ("reader", "printer", "gate")}}


async def leave(up: Running, hub: str, key: str, told, reader, gate, sale: str) -> None:
    """Somebody pays at the till, shows the code, and the gate opens for her."""
    await shows(told, reader, gate, await paid(up, hub, key, sale))


async def paid(up: Running, hub: str, key: str, sale: str) -> str:
    """Somebody pays at the till; her exit code."""
    body = {"sale": sale, "customer": "C0001", "amount_minor": 5480, "currency": "JPY", "paid_on": "settlement"}
    status, answer = await ask(f"{hub}/api/v1/sales", body=body, key=key)
    assert status == 201, (status, answer, up.said[-2000:])
    return answer["exit_code"]


async def shows(told, reader, gate, code: str) -> None:
    """She shows it, takes her coupon, and leaves."""
    while not told.empty():
        told.get_nowait()
    await reader({"do": "present", "code": code})
    slip = await hears(told, "printed")
    assert len(slip["qr"]) == 1
    walked = await gate({"do": "walk", "direction": "exit", "wait_s": 20})
    assert walked.get("passed"), walked
