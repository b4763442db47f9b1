"""A small store on a virtual clock: shoppers buy, are sighted, scan, get paper, pass; programs and broker are restarted.

Printer and gate are other machines with their own memory: a power cut of the hub or the agent leaves them as they are.
"""

from __future__ import annotations

import heapq
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import config
from config.hub_settings import load_hub
from contract.exit_code import public_text
from contract.payloads import SightingKind
from delivery.clock import Clock
from edge import lane_types as core
from tests.power.machines import FILE, AgentMachine, HubMachine, Machine

SHIPPED = Path(config.__file__).parent / "shipped"
START = datetime(2026, 3, 1, 1, 0, tzinfo=UTC)
BEACONS = tuple(f"ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:{n}" for n in (1, 2, 3))
CUSTOMERS = ("C0001", "C0002", "C0003", None)
LOST, DOUBLED, DELAY_S = 0.08, 0.08, 0.2
PATIENCE_S = 600.0
"""Virtual seconds in which everything is settled after the power came back."""


class Printer:
    """Prints each job once it is given; its cut counter is the length of `jobs`."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.jobs: list[tuple[str, str]] = []

    def print(self, job: str) -> None:
        lane = self.world.agent.lane
        self.jobs.append((job, lane.incentive.coupon if lane.incentive else ""))
        self.world.later(0.3, "exit", lambda: self.world.agent.event(core.PrintEnded(job, "printed")))

    def outcome(self, job: str) -> core.PrintEnded:
        return core.PrintEnded(job, "printed" if job in dict(self.jobs) else "not_printed")


class Gate:
    """Does each command once; `passed` is its memory of passages."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.last = 0
        self.passed: list[int] = []
        self.for_nobody = 0

    def open(self, command: int) -> None:
        if command > self.last:
            self.last = command
            self.world.later(0.5, "", lambda: self._pass(command))
        self.world.later(0.01, "exit", lambda: self.world.agent.event(core.GateTook(command)))

    def _pass(self, command: int) -> None:
        shopper, self.world.at_lane = self.world.at_lane, None
        if shopper is None:
            self.for_nobody += 1
            return
        shopper.passed += 1
        self.passed.append(command)
        self.world.later(0.01, "exit", self.world.agent.read_gate)


@dataclass
class Shopper:
    sale: str
    customer: str | None
    amount: int
    code: str = ""
    passed: int = 0


@dataclass(order=True)
class Happening:
    """`to`: the machine whose power it needs, empty for the world."""

    at: float
    n: int
    to: str = field(compare=False)
    do: Callable[[], None] = field(compare=False)


class World:
    """`turn` grows with every happening: what is the same within one turn need not be looked at twice."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed, self.folder, self.rng = seed, folder, Random(seed)
        self.now, self.turn = 1000.0, 0
        self.clock = Clock(lambda: self.now, lambda: START + timedelta(seconds=self.now - 1000.0))
        self.heap: list[Happening] = []
        self._n = 0
        self.perfect = False
        self.same_epoch = False
        self.shoppers: list[Shopper] = []
        self.queue: list[Shopper] = []
        self.at_lane: Shopper | None = None
        self.posting: Shopper | None = None
        self.sightings = 0
        for file in SHIPPED.iterdir():
            shutil.copy(file, folder)
        settings = load_hub(folder / "hub.toml")
        self.hub = HubMachine(self, settings, folder / "hub.toml")
        self.agent = AgentMachine(self, {kid: public_text(key) for kid, key in self.hub.keys.public.items()})
        self.machines: dict[str, Machine] = {"main": self.hub, "exit": self.agent}
        for name in (
            self.machines
        ):  # what is on the recording disks is in memory; the journal finds its folder there, and syncs none
            (folder / name).mkdir()
            (folder / name / FILE).touch()
        self.printer, self.gate = Printer(self), Gate(self)
        for machine in self.machines.values():
            machine.checkpoint_pages = self.rng.choice((8, 20, 60))

    def new_epoch(self, machine: Machine) -> str:
        epoch = f"{machine.me.id}{machine.starts}"
        return machine.me.id if self.same_epoch else epoch

    # --- time

    def later(self, seconds: float, to: str, do: Callable[[], None]) -> None:
        self._n += 1
        heapq.heappush(self.heap, Happening(self.now + seconds, self._n, to, do))

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while True:
            deadlines = [d for m in self.machines.values() if (d := m.engine.next_deadline()) is not None]
            at = min([*deadlines, *(h.at for h in self.heap[:1])], default=until + 1)
            if at > until:
                self.now = until
                return
            self.now = max(self.now, at)
            self.turn += 1
            while self.heap and self.heap[0].at <= self.now:
                heapq.heappop(self.heap).do()
            for machine in self.machines.values():
                machine.push()

    # --- the broker

    def carry(self, sender: Machine, topic: str, payload: bytes) -> None:
        to = "main" if sender is self.agent else topic.split("/")[3] if "/agent/" in topic else ""
        if to not in self.machines:
            return  # to clerks and whoever looks
        copies = 1 if self.perfect else (self.rng.random() >= LOST) * (1 + (self.rng.random() < DOUBLED))
        for _ in range(copies):
            delay_s = 0.002 if self.perfect else 0.002 + self.rng.random() * DELAY_S
            self.later(delay_s, to, lambda: self.machines[to].receive([(topic, payload)]))

    # --- what people do

    def step(self) -> None:
        """One thing happens, then a little time passes."""
        match self.rng.randrange(20):
            case 0 | 1 | 2 | 3 | 4 | 5 | 6:
                self.buy()
            case 7 | 8 | 9 | 10 | 11 | 12 | 13:
                self.agent.sight(self.rng.choice(BEACONS), self.rng.choice((SightingKind.ARRIVED, SightingKind.LEFT)))
            case 14:
                self.restart("main")
            case 15:
                self.restart("exit")
            case 16:
                for machine in self.machines.values():
                    machine.engine.link_down()
                    machine.engine.link_up()
                    machine.push()
        self.turn += 1
        self.run(self.rng.random() * 1.5)

    def start(self) -> None:
        for machine in self.machines.values():
            machine.start()
        self.keep_going()

    def keep_going(self) -> None:
        """What goes on by itself: the hub's tick, the lane's, the shopper at the lane."""
        self._hub_tick()
        self._lane_tick()
        self._next_shopper()

    def _hub_tick(self) -> None:
        self.later(1.0, "", self._hub_tick)
        self.hub.tick()

    def _lane_tick(self) -> None:
        self.later(0.5, "", self._lane_tick)
        self.agent.tick()

    def _next_shopper(self) -> None:
        self.later(0.7, "", self._next_shopper)
        if self.at_lane is None and self.queue and self.agent.is_idle:
            self.at_lane = self.queue.pop(0)
        if self.at_lane is not None and self.agent.is_idle:
            self.agent.scan(self.at_lane.code)

    def buy(self) -> None:
        n = len(self.shoppers)
        self.shoppers.append(Shopper(f"S-{n}", self.rng.choice(CUSTOMERS), self.rng.choice((500, 3000, 9000))))
        self.pay(self.shoppers[-1])

    def pay(self, shopper: Shopper) -> None:
        """The POS posts until it has an answer."""
        self.posting = shopper
        shopper.code = self.hub.sell(shopper.sale, shopper.customer, shopper.amount)
        self.posting = None
        self.queue.append(shopper)

    def restart(self, name: str) -> None:
        self.machines[name].stop(kill=self.rng.random() < 0.5)
        self.drop_events_of(name)
        self.machines[name].start()

    def drop_events_of(self, name: str) -> None:
        self.heap = [h for h in self.heap if h.to != name]
        heapq.heapify(self.heap)

    # --- the power comes back

    def come_back(self, name: str, folder: Path) -> None:
        """`name` starts from the files in `folder`; the others never noticed. From now on the network is perfect."""
        self.perfect = True
        self.drop_events_of(name)
        self.machines[name].start(folder)
        for machine in self.machines.values():
            if machine.starts == 0:  # it was the first start of all
                machine.start()
        if self.posting is not None:
            self.pay(self.posting)
        self.keep_going()

    def settle(self) -> bool:
        """Run until everybody has passed and everything is acknowledged. False: it never comes to an end."""
        until = self.now + PATIENCE_S
        while self.now < until:
            if self.is_settled():
                return True
            self.run(1.0)
        return False

    def is_settled(self) -> bool:
        everybody = all(shopper.passed for shopper in self.shoppers) and self.agent.is_idle
        return everybody and all(m.engine.unacknowledged() == 0 for m in self.machines.values())
