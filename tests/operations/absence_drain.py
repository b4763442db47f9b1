"""An agent comes back with 100,000 sightings, and customers go on going out and coming in meanwhile.

Mosquitto, hub and agents are the product's, as processes, on real files; readers, gates and radios are simulated. Two agents
have exit lanes: `back`, which was cut off, and `exit`, which was not. A third one, `door`, hears customers too.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from bench.client import BareClient
from bench.edge_core import advert, edge_node, edge_sightings
from bench.events import exits, sightings
from bench.lanes import READY_S, Lane
from bench.store import CLERK, NEAR, STORE, BenchError, BenchStore, beacon, bench_store
from contract.access import Principal
from contract.messages import Role
from delivery.engine import Engine
from delivery.journal import Journal
from edge.sightings import Sightings
from edge.store import MIGRATIONS, EdgeStore
from tests.operations.flood_parts import rss_kb

BACK, EXIT, DOOR = "back", "exit", "door"
LANES = {BACK: ("1", "2"), EXIT: ("3", "4")}
HERE, COMING, LIVE = 1000, 1500, 400
"""Customers of the backlog, and who come live at each of two agents."""
EXITS = 1500
"""500 a day."""
CODES_MIN, CODES_PER = 60, 120
"""Sales posted before: one for so many sightings, more than four lanes can do meanwhile."""
BREATH_S = 0.1
EVERY_S = 0.5
PATIENCE_S = 120.0
PROGRESS_EVERY_S = 5.0
Say = Callable[[str], None]
"""Where progress is told."""


@dataclass
class Drained:
    """Milliseconds of a scan are from the code's last byte to the open command, of a live sighting from the advertisement to the
    clerk's handheld."""

    backlog: int
    exits: int
    drained_s: float = 0.0
    quiet_ms: list[float] = field(default_factory=list)
    live_ms: dict[str, list[float]] = field(default_factory=dict)
    agent_rss_kb: int = 0
    hub_rss_kb: int = 0
    spool_bytes: int = 0
    hub: dict[str, int] = field(default_factory=dict)
    left_over: int = 0
    hub_cpu: float = 0.0
    agent_cpu: float = 0.0
    """Share of one processor while it drained."""
    again: int = 0
    critical_s: float = 0.0
    """Until the exits of the absence were told."""
    by_time: list[tuple[float, str, float]] = field(default_factory=list)
    """When a code was shown, in seconds since the agent is back; agent; milliseconds."""

    def scans(self, *, first: bool) -> list[float]:
        """Milliseconds: those at the agent that is back, while the hub still heard of the exits of its absence; or all others."""
        return [ms for at_s, agent, ms in self.by_time if (agent == BACK and at_s < self.critical_s) is first]


@dataclass
class Watch:
    """What anybody may see at the broker."""

    waiting: dict[str, int] = field(default_factory=dict)
    alerts: dict[int, float] = field(default_factory=dict)
    hub: dict[str, int] = field(default_factory=dict)

    def heartbeat(self, topic: str, payload: bytes) -> None:
        data = json.loads(payload)["data"]
        if "/heartbeat" in topic:
            self.waiting[topic.split("/")[3]] = data["unacknowledged"]
        else:
            self.hub = data["counters"]

    def alert(self, _topic: str, payload: bytes) -> None:
        name = json.loads(payload)["data"]["customer"]["name"]
        self.alerts.setdefault(int(name.split()[-1]), time.monotonic())


def fill(store: BenchStore, agent: str, count: int, left: int) -> None:
    """What three days leave behind in an agent's file: `count` sightings, `left` customers who went out, and the keys."""
    journal = Journal(store.path(f"{agent}.sqlite"), MIGRATIONS)
    try:
        engine = Engine(journal, Principal(Role.AGENT, agent), STORE, lambda _message, _tx: None)
        with engine.transaction():
            EdgeStore(journal.db).save_keys(store.keys.message(STORE).keys)
        scan, leaving = "", exits(store.keys, LANES[BACK][0])
        for _ in range(left):
            with engine.transaction() as tx:
                for name, data, ids in islice(leaving, 3):
                    told = tx.send(name, data if name == "lane_scan" else data.model_copy(update={"scan": scan}), **ids)
                    scan = told if name == "lane_scan" else scan
        events = sightings(range(HERE), range(HERE, HERE + COMING))
        for at in range(0, count, 1000):
            with engine.transaction() as tx:
                for name, data, ids in islice(events, min(1000, count - at)):
                    tx.send(name, data, **ids)
            engine.flush()
    finally:
        journal.close()


def cpu_s(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Run:
    """One store with its processes."""

    def __init__(self, store: BenchStore, backlog: int, left: int, say: Say) -> None:
        self.store, self.found, self.watch, self._say = store, Drained(backlog, left), Watch(), say
        self.lanes = {agent: [Lane(store, name) for name in names] for agent, names in LANES.items()}
        self.emitted: dict[str, dict[int, float]] = {DOOR: {}, BACK: {}}
        self.posted = 0
        self.back_at = 0.0

    @property
    def hub_pid(self) -> int:
        assert self.store._hub is not None
        return self.store._hub.pid

    def post(self, count: int) -> list[str]:
        self.posted += count
        return self.store.exit_codes(self.posted - count, count)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Sightings]:
        store = self.store
        async with AsyncExitStack() as stack:
            names = [lane for lanes in LANES.values() for lane in lanes]
            store.start("lane-hardware", "-m", "bench.lane_hardware", str(store.folder), *names)
            settings = {agent: store.write_agent(agent, own) for agent, own in LANES.items()}
            for path in settings.values():
                path.write_text("heartbeat_s = 0.25\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
            with settings[BACK].open("a", encoding="utf-8") as file:
                file.write("[beacons]\n")
            store.start(EXIT, "-m", "instore", "edge", "--config", str(settings[EXIT]))
            self.back = store.start(BACK, "-m", "tests.operations.absence_agent", str(settings[BACK]),
                                    str(HERE + COMING), str(LIVE), str(EVERY_S))  # fmt: skip
            for lane in (lane for lanes in self.lanes.values() for lane in lanes):
                stack.push_async_callback(lane.close)
                await lane.open()
            watching = replace(store.address(NEAR), client_id=NEAR.client_id("watch"))
            clients = {"watch": BareClient(watching, self.watch.heartbeat),
                       "clerk": BareClient(store.address(Principal(Role.CLERK, CLERK)), self.watch.alert)}  # fmt: skip
            for client in clients.values():
                stack.push_async_callback(client.close)
            await clients["watch"].open((f"instore/{STORE}/agent/+/heartbeat", 0), (f"instore/{STORE}/hub/+/status", 1))
            await clients["clerk"].open((f"instore/{STORE}/clerk/{CLERK}/alert", 1))
            node = await stack.enter_async_context(edge_node(store, DOOR))
            yield await stack.enter_async_context(edge_sightings(node))

    async def ready(self) -> None:
        """Every lane lets somebody out; those of the agent that is cut off do so by themselves. Raises BenchError."""
        end = time.monotonic() + READY_S
        while True:
            try:
                self.post(1)
                break
            except BenchError:
                if time.monotonic() > end:
                    raise
                await asyncio.sleep(0.2)
        codes = iter(self.post(6 * len(LANES) * 2))

        async def one_lane(lane: Lane) -> None:
            while True:
                try:
                    await lane.present(next(codes))
                    break
                except BenchError:
                    if time.monotonic() > end:
                        raise BenchError(
                            f"lane {lane.name}: {self.store.said(BACK)}; {self.store.said(EXIT)}"
                        ) from None
            await lane.pass_through()

        async with asyncio.TaskGroup() as tasks:
            for lane in (lane for lanes in self.lanes.values() for lane in lanes):
                tasks.create_task(one_lane(lane))

    async def customers(self, agents: list[str], codes: Iterator[str], until: Callable[[], bool]) -> None:
        """One after the other at each lane of these agents."""

        async def one_lane(agent: str, lane: Lane) -> None:
            while not until():
                shown = time.monotonic() - self.back_at
                try:
                    ms = 1000 * await lane.present(next(codes))
                except BenchError:
                    self.found.again += 1  # shown while the lane was still busy with the one before
                    continue
                self.found.by_time.append((shown, agent, ms))
                await lane.pass_through()
                await asyncio.sleep(BREATH_S)

        async with asyncio.TaskGroup() as tasks:
            for agent in agents:
                for lane in self.lanes[agent]:
                    tasks.create_task(one_lane(agent, lane))

    async def come_in(self, door: Sightings) -> None:
        """Customers at the agent that was never away."""
        first = HERE + COMING + LIVE
        for number in range(first, first + LIVE):
            self.emitted[DOOR][number] = time.monotonic()
            door.on_advert(advert(beacon(number), time.monotonic()))
            await asyncio.sleep(EVERY_S)

    async def drain(self) -> float:
        """Seconds until nothing older than live waits any more. Raises BenchError."""
        began, found = time.monotonic(), self.found
        pids = (self.hub_pid, self.back.pid)
        before = [cpu_s(pid) for pid in pids]
        told = began
        while time.monotonic() - began < PATIENCE_S:
            await asyncio.sleep(0.1)
            if time.monotonic() - told > PROGRESS_EVERY_S:
                told = time.monotonic()
                self._say(
                    f"{told - began:.0f} s: {self.watch.waiting.get(BACK, 0):,} still wait, {len(found.by_time)} customers out"
                )
            found.agent_rss_kb = max(found.agent_rss_kb, rss_kb(self.back.pid))
            found.hub_rss_kb = max(found.hub_rss_kb, rss_kb(self.hub_pid))
            if not found.critical_s and self._told() >= 3 * found.exits:
                found.critical_s = time.monotonic() - began
            if self.watch.waiting.get(BACK, 1000) < 20:
                took = time.monotonic() - began
                found.hub_cpu, found.agent_cpu = ((cpu_s(pid) - b) / took for pid, b in zip(pids, before, strict=True))
                return took
        raise BenchError(f"{self.watch.waiting.get(BACK)} still wait after {PATIENCE_S:g} s")

    def _told(self) -> int:
        """Exits of the absence that the hub has taken."""
        with closing(sqlite3.connect(f"file:{self.store.path('hub.sqlite')}?mode=ro", uri=True)) as db:
            sql = "SELECT max(taken) FROM inbox_mark WHERE sender = ? AND stream = 'critical'"
            return db.execute(sql, (f"agent/{BACK}",)).fetchone()[0] or 0

    async def measure(self, quiet_s: float) -> None:
        self._say("hub, agents and lanes start")
        async with self.running() as door:
            await self.ready()
            self._say(f"customers without a backlog, {quiet_s:g} s")
            codes = iter(self.post(CODES_MIN + self.found.backlog // CODES_PER))
            end = time.monotonic() + quiet_s
            await self.customers([EXIT], codes, lambda: time.monotonic() > end)
            self.found.quiet_ms = [ms for _, _, ms in self.found.by_time]
            self.found.by_time.clear()
            self.found.spool_bytes = sum(f.stat().st_size for f in self.store.folder.glob(f"{BACK}.sqlite*"))
            live = asyncio.create_task(self.come_in(door))
            self.back_at = time.monotonic()
            self.back.send_signal(signal.SIGUSR1)
            draining = asyncio.create_task(self.drain())
            try:
                await self.customers([BACK, EXIT], codes, draining.done)
                self.found.drained_s = await draining
            finally:
                live.cancel()
                draining.cancel()
                await asyncio.gather(live, draining, return_exceptions=True)
            await asyncio.sleep(6.0)  # the last alerts, and the hub's counters
        self._count()

    def _count(self) -> None:
        store, found, watch = self.store, self.found, self.watch
        lines = store.path(f"logs/{BACK}.log").read_text(encoding="utf-8").splitlines()
        told = [line.split() for line in lines if len(line.split()) == 2 and line[0].isdigit()]
        self.emitted[BACK] = {int(number): float(at) for number, at in told}
        for agent, emitted in self.emitted.items():
            found.live_ms[agent] = [1000 * (watch.alerts[n] - at) for n, at in emitted.items() if n in watch.alerts]
        found.hub = {name: watch.hub.get(name, 0) for name in ("received", "duplicates", "gaps", "declared_lost")}
        found.left_over = watch.waiting.get(BACK, -1)


async def run(
    folder: Path | None, backlog: int, quiet_s: float, left: int = EXITS, say: Say = lambda _what: None
) -> Drained:
    """Raises BenchError, broker.errors.BrokerError."""
    with bench_store((BACK, EXIT, DOOR), HERE + COMING + 2 * LIVE, folder) as store:
        say(f"{backlog:,} sightings and {left:,} exits are written")
        fill(store, BACK, backlog, left)
        store.start_broker()
        store.start_hub()
        one = Run(store, backlog, left, say)
        await one.measure(quiet_s)
        store.check_hub_took_everything()
    return one.found
