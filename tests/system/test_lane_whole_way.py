"""A lane's whole way for real: the real hub and the real agent at Mosquitto, devices at pseudo-terminals, a clerk's MQTT client."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import config
from config.edge_settings import load_edge
from config.hub_settings import load_hub
from contract import topics
from contract.access import Principal
from contract.envelope import Message, encode, source_of
from contract.messages import BY_NAME, Role
from contract.payloads import AlertAnswer
from delivery.engine import Engine, Tx
from delivery.journal import Journal
from delivery.node import Node
from edge.agent import Agent
from firmware_sim.control import ControlClient
from firmware_sim.reader import run_reader
from hub.clerks import import_clerks
from hub.core import Hub
from hub.database import sales
from hub.database.schema import MIGRATIONS
from hub.exit_keys import read_keys
from hub.giving.claiming import Claiming
from hub.importing import import_file
from hub.purchases import SalePost
from hub.rules.reload import RunningPolicy
from tests.broker.wire import connected
from tests.delivery.real import HUB, STORE, RealBroker, until
from tests.edge.test_lanes_system import Exit, LanesHub

pytestmark = pytest.mark.system
SHIPPED = Path(config.__file__).parent / "shipped"
CLERK = Principal(Role.CLERK, "m01")


class RealHub(LanesHub):
    """The hub's core on its own database."""

    def __init__(self, folder: Path, broker: RealBroker) -> None:
        own = folder / "hub"
        own.mkdir()
        for file in SHIPPED.iterdir():
            shutil.copy(file, own)
        path = own / "hub.toml"
        path.write_text(path.read_text(encoding="utf-8").replace('id = "ginza"', f'id = "{STORE}"'), encoding="utf-8")
        rules = own / "incentives.toml"
        rules.write_text(
            rules.read_text(encoding="utf-8").replace('give = "print"', 'give = "display"'), encoding="utf-8"
        )
        settings = load_hub(path)
        self.journal = Journal(settings.database, MIGRATIONS)
        import_file(self.journal.db, own / "customers.csv", settings)
        import_clerks(self.journal.db, own / "clerks.csv")
        policy = RunningPolicy(settings)
        self.hub = Hub(settings, read_keys(path, settings.exit_code.key_files), lambda: policy.current)
        self.engine = Engine(self.journal, HUB, STORE, self.hub.handle)
        self.node = Node(self.engine, broker.address(HUB), on_link=self.on_link)

    def on_link(self, up: bool, tx: Tx) -> None:
        if up:
            self.hub.say_state(tx)

    def buy(self, sale: str) -> tuple[str, str]:
        """A customer has paid: her exit code and its number."""
        post = SalePost(sale=sale, customer="C0001", amount_minor=5000, currency="JPY", paid_on="terminal")
        with self.node.transaction() as tx:
            text = self.hub.purchases.post(tx, post, "pos-1").exit_code
            code = sales.code_of_sale(tx.db, sale)
            assert text is not None
            assert code is not None
            return text, self.hub.exit_numbers.of(tx, code)

    def all(self, sql: str) -> list[tuple[Any, ...]]:
        return self.journal.db.execute(sql).fetchall()


class WholeExit(Exit):
    """Its lanes have displays, and a clerk can connect."""

    hub_type = RealHub

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.settings.write_text(self.settings.read_text() + "[display]\nport = 0\n")
        self.password = self.broker.credentials.issue(CLERK)
        self.south_password = self.broker.credentials.issue(Principal(Role.AGENT, "south"))


@pytest.mark.row("B6")
@pytest.mark.row("B9")
@pytest.mark.row("B12")
@pytest.mark.row("C3")
async def test_a_typed_number_a_coupon_read_from_the_display_and_then_the_gate(tmp_path: Path) -> None:
    async with WholeExit(tmp_path) as shop:
        hub = shop.hub
        assert isinstance(hub, RealHub)
        agent = shop.the_agent
        assert agent.display is not None
        shop._stack.enter_context(agent.display.board.watching("1"))  # as its page does
        code, number = hub.buy("S-1")
        await shop.do("keypad", "type", keys=f"{number}#", every_s=0.035)
        await until(lambda: agent.lanes["1"].lane.phase.value == "showing")
        assert await shop.pulses() == 0, "the coupon first"
        ((coupon, give),) = hub.all("SELECT coupon, give FROM incentive")
        assert give == "display"
        with hub.node.transaction() as tx:
            assert Claiming(hub.hub.giving, hub.hub.counters).claim(tx, "C0001", f"COUPON:{coupon}") == "kept"
        await shop.walk()
        await until(lambda: hub.all("SELECT state, give, paper FROM incentive") == [("committed", "display", "read")])
        assert hub.all("SELECT how, state FROM given_coupon") == [("claimed", "offered")]
        assert hub.all("SELECT count(*) FROM giving") == [(0,)], "nothing is sent that she has already"
        await shop.do("reader2", "present", code=code)  # the QR code of the same purchase, at another lane
        await until(lambda: agent.lanes["2"].counters["refused_already_used"] == 1)


@pytest.mark.row("B12")
@pytest.mark.row("C6")
async def test_the_help_button_reaches_a_clerk_and_the_answer_reaches_the_lane(tmp_path: Path) -> None:
    async with WholeExit(tmp_path) as shop:
        hub = shop.hub
        assert isinstance(hub, RealHub)
        desk = shop.the_agent.lanes["1"].desk
        async with connected(shop.broker.port, CLERK.username, shop.password) as clerk:
            granted = await clerk.subscribe([topics.topic(BY_NAME["alert"], STORE, clerk=CLERK.id)])
            assert all(granted.values())
            await shop.do("gate", "help")
            await until(lambda: bool(clerk.messages))
            alert = json.loads(clerk.messages[-1][1])["data"]
            assert (alert["kind"], alert["message"]["en"]) == (
                "lane", "A clerk is needed at Exit, lane 1: a customer has pressed the help button")  # fmt: skip
            assert "customer" not in alert or alert["customer"] is None
            for answer, state in (("accept", ["coming"]), ("served", [])):
                channel, ids = BY_NAME["alert_answer"], {"clerk": CLERK.id}
                said = Message(
                    channel,
                    ids,
                    AlertAnswer(alert=alert["alert"], answer=answer),
                    f"x-{answer}",
                    source_of(channel, ids),
                )
                clerk.publish(topics.topic(channel, STORE, **ids), encode(said), qos=1)
                await until(lambda state=state: [each.state for each in desk.calls.open] == state)  # type: ignore[misc]
        assert hub.all("SELECT state, outcome, holder FROM lane_call") == [("closed", "served", "m01")]


@pytest.mark.row("C2")
@pytest.mark.row("B12")
async def test_while_the_hub_is_away_the_qr_code_opens_the_number_does_not_and_accounts_settle(tmp_path: Path) -> None:
    async with WholeExit(tmp_path) as shop:
        hub = shop.hub
        assert isinstance(hub, RealHub)
        lane = shop.the_agent.lanes["1"]
        code, number = hub.buy("S-1")
        await shop.stop("hub")
        await shop.do("keypad", "type", keys=f"{number}#", every_s=0.035)
        await until(lambda: lane.counters["digits_offline"] == 1, 10)
        assert await shop.pulses() == 0
        await shop.do("reader", "present", code=code)
        await until(lambda: lane.lane.phase.value == "open")
        await shop.walk()
        await until(lambda: lane.lane.phase.value == "idle")
        node = Node(hub.engine, shop.broker.address(HUB), on_link=hub.on_link)
        shop.start("hub again", node.run())
        await until(lambda: hub.all("SELECT state, give FROM incentive") == [("committed", "electronic")], 15)
        assert hub.all("SELECT passage FROM scan ORDER BY decided") in (
            [("not_passed",), ("passed",)],
            [("passed",), ("not_passed",)],
        )
        assert hub.all("SELECT how FROM given_coupon") == [("granted",)]


@pytest.mark.row("C2")
@pytest.mark.row("C1")
async def test_a_code_that_two_cut_off_lanes_of_different_agents_let_through(tmp_path: Path) -> None:
    async with WholeExit(tmp_path) as shop:
        hub = shop.hub
        assert isinstance(hub, RealHub)
        south = shop.folder / "south.toml"
        south.write_text(
            f'store = "{STORE}"\nagent = "south"\ndatabase = "south.db"\n[mqtt]\nport = {shop.broker.port}\n'
            f'username = "agent-south"\npassword = "{shop.south_password}"\n'
            f'[[lane]]\nid = "1"\n[lane.reader]\nport = "{shop.folder}/reader4"\n'
        )
        shop.start("reader4", run_reader(shop.folder / "reader4", shop.folder / "reader4.sock"))
        async with ControlClient(shop.folder / "reader4.sock") as reader:
            other = Agent(load_edge(south), south)
            shop.start("south", other.run())
            await until(lambda: len(other.keys) == 1 and len(shop.the_agent.keys) == 1)
            code, _ = hub.buy("S-1")
            await shop.stop("hub")
            await shop.do("reader3", "present", code=code)  # both are exit counters: they let her through at once
            assert "error" not in await reader.call({"do": "present", "code": code})
            await until(lambda: shop.the_agent.lanes["3"].counters["scans"] + other.lanes["1"].counters["scans"] == 2)
            await until(
                lambda: shop.the_agent.lanes["3"].lane.phase.value == other.lanes["1"].lane.phase.value == "idle", 15
            )
            node = Node(hub.engine, shop.broker.address(HUB), on_link=hub.on_link)
            shop.start("hub again", node.run())
            await until(lambda: bool(hub.all("SELECT 1 FROM lane_incident")), 20)
            ((kind, agent, lane, detail),) = hub.all("SELECT kind, agent, lane, detail FROM lane_incident")
            first = {"exit/3": "south/1", "south/1": "exit/3"}[f"{agent}/{lane}"]
            assert kind == "code_twice"
            assert f"was used at {first} already" in detail
            assert hub.all("SELECT state FROM incentive") == [("committed",)], "given once"
            assert hub.all("SELECT count(*) FROM given_coupon") == [(1,)]
            assert hub.all("SELECT count(*) FROM scan WHERE passage = 'passed'") == [(2,)]
