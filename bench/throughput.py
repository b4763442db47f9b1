"""`instore bench throughput`: durable events a second that the hub sustains, beside the bare broker's rate in the same run.

Closed loops: a sender keeps a bounded number of messages on their way, so that the rate is what the far end keeps up with
and no backlog can grow. Counted is what was acknowledged. The three are measured in turn, a slice of each again and again.

- `bare_broker`: gmqtt → Mosquitto → gmqtt in another process, 350 bytes at QoS 0 (what a stream travels at), counted there.
- `hub_events`: sightings by two agents' real delivery → Mosquitto → hub: visits, presence, trace; committed to the disk
  (`synchronous=FULL`) before they are acknowledged, end to end.
- `hub_critical_events`: scan, gate opened, passage; each synced to the sender's disk before it is sent, and answered.

Sender, broker and hub share this machine's processors: with two of them the sender costs as much as the hub.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console
from rich.table import Table

from bench import far_end
from bench.client import BareClient
from bench.edge_core import edge_node
from bench.events import SCAN, Event, exits, sightings
from bench.measure import machine, percentile, progress, quiet
from bench.store import NEAR, BenchError, BenchStore, bench_store
from delivery.node import Node

AGENTS = ("entrance-1", "entrance-2")
LANE = "1"
SLICE_S = 2.0
HERE, COMING = 1000, 4000
"""Customers of each agent who are in the store from the start, and who come during the run."""
BATCH = 50
"""Events of one transaction of the sender. A Pi's are smaller: this measures the hub, not the sender's disk."""
BACKLOG = 600
"""Unacknowledged events of each agent at most: a little more than a stream's window."""
BARE_AHEAD = 2000
PATIENCE_S = 20.0
WAIT_S = 0.0005


def main(as_json: bool, seconds: float, folder: Path | None = None) -> int:
    """Measure each part for `seconds` and print; 0. Raises BenchError, broker.errors.BrokerError."""
    quiet()
    with bench_store(AGENTS, len(AGENTS) * (HERE + COMING), folder) as store:
        store.start_broker()
        store.start_hub()
        store.start_far_end()
        figures = uvloop.run(_run(store, seconds, shown=not as_json))
    if as_json:
        print(json.dumps(figures))
    else:
        _show(figures)
    return 0


@dataclass
class _Agent:
    """A sender: a real node, and what it has to tell."""

    node: Node
    events: Iterator[Event]
    exits: Iterator[Event]
    sent: int = 0
    waiting: deque[tuple[int, float]] = field(default_factory=deque)
    scan: str = ""

    @property
    def acknowledged(self) -> int:
        return self.sent - self.node.engine.unacknowledged()

    def send(self, events: Iterator[Event], now: float) -> None:
        """One transaction of events."""
        with self.node.transaction() as tx:
            for _ in range(BATCH):
                name, data, ids = next(events)
                if getattr(data, "scan", None) == SCAN:
                    data = data.model_copy(update={"scan": self.scan})
                message = tx.send(name, data, **ids)
                if name == "lane_scan":
                    self.scan = message
        self.sent += BATCH
        self.waiting.append((self.sent, now))

    def taken(self, now: float) -> list[float]:
        """Seconds from sending to the acknowledgement, of each transaction that was acknowledged since the last call."""
        done = self.acknowledged
        found = []
        while self.waiting and self.waiting[0][0] <= done:
            found.append(now - self.waiting.popleft()[1])
        return found


@dataclass
class _Slice:
    """What one slice gave."""

    per_s: float
    waits_s: list[float]
    cpu: float
    """Share of one processor that the hub used."""


async def _durable(
    store: BenchStore, agents: list[_Agent], pick: Callable[[_Agent], Iterator[Event]], seconds: float
) -> _Slice:
    """Send for so long, with a bounded backlog, and wait for the last acknowledgement."""
    began, cpu = time.monotonic(), store.hub_cpu_s()
    before, waits = sum(agent.sent for agent in agents), []
    while (now := time.monotonic()) - began < seconds:
        for agent in agents:
            if agent.node.engine.unacknowledged() <= BACKLOG - BATCH:
                agent.send(pick(agent), now)
            waits += agent.taken(now)
        await asyncio.sleep(WAIT_S)
    while any(agent.waiting for agent in agents):
        await asyncio.sleep(WAIT_S)
        now = time.monotonic()
        for agent in agents:
            waits += agent.taken(now)
        if now - began > seconds + PATIENCE_S:
            raise BenchError(f"the hub acknowledges no more; it said: {store.said('hub')}")
    took = time.monotonic() - began
    return _Slice((sum(agent.sent for agent in agents) - before) / took, waits, (store.hub_cpu_s() - cpu) / took)


class _Bare:
    """The broker alone."""

    def __init__(self, store: BenchStore) -> None:
        self._client = BareClient(store.address(NEAR), self._on_count)
        self._sent = self._counted = 0
        self.close = self._client.close

    def _on_count(self, _topic: str, payload: bytes) -> None:
        self._counted = int(payload)

    async def open(self) -> None:
        """Raises BenchError when the far end does not count."""
        await self._client.open((far_end.COUNT, 0))
        end = time.monotonic() + PATIENCE_S
        while not self._counted:
            # The far end may not be there yet: then nobody has these.
            for _ in range(far_end.COUNT_EVERY):
                self._client.publish(far_end.LOAD, bytes(far_end.ASK_BYTES))
            await asyncio.sleep(0.2)
            if time.monotonic() > end:
                raise BenchError("the far end of the bare measurement does not answer")
        self._sent = self._counted

    async def run(self, seconds: float) -> float:
        """Messages a second that arrived."""
        payload, began, before = bytes(far_end.ASK_BYTES), time.monotonic(), self._counted
        while time.monotonic() - began < seconds:
            while self._sent - self._counted < BARE_AHEAD:
                for _ in range(far_end.COUNT_EVERY):
                    self._client.publish(far_end.LOAD, payload)
                self._sent += far_end.COUNT_EVERY
            await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE_S):
            while self._counted < self._sent:  # noqa: ASYNC110  # a callback of the library counts
                await asyncio.sleep(WAIT_S)
        return (self._counted - before) / (time.monotonic() - began)


async def _run(store: BenchStore, seconds: float, *, shown: bool) -> dict[str, Any]:
    about = machine(store.folder)
    slices = max(1, round(seconds / SLICE_S))
    async with AsyncExitStack() as stack:
        bare = _Bare(store)
        stack.push_async_callback(bare.close)
        await bare.open()
        agents = [await _agent(stack, store, n, agent) for n, agent in enumerate(AGENTS)]
        await _warm_up(store, agents)
        rates: list[float] = []
        found: dict[str, list[_Slice]] = {"hub_events": [], "hub_critical_events": []}
        with progress(3 * seconds, shown=shown) as bar:
            task = bar.add_task("throughput", total=slices)
            for _ in range(slices):
                rates.append(await bare.run(seconds / slices))
                found["hub_events"].append(await _durable(store, agents, lambda a: a.events, seconds / slices))
                found["hub_critical_events"].append(await _durable(store, agents, lambda a: a.exits, seconds / slices))
                bar.advance(task)
    store.check_hub_took_everything()
    return {"benchmark": "throughput", "seconds": seconds, "broker": "mosquitto", **about, **_figures(rates, found)}


async def _agent(stack: AsyncExitStack, store: BenchStore, number: int, name: str) -> _Agent:
    node = await stack.enter_async_context(edge_node(store, name))
    first = number * (HERE + COMING)
    here, coming = range(first, first + HERE), range(first + HERE, first + HERE + COMING)
    return _Agent(node, sightings(here, coming), exits(store.keys, LANE))


async def _warm_up(store: BenchStore, agents: list[_Agent]) -> None:
    """Everybody is in the store, and every statement was made once."""
    for agent in agents:
        while agent.sent < HERE:
            await _durable(store, [agent], lambda a: a.events, 0.01)
    await _durable(store, agents, lambda a: a.exits, 0.2)


def _figures(rates: list[float], found: dict[str, list[_Slice]]) -> dict[str, Any]:
    bare = statistics.median(rates)
    figures: dict[str, Any] = {"bare_broker_per_s": round(bare), "bare_broker_slices": [round(rate) for rate in rates]}
    ratios = {}
    for name, slices in found.items():
        rate = statistics.median(one.per_s for one in slices)
        waits = [wait for one in slices for wait in one.waits_s]
        figures[f"{name}_per_s"] = round(rate)
        figures[f"{name}_slices"] = [round(one.per_s) for one in slices]
        figures[f"{name}_acknowledged_p50_ms"] = round(percentile(waits, 0.5) * 1000, 1)
        figures[f"{name}_acknowledged_p99_ms"] = round(percentile(waits, 0.99) * 1000, 1)
        figures[f"{name}_hub_cpu"] = round(statistics.median(one.cpu for one in slices), 2)
        ratios[f"{name}_per_bare"] = round(rate / bare, 3)
    return {**figures, "backlog_max": BACKLOG * len(AGENTS), "ratios": ratios}


def _show(figures: dict[str, Any]) -> None:
    title = f"Events a second, {figures['broker']}, {figures['processors']} processors, {figures['file_system']}"
    table = Table(title=title)
    for heading in ("", "a second", "slices", "acknowledged p50", "p99 ms", "hub's processor", "of bare"):
        table.add_column(heading, justify="right" if heading else "left")
    slices = " ".join(map(str, figures["bare_broker_slices"]))
    table.add_row("bare_broker", str(figures["bare_broker_per_s"]), slices)
    for name in ("hub_events", "hub_critical_events"):
        cells = [figures[f"{name}_{what}"] for what in ("acknowledged_p50_ms", "acknowledged_p99_ms")]
        table.add_row(name, str(figures[f"{name}_per_s"]), " ".join(map(str, figures[f"{name}_slices"])),
                      *(f"{cell:.1f}" for cell in cells), f"{figures[f'{name}_hub_cpu']:.0%}",
                      f"{figures['ratios'][f'{name}_per_bare']:.2f}")  # fmt: skip
    Console().print(table)
