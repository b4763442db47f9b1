"""Shoppers and the POS. They do what people do: come, look, pay, hold up codes twice, step back, walk behind others."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from contract import exit_digits
from devices.advert_frames import FrameKind
from devices.beacon_settings import Advert
from firmware_sim.beacons_rotating import Rotating
from firmware_sim.gate_board import FREE, OPEN
from hub.purchases import SalePost, SaleTaken
from simulation import members
from simulation.basket import STRANGER, Basket, redeem
from simulation.lane import LaneMachines
from simulation.stock import EXIT_CODE_S
from simulation.terminal import Member, Phone

if TYPE_CHECKING:
    from simulation.store import Store

PATIENCE_S = 150.0
"""So long after the last fault, somebody with a good code must be out."""
LOOK_S = 0.25
GUESSES = 16
OLD_S = EXIT_CODE_S + 130.0
"""After so long a number is old: beside its life the leeway of 60 s, and what clocks may be wrong."""
FORGED = "IS1:THIS IS NO CODE OF OURS"


@dataclass(frozen=True, slots=True)
class Person:
    """One shopper's script. `member` None: nobody knows her; `beacon` None: she carries none."""

    number: int
    comes_s: float
    stays_s: float
    member: int | None
    """Of `simulation.members`."""
    beacon: str | Rotating | None
    interval_s: float
    amount_minor: int
    habits: frozenset[str]
    """Of `simulation.cast`."""
    phone: frozenset[str]
    """Habits of her terminal, of `simulation.terminal`."""

    @property
    def customer(self) -> str | None:
        return None if self.member is None else members.customer(self.member)


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
        self._sale = ""
        self._says = -1, ""
        self._old = ""
        """A number that holds no more."""
        self.phones = self._terminals()
        self._read: set[str] = set()
        """Coupons whose code her terminal has read."""
        self._basket = self.basket = (
            Basket(store, person.customer, self._rng) if self.phones and person.customer else None
        )

    def _terminals(self) -> list[Phone]:
        person = self.person
        held = None if person.member is None else members.session(person.member)
        if held is None or person.customer is None:
            return []
        member = Member(person.customer, held, person.phone)
        return [
            Phone(self._store, member, f"{person.customer}/{n}") for n in range(1 + ("two_devices" in person.phone))
        ]

    async def run(self) -> None:
        store, person = self._store, self.person
        await asyncio.sleep(person.comes_s)
        self.here = True
        store.truth.note(self.name, "comes")
        if person.customer is not None and person.beacon is not None:
            store.service.came.add(person.customer)
        tag = store.world(self._advertise()) if person.beacon else None
        for phone in self.phones:
            store.world(phone.run())
        await asyncio.sleep(person.stays_s)
        if tag is not None and person.customer is not None and self._was_heard():
            store.service.heard_undisturbed(person.customer)
        exit_code = await self._pay()
        if "dawdles" in person.habits and self._basket is not None:
            await self._dawdles(self._basket)
        machines = self._rng.choice(list(store.machines.values()))
        others = [other for other in store.machines.values() if other is not machines]
        if "lends_code" in person.habits and others:
            store.world(self._lent(self._rng.choice(others), exit_code))
        while not await self._tries_to_leave(machines, exit_code):
            machines = self._rng.choice(others)
            store.truth.note(self.name, f"goes to {machines.name}")
        self.here = False
        if tag is not None:
            tag.cancel()
        for phone in self.phones:
            phone.leave()
        self.out = True
        store.truth.note(self.name, "is out")
        store.truth.counts["left"] += 1
        if "uses_till" in person.habits:
            await self._uses_coupon_of_lane()

    def _was_heard(self) -> bool:
        """Nothing was broken while she was there, and she was there for long."""
        store, person = self._store, self.person
        return store.quiet_since() < person.comes_s and person.stays_s > 15 * person.interval_s + 30

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
        now, beacon = self._store.loop.time(), self.person.beacon
        if isinstance(beacon, Rotating):
            return Advert(self._rotated(beacon, now), FrameKind.EDDYSTONE_EID, rssi_dbm, -59, "", "hci0", now)
        return Advert(beacon, FrameKind.IBEACON, rssi_dbm, -59, "", "hci0", now)

    def _rotated(self, beacon: Rotating, now: float) -> str:
        quantum = beacon.quantum(now)
        if self._says[0] != quantum:
            self._says = quantum, beacon.frame(now)
        return self._says[1]

    async def _pay(self) -> str:
        """Her exit code, paid for on her terminal or at a settlement device."""
        store, person, rng = self._store, self.person, self._rng
        if person.customer is not None and "uses_till" in person.habits:
            await self._uses_coupons(person.customer)
        if self._basket is not None and rng.random() < 0.65:
            basket = self._basket
            self._sale, amount_minor = await (basket.bought() if rng.random() < 0.6 else basket.settled())
            exit_code = await self._shown()
        else:
            self._sale, amount_minor = f"S-{person.number}", person.amount_minor
            post = SalePost(sale=self._sale, customer=person.customer, amount_minor=amount_minor, currency="JPY",
                            paid_on="terminal")  # fmt: skip
            taken = await self._posted(post)
            if "posts_twice" in person.habits:
                taken = await self._posted(post)
            exit_code, self._basket = taken.exit_code, None
        store.sales[self._sale] = amount_minor
        self._code = store.issue(self._sale, exit_code)
        store.truth.note(self.name, f"has paid {self._sale}")
        return exit_code

    async def _shown(self, known: str = "") -> str:
        """The code on her terminal, which renews it as long as it has the hub; else the one it showed before."""
        if self._basket is None:
            return known
        while True:
            try:
                return await self._basket.exit_code(self._sale)
            except TimeoutError:
                if known:
                    return known
                await asyncio.sleep(1.0)

    async def _uses_coupons(self, customer: str) -> None:
        """What her terminal shows, at a till; some try another one's."""
        rng = self._rng
        for phone in self.phones[:1]:
            for coupon in [*phone.coupons]:
                whose = customer if rng.random() < 0.85 else STRANGER
                await redeem(self._store, coupon, whose, rng, f"T-{self.person.number}")

    async def _uses_coupon_of_lane(self) -> None:
        """What the lane gave, later."""
        await asyncio.sleep(self._rng.uniform(1.0, 60.0))
        for (coupon,) in self._store.hub.look("SELECT coupon FROM incentive WHERE sale = ?", self._sale):
            await redeem(self._store, coupon, self.person.customer, self._rng, f"T-{self.person.number}")

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
            code = await self._shown(code)
            if "guesses" in habits:
                habits.discard("guesses")
                await self._guesses(machines)
            if self._old:
                await self._types_old(machines)
            if "types" in habits and self._basket is not None and rng.random() < 0.5:
                await self._types(machines, self._basket)
            elif "near" in habits:
                machines.nfc(code)
            else:
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
            if now - since > 30.0 and rng.random() < 0.2:
                store.lane_watch.presses(machines)
            if "changes_lane" in habits and now - since > self._patience_s:
                habits.discard("changes_lane")
                return False

    async def _types(self, machines: LaneMachines, basket: Basket) -> None:
        try:
            machines.keypad(await basket.number(self._sale))
        except TimeoutError:
            await asyncio.sleep(1.0)

    async def _guesses(self, machines: LaneMachines) -> None:
        """Tries numbers that might be somebody's."""
        for _ in range(GUESSES):
            body = f"{self._rng.randrange(10 ** (exit_digits.DIGITS - 1)):0{exit_digits.DIGITS - 1}d}"
            machines.keypad(body + exit_digits.check_digit(body))
            await asyncio.sleep(0.4)

    async def _types_old(self, machines: LaneMachines) -> None:
        """The number that her terminal showed long ago."""
        self._store.truth.old_numbers.add(self._old)
        self._store.truth.counts["old numbers typed"] += 1
        machines.keypad(self._old)
        self._old = ""
        await asyncio.sleep(self._rng.uniform(2.0, 5.0))

    async def _dawdles(self, basket: Basket) -> None:
        """Reads her number, and goes to the exit when it has become old."""
        try:
            self._old = await basket.number(self._sale)
        except TimeoutError:
            return
        await asyncio.sleep(OLD_S)

    def _looks_at_display(self, machines: LaneMachines) -> None:
        """She holds her terminal's camera before a coupon's code that stands there, once."""
        agent, _, lane = machines.name.partition("-")
        coupon = self._store.agents[agent].shown(lane)
        if coupon and self.basket is not None and coupon not in self._read:
            self._read.add(coupon)
            if self._rng.random() < 0.8:
                self._store.world(self.basket.claims(coupon))
            if self._rng.random() < 0.2:  # somebody behind her looks over her shoulder
                self._store.world(self._store.onlooker.claims(coupon))

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
            self._looks_at_display(machines)
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
