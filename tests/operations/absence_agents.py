"""A hundred agents come back at once: the broker was away for a while, each of them has a backlog, and one customer after the other
goes out meanwhile. Mosquitto and hub are the product's, as processes; the agents' delivery is real, on files of their own.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.client import BareClient
from bench.events import exits
from bench.store import NEAR, STORE, BenchError, BenchStore, bench_store
from broker.mosquitto_process import MosquittoProcess, start_mosquitto
from contract.access import Principal
from contract.envelope import Message
from contract.messages import Role
from contract.payloads import LaneDecision
from delivery.engine import Engine, Tx
from delivery.journal import Journal
from delivery.node import Node
from tests.operations.absence_drain import Say
from tests.operations.flood_parts import rss_kb

PROBE = Principal(Role.AGENT, "probe")
AGENTS_A_PROCESS = 25
CUSTOMERS = 600
SCAN_EVERY_S = 0.2
DECIDE_S = 2.0
"""A lane's patience, as shipped."""
PATIENCE_S = 240.0
PROGRESS_EVERY_S = 5.0


@dataclass
class Returned:
    """Seconds are counted from when the broker is back."""

    agents: int
    backlog: int
    attempts_per_s: float = 0.0
    """The most in any second after the broker was back, by agents."""
    attempts: int = 0
    all_connected_s: float = 0.0
    drained_s: float = 0.0
    sent: int = 0
    duplicates: int = 0
    gaps: int = 0
    inbox_dropped: int = 0
    """By the hub, which had no room; then they are sent again."""
    hub_rss_kb: int = 0
    broker_rss_kb: int = 0
    decisions_ms: list[float] = field(default_factory=list)
    """From a scan's transaction to the hub's decision, while agents drained; scans while there was no connection are not among
    them."""
    hub_back_s: float = 0.0

    @property
    def messages(self) -> int:
        return self.agents * self.backlog


class Probe:
    """One agent whose customers go out now. It shares nothing with the others but broker and hub."""

    def __init__(self, store: BenchStore) -> None:
        self.journal = Journal(store.path("probe.sqlite"))
        self.node = Node(Engine(self.journal, PROBE, STORE, self._handle), store.address(PROBE))
        self._scans = (event for event in exits(store.keys, "1") if event[0] == "lane_scan")
        self._said = store.said
        self._waiting: dict[str, asyncio.Future[float]] = {}

    def _handle(self, message: Message, tx: Tx) -> None:
        if isinstance(message.data, LaneDecision) and (waiting := self._waiting.get(message.data.scan)) is not None:
            tx.after_commit(lambda: None if waiting.done() else waiting.set_result(time.monotonic()))

    async def scan(self) -> float:
        """Milliseconds to the decision."""
        name, data, ids = next(self._scans)
        began = time.monotonic()
        decided = asyncio.get_running_loop().create_future()
        with self.node.transaction() as tx:
            scan = tx.send(name, data, **ids)
            self._waiting[scan] = decided
        try:
            async with asyncio.timeout(PATIENCE_S):
                return 1000 * (await decided - began)
        except TimeoutError:
            raise BenchError(f"no decision within {PATIENCE_S:g} s; the hub said: {self._said('hub')}") from None
        finally:
            del self._waiting[scan]


class Run:
    def __init__(self, store: BenchStore, agents: list[str], backlog: int, say: Say) -> None:
        self.store, self.agents, self._say = store, agents, say
        self.found = Returned(len(agents), backlog)
        self.hub_counters: dict[str, int] = {}
        self.processes = -(-len(agents) // AGENTS_A_PROCESS)
        self.children: list[subprocess.Popen[bytes]] = []

    def _said(self, what: str) -> bool:
        logs = [self.store.path(f"logs/nodes-{n}.log") for n in range(self.processes)]
        return all(log.exists() and what in log.read_text(encoding="utf-8").splitlines() for log in logs)

    async def _until(self, holds: Any, what: str, seconds: float = PATIENCE_S) -> None:
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                raise BenchError(f"not within {seconds:g} s: {what}; {self.store.said('nodes-0')}")
            await asyncio.sleep(0.05)

    def start_agents(self) -> None:
        store = self.store
        for n in range(self.processes):
            own = {
                agent: store.address(Principal(Role.AGENT, agent)).password
                for agent in self.agents[n :: self.processes]
            }
            orders = store.path(f"orders-{n}.json")
            given = {"agents": own, "port": store.port, "backlog": self.found.backlog, "folder": str(store.folder)}
            orders.write_text(json.dumps(given), encoding="utf-8")
            self.children.append(store.start(f"nodes-{n}", "-m", "tests.operations.absence_nodes", str(orders)))

    def _connected(self, broker: MosquittoProcess) -> int:
        return broker.log.read_text(encoding="utf-8", errors="replace").count(" as agent-a")

    async def measure(self, cut_s: float) -> None:
        store, found = self.store, self.found
        broker = start_mosquitto(store.path("mosquitto"))
        probe = Probe(store)
        probing = asyncio.create_task(probe.node.run())
        watch: BareClient | None = None
        self._say(f"hub and {len(self.agents)} agents start")
        try:
            store.start_hub()
            self.start_agents()
            await self._until(lambda: self._connected(broker) >= len(self.agents), "all connected", 60)
            await self._until(lambda: probe.node.link.up, "the probe is connected", 60)
            await probe.scan()
            broker.kill()
            cut_at = time.monotonic()
            self._say(f"the broker is away, for {cut_s:g} s or until the backlogs are written")
            for child in self.children:
                child.send_signal(signal.SIGUSR1)
            await self._until(lambda: self._said("filled"), "the backlog is written", 120)
            await asyncio.sleep(max(0.0, cut_s - (time.monotonic() - cut_at)))
            back = told = time.monotonic()
            broker = start_mosquitto(store.path("mosquitto"))
            watching = replace(store.address(NEAR), client_id=NEAR.client_id("watch"))
            watch = BareClient(watching, self._on_status)
            await watch.open((f"instore/{STORE}/hub/+/status", 1))
            scans = asyncio.create_task(self._scans(probe, back))
            while not self._said("drained"):
                await asyncio.sleep(0.2)
                assert store._hub is not None
                found.hub_rss_kb = max(found.hub_rss_kb, rss_kb(store._hub.pid))
                found.broker_rss_kb = max(found.broker_rss_kb, rss_kb(broker.pid))
                if scans.done():
                    scans.result()
                if time.monotonic() - told > PROGRESS_EVERY_S:
                    told = time.monotonic()
                    received = self.hub_counters.get("received", 0)
                    self._say(f"{told - back:.0f} s after its return: {received:,} at the hub")
                if time.monotonic() - back > PATIENCE_S:
                    raise BenchError(f"not drained after {PATIENCE_S:g} s")
            scans.cancel()
            await asyncio.gather(scans, return_exceptions=True)
            await asyncio.sleep(6.0)  # the hub says its counters every 5 seconds
            self._count(back)
        finally:
            if watch is not None:
                await watch.close()
            probing.cancel()
            await asyncio.gather(probing, return_exceptions=True)
            probe.journal.close()
            broker.kill()

    def _on_status(self, _topic: str, payload: bytes) -> None:
        self.hub_counters = json.loads(payload)["data"]["counters"]

    async def _scans(self, probe: Probe, back: float) -> None:
        await probe.scan()  # made while there is no connection: it waits for hub and probe to come back
        self.found.hub_back_s = time.monotonic() - back
        while True:
            await asyncio.sleep(SCAN_EVERY_S)
            self.found.decisions_ms.append(await probe.scan())

    def _count(self, back: float) -> None:
        found = self.found
        attempts: list[float] = []
        ups: list[float] = []
        drained: list[float] = []
        for n, child in enumerate(self.children):
            child.send_signal(signal.SIGTERM)
            child.wait(20)
            lines = self.store.path(f"logs/nodes-{n}.log").read_text(encoding="utf-8").splitlines()
            seen = json.loads(next(line for line in lines if line.startswith('{"attempts"')))
            attempts += [at - back for at in seen["attempts"] if at >= back]
            ups += [at - back for at in seen["ups"] if at >= back]
            drained += [at - back for at in seen["drained"].values()]
            found.sent += seen["sent"]
        found.attempts = len(attempts)
        found.attempts_per_s = max(Counter(int(at * 4) // 4 for at in attempts).values(), default=0)
        found.all_connected_s, found.drained_s = max(ups), max(drained)
        found.inbox_dropped = self.hub_counters.get("inbox_dropped", 0)
        found.duplicates, found.gaps = self.hub_counters.get("duplicates", 0), self.hub_counters.get("gaps", 0)


async def run(folder: Path | None, agents: int, backlog: int, cut_s: float, say: Say = lambda _what: None) -> Returned:
    """Raises BenchError, broker.errors.BrokerError."""
    names = [f"a{n:03}" for n in range(agents)]
    with bench_store((*names, PROBE.id), CUSTOMERS, folder) as store:
        one = Run(store, names, backlog, say)
        await one.measure(cut_s)
        store.check_hub_took_everything()
    return one.found
