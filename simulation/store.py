"""A whole store in one process on simulated time: programs, network, machines, people and faults by one seed."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
import time
import warnings
from collections.abc import Coroutine, MutableMapping
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import config
from config.edge_settings import EdgeSettings
from config.hub_settings import HubSettings, load_hub
from contract.exit_code import ExitCodeError, verify
from delivery.journal import Journal
from hub.database import times
from hub.database.schema import MIGRATIONS
from hub.exit_keys import KeyRing, read_keys
from hub.importing import import_file
from hub.purchases import SaleTaken
from hub.rules.reload import RunningPolicy
from simulation import books
from simulation.chance import from_seed
from simulation.faults import happen
from simulation.lane import LaneMachines
from simulation.loop import Stuck, VirtualLoop
from simulation.network import Broker
from simulation.people import Clerk, Person, Shopper
from simulation.plan import Plan
from simulation.printer import MODELS
from simulation.programs import START, AgentProgram, HubProgram
from simulation.truth import Truth

SETTLE_S = 1500.0
"""An alert lives 900 s, a beacon that advertises rarely is gone after 300 s."""
WATCH_S = 5.0
LATEST_S = 900.0
"""So long after closing time the last has left."""
ALERT_S = 30.0
"""So long after the last fault every open request is on its handhelds (three times `reoffer_s`)."""
CUSTOMERS, CLERKS = 200, 5
HABITS = {"steps_back": 0.1, "shows_twice": 0.15, "shows_forged": 0.03, "tries_again": 0.1, "is_followed": 0.03,
          "posts_twice": 0.1, "lends_code": 0.1}  # fmt: skip
RAM = Path("/dev/shm")


@dataclass(frozen=True)
class Result:
    """What came of one run. `digest` is the SHA-256 of its trace: the same for the same plan, always and everywhere."""

    seed: int
    broken: tuple[str, ...]
    digest: str
    hours: float
    wall_s: float
    counts: dict[str, int]
    trace: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.broken


class Store:
    """One run. `name` is the store's."""

    def __init__(self, plan: Plan, folder: Path, *, keep_trace: bool = False) -> None:
        self.plan, self.folder = plan, folder
        self.loop = VirtualLoop()
        self.loop.trouble = lambda text: self.truth.breaks("no program fails", text)
        self.truth = Truth(self.loop.time, keep_trace)
        self.chance = plan.rng("world")
        self.broker = Broker(self.loop, plan.rng("network"), self.truth.note)
        settings, keys, policy = _hub_parts()
        shutil.copy(settings.database, folder / "hub.db")
        self.name, self.keys = settings.store.id, keys
        settings = settings.model_copy(update={"database": folder / "hub.db"})
        more = (self.loop, self.broker, self.truth)
        self.hub = HubProgram(settings, keys, policy, *more, plan.rng("hub"))
        self.machines: dict[str, LaneMachines] = {}
        self.agents: dict[str, AgentProgram] = {}
        for agent, lanes in plan.lanes.items():
            own = {lane: self._machines(agent, lane) for lane in lanes}
            self.agents[agent] = AgentProgram(self._edge_settings(agent, lanes), own, *more, plan.rng(f"agent {agent}"))
        self.sales: dict[str, Person] = {}
        self.shoppers = [Shopper(self, person) for person in _people(plan)]
        self.clerks = [Clerk(self, f"c{n + 1}", plan.rng(f"clerk {n}")) for n in range(CLERKS)]
        self.clerks_by_name = {clerk.name: clerk for clerk in self.clerks}
        self._broken_until = 0.0
        self._stop: asyncio.Event = asyncio.Event()
        self.truth.on_broken = self._stop.set

    def _machines(self, agent: str, lane: str) -> LaneMachines:
        name = f"{agent}-{lane}"
        rng = self.plan.rng(f"machines {name}")
        made = LaneMachines(self.loop, rng, name, rng.choice(MODELS), lambda slip: self.truth.slip(name, slip),
                            lambda event: self.truth.gate_event(name, event))  # fmt: skip
        self.machines[name] = made
        return made

    def _edge_settings(self, agent: str, lanes: list[str]) -> EdgeSettings:
        rng = self.plan.rng(f"settings {agent}")
        return EdgeSettings.model_validate(
            {
                "store": self.name,
                "agent": agent,
                "database": self.folder / f"{agent}.db",
                "mqtt": {"username": f"agent-{agent}", "password": "simulated"},
                "beacons": {},
                "heartbeat_s": 60.0 if self.plan.size.is_long else 15.0,
                "lane": [
                    {
                        "id": lane,
                        "reader": {"port": f"reader-{lane}"},
                        "printer": {"port": f"printer-{lane}"},
                        "gate": {"port": f"gate-{lane}"},
                        "offline": rng.choice(["open", "open", "refuse"]),
                    }
                    for lane in lanes
                ],
            }
        )

    # --- for those who live in it

    def world(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Something that goes on whoever is alive."""
        return self.loop.create_task(work, context=self.loop.outside)

    def issue(self, taken: SaleTaken) -> str:
        """The POS has a code for a customer; returns its one-time ID."""
        try:
            claims = verify(taken.exit_code, self.keys.public, store=self.name, now=None)
        except ExitCodeError as error:
            self.truth.breaks("codes are good", str(error))
            return ""
        self.truth.issued[claims.code_id] = taken.sale
        return claims.code_id

    def broken_until(self, at_s: float) -> None:
        self._broken_until = max(self._broken_until, at_s)

    def quiet_since(self) -> float:
        """Since when nothing is broken; now, if something is."""
        return min(self._broken_until, self.loop.time()) if self._broken_until <= self.loop.time() else self.loop.time()

    # --- the run

    def run(self) -> None:
        """Until everything is settled or a rule is broken."""
        self.loop.run_until_complete(self.loop.create_task(self._run(), context=self.loop.outside))

    async def _run(self) -> None:
        self.hub.start()
        for agent in self.agents.values():
            agent.start()
        for clerk in self.clerks:
            self.world(clerk.run())
        people = [self.world(shopper.run()) for shopper in self.shoppers]
        faults = [self.world(happen(self, fault)) for fault in self.plan.faults]
        self.world(self._watch())
        done = self.world(self._all([*people, *faults, self.world(asyncio.sleep(self.plan.size.seconds))]))
        stopped = self.world(self._stopped())
        await asyncio.wait([done, stopped], return_when=asyncio.FIRST_COMPLETED)
        await self._settle()

    async def _all(self, tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            await task

    async def _stopped(self) -> None:
        await self._stop.wait()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(6 * WATCH_S if self.plan.size.is_long else WATCH_S)
            self.truth.check_patience()
            self._check_alerts()
            inside = sum(not shopper.out for shopper in self.shoppers)
            if inside and self.loop.time() > self.plan.size.seconds + LATEST_S:
                self.truth.breaks("nobody captive", f"{inside} shoppers are still inside")

    def _check_alerts(self) -> None:
        """When nothing was broken for a while, every open request is on the handhelds it was offered to."""
        now = self.loop.time()
        if now - self.quiet_since() < ALERT_S:
            return
        since = times.text(START + timedelta(seconds=now - ALERT_S))
        sql = "SELECT alert, clerk FROM alert JOIN alert_clerk USING (alert) WHERE state IN ('offered', 'accepted') AND raised < ?"
        with closing(sqlite3.connect(self.hub.settings.database)) as db:
            waiting = db.execute(sql, (since,)).fetchall()
        for alert, clerk in waiting:
            handheld = self.clerks_by_name[clerk]
            if now - handheld.since > ALERT_S and alert not in handheld.shown:
                self.truth.breaks("alerts arrive", f"{clerk} does not see {alert}, raised before {since}")

    async def _settle(self) -> None:
        """After the last fault everything comes to rest, and the books balance."""
        end = self.loop.time() + SETTLE_S
        left = ["not looked yet"]
        while not self.truth.broken:
            left = self._unsettled()
            if not left or self.loop.time() >= end:
                break
            await asyncio.sleep(WATCH_S)
        if self.truth.broken:
            return
        if left:
            self.truth.breaks("all is settled in the end", "; ".join(left[:5]))
            return
        with closing(sqlite3.connect(self.hub.settings.database)) as db:
            for what in books.wrong(db, self.truth, {sale: p.amount_minor for sale, p in self.sales.items()}):
                self.truth.breaks("the books balance", what)

    def _unsettled(self) -> list[str]:
        left = [
            f"{name} is not running" for name, program in (("hub", self.hub), *self.agents.items()) if not program.alive
        ]
        for name, program in self.agents.items():
            assert program.agent is not None
            if count := program.agent.engine.unacknowledged():
                left.append(f"{name} has {count} unacknowledged messages")
            left += [f"lane {name}/{lane} is {runner.lane.phase}" for lane, runner in program.agent.lanes.items()
                     if runner.lane.phase != "idle"]  # fmt: skip
        if left:
            return left
        assert self.hub.node is not None
        if count := self.hub.node.engine.unacknowledged():
            return [f"the hub has {count} unacknowledged messages"]
        if left := self.truth.unsettled():
            return left
        with closing(sqlite3.connect(self.hub.settings.database)) as db:
            return list(books.unsettled(db))

    def close(self) -> None:
        """Let the programs end, so that nothing is left open."""
        lives = [life for program in (self.hub, *self.agents.values()) for life in program.lives]
        self.truth.on_broken = lambda: None
        self.loop.trouble = lambda _: None
        for life in lives:
            life.kill()
        with warnings.catch_warnings():  # work that a killed program had not begun
            warnings.simplefilter("ignore", RuntimeWarning)
            self.loop.bury(lives)
        self.loop.close()


def simulate(plan: Plan, *, keep_trace: bool = False) -> Result:
    """One run. The same plan gives the same result, to the byte of its trace."""
    began = time.perf_counter()
    quiet = structlog.get_config()
    folder = tempfile.mkdtemp(prefix="store-", dir=RAM if RAM.is_dir() else None)
    try:
        with from_seed(plan.rng("chance")):
            store = Store(plan, Path(folder), keep_trace=keep_trace)
            structlog.configure(processors=[_Listener(store.truth)], wrapper_class=structlog.BoundLogger,
                                logger_factory=structlog.ReturnLoggerFactory(), cache_logger_on_first_use=False)  # fmt: skip
            try:
                store.run()
            except Stuck as stuck:
                store.truth.breaks("no program spins", str(stuck))
            truth, hours = store.truth, store.loop.time() / 3600
            broken, digest, counts = tuple(truth.broken), truth.digest, dict(sorted(truth.counts.items()))
            store.close()
        return Result(plan.seed, broken, digest, hours, time.perf_counter() - began, counts, tuple(truth.trace))
    finally:
        structlog.configure(**quiet)
        shutil.rmtree(folder)


class _Listener:
    """What the programs log: an exception that they survive is a fault of theirs all the same."""

    def __init__(self, truth: Truth) -> None:
        self._truth = truth

    def __call__(self, _logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if event.get("exc_info") or method in ("exception", "critical"):
            details = " ".join(f"{key}={value}" for key, value in event.items() if key not in ("event", "exc_info"))
            self._truth.breaks("no program fails", f"{event['event']} {details}")
        raise structlog.DropEvent


# --- what all runs share


@cache
def _hub_parts() -> tuple[HubSettings, KeyRing, RunningPolicy]:
    """Settings, keys, shipped rules and a database with customers, made once in a process."""
    folder = Path(tempfile.mkdtemp(prefix="hub-", dir=RAM if RAM.is_dir() else None))
    shipped = Path(config.__file__).parent / "shipped"
    for file in shipped.iterdir():
        shutil.copy(file, folder)
    Finalize(None, shutil.rmtree, args=(folder, True), exitpriority=1)  # also at the end of a worker process
    pem = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    (folder / "exit-code-key.pem").write_bytes(pem)
    settings = load_hub(folder / "hub.toml")
    keys = read_keys(folder / "hub.toml", settings.exit_code.key_files)
    (folder / "customers.csv").write_text(_customers(), encoding="utf-8")
    journal = Journal(settings.database, MIGRATIONS)
    import_file(journal.db, folder / "customers.csv", settings)
    journal.db.execute("UPDATE customer SET note = spent_minor")  # what she had spent before, for the books
    journal.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    journal.close()
    return settings, keys, RunningPolicy(settings)


def _customers() -> str:
    lines = ["customer,name,language,visits,average_purchase,points,rank,main_clerk,deputies,beacons"]
    for n in range(1, CUSTOMERS + 1):
        rank = ("regular", "silver", "gold")[n % 3]
        lines.append(
            f"K{n:04},Name {n},{'ja' if n % 2 else 'en'},{n % 50},{1000 * (n % 20)},{n},{rank},c{n % CLERKS + 1},"
            f"c{(n + 1) % CLERKS + 1},{_beacon(n)}"
        )
    return "\n".join(lines)


def _beacon(n: int) -> str:
    return f"ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:{n}"


def _people(plan: Plan) -> list[Person]:
    rng, size = plan.rng("people"), plan.size
    customers = rng.sample(range(1, CUSTOMERS + 1), k=min(CUSTOMERS, size.customers))
    long_s = min(size.seconds, 3600.0)
    found = []
    for n in range(size.customers):
        known = customers[n] if n < len(customers) and rng.random() < 0.8 else None
        found.append(
            Person(
                n,
                rng.uniform(0, size.seconds - 0.3 * long_s),
                rng.uniform(0.03, 0.25) * long_s,
                None if known is None else f"K{known:04}",
                _beacon(known) if known is not None else (f"ibeacon:stranger:1:{n}" if rng.random() < 0.3 else None),
                rng.choice([1.0, 2.0, 5.0]) * (3 if size.is_long else 1),
                rng.choice([300, 999, 1000, 2500, 18_000]),
                frozenset(name for name, share in HABITS.items() if rng.random() < share),
            )
        )
    return found
