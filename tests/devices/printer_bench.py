"""A simulated printer in its place and its driver, which may be killed and started again."""

from __future__ import annotations

import asyncio
import contextlib

from devices.escpos_document import Document, Pair, Qr, Rule, Text
from devices.printer import PrinterSettings, ReceiptPrinter
from firmware_sim.printer import PrinterSim, read_codes

FAST = {"baud": 1_000_000, "poll_s": 0.1, "answer_s": 0.1, "settle_s": 0.25, "xoff_limit_s": 0.3}


def coupon(coupon_id: str) -> Document:
    return Document(
        (
            Text("200円引き", size="double", align="center"),
            Rule(),
            *(Text(f"{n}行目のご案内です line {n}") for n in range(6)),
            Pair("クーポンID", coupon_id),
            Qr(coupon_id),
        )
    )


class Store:
    """A printer in its place, with what it told, and the driver that may be started again."""

    def __init__(self, tmp_path, settings=None, **options):
        self.out_dir, self.link = tmp_path / "out", tmp_path / "by-id" / "printer"
        self.settings = PrinterSettings(**{**FAST, **(settings or {})})
        self.sim = PrinterSim(
            self.link, self._hear, out_dir=self.out_dir, state_file=tmp_path / "state.json", **options
        )
        self.printed, self.events, self.statuses = asyncio.Queue(), asyncio.Queue(), []
        self.news = asyncio.Event()
        self.tasks = []

    async def start(self):
        self.sim_task = asyncio.create_task(self.sim.run())
        await asyncio.sleep(0)
        await self.start_driver()

    async def start_driver(self, online=True):
        self.driver = ReceiptPrinter(self.link, self.settings, self.events.put_nowait, self._status)
        self.driver_task = asyncio.create_task(self.driver.run())
        if online:
            await self.until(lambda status: status.online)
        else:
            await self.until(lambda status: "no_answer" in status.flags)

    async def kill_driver(self):
        self.driver_task.cancel()
        await asyncio.gather(self.driver_task, return_exceptions=True)

    async def close(self):
        await self.kill_driver()
        self.sim_task.cancel()
        await asyncio.gather(self.sim_task, return_exceptions=True)

    def do(self, what, **more):
        return self.sim.handle({"do": what, **more})

    async def until(self, wanted, timeout_s=30.0):
        async with asyncio.timeout(timeout_s):
            while not wanted(self.driver.status):
                self.news.clear()
                await self.news.wait()

    async def sim_has(self, wanted, timeout_s=30.0):
        """Wait for what the printer itself knows."""
        async with asyncio.timeout(timeout_s):
            while not wanted(self.sim.engine.state()):  # noqa: ASYNC110 - no event tells of a byte that waits
                await asyncio.sleep(0.001)

    def codes(self):
        return [code for png in sorted(self.out_dir.glob("*.png")) for code in read_codes(png)]

    def _hear(self, event):
        if event["event"] == "printed":
            self.printed.put_nowait(event)

    def _status(self, status):
        self.statuses.append(status)
        self.news.set()


@contextlib.asynccontextmanager
async def store(tmp_path, settings=None, **options):
    it = Store(tmp_path, settings, **options)
    await it.start()
    try:
        yield it
    finally:
        await it.close()
