"""What the floods are measured with: customers at a lane, memory of a process, a client that sends without end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from edge import lane_types as core
from edge.agent import Agent
from edge.lane_types import Phase
from tests.broker.wire import connect_packet, connected, open_client
from tests.delivery.real import STORE, until
from tests.edge.lane_bench import exit_code
from tests.edge.shop import Shop


def rss_kb(pid: int) -> int:
    """Resident memory, file pages that others share included."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise ProcessLookupError(pid)


@dataclass
class Times:
    """Milliseconds from a code before the reader to the gate's opening, of customers one after the other."""

    ms: list[float] = field(default_factory=list)

    @property
    def p50(self) -> float:
        return sorted(self.ms)[len(self.ms) // 2]

    @property
    def worst(self) -> float:
        return max(self.ms)

    def __str__(self) -> str:
        return f"{len(self.ms)} customers, {self.p50:.0f} ms median, {self.worst:.0f} ms worst"


async def customers(shop: Shop, count: int, times: Times, left: Callable[[], int], *, patience_s: float = 5.0) -> None:
    """`count` people with good codes go out through the lane of `shop`, one when the lane has done with the one before.

    `left()`: how many passages are settled.
    """
    for _ in range(count):
        pulses, gone = await shop.pulses(), left()
        began = time.monotonic()
        await shop.show(exit_code(store=STORE))
        async with asyncio.timeout(patience_s):
            while await shop.pulses() == pulses:  # noqa: ASYNC110  # the board is asked, as one would look at it
                await asyncio.sleep(0.002)
        times.ms.append((time.monotonic() - began) * 1000)
        await shop.walk()
        await until(lambda: left() > gone, patience_s)  # noqa: B023


@dataclass
class Sender:
    """Counts what `sending` has put on the wire."""

    sent: int = 0
    cut_off: int = 0
    """Times the broker ended its connection."""


@asynccontextmanager
async def sending(port: int, user: str, password: str, packets: list[bytes], per_s: float) -> AsyncIterator[Sender]:
    """Send MQTT packets in turn, at a rate, for as long as the block lasts."""
    sender = Sender()
    async with connected(port, user, password, client_id=f"{user}:flood") as client:

        async def run() -> None:
            began, size = time.monotonic(), len(packets)
            while not client.writer.is_closing():
                due = int((time.monotonic() - began) * per_s)
                chunk = [packets[n % size] for n in range(sender.sent, min(due, sender.sent + 2000))]
                client.writer.write(b"".join(chunk))
                sender.sent += len(chunk)
                await asyncio.sleep(0.01)
                try:
                    await client.writer.drain()
                except ConnectionError:
                    break
            sender.cut_off += 1

        task = asyncio.create_task(run())
        try:
            yield sender
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def sending_too_much(
    port: int, user: str, password: str, packets: list[bytes], per_s: float
) -> AsyncIterator[Sender]:
    """Send packets that no broker of ours takes, at most so many a second, with a new connection after each that was cut."""
    sender = Sender()

    async def run() -> None:
        while True:
            client, answer = await open_client(port, connect_packet(f"{user}:flood", user, password))
            assert answer == 0, answer
            try:
                client.writer.write(packets[sender.sent % len(packets)])
                sender.sent += 1
                await client.until(lambda: False)
                sender.cut_off += 1
            finally:
                await client.close()
            await asyncio.sleep(1 / per_s)

    task = asyncio.create_task(run())
    try:
        yield sender
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task  # raises what ended the flood before its time


def idle(agent: Agent) -> bool:
    return all(lane.lane.phase is Phase.IDLE for lane in agent.lanes.values())


def passages_heard(shop: Shop) -> Callable[[], int]:
    """Of the small hub."""
    sql = "SELECT count(*) FROM heard WHERE name = 'passage'"
    return lambda: int(shop.hub.journal.db.execute(sql).fetchone()[0])


def passages_told(agent: Agent) -> Callable[[], int]:
    """Of an agent in this process."""
    told = 0

    def step(event: core.Event, _t: float) -> None:
        nonlocal told
        told += isinstance(event, core.Passed)

    agent.lanes["1"].on_step = step
    return lambda: told
