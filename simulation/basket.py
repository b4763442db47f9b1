"""A member's list on her terminal, its payment with a provider that calls back late, twice or wrong, and coupons at tills."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, TypeVar

from contract import payloads
from delivery.engine import Tx
from hub.core import Hub
from hub.database.payments import PaymentRow
from hub.giving.claiming import Claiming, ClaimRefused
from hub.offers.redeeming import RedeemPost
from hub.shopping.cart import CartRefused
from hub.shopping.carts import Command
from hub.shopping.payments import PaymentRefused
from simulation.members import PRODUCTS
from simulation.stock import PAYMENT_S

if TYPE_CHECKING:
    from simulation.store import Store

T = TypeVar("T")
CURRENCY = "JPY"
STRANGER = "K0000"
"""Somebody else who holds up her coupon."""


class Basket:
    """One member's shopping. What is asked for is asked again until there is an answer."""

    def __init__(self, store: Store, customer: str, rng: Random) -> None:
        self._store, self._customer, self._rng = store, customer, rng
        self._ids = 0

    async def bought(self) -> tuple[str, int]:
        """Until a list is paid: its sale and amount."""
        while True:
            try:
                cart = await self._filled()
                row = await self._begun(cart)
            except CartRefused as refused:
                self._store.truth.counts[f"cart refused {refused.kind}"] += 1
                await asyncio.sleep(2.0)
                continue
            if (sale := await self._paid(row)) is not None:
                return sale, row.amount_minor

    async def settled(self) -> tuple[str, int]:
        """Until a list is paid at a till: its sale and amount."""
        while True:
            try:
                cart = await self._filled()
                code = await self._until_answered(lambda hub, tx: hub.settlement.code(tx, self._customer))
            except CartRefused as refused:
                self._store.truth.counts[f"cart refused {refused.kind}"] += 1
                await asyncio.sleep(2.0)
                continue
            meddling = self._store.world(self._meddles(cart)) if self._rng.random() < 0.3 else None
            done = await self._store.tills.settle(self._customer, code, self._rng)
            if meddling is not None:
                await meddling
            if done is not None:
                return done

    async def _meddles(self, cart: payloads.Cart) -> None:
        """While a till takes the money she puts something more on the list, or begins to pay on her terminal and goes back."""
        await asyncio.sleep(self._rng.uniform(0.2, 5.0))
        try:
            if self._rng.random() < 0.5:
                code = self._rng.choice(sorted(PRODUCTS))
                await self._take(Command(self._id(), "add", cart.cart, code, 1))
            else:
                row = await self._begun(cart)
                await asyncio.sleep(self._rng.uniform(0.2, 5.0))
                await self._until_answered(lambda hub, tx: hub.payments.cancel(tx, self._customer, row.payment))
        except CartRefused as refused:
            self._store.truth.counts[f"cart refused {refused.kind}"] += 1

    async def exit_code(self, sale: str) -> str:
        """The code as the terminal shows it now: short-lived. Raises TimeoutError."""
        lifetime_s = self._store.hub.settings.shopping.exit_code_s
        _, text = await self._store.hub.ask(lambda hub, tx: hub.purchases.exit_code(tx, sale, lifetime_s), 1.0)
        return text

    async def number(self, sale: str) -> str:
        """The number that stands for that code, to be typed. Raises TimeoutError."""
        lifetime_s = self._store.hub.settings.shopping.exit_code_s
        return await self._store.hub.ask(
            lambda hub, tx: hub.exit_numbers.of(tx, hub.purchases.exit_code(tx, sale, lifetime_s)[0]), 1.0
        )

    async def claims(self, coupon: str) -> None:
        """Her terminal's camera has read a coupon's code from a lane's display."""
        for _ in range(5):
            try:
                await self._store.hub.ask(
                    lambda hub, tx: Claiming(hub.giving, hub.counters).claim(tx, self._customer, f"COUPON:{coupon}")
                )
            except TimeoutError:
                await asyncio.sleep(1.0)
            except ClaimRefused as refused:
                self._store.truth.counts[f"claim refused {refused.kind}"] += 1
                return
            else:
                self._store.truth.counts["coupons claimed"] += 1
                return

    async def _filled(self) -> payloads.Cart:
        rng, cart = self._rng, None
        for code in rng.sample(sorted(PRODUCTS), rng.randint(1, 2)):
            command = Command(self._id(), "add", None, code, rng.randint(1, 3))
            cart = await self._take(command)
            if rng.random() < 0.2:  # sent again: an answer was lost, or she has tapped twice
                again = await self._take(command)
                if again is None or cart is None or again.total_minor != cart.total_minor:
                    self._store.truth.breaks("a command counts once", f"{command} changed {cart} to {again}")
            await asyncio.sleep(rng.uniform(0.2, 3.0))
        assert cart is not None
        if rng.random() < 0.2:
            cart = await self._take(Command(self._id(), "quantity", cart.cart, cart.lines[0].product, 2))
            assert cart is not None
        return cart

    async def _take(self, command: Command) -> payloads.Cart | None:
        return await self._until_answered(lambda hub, tx: hub.carts.take(tx, self._customer, command))

    async def _begun(self, cart: payloads.Cart) -> PaymentRow:
        command = self._id()
        return await self._until_answered(
            lambda hub, tx: hub.payments.begin(tx, self._customer, command, cart.cart, cart.revision)
        )

    # --- the provider

    async def _paid(self, row: PaymentRow) -> str | None:
        """What becomes of a payment; None: it came to nothing, and the list is open again."""
        rng, chance, service = self._rng, self._rng.random(), self._store.service
        await asyncio.sleep(rng.uniform(0.5, 8.0))
        if chance < 0.08:  # the customer goes back, and the provider calls all the same
            await self._until_answered(lambda hub, tx: hub.payments.cancel(tx, self._customer, row.payment))
        elif chance < 0.16:
            await asyncio.sleep(PAYMENT_S + rng.uniform(-3.0, 10.0))
        elif chance < 0.22 and await self._confirmed(row, row.amount_minor + 1):
            self._store.truth.breaks("the books balance", f"payment {row.payment} was taken for another amount")
        if chance > 0.85:  # twice, at the same time
            first = self._store.world(self._repeated(row))
            sale = await self._confirmed(row, row.amount_minor)
            await first
        else:
            sale = await self._confirmed(row, row.amount_minor)
        if sale is None:
            service.given_back.add(row.payment)
            return None
        service.paid[row.payment] = row.amount_minor
        return sale

    async def _repeated(self, row: PaymentRow) -> None:
        await self._confirmed(row, row.amount_minor)

    async def _confirmed(self, row: PaymentRow, amount_minor: int) -> str | None:
        """The sale; None: refused, so that the money goes back."""
        try:
            done = await self._until_answered(
                lambda hub, tx: hub.payments.confirm(tx, row.payment, amount_minor, CURRENCY)
            )
        except PaymentRefused as refused:
            self._store.truth.counts[f"payment refused {refused.kind}"] += 1
            return None
        return done.sale

    async def _until_answered(self, act: Callable[[Hub, Tx], T]) -> T:
        while True:
            try:
                return await self._store.hub.ask(act)
            except TimeoutError:
                await asyncio.sleep(1.0)

    def _id(self) -> str:
        self._ids += 1
        return f"{self._customer}-{self._ids}"


async def redeem(store: Store, coupon: str, customer: str | None, rng: Random, sale: str) -> None:
    """A coupon at a till, or at two tills at once."""
    tills = ["pos-1", "pos-2"] if rng.random() < 0.4 else ["pos-1"]
    others = [store.world(_at(store, coupon, customer, f"{sale}-{till}", till)) for till in tills[1:]]
    await _at(store, coupon, customer, f"{sale}-{tills[0]}", tills[0])
    for other in others:
        await other


async def _at(store: Store, coupon: str, customer: str | None, sale: str, till: str) -> None:
    post = RedeemPost(sale=sale, customer=customer)
    while True:  # a till that gets no answer asks again
        try:
            state = await store.hub.ask(lambda hub, tx: hub.redeeming.redeem(tx, coupon, post, till))
        except TimeoutError:
            await asyncio.sleep(1.0)
            continue
        store.truth.counts[f"coupon {state.reason}"] += 1
        if state.usable and customer == STRANGER:
            store.truth.breaks("a coupon is hers", f"{coupon} was taken from somebody else")
        if state.usable:
            store.service.used(coupon, sale, till)
        return
