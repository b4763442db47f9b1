"""Shoppers, clerks and the POS. They do what people do: come, look, pay, hold up codes twice, step back, walk behind others."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from contract import topics
from contract.access import Principal, grants
from contract.envelope import Message, decode, encode, source_of
from contract.messages import BY_NAME, Role
from contract.payloads import Alert, AlertAnswer, AlertState, ClerkStatus, ClientState
from devices.advert_frames import FrameKind
from devices.beacon_settings import Advert
from firmware_sim.gate_board import FREE, OPEN
from hub.purchases import SalePost, SaleTaken
from simulation.lane import LaneMachines
from simulation.network import Session

if TYPE_CHECKING:
    from simulation.store import Store

PATIENCE_S = 150.0
"""So long after the last fault, somebody with a good code must be out."""
LOOK_S = 0.25
FORGED = "IS1:THIS IS NO CODE OF OURS"


@dataclass(frozen=True, slots=True)
class Person:
    """One shopper's script. `customer` None: nobody knows her; `beacon` None: she carries none."""

    number: int
    comes_s: float
    stays_s: float
    customer: str | None
    beacon: str | None
    interval_s: float
    amount_minor: int
    habits: frozenset[str]
    """steps_back, shows_twice, shows_forged, tries_again, is_followed, posts_twice, lends_code, changes_lane"""


class Shopper:
    """Walks through the store by her script."""

    def __init__(self, store: Store, person: Person) -> None:
        self._store, self.person = store, person
        self._rng = store.plan.rng(f"shopper {person.number}")
        self.name = f"shopper-{person.number}"
        self._habits = set(person.habits if len(store.machines) > 1 else person.habits - {"changes_lane"})
        self._patience_s = self._rng.uniform(5.0, 40.0)
        """So long she stands before a lane that does not let her out."""
        self.here = False
        self.out = False
        self._code = ""

    async def run(self) -> None:
        store, person = self._store, self.person
        await asyncio.sleep(person.comes_s)
        self.here = True
        store.truth.note(self.name, "comes")
        tag = store.world(self._advertise()) if person.beacon else None
        await asyncio.sleep(person.stays_s)
        taken = await self._pay()
        machines = self._rng.choice(list(store.machines.values()))
        others = [other for other in store.machines.values() if other is not machines]
        if "lends_code" in person.habits and others:
            store.world(self._lent(self._rng.choice(others), taken.exit_code))
        while not await self._tries_to_leave(machines, taken.exit_code):
            machines = self._rng.choice(others)
            store.truth.note(self.name, f"goes to {machines.name}")
        self.here = False
        if tag is not None:
            tag.cancel()
        self.out = True
        store.truth.note(self.name, "is out")
        store.truth.counts["left"] += 1

    async def _advertise(self) -> None:
        """Her tag is heard by the agent that she is near, and faintly by another one."""
        store, rng, person = self._store, self._rng, self.person
        agents = list(store.agents.values())
        near = rng.choice(agents)
        while True:
            await asyncio.sleep(person.interval_s + rng.random() * 0.01)
            if rng.random() < person.interval_s / 120:
                near = rng.choice(agents)
            if rng.random() < 0.9:
                near.hears(self._advert(round(rng.gauss(-62, 4))))
            if rng.random() < 0.2:
                rng.choice(agents).hears(self._advert(round(rng.gauss(-84, 4))))

    def _advert(self, rssi_dbm: int) -> Advert:
        assert self.person.beacon is not None
        return Advert(self.person.beacon, FrameKind.IBEACON, rssi_dbm, -59, "", "hci0", self._store.loop.time())

    async def _pay(self) -> SaleTaken:
        store, person, sale = self._store, self.person, f"S-{self.person.number}"
        post = SalePost(sale=sale, customer=person.customer, amount_minor=person.amount_minor, currency="JPY",
                        paid_on="terminal")  # fmt: skip
        taken = await self._posted(post)
        store.sales[sale] = person
        if "posts_twice" in person.habits:
            taken = await self._posted(post)
        self._code = store.issue(taken)
        store.truth.note(self.name, f"has paid {sale}")
        return taken

    async def _posted(self, post: SalePost) -> SaleTaken:
        while True:  # a POS that gets no answer posts again
            try:
                return await self._store.hub.ask(lambda hub, tx: hub.purchases.post(tx, post, "pos-1"))
            except TimeoutError:
                await asyncio.sleep(1.0)

    # --- at the lane

    async def _tries_to_leave(self, machines: LaneMachines, code: str) -> bool:
        """Her turn at a lane; False: she goes to another one."""
        async with machines.queue:
            if not await self._leave(machines, code):
                return False
            await self._afterwards(machines, code)
            return True

    async def _leave(self, machines: LaneMachines, code: str) -> bool:
        store, rng, habits = self._store, self._rng, self._habits
        since = store.loop.time()
        while True:
            await self._until_closed(machines)
            if "shows_forged" in habits:
                habits.discard("shows_forged")
                machines.present(FORGED)
                await asyncio.sleep(2.0)
            machines.present(code)
            if "shows_twice" in habits:
                await asyncio.sleep(rng.random() * 2)
                machines.present(code)
            if await self._until_open(machines, 6.0):
                await asyncio.sleep(rng.uniform(0.3, 2.5))
                if "steps_back" in habits:
                    habits.discard("steps_back")
                    store.truth.note(self.name, "steps back")
                elif machines.gate.run(lambda: machines.gate.board.walk("exit")) == "":
                    return True
            now = store.loop.time()
            if store.truth.walked[self._code]:
                store.truth.note(self.name, "is let out by a clerk: another one left with her code")
                return True
            if now - max(since, store.quiet_since()) > PATIENCE_S:
                store.truth.breaks("nobody captive", f"{self.name} stands before {machines.name} since {since:.0f} s")
                return True
            if "changes_lane" in habits and now - since > self._patience_s:
                habits.discard("changes_lane")
                return False

    async def _lent(self, machines: LaneMachines, code: str) -> None:
        """Somebody else holds up a picture of her code at another lane, at the same time."""
        await asyncio.sleep(self._rng.uniform(0.0, 4.0))
        async with machines.queue:
            await self._until_closed(machines)
            machines.present(code)
            if await self._until_open(machines, 5.0):
                machines.gate.run(lambda: machines.gate.board.walk("exit"))

    async def _until_closed(self, machines: LaneMachines) -> None:
        for _ in range(200):
            machines.gate.run()
            if machines.gate.board.state != OPEN:
                return
            await asyncio.sleep(LOOK_S)

    async def _until_open(self, machines: LaneMachines, for_s: float) -> bool:
        end = self._store.loop.time() + for_s
        while self._store.loop.time() < end:
            await asyncio.sleep(LOOK_S)
            machines.gate.run()
            if machines.gate.board.state in (OPEN, FREE):
                return True
        return False

    async def _afterwards(self, machines: LaneMachines, code: str) -> None:
        habits = self.person.habits
        if "is_followed" in habits:
            machines.gate.run(machines.gate.board.tailgate)
        if "tries_again" in habits:  # somebody else, with the same code
            await asyncio.sleep(self._rng.uniform(0.5, 6.0))
            await self._until_closed(machines)
            machines.present(code)
            if await self._until_open(machines, 3.0):
                machines.gate.run(lambda: machines.gate.board.walk("exit"))


class Clerk:
    """A handheld that any MQTT client could be: it shows alerts and answers them after a while."""

    def __init__(self, store: Store, name: str, rng: Random) -> None:
        self._store, self.name, self._rng = store, name, rng
        self.shown: dict[str, tuple[int, AlertState]] = {}
        self.since = 0.0
        """Since when it is connected."""
        self._session: Session | None = None
        self._ids = 0
        self._answering: set[str] = set()
        self._me = Principal(Role.CLERK, name)

    async def run(self) -> None:
        """Connects, again and again."""
        store = self._store
        filters = [(g.filter, 1) for g in grants(self._me, store.name) if g.action == "subscribe"]
        while True:
            await asyncio.sleep(0.5 + self._rng.random())
            if not store.broker.reachable(self._me.username):
                continue
            lost = asyncio.Event()
            self.shown.clear()
            self.since = store.loop.time()
            self._session = Session(
                store.broker, self._me.username, filters, store.loop.outside, self._take, lost.set, None
            )
            store.broker.attach(self._session)
            self._say("clerk_status", ClerkStatus(state=ClientState.READY))
            await lost.wait()

    def _take(self, topic: str, payload: bytes) -> None:
        message = decode(topic, payload)
        if not isinstance(message.data, Alert):
            return
        alert = message.data
        revision, _ = self.shown.get(alert.alert, (0, AlertState.OFFERED))
        if alert.revision < revision:
            return
        self.shown[alert.alert] = alert.revision, alert.state
        waits = alert.state is AlertState.OFFERED or (alert.state is AlertState.ACCEPTED and alert.holder == self.name)
        if waits and alert.alert not in self._answering:
            self._answering.add(alert.alert)
            self._store.world(self._answer(alert))

    async def _answer(self, alert: Alert) -> None:
        await asyncio.sleep(self._rng.uniform(1.0, 20.0))
        self._answering.discard(alert.alert)
        chance = self._rng.random()
        if alert.state is AlertState.ACCEPTED:
            if chance < 0.8:  # some forget to say that they have served
                self._say("alert_answer", AlertAnswer(alert=alert.alert, answer="served"))
        elif chance < 0.7:
            self._say("alert_answer", AlertAnswer(alert=alert.alert, answer="accept"))
        elif chance < 0.8:
            self._say("alert_answer", AlertAnswer(alert=alert.alert, answer="decline"))

    def _say(self, name: str, data: AlertAnswer | ClerkStatus) -> None:
        if self._session is None or not self._session.open:
            return
        self._ids += 1
        channel, ids = BY_NAME[name], {"clerk": self.name}
        message = Message(channel, ids, data, f"{self.name}.{self._ids}", source_of(channel, ids))
        topic = topics.topic(channel, self._store.name, **ids)
        self._session.publish(topic, encode(message), channel.qos, channel.retain)
