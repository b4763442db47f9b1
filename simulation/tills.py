"""Settlement devices: a till reads the code of her list, takes the money and posts the sale that names it (row B4).

Two tills have one list, she changes it meanwhile or begins to pay on her terminal, a code is mistyped, an answer is lost: a list is
paid once, as it was when it was read, and who takes money for what is refused gives it back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

from delivery.engine import Tx
from hub.core import Hub
from hub.sale_shapes import CartRead, SalePost, SaleRefused

if TYPE_CHECKING:
    from simulation.store import Store

T = TypeVar("T")
Look = Callable[..., list[Any]]


class Tills:
    """Of one store. What is asked for is asked again until there is an answer."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._codes: dict[str, str] = {}
        """List by code, as tills have read it."""
        self.settled: dict[str, tuple[str, int]] = {}
        """By list: sale and amount that a till was told is taken."""

    async def settle(self, customer: str, code: str, rng: Random) -> tuple[str, int] | None:
        """She shows the code of her list at a till, or at two; the sale and its amount, or None: it is not paid so."""
        if rng.random() < 0.1:
            await self._mistyped(code, rng)
        second = None
        if rng.random() < 0.3:
            second = self._store.loop.create_task(
                self._at(customer, code, "till-2", Random(rng.random())), context=self._store.loop.outside
            )
        done = await self._at(customer, code, "till-1", rng)
        other = await second if second is not None else None
        return done or other

    async def _at(self, customer: str, code: str, till: str, rng: Random) -> tuple[str, int] | None:
        for n in range(3):
            try:
                read = await self._ask(lambda hub, tx: hub.settlement.look(tx, code), rng)
                self._check(read, code, customer)
                if read.state != "open":
                    return None
                await asyncio.sleep(rng.uniform(0.2, 6.0))
                return await self._sold(read, f"{read.cart}-{till}-{n}", till, rng)
            except SaleRefused as refused:  # nothing was taken: the money goes back
                self._store.truth.counts[f"sale refused {refused.kind}"] += 1
                if refused.kind != "cart_changed":
                    return None
        return None

    async def _sold(self, read: CartRead, sale: str, till: str, rng: Random) -> tuple[str, int]:
        post = SalePost(sale=sale, amount_minor=read.total_minor, currency=read.currency, paid_on="settlement", device=till,
                        cart=read.cart, cart_revision=read.revision)  # fmt: skip
        for _ in range(2 if rng.random() < 0.15 else 1):
            taken = await self._ask(lambda hub, tx: hub.settlement.post(tx, post, till), rng)
        known = self.settled.setdefault(read.cart, (taken.sale, read.total_minor))
        if known[0] != taken.sale:
            self._store.truth.breaks("a list is paid once", f"{read.cart} is {known[0]} and {taken.sale}")
        self._store.truth.counts["lists settled"] += 1
        return taken.sale, read.total_minor

    def _check(self, read: CartRead, code: str, customer: str) -> None:
        if self._codes.setdefault(code, read.cart) != read.cart:
            self._store.truth.breaks("a code is one list's", f"{code} is {read.cart} and {self._codes[code]}")
        if read.customer != customer:
            self._store.truth.breaks("to each her own", f"the code of {customer} is the list of {read.customer}")

    async def _mistyped(self, code: str, rng: Random) -> None:
        """One digit is another, or two beside one another are exchanged."""
        at = rng.randrange(len(code) - 1)
        other = f"{code[:at]}{(int(code[at]) + rng.randint(1, 9)) % 10}{code[at + 1 :]}"
        swapped = f"{code[:at]}{code[at + 1]}{code[at]}{code[at + 2 :]}"
        wrong = other if rng.random() < 0.5 or swapped == code else swapped
        try:
            read = await self._ask(lambda hub, tx: hub.settlement.look(tx, wrong), rng)
        except SaleRefused:
            return
        self._store.truth.breaks("a code is one list's", f"{wrong}, mistyped for {code}, is {read.cart}")

    async def _ask(self, act: Callable[[Hub, Tx], T], rng: Random) -> T:
        while True:
            try:
                return await self._store.hub.ask(act)
            except TimeoutError:
                await asyncio.sleep(1.0 + rng.random())


def wrong(look: Look, tills: Tills) -> Iterator[str]:
    """At the end: lists are paid by the sale that a till was told, for what stood on them, and are hers."""
    sql = (
        "SELECT cart.cart, sale.sale, sale.amount_minor, cart.customer = sale.customer, "
        "(SELECT sum(price_minor * quantity) FROM cart_line WHERE cart_line.cart = cart.cart) "
        "FROM cart JOIN sale USING (sale) WHERE sale.paid_on = 'settlement'"
    )
    booked = {}
    for cart, sale, amount, hers, listed in look(sql):
        booked[cart] = sale, amount
        if not hers:
            yield f"list {cart} and its sale {sale} are of two customers"
        if amount != listed:
            yield f"list {cart} comes to {listed}, it was paid with {amount}"
    if booked != tills.settled:
        yield f"tills were told {sorted(tills.settled.items() - booked.items())}, booked {sorted(booked.items() - tills.settled.items())}"
