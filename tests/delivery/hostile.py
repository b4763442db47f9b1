"""A hub and agents with the real engine and real files, on a virtual clock, over a network that does what networks do."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from contract.access import Principal
from contract.envelope import Message
from contract.messages import Role
from contract.payloads import Bilingual, LaneDecision, LaneScan, Sighting, SightingKind
from delivery.clock import Clock
from delivery.engine import Engine, Publication, Tx
from delivery.journal import Journal

START = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)
APPLICATION = (("app-1", "CREATE TABLE applied (n INTEGER PRIMARY KEY, sender TEXT, what TEXT, id TEXT)"),)


@dataclass
class Faults:
    """Shares of messages, 0 … 1."""

    lose: float = 0.0
    double: float = 0.0
    delay_s: float = 0.05


@dataclass
class World:
    """Virtual time and the broker, which forgets everything whenever it likes."""

    seed: int
    folder: Path
    faults: Faults
    now: float = 1000.0
    wire: list[tuple[float, int, str, str, bytes]] = field(default_factory=list)
    sent: int = 0

    def __post_init__(self) -> None:
        self.rng = Random(self.seed)
        self.clock = Clock(lambda: self.now, lambda: START + timedelta(seconds=self.now - 1000.0))
        self.programs: dict[str, Program] = {}

    def start(self, role: Role, own: str) -> Program:
        old = self.programs.get(own)
        if old is not None:
            old.engine.journal.close()
        program = Program(self, Principal(role, own))
        self.programs[own] = program
        program.engine.link_up()
        program.push()
        return program

    def carry(self, publication: Publication, to: list[str]) -> None:
        for name in to:
            copies = 0 if self.rng.random() < self.faults.lose else 1 + (self.rng.random() < self.faults.double)
            for _ in range(copies):
                self.sent += 1
                at = self.now + 0.001 + self.rng.random() * self.faults.delay_s
                heapq.heappush(self.wire, (at, self.sent, name, publication.topic, publication.payload))

    def forget(self) -> None:
        """The broker restarts: what is on the way is gone, everybody reconnects."""
        self.wire.clear()
        for program in self.programs.values():
            program.engine.link_down()
            program.engine.link_up()
            program.push()

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while True:
            deadlines = [(d, n) for n, p in self.programs.items() if (d := p.engine.next_deadline()) is not None]
            times = [self.wire[0][0]] if self.wire else []
            times += [min(deadlines)[0]] if deadlines else []
            if not times or min(times) > until:
                self.now = until
                return
            self.now = max(self.now, min(times))
            while self.wire and self.wire[0][0] <= self.now:
                _, _, name, topic, payload = heapq.heappop(self.wire)
                self.programs[name].engine.receive([(topic, payload)])
                self.programs[name].push()
            for _, name in deadlines:
                self.programs[name].push()


class Program:
    """One process: an engine, its file, and a small application that writes down what reached it."""

    def __init__(self, world: World, me: Principal) -> None:
        self.world, self.me = world, me
        self.journal = Journal(world.folder / f"{me.id}.db", APPLICATION)
        self.engine = Engine(self.journal, me, "s1", self.handle, clock=world.clock, rng=Random(world.rng.random()),
                             epoch=f"{world.rng.getrandbits(40):010x}")  # fmt: skip

    def handle(self, message: Message, tx: Tx) -> None:
        what = {"sighting": "beacon", "lane_scan": "code_id", "lane_decision": "scan"}[message.channel.name]
        tx.db.execute("INSERT INTO applied (sender, what, id) VALUES (?, ?, ?)",
                      (message.source, getattr(message.data, what), message.id))  # fmt: skip
        if isinstance(message.data, LaneScan):
            data = LaneDecision(scan=message.data.code_id, outcome="open", show=Bilingual(ja="", en=""))
            tx.send("lane_decision", data, cause=message.id, agent=message.ids["agent"], lane="1")

    def push(self) -> None:
        for publication in self.engine.poll():
            agent = publication.topic.split("/")[3]
            self.world.carry(publication, ["main"] if self.me.role is Role.AGENT else [agent])

    def scan(self, name: str) -> None:
        with self.engine.transaction() as tx:
            data = LaneScan(code_id=name, sale="s", code="c", scanned=tx.utc)
            tx.send("lane_scan", data, lane="1")
        self.push()

    def sight(self, name: str) -> None:
        with self.engine.transaction() as tx:
            tx.send("sighting", Sighting(beacon=name, event=SightingKind.ARRIVED, heard=tx.utc))
        self.push()

    def applied(self) -> list[str]:
        return [what for (what,) in self.journal.db.execute("SELECT what FROM applied ORDER BY n")]
