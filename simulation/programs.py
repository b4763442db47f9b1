"""Programs of the simulated store, the agents among them: the real ones, killed and started again on their files."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from config.edge_settings import EdgeSettings
from contract.envelope import Message
from contract.messages import Role
from delivery.clock import Clock
from delivery.engine import Engine, Tx
from delivery.journal import Journal, Migration
from delivery.link import Address
from delivery.streams import Entry
from devices.beacon_settings import Advert
from devices.pulse import Pulse
from edge.agent import Agent, World
from edge.lane_calls import Calls
from edge.lane_types import Phase
from simulation import chance
from simulation.disk import Disk
from simulation.lane import LaneMachines, SimDevices
from simulation.loop import Killed, Process, VirtualLoop
from simulation.network import Broker, SimLink
from simulation.stock import START
from simulation.truth import Key, Truth

NONE = Calls()


class Program:
    """One program of the store over all its lives."""

    def __init__(self, name: str, path: Path, loop: VirtualLoop, broker: Broker, truth: Truth, rng: Random) -> None:
        self.name, self.loop, self.broker, self.truth, self.rng = name, loop, broker, truth, rng
        self.disk = Disk(path, loop.time)
        self.disk.on_commit.append(self._committed)
        self.disk.on_rollback.append(self._rolled_back)
        self.disk.on_torn.append(self._torn)
        self.process = Process(name, loop)
        self.process.alive = False
        self.lives: list[Process] = []
        self.clock_off_s = 0.0
        self.rows: dict[int, tuple[Key, int]] = {}
        self._said: list[tuple[Key, int]] = []
        self._taken: list[tuple[Key, int]] = []
        self._begun_at = loop.time()

    @property
    def alive(self) -> bool:
        return self.process.alive

    def clock(self) -> Clock:
        """Its own: the wall's time may be wrong and jump."""
        return Clock(self.loop.time, lambda: START + timedelta(seconds=self.loop.time() + self.clock_off_s))

    def start(self) -> None:
        """A new life on what the disk has."""
        if self.alive:
            return
        self.process = Process(self.name, self.loop)
        self.lives.append(self.process)
        self.truth.note(self.name, "starts")
        self.truth.counts["starts"] += 1
        self.truth.excuse(self.name, math.inf if self.disk.full else self.loop.time())
        self._said.clear()
        self._taken.clear()
        self.process.on_kill.append(self._killed)
        self.process.on_kill.append(lambda: self.truth.excuse(self.name, math.inf))
        self.process.on_kill.append(self.stopped)
        try:
            self.process.context.run(self._begin)
        except Killed:
            return

    def _begin(self) -> None:
        raise NotImplementedError

    def _torn(self, held: bool | None) -> None:
        """The power went within a commit: it is there, or not; anything else is damage."""
        self.truth.counts["torn commits that held" if held else "torn commits undone"] += 1
        if held is None:
            self.truth.breaks(
                "a commit is whole", f"{self.name} finds neither what was before a torn commit nor what it wrote"
            )

    def _killed(self) -> None:
        self.truth.note(self.name, "is killed")
        self.truth.counts["killed"] += 1

    def stopped(self) -> None:
        """Its process is dead."""

    def kill(self) -> None:
        self.process.kill()

    def link(self, address: Address, subscriptions: Sequence[tuple[str, int]], **more: Any) -> SimLink:
        more.pop("goodbye", None)
        return SimLink(self.broker, self.process, self.rng, address.client_id, subscriptions, **more)

    def journal(self, path: Path, migrations: Sequence[Migration] = ()) -> Journal:
        return _Journal(self, path, migrations)

    # --- what is on disk

    def takes(self, message: Message) -> None:
        """A numbered message is being taken."""

    def said(self, key: Key, entry: Entry, row: int) -> None:
        """A numbered message was written to the outbox."""
        self.rows[row] = key, entry.seq
        self._said.append((key, entry.seq))

    def watch(self, engine: Engine) -> None:
        """Learn what the application takes."""
        inner = engine.handle

        def handle(message: Message, tx: Tx) -> None:
            inner(message, tx)
            if message.numbering is not None and message.channel.stream is not None:
                key = message.source, engine.me.role.value if engine.me.role is Role.HUB else f"agent/{engine.me.id}"
                numbering = message.numbering
                self._taken.append(((*key, message.channel.stream.value, numbering.epoch), numbering.seq))
                self.takes(message)

        engine.handle = handle

    def _committed(self) -> None:
        for key, seq in self._said:
            self.truth.has_said(key, seq)
        for key, seq in self._taken:
            self.truth.has_taken(key, seq)
        self._said.clear()
        self._taken.clear()
        self.truth.counts["commits"] += 1

    def _rolled_back(self) -> None:
        self._said.clear()
        self._taken.clear()


class _Journal(Journal):
    """Tells what is written to and deleted from the outbox."""

    def __init__(self, program: Program, path: Path, migrations: Sequence[Migration]) -> None:
        self._program = program
        self._me = "hub" if program.name == "hub" else f"agent/{program.name}"
        super().__init__(path, migrations, connect=program.disk.connect(program.process))

    def put(self, peer: str, stream: str, entry: Entry) -> int:
        row = super().put(peer, stream, entry)
        self._program.said((self._me, peer, stream, entry.epoch), entry, row)
        return row

    def forget(self, rows: Iterable[int]) -> None:
        rows = list(rows)
        super().forget(rows)
        for row in rows:
            key, seq = self._program.rows[row]
            self._program.truth.has_forgotten(key, seq)


class AgentProgram(Program):
    """`edge.agent.Agent` with simulated surroundings."""

    def __init__(self, settings: EdgeSettings, machines: dict[str, LaneMachines], *args: Any) -> None:
        super().__init__(settings.agent, settings.database, *args)
        self.settings, self.machines = settings, machines
        self.agent: Agent | None = None
        self.radio = True
        self.displays = self.rng.random() < 0.6
        """Whether its lanes have displays."""
        self.on_calls: Callable[[str, Calls, Calls], None] = lambda _machine, _calls, _before: None
        """Calls of a lane for a clerk, as they are on disk now and were before."""
        self._calls: dict[str, Calls] = {}
        self._passages: list[str] = []
        self.main: asyncio.Task[None] | None = None

    def _begin(self) -> None:
        process = self.process
        world = World(
            journal=self.journal,
            link=self.link,  # type: ignore[arg-type]
            devices=lambda lane, told: SimDevices(self.machines[lane.id], process, lane, told),
            scanner=_Scanner,  # type: ignore[arg-type]
        )
        self.agent = Agent(self.settings, Path("simulated"), clock=self.clock(), world=world)
        for runner in self.agent.lanes.values():
            runner.policy = replace(runner.policy, display=self.displays)
        self.watch(self.agent.engine)
        self.main = process.start(self.agent.run())
        self.main.add_done_callback(self._ended, context=self.loop.outside)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self.process.alive and task is self.main:  # stopped on purpose, or failed
            if not task.cancelled() and task.exception() is not None:
                self.truth.breaks("no program ends by itself", f"{self.name}: {task.exception()!r}")
            self.process.kill()

    def stop(self) -> None:
        """SIGTERM: it says good-bye and ends."""
        if self.alive and self.main is not None:
            self.process.soon(self.main.cancel)

    def stopped(self) -> None:
        for machines in self.machines.values():
            machines.unplugged()

    def shown(self, lane: str) -> str:
        """The coupon whose code stands on a lane's display; "" when there is none."""
        runner = self.agent.lanes.get(lane) if self.agent is not None and self.alive else None
        if runner is None or runner.lane.phase is not Phase.SHOWING or runner.lane.incentive is None:
            return ""
        return runner.lane.incentive.coupon

    def hears(self, advert: Advert) -> None:
        """Its radio has received something."""
        if self.radio and self.alive and self.agent is not None and self.agent.sightings is not None:
            self.process.soon(self.agent.sightings.on_advert, advert)

    def _committed(self) -> None:
        super()._committed()
        for scan in self._passages:
            self.truth.passage_told(self.name, scan)
        self._passages.clear()
        if self.agent is not None and self.alive:
            for name, runner in self.agent.lanes.items():
                self.truth.lane_is(self.name, name, self.machines[name].name, runner.lane)
                calls, before = runner.desk.calls, self._calls.get(name, NONE)
                if calls is not before:
                    self._calls[name] = calls
                    self.on_calls(self.machines[name].name, calls, before)

    def said(self, key: Key, entry: Entry, row: int) -> None:
        super().said(key, entry, row)
        if entry.topic.endswith("/passage") and entry.body is not None:
            told = json.loads(entry.body)["data"]
            if told["outcome"] == "passed" and told.get("scan"):
                self._passages.append(told["scan"])

    def _rolled_back(self) -> None:
        super()._rolled_back()
        self._passages.clear()


class _Scanner:
    """In place of the radio: adverts come by `AgentProgram.hears`."""

    def __init__(self, *_: object) -> None:
        self.pulse = Pulse()

    async def run(self) -> None:
        while True:
            self.pulse.beat("scan")
            await asyncio.sleep(chance.SHORT.look_s)
