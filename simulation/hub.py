"""The hub of the simulated store: the real program without its web server, killed and started again on its file."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any, TypeVar

from config.hub_settings import HubSettings
from config.member_settings import load_consents
from contract.access import Principal
from contract.envelope import Message
from contract.messages import Role
from contract.payloads import LanePassage
from delivery.engine import Engine, Tx
from delivery.link import Address
from delivery.node import Node
from hub.core import Hub
from hub.database import consents, times
from hub.database.consents import Purpose
from hub.database.schema import MIGRATIONS
from hub.eid.resolving import keep_ahead
from hub.exit_keys import KeyRing
from hub.giving.app import AppWay
from hub.giving.claiming import ClaimRefused
from hub.giving.courier import Courier
from hub.giving.mail import MailWay
from hub.giving.push import PushWay
from hub.giving.service import sender_of
from hub.giving.ways import Way
from hub.members.desk import Desk
from hub.members.gateway import Gateway
from hub.rules.reload import RunningPolicy
from hub.sale_shapes import SaleRefused
from hub.service import last_will, on_link, tick
from hub.shopping.cart import CartRefused
from hub.shopping.payments import PaymentRefused
from simulation.network import HOP_S
from simulation.post import Post
from simulation.programs import Program
from simulation.socket import SimSocket

T = TypeVar("T")
_NOWHERE = Address("nowhere", 1, "nobody", "nothing")


class HubProgram(Program):
    """The parts of `hub.service.run_hub` without its web server."""

    def __init__(self, settings: HubSettings, keys: KeyRing, policy: RunningPolicy, *args: Any) -> None:
        super().__init__("hub", settings.database, *args)
        self.settings, self.keys, self.policy = settings, keys, policy
        self.hub: Hub | None = None
        self.mishaps = 0.0
        """Share of requests, and of their answers, that are lost between the POS and the hub."""
        self.post: Post
        """Where letters and notifications go."""
        self._heard: list[str] = []
        self.node: Node | None = None

    def _begin(self) -> None:
        journal = self.journal(self.settings.database, MIGRATIONS)
        self.hub = hub = Hub(self.settings, self.keys, lambda: self.policy.current)
        engine = Engine(
            journal, Principal(Role.HUB, self.settings.id), self.settings.store.id, hub.handle, clock=self.clock()
        )
        self.watch(engine)
        address = replace(_NOWHERE, client_id="")
        hub.forgetting.outgoing = engine.outgoing
        self.node = Node(engine, address, will=last_will(self.settings), on_link=on_link(hub, engine),
                         make_link=self.link, express=True)  # type: ignore[arg-type]  # fmt: skip
        self.courier = self._courier(hub, self.node)
        self.gateway = Gateway(hub, self.node, Desk(self.settings, load_consents(None), hub.counters))
        engine.outlet = self.gateway.outlet
        main = self.process.start(self._run(hub, self.node))
        main.add_done_callback(self._ended, context=self.loop.outside)

    async def _run(self, hub: Hub, node: Node) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(node.run())
            tasks.create_task(tick(hub, node, self.policy))
            tasks.create_task(self.courier.run())
            tasks.create_task(keep_ahead(hub.eids, node.engine.journal.db, node.engine.clock))

    def _courier(self, hub: Hub, node: Node) -> Courier:
        """As `hub.giving.service.courier` puts it together, with the simulated far ends."""
        settings = self.settings
        assert settings.push is not None
        assert settings.members.mail is not None
        ways: list[Way] = [
            AppWay(node, settings.giving.app_wait_s),
            PushWay(settings.push, None, settings.store.name, node, hub.counters, self.post),  # type: ignore[arg-type]
            MailWay(settings.members.mail, "", sender_of(settings), node.engine.clock.utc, self.post),  # type: ignore[arg-type]
        ]
        return Courier(node, hub.giving, {way.name: way for way in ways}, hub.counters, Random(self.rng.random()))

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self.process.alive and not task.cancelled():
            self.truth.breaks("no program ends by itself", f"hub: {task.exception()!r}")

    def takes(self, message: Message) -> None:
        data = message.data
        if isinstance(data, LanePassage) and data.outcome == "passed" and data.scan:
            self._heard.append(data.scan)

    def _committed(self) -> None:
        super()._committed()
        for scan in self._heard:
            self.truth.passage_heard(scan)
        self._heard.clear()

    def _rolled_back(self) -> None:
        super()._rolled_back()
        self._heard.clear()

    def terminal(self, rng: Random, session: str, said: Callable[[str], None]) -> SimSocket:
        """A member's terminal connects."""
        socket = SimSocket(self.process, rng, session, said)
        self.process.soon(self._serve, socket, after_s=HOP_S[1])
        return socket

    def _serve(self, socket: SimSocket) -> None:
        serving = self.loop.create_task(self.gateway.serve(socket), context=self.process.context)  # type: ignore[arg-type]
        serving.add_done_callback(self._served, context=self.loop.outside)

    def _served(self, serving: asyncio.Task[None]) -> None:
        if self.process.alive and not serving.cancelled() and serving.exception() is not None:
            self.truth.breaks("no program fails", f"the gateway: {serving.exception()!r}")

    def withdraw(self, tx: Tx, customer: str, purpose: Purpose) -> None:
        """She takes a consent back, on her page."""
        consents.withdraw(tx.db, customer, purpose, times.text(tx.utc))

    def look(self, sql: str, *values: object) -> list[Any]:
        """What its database says between two of its transactions; nothing while it is dead. The connection is its own: a new one
        would read the whole schema again."""
        if not self.alive or self.node is None:
            return []
        return sqlite3.Connection.execute(self.node.engine.journal.db, sql, values).fetchall()

    async def ask(self, act: Callable[[Hub, Tx], T], timeout_s: float = 3.0) -> T:
        """One request to its API, in one transaction. Raises TimeoutError when no answer comes, sqlite3.Error as told."""
        answer: asyncio.Future[T] = self.loop.create_future()
        low, high = HOP_S
        if self.alive and not self._mishap():
            self.process.soon(self._answer, act, answer, after_s=low + self.rng.random() * (high - low))
        async with asyncio.timeout(timeout_s):
            return await answer

    def _answer(self, act: Callable[[Hub, Tx], T], answer: asyncio.Future[T]) -> None:
        assert self.hub is not None
        assert self.node is not None
        try:
            with self.node.transaction() as tx:
                result = act(self.hub, tx)
        except sqlite3.Error as error:
            if not self.disk.full:
                self.truth.breaks("no program fails", f"the hub's database: {error}")
            return  # an error page; whoever asked will ask again
        except (CartRefused, ClaimRefused, PaymentRefused, SaleRefused) as refused:
            if not self._mishap():
                self.loop.call_later(HOP_S[0], _refuse, answer, refused, context=self.loop.outside)
            return
        if not self._mishap():
            self.loop.call_later(HOP_S[0], _give, answer, result, context=self.loop.outside)

    def _mishap(self) -> bool:
        return bool(self.mishaps) and self.rng.random() < self.mishaps


def _refuse(answer: asyncio.Future[T], refused: Exception) -> None:
    if not answer.done():
        answer.set_exception(refused)


def _give(answer: asyncio.Future[T], result: T) -> None:
    if not answer.done():
        answer.set_result(result)
