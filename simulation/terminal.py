"""A member's terminal: signed in at the hub's gateway, it keeps coupons, shows her list, and measures when it is asked.

It does what terminals do: it is out of range for a while, answers late, twice, for somebody else, with nonsense, or not at all. What
it measures is marked, so that it can be looked for everywhere (row C11).
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from contract import topics
from contract.envelope import Message, decode, encode, source_of
from contract.messages import BY_NAME
from contract.payloads import Cart, CouponKept, MemberCoupon, Readings, SensingAnswer, SensingRequest
from contract.payloads.base import Payload
from hub.database.consents import Purpose
from simulation.network import HOP_S
from simulation.socket import SimSocket

if TYPE_CHECKING:
    from simulation.store import Store

HABITS = {"flaky": 0.3, "late": 0.12, "silent": 0.08, "twice": 0.25, "for_another": 0.12, "out_of_range": 0.12, "as_text": 0.08,
          "refuses": 0.08, "withdraws": 0.12, "two_devices": 0.2}  # fmt: skip
LATE_S = (62.0, 90.0)
"""After the deadline, whatever is wrong with the hub's clock (25 s)."""


@dataclass(frozen=True)
class Member:
    """Who holds it. `session` is what the browser's cookie holds."""

    customer: str
    session: str
    habits: frozenset[str]


class Phone:
    """One terminal of a member."""

    def __init__(self, store: Store, member: Member, name: str) -> None:
        self._store, self.member, self.name = store, member, name
        self._rng = store.plan.rng(f"phone {name}")
        self.on = False
        self.since = 0.0
        """Since when it is connected."""
        self.coupons: dict[str, MemberCoupon] = {}
        self.cart: Cart | None = None
        self._socket: SimSocket | None = None
        self._answered: set[str] = set()
        self._ids = 0

    @property
    def connected(self) -> bool:
        return self._socket is not None and not self._socket.ended.is_set() and not self._socket.dark

    async def run(self) -> None:
        """Connects again and again, as long as its holder is in the store."""
        store, rng = self._store, self._rng
        self.on = True
        while self.on:
            await asyncio.sleep(0.2 + rng.random())
            if not self.on or not store.hub.alive or store.phones_cut:
                continue
            self._socket = socket = store.hub.terminal(rng, self.member.session, self._frame)
            self.since = store.loop.time()
            flaky = "flaky" in self.member.habits and rng.random() < 0.7
            try:
                async with asyncio.timeout(rng.uniform(2.0, 90.0) if flaky else None):
                    await socket.ended.wait()
            except TimeoutError:
                socket.hang_up(silently=rng.random() < 0.5)
                await asyncio.sleep(rng.uniform(0.5, 30.0))
            if self.on:
                await asyncio.sleep(1.0 + rng.random())

    def leave(self) -> None:
        """She goes home."""
        self.on = False
        if self._socket is not None:
            self._socket.hang_up(silently=self._rng.random() < 0.5)

    def cut(self) -> None:
        """Its line is gone."""
        if self._socket is not None:
            self._socket.hang_up(silently=True)

    # --- what it is told

    def _frame(self, frame: str) -> None:
        found = json.loads(frame)
        if "refused" in found:
            self._store.truth.counts[f"terminal refused {found['refused']}"] += 1
            return
        payload = json.dumps(found["message"]).encode()
        self._store.service.on_wire(found["topic"], payload)
        message = decode(found["topic"], payload)
        if message.ids["customer"] != self.member.customer:
            self._store.truth.breaks("to each her own", f"{self.name} was told {message.channel.name} of {message.ids}")
        match message.data:
            case SensingRequest() as request:
                self._asked(request)
            case MemberCoupon() as coupon:
                self._coupon(coupon)
            case Cart() as cart:
                self._shows(cart)

    def _coupon(self, coupon: MemberCoupon) -> None:
        known = self.coupons.get(coupon.coupon)
        if known is None or known.revision <= coupon.revision:
            self.coupons[coupon.coupon] = coupon
        self._store.service.coupon_told(self.member.customer, coupon)
        kept = CouponKept(coupon=coupon.coupon, customer=self.member.customer, revision=coupon.revision)
        self._say("coupon_kept", kept)

    def _shows(self, cart: Cart) -> None:
        if self.cart is None or self.cart.revision <= cart.revision:
            self.cart = cart

    def _asked(self, request: SensingRequest) -> None:
        service = self._store.service
        service.asked(self.member.customer, request)
        if request.request not in self._answered:
            self._answered.add(request.request)
            self._store.world(self._answers(request))

    # --- what it says

    async def _answers(self, request: SensingRequest) -> None:
        rng, habits, service = self._rng, self.member.habits, self._store.service
        if "silent" in habits:
            return
        if "withdraws" in habits:
            await self._withdraws()
        await asyncio.sleep(rng.uniform(*LATE_S) if "late" in habits else rng.uniform(0.5, 6.0))
        customer = request.customer
        if "refuses" in habits and rng.random() < 0.5:
            self._say("sensing_answer", SensingAnswer(request=request.request, customer=customer, refused="no_sensors"))
            return
        if "for_another" in habits:
            another = rng.choice([one for one in self._store.members if one != customer] or ["K9999"])
            readings, _ = service.measures(rng, None, self.member.customer)
            self._say("sensing_answer", SensingAnswer(request=request.request, customer=another, readings=readings),
                      customer=rng.choice([customer, another]))  # fmt: skip
        if habits & {"out_of_range", "as_text"} and rng.random() < 0.7:
            self._nonsense(request)
            return
        readings, note = service.measures(rng, request.request, customer)
        for _ in range(rng.choice([2, 3]) if "twice" in habits else 1):
            if self.connected and "late" not in habits:
                note()
            self._say("sensing_answer", SensingAnswer(request=request.request, customer=customer, readings=readings))
            await asyncio.sleep(rng.random())

    async def _withdraws(self) -> None:
        """She takes her consent back just before her terminal answers; from the hub's word on nothing may come of an answer."""
        customer = self.member.customer
        while customer not in self._store.service.withdrawn:
            try:
                await self._store.hub.ask(lambda _, tx: self._store.hub.withdraw(tx, customer, Purpose.SENSING))
            except TimeoutError:
                await asyncio.sleep(1.0)
            else:
                self._store.service.withdrawn[customer] = self._store.loop.time()

    def _nonsense(self, request: SensingRequest) -> None:
        """A heart that beats 5000 times a minute, or a number that is a text."""
        readings, _ = self._store.service.measures(self._rng, None, request.customer)
        answer = SensingAnswer(request=request.request, customer=request.customer, readings=readings)
        frame = json.loads(self._frame_of("sensing_answer", answer, request.customer))
        said: dict[str, Any] = frame["message"]["data"]["readings"]
        said["heart_rate_per_min"] = f"{said['heart_rate_per_min']}" if "as_text" in self.member.habits else (
            said["heart_rate_per_min"] * 50)  # fmt: skip
        self._send(json.dumps(frame))

    def _say(self, name: str, data: Payload, customer: str = "") -> None:
        self._send(self._frame_of(name, data, customer or self.member.customer))

    def _send(self, frame: str) -> None:
        if self._socket is not None and self.connected:
            self._socket.say(frame)

    def _frame_of(self, name: str, data: Payload, customer: str) -> str:
        self._ids += 1
        channel, ids = BY_NAME[name], {"customer": customer}
        message = Message(channel, ids, data, f"{self.name}.{self._ids}", source_of(channel, ids))
        topic = topics.topic(channel, self._store.name, **ids)
        return f'{{"topic":{json.dumps(topic)},"message":{encode(message).decode()}}}'


__all__ = ["HABITS", "HOP_S", "Member", "Phone", "Readings"]
