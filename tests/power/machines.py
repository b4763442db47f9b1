"""The hub and the agent of a lane as programs on disks of their own: real cores, real engine, real schema.

Each notes in memory what it has told others (`acknowledged`, `posted`): after a power cut that must be on its disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from config.hub_settings import HubSettings
from contract.access import Principal
from contract.envelope import Message, decode
from contract.messages import Role, Stream
from contract.payloads import LaneDecision, LaneScan, Receipt, Sighting, SightingKind
from delivery.engine import Engine, Tx
from delivery.journal import Journal, Migration, connect_file
from devices.gate_map import GateCounters
from edge import lane_types as core
from edge import store as edge_store
from edge.codes import Keyring
from edge.lane import next_deadline, resume, step
from hub.core import Hub
from hub.database.schema import MIGRATIONS as HUB_MIGRATIONS
from hub.exit_keys import read_keys
from hub.importing import import_file
from hub.purchases import SalePost
from hub.rules.reload import RunningPolicy
from tests.power import vfs
from tests.power.disk import Disk

if TYPE_CHECKING:
    from tests.power.workload import World

NOTES: Migration = (
    "power-1",
    "CREATE TABLE applied (n INTEGER PRIMARY KEY, sender TEXT, stream TEXT, epoch TEXT, seq INTEGER, id TEXT, name TEXT)",
)
"""What reached the application, written down with what it does."""
FILE = "store.db"
Key = tuple[str, str, str]


class Machine:
    """One program. `start` opens its file: on its recording disk, or in a real `folder` with the real `sqlite3`."""

    def __init__(self, world: World, me: Principal, migrations: tuple[Migration, ...]) -> None:
        self.world, self.me, self.migrations = world, me, (*migrations, NOTES)
        self.disk = Disk(me.id)
        self.checkpoint_pages = 8
        self.acknowledged: dict[Key, int] = {}
        self.posted: list[tuple[str, str, int]] = []
        self.starts = 0
        self.is_open = False
        self._taking: Tx | None = None

    def start(self, folder: Path | None = None) -> None:
        self.starts += 1
        self.is_open = False
        if folder is None:
            self.journal = Journal(self.world.folder / self.me.id / FILE, self.migrations,
                                   connect=lambda path: vfs.connect(self.disk, path, self.checkpoint_pages))  # fmt: skip
        else:
            self.journal = Journal(folder / FILE, self.migrations, connect=connect_file)
        self.is_open = True
        self.engine = Engine(self.journal, self.me, "ginza", self.handle, clock=self.world.clock,
                             rng=Random(self.world.rng.random()), epoch=self.world.new_epoch(self))  # fmt: skip
        self.begin()
        self.engine.link_up()
        self.push()

    def begin(self) -> None:
        """What the application does at its start."""

    def stop(self, *, kill: bool) -> None:
        if kill:
            old, self.disk = self.disk, self.disk.killed()
            self.disk.on_op, old.on_op = old.on_op, lambda kind, name: None
            self.journal.close()
        else:
            self.engine.flush()
            self.journal.close()

    # --- transactions

    @contextmanager
    def transaction(self) -> Iterator[Tx]:
        with self.engine.transaction() as tx:
            yield tx
        self._committed(tx)

    def receive(self, batch: list[tuple[str, bytes]]) -> None:
        self._taking = None
        self.engine.receive(batch)
        if self._taking is not None:
            self._committed(self._taking)
        else:
            self.push()

    def handle(self, message: Message, tx: Tx) -> None:
        self._taking = tx
        n = message.numbering
        if n is not None and message.channel.stream is not None:
            tx.db.execute(
                "INSERT INTO applied (sender, stream, epoch, seq, id, name) VALUES (?, ?, ?, ?, ?, ?)",
                (message.source, message.channel.stream.value, n.epoch, n.seq, message.id, message.channel.name),
            )
        self.take(message, tx)

    def take(self, message: Message, tx: Tx) -> None:
        """The application."""

    def _committed(self, tx: Tx) -> None:
        self.posted += [(p, e.epoch, e.seq) for (p, stream), e in tx.posted if stream == Stream.CRITICAL.value]
        self.push()

    def push(self) -> None:
        for publication in self.engine.poll():
            self.publish(publication.topic, publication.payload)

    def publish(self, topic: str, payload: bytes) -> None:
        if "/receipt/" in topic:
            message = decode(topic, payload)
            assert isinstance(message.data, Receipt)
            sender = "hub" if self.me.role is Role.AGENT else f"agent/{message.ids['agent']}"
            key = (sender, message.data.stream, message.data.epoch)
            self.acknowledged[key] = max(self.acknowledged.get(key, 0), message.data.taken)
        self.world.carry(self, topic, payload)


class HubMachine(Machine):
    """`hub.core.Hub` on its real tables, and the POS that posts sales."""

    def __init__(self, world: World, settings: HubSettings, settings_path: Path) -> None:
        super().__init__(world, Principal(Role.HUB, "main"), HUB_MIGRATIONS)
        self.settings, self._path = settings, settings_path
        self.policy = RunningPolicy(settings)
        self.keys = read_keys(settings_path, settings.exit_code.key_files)
        self.sold: dict[str, str] = {}

    def begin(self) -> None:
        self.hub = Hub(self.settings, self.keys, lambda: self.policy.current)
        import_file(self.journal.db, self._path.parent / "customers.csv", self.settings)

    def take(self, message: Message, tx: Tx) -> None:
        self.hub.handle(message, tx)

    def tick(self) -> None:
        with self.transaction() as tx:
            self.hub.tick(tx)

    def sell(self, sale: str, customer: str | None, amount: int) -> str:
        """Post a sale; the exit code is the POS's acknowledgement."""
        post = SalePost(sale=sale, customer=customer, amount_minor=amount, currency="JPY", paid_on="terminal")
        with self.transaction() as tx:
            taken = self.hub.purchases.post(tx, post, "pos-1")
        self.sold[sale] = taken.exit_code
        return taken.exit_code


class AgentMachine(Machine):
    """A lane: `edge.lane` and `edge.store` as `edge.lane_runner` uses them, with devices that answer at once."""

    def __init__(self, world: World, keys: dict[str, str]) -> None:
        super().__init__(world, Principal(Role.AGENT, "exit"), edge_store.MIGRATIONS)
        self.policy = core.LanePolicy(decide_s=2.0)
        self._keys = Keyring("ginza", keys)
        self.lane = core.Lane()
        self.refused: list[str] = []

    def begin(self) -> None:
        self.store = edge_store.EdgeStore(self.journal.db)
        lane, known = self.store.lane("1")
        self.lane, self.known = lane or core.Lane(), known or GateCounters(0, 0, 0, 1)
        with self.transaction() as tx:
            self.store.save_lane("1", self.lane, tx.utc)
            self._become(*resume(self.lane, tx.now, self.policy), tx)
        self.world.later(0.05, "exit", self.read_gate)

    @property
    def is_idle(self) -> bool:
        return self.lane.phase is core.Phase.IDLE

    def take(self, message: Message, tx: Tx) -> None:
        assert isinstance(message.data, LaneDecision)
        self._apply(core.Decided(message.data, message.id, message.visit), tx)

    def scan(self, text: str) -> None:
        claims = self._keys.verify(text, self.world.clock.utc())
        if self.store.is_used(claims.code_id):
            self.refused.append(claims.sale)
            return
        with self.transaction() as tx:
            self.store.use(claims.code_id, claims.expires, tx.utc)
            data = LaneScan(code_id=claims.code_id, sale=claims.sale, code=text, scanned=tx.utc)
            message = tx.send("lane_scan", data, lane="1")
            self._apply(core.CodeAccepted(message, claims.code_id), tx)

    def sight(self, beacon: str, kind: SightingKind) -> None:
        with self.transaction() as tx:
            tx.send("sighting", Sighting(beacon=beacon, event=kind, heard=tx.utc))

    def event(self, event: core.Event) -> None:
        with self.transaction() as tx:
            self._apply(event, tx)

    def read_gate(self) -> None:
        """Passages that the gate's counter has and we have not acted on."""
        passed = self.world.gate.passed
        with self.transaction() as tx:
            for command in passed[self.known.exits :]:
                self._apply(core.Passed("exit", command), tx)
            known = GateCounters(len(passed), 0, 0, 1)
            self.store.save_gate("1", known)
        self.known = known

    def tick(self) -> None:
        deadline = next_deadline(self.lane)
        if deadline is not None and self.world.now >= deadline:
            self.event(core.Tick())

    def print_sent(self, job: str) -> None:
        """On disk before the printer gets the first byte."""
        self.event(core.PrintSent(job, len(self.world.printer.jobs)))
        if self.lane.phase is core.Phase.PRINTING and self.lane.job == job and self.lane.sent:
            self.world.printer.print(job)

    def _apply(self, event: core.Event, tx: Tx) -> None:
        self._become(*step(self.lane, event, tx.now, self.policy), tx)

    def _become(self, lane: core.Lane, actions: tuple[core.Action, ...], tx: Tx) -> None:
        before = self.lane
        tx.on_rollback(lambda: setattr(self, "lane", before))
        told = lane if lane.phase is not core.Phase.IDLE else before
        for action in actions:
            match action:
                case core.Say():
                    tx.send(action.name, action.data, visit=told.visit, cause=told.cause, lane="1")
                case core.HoldCode():
                    self.store.hold(action.code, action.held)
                case _:
                    tx.after_commit(self._act(action))
        if lane != before:
            self.lane = replace(lane, cause=told.cause) if lane.phase is not core.Phase.IDLE else lane
            self.store.save_lane("1", self.lane, tx.utc)

    def _act(self, action: Any) -> Callable[[], None]:
        world = self.world
        match action:
            case core.Print(job=job):
                return lambda: world.later(0.02, "exit", lambda: self.print_sent(job))
            case core.FindOut(job=job):
                return lambda: world.later(0.2, "exit", lambda: self.event(world.printer.outcome(job)))
            case core.Open(command=command):
                return lambda: world.later(0.02, "exit", lambda: world.gate.open(command))
        return lambda: None
