"""`instore bench latency`: sighting to handheld and scan to gate, beside the broker's bare round trip in the same run.

Bare round trips and sightings are measured in turn, a slice of each again and again, so that a machine which is slow for a
while is slow for both; scans follow in the same run. One message is on its way at a time, with a short pause between two.
All times are of CLOCK_MONOTONIC, which all processes of a machine share.

- `bare_round_trip`: publish 350 bytes at QoS 0, a second process replies with 700 bytes at QoS 1; gmqtt on both sides.
- `sighting_to_handheld`: an advertisement of a good customer handed to the edge's core → broker → hub, which opens the
  visit, commits it to the disk and asks the clerk → broker → a client subscribed as the clerk has the alert.
- `scan_to_gate`: last byte of a fresh exit code on a reader's line → the open command on the gate's line; agent and hub
  commit to the disk on the way, three commits that wait for each other.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench import far_end
from bench.client import BareClient
from bench.edge_core import advert, edge_node, edge_sightings
from bench.lanes import Lanes, running_lanes
from bench.measure import SyncProbe, machine, progress, quiet, summary
from bench.store import CLERK, NEAR, STORE, BenchError, BenchStore, beacon, bench_store
from contract.access import Principal
from contract.messages import Role
from edge.sightings import Sightings

AGENTS: dict[str, tuple[str, ...]] = {"exit-1": ("1", "2"), "exit-2": ("3", "4")}
ENTRANCE = "entrance"
WARM_UP = 20
SLICE_S = 0.5
ANSWER_S, READY_S = 5.0, 20.0
EVERY_S = 0.005
"""Pause between two: customers do not arrive back to back, and whatever waits for the next has gone to sleep by then."""
SIGHTINGS_MAX = 1900
"""Each is of a customer of her own and opens a visit; an agent follows 2,000 beacons at a time."""
FLOOR = "sighting_to_handheld_p50_to_bare_and_sync"
"""The ratio to a bare round trip and one sync: nothing that answers after a commit is below 1."""
SCANS_PER_S = 20
"""More than four lanes can do."""


def main(as_json: bool, seconds: float, folder: Path | None = None) -> int:
    """Measure each part for `seconds` and print; 0. Raises BenchError, broker.errors.BrokerError."""
    quiet()
    with bench_store((ENTRANCE, *AGENTS), SIGHTINGS_MAX + WARM_UP, folder) as store:
        store.start_broker()
        store.start_hub()
        store.start_far_end()
        figures = uvloop.run(_run(store, seconds, shown=not as_json))
    if as_json:
        print(json.dumps(figures))
    else:
        _show(figures)
    return 0


class _Answers:
    """Waits for the one message that is on its way."""

    def __init__(self) -> None:
        self._waiting: asyncio.Future[float] | None = None

    def arrived(self, _topic: str, _payload: bytes) -> None:
        now = time.monotonic()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(now)

    async def time(self, act: Callable[[], None], what: str, patience_s: float = ANSWER_S) -> float:
        """Seconds from `act` to the answer. Raises BenchError when none comes."""
        self._waiting = asyncio.get_running_loop().create_future()
        began = time.monotonic()
        act()
        try:
            async with asyncio.timeout(patience_s):
                return await self._waiting - began
        except TimeoutError:
            raise BenchError(f"no answer within {patience_s:g} s: {what}") from None


@dataclass
class _Parts:
    """What is measured, and what was measured so far, in seconds."""

    store: BenchStore
    near: BareClient
    replies: _Answers
    sightings: Sightings
    alerts: _Answers
    customers: Iterator[int]
    probe: SyncProbe
    lanes: Lanes | None = None
    bare_s: list[float] = field(default_factory=list)
    sighting_s: list[float] = field(default_factory=list)
    scan_s: list[float] = field(default_factory=list)
    sync_s: list[float] = field(default_factory=list)
    posted: int = 0

    async def bare(self, until: float, count: int) -> None:
        """Round trips through the broker, until a monotonic time, at most `count`."""
        payload = bytes(far_end.ASK_BYTES)
        for _ in range(count):
            if time.monotonic() >= until:
                return
            ask = partial(self.near.publish, far_end.ASK, payload, far_end.ASK_QOS)
            self.bare_s.append(await self.replies.time(ask, "bare round trip"))
            await asyncio.sleep(EVERY_S)

    async def sight(self, until: float, count: int) -> None:
        """Customers who arrive, one after another."""
        for number in islice(self.customers, count):
            self.sighting_s.append(await self.alerts.time(partial(self.appear, number), f"sighting of {number}"))
            await asyncio.sleep(EVERY_S)
            if time.monotonic() >= until:
                return

    def appear(self, number: int) -> None:
        self.sightings.on_advert(advert(beacon(number), time.monotonic()))

    async def scan(self, until: float, _count: int) -> None:
        """Customers who leave, at all lanes in turn. Their sales are posted before."""
        codes = self.store.exit_codes(self.posted, max(1, int((until - time.monotonic()) * SCANS_PER_S)))
        self.posted += len(codes)
        assert self.lanes is not None
        self.scan_s += await self.lanes.scan(codes, until)

    async def sync(self, until: float, count: int) -> None:
        """The disk alone."""
        for _ in range(max(1, count // 4)):
            self.sync_s.append(self.probe.seconds())
            if time.monotonic() >= until:
                return
            await asyncio.sleep(EVERY_S)


async def _run(store: BenchStore, seconds: float, *, shown: bool) -> dict[str, Any]:
    about = machine(store.folder)
    replies, alerts = _Answers(), _Answers()
    near = BareClient(store.address(NEAR), replies.arrived)
    clerk = BareClient(store.address(Principal(Role.CLERK, CLERK)), alerts.arrived)
    watching = replace(store.address(NEAR), client_id=NEAR.client_id("watch"))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(near.close)
        stack.push_async_callback(clerk.close)
        await near.open((far_end.REPLY, far_end.REPLY_QOS))
        await clerk.open((f"instore/{STORE}/clerk/{CLERK}/alert", 1))
        node = await stack.enter_async_context(edge_node(store, ENTRANCE))
        sightings = await stack.enter_async_context(edge_sightings(node))
        bar = stack.enter_context(progress(3 * seconds, shown=shown))
        probe = SyncProbe(store.folder)
        stack.callback(probe.close)
        parts = _Parts(store, near, replies, sightings, alerts, iter(range(store.customers)), probe)
        await _warm_up(parts)
        await _in_turn(bar, seconds, parts.bare, parts.sight, parts.sync)
        # The simulated boards are polled and answer without end: they start when nothing else is measured any more.
        parts.lanes = await stack.enter_async_context(running_lanes(store, AGENTS, watching))
        await parts.scan(time.monotonic() + SLICE_S, 0)
        parts.scan_s.clear()
        await _in_turn(bar, seconds, parts.scan)
    store.check_hub_took_everything()
    return {"benchmark": "latency", "seconds": seconds, "broker": "mosquitto", **about, **_figures(parts)}


async def _warm_up(parts: _Parts) -> None:
    """Until the hub and the far end answer, and the first calls of everything are made."""
    end = time.monotonic() + READY_S
    while True:
        try:
            await parts.replies.time(partial(parts.near.publish, far_end.ASK, bytes(100)), "the far end", 0.2)
            break
        except BenchError:
            if time.monotonic() > end:
                raise
    await parts.alerts.time(partial(parts.appear, next(parts.customers)), "the first sighting", READY_S)
    await parts.bare(time.monotonic() + SLICE_S, WARM_UP)
    await parts.sight(time.monotonic() + SLICE_S, WARM_UP)
    parts.bare_s.clear()
    parts.sighting_s.clear()


async def _in_turn(bar: Progress, seconds: float, *parts: Callable[[float, int], Awaitable[None]]) -> None:
    """A slice of each part, again and again, until each has had its seconds."""
    slices = max(1, round(seconds / SLICE_S))
    count = max(1, SIGHTINGS_MAX // slices)
    task = bar.add_task(", ".join(part.__name__ for part in parts), total=slices)
    for _ in range(slices):
        for part in parts:
            await part(time.monotonic() + seconds / slices, count)
        bar.advance(task)


def _figures(parts: _Parts) -> dict[str, Any]:
    bare = summary(parts.bare_s)
    found: dict[str, Any] = {"bare_round_trip": bare, "disk_sync": summary(parts.sync_s)}
    ratios = {}
    for name, seconds in (("sighting_to_handheld", parts.sighting_s), ("scan_to_gate", parts.scan_s)):
        found[name] = summary(seconds)
        for share in ("p50", "p99"):
            ratios[f"{name}_{share}"] = round(found[name][f"{share}_ms"] / bare[f"{share}_ms"], 2)
    floor_ms = bare["p50_ms"] + found["disk_sync"]["p50_ms"]
    ratios[FLOOR] = round(found["sighting_to_handheld"]["p50_ms"] / floor_ms, 2)
    return {**found, "ratios": ratios}


def _show(figures: dict[str, Any]) -> None:
    table = Table(
        title=f"Latency in ms, {figures['broker']}, {figures['processors']} processors, {figures['file_system']}"
    )
    for heading in ("", "p50", "p99", "longest", "n", "p50 / bare", "p99 / bare"):
        table.add_column(heading, justify="right" if heading else "left")
    for name in ("bare_round_trip", "sighting_to_handheld", "scan_to_gate", "disk_sync"):
        one, ratios = figures[name], figures["ratios"]
        beside = [f"{ratios[key]:.2f}" if (key := f"{name}_{share}") in ratios else "" for share in ("p50", "p99")]
        table.add_row(name, *(f"{one[key]:.2f}" for key in ("p50_ms", "p99_ms", "max_ms")), str(one["n"]), *beside)
    Console().print(table)
    Console().print(f"sighting_to_handheld p50 / (bare_round_trip + disk_sync): {figures['ratios'][FLOOR]:.2f}")
