"""A whole store in one process on simulated time: programs, network, machines, people and faults by one seed."""

from __future__ import annotations

import asyncio
import shutil
import warnings
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from config.edge_settings import EdgeSettings
from contract.exit_code import ExitCodeError, verify
from simulation import settling
from simulation.basket import Basket
from simulation.cast import people
from simulation.clerk import Clerk
from simulation.faults import happen
from simulation.hub import HubProgram
from simulation.lane import LaneMachines
from simulation.lane_watch import LaneWatch
from simulation.loop import VirtualLoop
from simulation.members import CLERKS
from simulation.network import Broker
from simulation.people import Shopper
from simulation.plan import Plan
from simulation.post import Post
from simulation.printer import MODELS
from simulation.programs import AgentProgram
from simulation.screens import Screens
from simulation.service import Service
from simulation.stock import hub_parts
from simulation.terminal import Phone
from simulation.tills import Tills
from simulation.truth import Truth

ONLOOKER = "K0010"
"""A member at home: whatever her terminal reads from a display is somebody else's, unless nobody knows whose it is."""


class Store:
    """One run. `name` is the store's."""

    def __init__(self, plan: Plan, folder: Path, *, keep_trace: bool = False) -> None:
        self.plan, self.folder = plan, folder
        self.loop = VirtualLoop()
        self.loop.trouble = lambda text: self.truth.breaks("no program fails", text)
        self.truth = Truth(self.loop.time, keep_trace)
        self.chance = plan.rng("world")
        self.broker = Broker(self.loop, plan.rng("network"), self.truth.note)
        settings, keys, policy = hub_parts()
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
        self.sales: dict[str, int] = {}
        """Amount by sale, as posted or confirmed."""
        self.service = Service(self)
        self.tills = Tills(self)
        self.post = self.hub.post = Post(self)
        self.phones_cut = False
        self.shoppers = [Shopper(self, person) for person in people(plan)]
        self.onlooker = Basket(self, ONLOOKER, plan.rng("onlooker"))
        self.clerks = [Clerk(self, f"c{n + 1}", plan.rng(f"clerk {n}")) for n in range(CLERKS)]
        self.phones: list[Phone] = [phone for shopper in self.shoppers for phone in shopper.phones]
        self.members = [shopper.person.customer for shopper in self.shoppers if shopper.person.customer]
        self.broker.on_wire = self.service.on_wire
        self._broken_until = 0.0
        self._ways: dict[str, float] = {}
        self.lane_watch = LaneWatch(self)
        for program in self.agents.values():
            program.on_calls = self.lane_watch.calls_are
        self.screens = Screens(self)
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
                "heartbeat_s": self.plan.size.pace.heartbeat_s,
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

    def issue(self, sale: str, exit_code: str) -> str:
        """A customer has a code for a sale; returns its one-time ID."""
        try:
            claims = verify(exit_code, self.keys.public, store=self.name, now=None)
        except ExitCodeError as error:
            self.truth.breaks("codes are good", str(error))
            return ""
        self.truth.issued[claims.code_id] = sale
        return claims.code_id

    def broken_until(self, at_s: float, whose: str = "") -> None:
        """`whose`: the program that it is about, "" when it is about the ways between all of them; of a lane its devices."""
        self._broken_until = max(self._broken_until, at_s)
        self._ways[whose] = max(self._ways.get(whose, 0.0), at_s)

    def quiet_since(self) -> float:
        """Since when nothing is broken; now, if something is."""
        return min(self._broken_until, self.loop.time()) if self._broken_until <= self.loop.time() else self.loop.time()

    def good_since(self, *programs: str) -> float:
        """Since when no program, or none of these, and nothing between programs is broken; now, if something is."""
        whose = ("", *(programs or ("hub", *self.agents)))
        return min(max(self._ways.get(name, 0.0) for name in whose), self.loop.time())

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
            self.world(clerk.breaks())
        people = [self.world(shopper.run()) for shopper in self.shoppers]
        faults = [self.world(happen(self, fault)) for fault in self.plan.faults]
        self.world(settling.watch(self))
        self.world(self.post.withdrawals())
        done = self.world(self._all([*people, *faults, self.world(asyncio.sleep(self.plan.size.seconds))]))
        stopped = self.world(self._stopped())
        await asyncio.wait([done, stopped], return_when=asyncio.FIRST_COMPLETED)
        await settling.settle(self)

    async def _all(self, tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            await task

    async def _stopped(self) -> None:
        await self._stop.wait()

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
