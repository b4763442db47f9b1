"""Detection for real: bleak at an emulated BlueZ, a reader and a counter module at pseudo-terminals, Mosquitto, agent and hub."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
import types
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

import config
from config.edge_settings import load_edge
from config.hub_settings import load_hub
from contract.access import Principal
from contract.messages import Role
from delivery.engine import Engine
from delivery.journal import Journal
from delivery.node import Node
from edge.agent import Agent
from firmware_sim.beacons import AdapterPlace, run_beacons
from firmware_sim.control import ControlClient
from firmware_sim.counter import run_counter
from firmware_sim.reader import run_reader
from hub.core import Hub
from hub.database import consents, eids, times
from hub.database.consents import Purpose
from hub.database.schema import MIGRATIONS
from hub.eid.keys import read_key
from hub.eid.resolving import keep_ahead
from hub.exit_keys import read_keys
from hub.importing import import_file
from hub.rules.reload import RunningPolicy
from tests.delivery.real import HUB, STORE, RealBroker, until
from tests.edge.lane_bench import exit_code

pytestmark = pytest.mark.system

SHIPPED = Path(config.__file__).parent / "shipped"
KEY = "0102030405060708090a111213141516"
K = 2
"""Four seconds to an identifier: fast for a beacon, and all the clocks here are one."""
TOKEN = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SIMS = {"reader": run_reader, "counter": run_counter}


class RealHub:
    """The hub's core on its own database, at the broker. Without its web pages."""

    def __init__(self, folder: Path, broker: RealBroker) -> None:
        folder.mkdir()
        for file in SHIPPED.iterdir():
            shutil.copy(file, folder)
        path = folder / "hub.toml"
        path.write_text(path.read_text().replace('id = "ginza"', f'id = "{STORE}"'))
        settings = load_hub(path)
        self.journal = Journal(settings.database, MIGRATIONS)
        import_file(self.journal.db, folder / "customers.csv", settings)
        policy = RunningPolicy(settings)
        self.hub = Hub(settings, read_keys(path, settings.exit_code.key_files), lambda: policy.current)
        self.engine = Engine(self.journal, HUB, STORE, self.hub.handle)
        self.node = Node(self.engine, broker.address(HUB))

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.node.run())
            tasks.create_task(keep_ahead(self.hub.eids, self.journal.db, self.engine.clock))

    def all(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.journal.db.execute(sql, values).fetchall()

    @property
    def visits(self) -> list[tuple[Any, ...]]:
        return self.all("SELECT customer, agent, gone_since IS NULL FROM visit ORDER BY customer")


class Store:
    """`async with Store(folder)`: broker and hub run; agents and devices are started by the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broker = RealBroker("mosquitto", folder / "broker")
        self.hub = RealHub(folder / "hub", self.broker)
        self.passwords: dict[str, str] = {}
        for name in ("entrance", "floor-2"):
            self.passwords[name] = self.broker.credentials.issue(Principal(Role.AGENT, name))
        self.tasks: dict[str, asyncio.Task[Any]] = {}
        self.sims: dict[str, ControlClient] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Store:
        await self._stack.enter_async_context(self.broker)
        self._stack.callback(self.hub.journal.close)
        self.start("hub", self.hub.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        for name in reversed(list(self.tasks)):
            await self.stop(name)
        await self._stack.aclose()

    def start(self, name: str, run: Any) -> None:
        self.tasks[name] = asyncio.create_task(run, name=name)

    async def stop(self, name: str) -> None:
        task = self.tasks.pop(name)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def device(self, name: str) -> None:
        self.start(name, SIMS[name](self.folder / name, self.folder / f"{name}.sock"))
        self.sims[name] = await self._stack.enter_async_context(ControlClient(self.folder / f"{name}.sock"))

    async def beacons(self, monkeypatch: pytest.MonkeyPatch) -> None:
        bus, control = self.folder / "bus", self.folder / "beacons.sock"
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={bus}")
        self.start("beacons", run_beacons(bus, control, adapters=[AdapterPlace("hci0")], seed=1))
        self.sims["beacons"] = await self._stack.enter_async_context(ControlClient(control))

    async def do(self, sim: str, what: str, **more: Any) -> dict[str, Any]:
        reply = await self.sims[sim].call({"do": what, **more})
        assert "error" not in reply, reply
        return reply

    async def agent(self, more: str, name: str = "entrance") -> Agent:
        path = self.folder / f"{name}.toml"
        path.write_text(
            f'store = "{STORE}"\nagent = "{name}"\ndatabase = "{name}.db"\nheartbeat_s = 0.5\n'
            f'[mqtt]\nport = {self.broker.port}\nusername = "agent-{name}"\npassword = "{self.passwords[name]}"\n{more}'
        )
        made = Agent(load_edge(path), path)
        self.start(name, made.run())
        await until(lambda: made.node.link.up and self.hub.node.link.up)
        return made

    def agrees(self, *purposes: Purpose) -> None:
        with self.hub.node.transaction() as tx:
            for purpose in purposes:
                consents.give(tx.db, "C0001", purpose, "wording-1", times.text(tx.utc))

    def owns(self, beacon: str) -> None:
        with self.hub.node.transaction() as tx:
            tx.db.execute("INSERT INTO customer_beacon VALUES (?, 'C0001')", (beacon,))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store(tmp_path) as made:
        yield made


@pytest.mark.row("C5")
@pytest.mark.row("A4")
async def test_a_rotating_beacon_through_bleak_is_one_customer(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """She walks in, changes her identifier twice and more, and leaves: one visit, one request to each of her clerks."""
    with store.hub.node.transaction() as tx:
        eids.replace(tx.db, "C0001", [read_key(f"{KEY}/{K}/1970-01-01T00:00:00Z", time.time())])
    await store.beacons(monkeypatch)
    agent = await store.agent('[beacons]\nadapter = "hci0"\nleave_after_s = 1.5\n')
    await until(
        lambda: (told := agent.announcer.devices.get("beacons")) is not None and told.power.value == "online", 15
    )
    await store.do("beacons", "add", id="hanako", frame=f"eid:{KEY}:{K}", at=[0.3, 0], interval_ms=50)
    await until(lambda: store.hub.visits == [("C0001", "entrance", 1)])
    gone: list[Any] = []
    end = asyncio.get_running_loop().time() + 2.5 * (1 << K)
    while asyncio.get_running_loop().time() < end:
        gone += [visit for visit in store.hub.visits if not visit[2]]
        await asyncio.sleep(0.05)
    assert gone == []
    trace = [
        summary
        for (summary,) in store.hub.all("SELECT summary FROM trace WHERE type = 'instore.sighting.v1' ORDER BY row")
    ]
    assert sum("heard anew at entrance" in line for line in trace) >= 2
    assert sum(line.startswith("left entrance") for line in trace) >= 1
    assert store.hub.all("SELECT count(*) FROM alert") == [(1,)]
    assert store.hub.hub.counters["unknown_beacons"] == 0
    # Her present identifier was heard for a while: of one heard once nobody knows the interval, and she would linger.
    await until(lambda: 1 <= time.time() % (1 << K) < 2)
    await store.do("beacons", "remove", id="hanako")
    await until(lambda: store.hub.visits == [("C0001", "entrance", 0)], 15)
    # The agent never knew: no key, no customer in anything that it keeps.
    kept = (store.folder / "entrance.db").read_bytes() + (store.folder / "entrance.toml").read_bytes()
    assert bytes.fromhex(KEY) not in kept
    assert KEY.encode() not in kept
    assert b"C0001" not in kept


@pytest.mark.row("C5")
async def test_a_rotating_beacon_of_nobody_is_a_stranger(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    await store.beacons(monkeypatch)
    agent = await store.agent('[beacons]\nadapter = "hci0"\n')
    await until(
        lambda: (told := agent.announcer.devices.get("beacons")) is not None and told.power.value == "online", 15
    )
    await store.do("beacons", "add", id="x", frame=f"eid:{'7' * 32}:{K}", at=[0.3, 0], interval_ms=50)
    await until(lambda: store.hub.hub.counters["unknown_beacons"] >= 1)
    assert store.hub.visits == []


@pytest.mark.row("A13")
async def test_a_reader_at_the_entrance(store: Store) -> None:
    """Her member code opens the visit; an exit code and other texts are refused and counted; then she has left."""
    store.owns(f"member:{TOKEN}")
    await store.device("reader")
    port = store.folder / "reader"
    agent = await store.agent(f'[[detector]]\nkind = "member_code"\nid = "door-reader"\nport = "{port}"\nstay_s = 2\n')
    await until(
        lambda: (told := agent.announcer.devices.get("door-reader")) is not None and told.power.value == "online"
    )
    await store.do("reader", "present", code=exit_code(store=STORE))
    await store.do("reader", "present", code="4901234567894")
    await store.do("reader", "present", code=f"MEMBER:{TOKEN}")
    await until(lambda: store.hub.visits == [("C0001", "entrance", 1)])
    assert store.hub.all("SELECT count(*) FROM scan") == [(0,)]
    assert store.hub.all("SELECT count(*) FROM alert") == [(1,)]
    await until(lambda: store.hub.visits == [("C0001", "entrance", 0)])
    await store.do("reader", "present", code=f"MEMBER:{'Z' * 26}")
    await until(lambda: store.hub.hub.counters["unknown_member_codes"] == 1)
    await until(lambda: agent.announcer.devices["door-reader"].counters.get("member_codes") == 2)
    counters = agent.announcer.devices["door-reader"].counters
    assert (counters["refused_exit_code"], counters["refused_text"]) == (1, 1)
    await store.do("reader", "unplug")
    await until(lambda: agent.announcer.devices["door-reader"].power.value == "off_offline")


@pytest.mark.row("A13")
@pytest.mark.row("C1")
async def test_people_counted_at_the_door_also_while_the_agent_was_off(store: Store) -> None:
    await store.device("counter")
    settings = f'[[detector]]\nkind = "counter"\nid = "beam"\nport = "{store.folder / "counter"}"\npoll_s = 0.05\ntell_every_s = 0.1\n'

    def counted() -> tuple[int, int]:
        found = store.hub.all('SELECT entered, "left" FROM visitors')
        return (found[0][0], found[0][1]) if found else (0, 0)

    await store.do("counter", "set", **{"in": 5000, "out": 4000})
    agent = await store.agent(settings)
    await until(lambda: (told := agent.announcer.devices.get("beam")) is not None and told.power.value == "online")
    await store.do("counter", "pass", direction="in", people=3)
    await until(lambda: counted() == (3, 0))
    await store.stop("entrance")
    await store.do("counter", "pass", direction="in", people=2)
    await store.do("counter", "pass", direction="out", people=4)
    await store.agent(settings)
    await until(lambda: counted() == (5, 4))
    await store.do("counter", "restart")
    await asyncio.sleep(0.3)
    await store.do("counter", "pass", direction="out")
    await until(lambda: counted() == (5, 5))
    assert store.hub.visits == []


class Camera:
    """Somebody's plugin: sees whom the test puts before it."""

    def __init__(self, options: Any, seen: Any, tell: Any) -> None:
        options["made"].append(self)
        self.seen = seen

    async def run(self) -> None:
        await asyncio.Event().wait()


@pytest.fixture
def cameras() -> Iterator[list[Camera]]:
    made: list[Camera] = []
    module = types.ModuleType("a_camera_of_the_test")
    module.detector = lambda options, seen, tell: Camera({**options, "made": made}, seen, tell)  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    yield made
    del sys.modules[module.__name__]


@pytest.mark.row("A13")
@pytest.mark.row("C11")
async def test_a_camera_knows_only_who_agreed(store: Store, cameras: list[Camera]) -> None:
    store.owns("face:t-1")
    await store.agent(
        '[[detector]]\nkind = "face"\nid = "camera"\nplugin = "a_camera_of_the_test:detector"\nstay_s = 0.5\n'
    )
    await until(lambda: cameras)
    cameras[0].seen("t-1")
    cameras[0].seen("stranger")
    await until(lambda: store.hub.hub.counters["sightings_without_consent"] >= 1)
    await until(lambda: store.hub.hub.counters["unknown_faces"] >= 1)
    assert store.hub.visits == []
    assert store.hub.all("SELECT count(*) FROM trace") == [(0,)]
    store.agrees(Purpose.SERVICE, Purpose.FACE)
    await asyncio.sleep(1.0)  # she has left meanwhile
    cameras[0].seen("t-1")
    await until(lambda: store.hub.visits == [("C0001", "entrance", 1)])


@pytest.mark.row("A4")
@pytest.mark.row("A5")
async def test_whoever_hears_her_first_a_floor_or_an_entrance(store: Store) -> None:
    """Two agents, two readers: the floor's is the first, the entrance's adds to the same visit."""
    store.owns(f"member:{TOKEN}")
    await store.device("reader")
    other = store.folder / "reader-2"
    store.start("reader-2", run_reader(other, store.folder / "reader-2.sock"))
    store.sims["reader-2"] = await store._stack.enter_async_context(ControlClient(store.folder / "reader-2.sock"))
    for name, port in (("entrance", store.folder / "reader"), ("floor-2", other)):
        agent = await store.agent(f'[[detector]]\nkind = "member_code"\nid = "qr"\nport = "{port}"\n', name)
        await until(lambda a=agent: (t := a.announcer.devices.get("qr")) is not None and t.power.value == "online")
    await store.do("reader-2", "present", code=f"MEMBER:{TOKEN}")
    await until(lambda: store.hub.visits == [("C0001", "floor-2", 1)])
    await store.do("reader", "present", code=f"MEMBER:{TOKEN}")
    await until(lambda: store.hub.all("SELECT count(*) FROM presence") == [(2,)])
    assert store.hub.all("SELECT count(*) FROM alert") == [(1,)]
