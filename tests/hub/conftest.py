"""A hub on a real SQLite file, spoken to in encoded messages exactly as from the wire, on a clock that the test moves."""

from __future__ import annotations

import shutil
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import config
from config.hub_settings import load_hub
from contract import topics
from contract.access import Principal
from contract.envelope import Message, Numbering, decode, encode, source_of
from contract.messages import BY_NAME, Role
from contract.payloads import AlertAnswer, ClerkStatus, LaneOpened, LanePassage, LanePrinted, LaneScan, Sighting
from delivery.clock import Clock
from delivery.engine import Engine, Publication
from delivery.journal import Journal
from hub.core import Hub
from hub.database.schema import MIGRATIONS
from hub.exit_keys import read_keys
from hub.importing import import_file
from hub.purchases import SalePost
from hub.rules.reload import RunningPolicy

SHIPPED = Path(config.__file__).parent / "shipped"
HANAKO, JOHN, ICHIRO = (f"ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:{n}" for n in (1, 2, 3))
"""Beacons of the shipped customers: gold, with clerks c01, c02, c03; silver, English, 1 clerk; regular, no clerk."""
START = datetime(2026, 3, 1, 1, 0, tzinfo=UTC)  # ten in the morning in Tokyo


@cache
def _tables() -> bytes:
    """A database in which every table is made: hundreds of tests need one, and making it takes longer than most of them."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "hub.sqlite"
        Journal(path, MIGRATIONS).close()
        return path.read_bytes()


def opened(path: Path) -> Journal:
    """The hub's file, with its tables if it is new."""
    if not path.exists():
        path.write_bytes(_tables())
    return Journal(path, MIGRATIONS)


class Overheard(Engine):
    """An engine of which a test hears what it says to members' terminals, whatever takes it."""

    def __init__(self, *args, **more) -> None:
        super().__init__(*args, **more)
        self.to_terminals: list[Publication] = []

    def _hand_out(self, customer: str, publication: Publication) -> None:
        self.to_terminals.append(publication)
        if self.outlet is not None:
            super()._hand_out(customer, publication)


class Store:
    """The hub and the far ends of its wires."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = load_hub(folder / "hub.toml")
        self.now = START
        self.said: list[Message] = []
        self._ids = 0
        self._epoch = 0
        self.start()

    def start(self) -> None:
        """A new process on the same file."""
        self.keys = read_keys(self.folder / "hub.toml", self.settings.exit_code.key_files)
        self.policy = RunningPolicy(self.settings)
        self.hub = Hub(self.settings, self.keys, lambda: self.policy.current)
        self.journal = opened(self.settings.database)
        clock = Clock(monotonic=lambda: (self.now - START).total_seconds(), utc=lambda: self.now)
        self.engine = Overheard(self.journal, Principal(Role.HUB, "main"), "ginza", self.hub.handle, clock=clock)
        self.hub.forgetting.outgoing = self.engine.outgoing
        self.engine.link_up()
        self.numbers: dict[tuple[str, str], int] = defaultdict(int)
        self._epoch += 1

    def stop(self) -> None:
        self.journal.close()

    def restart(self) -> None:
        """As after `kill -9`: nothing is said good-bye to."""
        self.stop()
        self.start()

    def later(self, **time: float) -> None:
        self.now += timedelta(**time)

    # --- what the far ends say

    def bytes_of(self, name: str, data, *, id: str | None = None, cause: str | None = None, visit: str | None = None,
                 **ids: str) -> tuple[str, bytes]:  # fmt: skip
        channel = BY_NAME[name]
        self._ids += 1
        numbering = None
        if channel.stream is not None:
            key = ids["agent"], channel.stream.value
            self.numbers[key] += 1
            numbering = Numbering(f"e{self._epoch}", self.numbers[key])
        message = Message(
            channel, ids, data, id or f"m-{self._ids}", source_of(channel, ids), self.now, visit, cause, numbering
        )
        return topics.topic(channel, "ginza", **ids), encode(message)

    def hear(self, *batch: tuple[str, bytes]) -> list[Message]:
        """The hub takes a batch; returns what it said."""
        self.engine.receive(batch)
        return self.listen()

    def terminal(self, customer: str, name: str, data) -> str:
        """The terminal of `customer` says something; returns why it was refused, or nothing."""
        return self.engine.from_terminal(customer, *self.bytes_of(name, data, customer=customer))

    def listen(self) -> list[Message]:
        wire, self.engine.to_terminals = [*self.engine.poll(), *self.engine.to_terminals], []
        new = [decode(each.topic, each.payload) for each in wire]
        new = [message for message in new if message.channel.name != "receipt_up"]
        self.said += new
        return new

    def sight(
        self, beacon: str, event: str = "arrived", *, agent: str = "door-1", heard: datetime | None = None, id=None
    ):
        data = Sighting(beacon=beacon, event=event, rssi_dbm=-61.0, zone="near", heard=heard or self.now)
        return self.hear(self.bytes_of("sighting", data, agent=agent, id=id))

    def tick(self) -> list[Message]:
        with self.engine.transaction() as tx:
            self.hub.tick(tx)
        return self.listen()

    def answer(self, clerk: str, alert: str, answer: str, cause: str | None = None) -> list[Message]:
        return self.hear(
            self.bytes_of("alert_answer", AlertAnswer(alert=alert, answer=answer), clerk=clerk, cause=cause)
        )

    def handheld(self, clerk: str, state: str = "ready") -> list[Message]:
        return self.hear(self.bytes_of("clerk_status", ClerkStatus(state=state), clerk=clerk))

    def sell(self, sale: str = "S-1", amount: int = 3000, customer: str | None = "C0001", **more):
        post = SalePost(sale=sale, customer=customer, amount_minor=amount, currency="JPY", paid_on="terminal", **more)
        with self.engine.transaction() as tx:
            return self.hub.purchases.post(tx, post, "pos-1")

    def scan(self, code: str, *, sale: str = "S-1", code_id: str | None = None, id: str = "scan-1", agent: str = "exit",
             lane: str = "1", scanned: datetime | None = None):  # fmt: skip
        if code_id is None:
            row = self.one("SELECT code FROM exit_code WHERE sale = ?", sale)
            code_id = row[0] if row else "00"
        data = LaneScan(code_id=code_id, sale=sale, code=code, scanned=scanned or self.now)
        return self.hear(self.bytes_of("lane_scan", data, agent=agent, lane=lane, id=id))

    def printed(
        self, coupon: str, outcome: str = "printed", scan: str = "scan-1", agent: str = "exit", lane: str = "1"
    ):
        data = LanePrinted(scan=scan, coupon=coupon, outcome=outcome)
        return self.hear(self.bytes_of("lane_printed", data, agent=agent, lane=lane))

    def opened(self, scan: str = "scan-1", agent: str = "exit", lane: str = "1"):
        return self.hear(self.bytes_of("lane_opened", LaneOpened(scan=scan, command=7), agent=agent, lane=lane))

    def passage(
        self, outcome: str = "passed", *, scan: str | None = "scan-1", agent: str = "exit", lane: str = "1", **more
    ):
        data = LanePassage(scan=scan, outcome=outcome, **more)
        return self.hear(self.bytes_of("lane_passage", data, agent=agent, lane=lane))

    # --- to look at

    def of(self, name: str) -> list[Message]:
        return [message for message in self.said if message.channel.name == name]

    def all(self, sql: str, *values) -> list[tuple]:
        return self.journal.db.execute(sql, values).fetchall()

    def one(self, sql: str, *values):
        return self.journal.db.execute(sql, values).fetchone()

    @property
    def counters(self) -> dict[str, int]:
        return self.hub.shown(self.engine.counters)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for file in SHIPPED.iterdir():
        shutil.copy(file, tmp_path)
    return tmp_path


@pytest.fixture
def store(folder: Path):
    made = Store(folder)
    import_file(made.journal.db, folder / "customers.csv", made.settings)
    yield made
    made.stop()


@pytest.fixture
def beacons() -> tuple[str, str, str]:
    return HANAKO, JOHN, ICHIRO
