"""A simulated member who shops: everything she does goes over the member page's real API, as her terminal sends it.

Her terminal is a `firmware_sim.phone.Phone`. What it sends carries an ID of its own, so a hub that is away, or an answer that is
lost, is met by sending the same again; she is patient for `patience_s`. Codes she reads with a camera
(`firmware_sim.shopper_eyes`): on packages, on a lane's display, and her own exit code as a lane's reader sees it on her screen.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from random import Random
from typing import Any

from contract.envelope import decode
from contract.errors import ContractError
from firmware_sim.phone import Phone, PhoneError
from firmware_sim.phones_http import Answer, HttpFailed, Site
from firmware_sim.shopper_eyes import NotReadable, on_screen, package, read

__all__ = ["Shopper", "Stuck"]

Json = dict[str, Any]
AGAIN_S = 0.3
LOOKS = 20
_TRY_AGAIN = frozenset({429, 500, 502, 503, 504})


class Stuck(PhoneError):
    """She can't go on: the hub refuses what it should take, or was away for longer than she waits."""


class Shopper(Phone):
    """`customer` and `session` come by `register` or `sign_in`, as for every phone. Counts `photos`, `blurred`, `retries`."""

    def __init__(
        self, name: str, site: Site, tell: Callable[[Json], None], rng: Random, *, patience_s: float = 180.0
    ) -> None:
        super().__init__(name, site, tell, rng)
        self._dice, self._commands = rng, itertools.count(1)
        self.patience_s = patience_s
        self.cart: Json | None = None
        """Her list as the hub has last told it."""

    # --- her list

    async def photograph(self, ean13: str) -> str:
        """The code on a package, read with the camera; held up again until it is sharp. Raises Stuck."""
        for _ in range(LOOKS):
            self.counters["photos"] += 1
            try:
                return read(package(ean13, self._dice))
            except NotReadable:
                self.counters["blurred"] += 1
        raise Stuck(f"{self.name}: the code of {ean13} can't be read")

    async def add(self, ean13: str, quantity: int = 1) -> None:
        """Photograph a package and put so many on the list. Raises Stuck."""
        code = await self.photograph(ean13)
        await self._change("cart/add", product=code, quantity=quantity)

    async def change(self, product: str, quantity: int) -> None:
        """Another quantity; 0 takes it off the list. Raises Stuck."""
        await self._change("cart/quantity", product=product, quantity=quantity)

    async def _change(self, path: str, **form: Any) -> None:
        await self._take(await self._patiently("POST", path, {"command": self._command(), **form}))

    async def look(self) -> Json | None:
        """Her list as it is now. Raises Stuck."""
        return await self._take(await self._patiently("GET", "cart"))

    @property
    def promise(self) -> Json | None:
        """What the list says of the coupon."""
        return (self.cart or {}).get("promise")

    # --- payment and exit

    async def pay(self, *, fails_first: bool = False) -> str:
        """Pay on the terminal with the simulated provider; the sale. Raises Stuck.

        `fails_first`: the card is refused once, and she tries again.
        """
        while True:
            cart = self.cart or await self.look()
            if cart is None:
                raise Stuck(f"{self.name}: there is nothing to pay")
            if cart["sale"] is not None:
                return str(cart["sale"])
            if cart["state"] == "open":
                form = {"command": self._command(), "cart": cart["cart"], "revision": cart["revision"]}
                cart = await self._take(await self._patiently("POST", "cart/pay", form))
            assert cart is not None
            outcome, fails_first = ("failed" if fails_first else "paid"), False
            await self._take(await self._patiently("POST", "cart/pay/simulate", {"payment": cart["payment"], "outcome": outcome}, also={409}))  # fmt: skip
            await self.look()

    async def exit_code(self) -> Json | None:
        """What she shows at the exit: `text`, `svg`, `digits` …; None while a lane holds it, or once it is used. Raises Stuck."""
        answer = await self._patiently("GET", "cart/exit")
        await self._take(answer)
        found: Json | None = answer.body.get("exit")
        return found

    @staticmethod
    def on_screen(shown: Json) -> str:
        """An exit code as a lane's reader sees it on her screen. Raises NotReadable."""
        return read(on_screen(shown["svg"]))

    @property
    def exit_state(self) -> str:
        """none, ready, read, used: of her newest list."""
        return str((self.cart or {}).get("exit_code", "none"))

    # --- coupons

    async def claim(self, code: str) -> None:
        """A coupon whose code stood on a lane's display is hers. Raises Stuck."""
        await self._patiently("POST", "coupons/claim", {"code": code})

    def has(self, coupon: str) -> bool:
        """Whether her terminal keeps it."""
        kept = self.coupons.get(coupon)
        return kept is not None and kept.state == "offered"

    # --- the wire

    def _command(self) -> str:
        return f"{self.name}.{self._dice.getrandbits(32):x}.{next(self._commands)}"

    async def _take(self, answer: Answer) -> Json | None:
        self.cart = answer.body.get("cart")
        return self.cart

    async def _patiently(
        self, method: str, path: str, body: Any = None, also: frozenset[int] | set[int] = frozenset()
    ) -> Answer:
        """The same again until the hub takes or refuses it; `also` are refusals that are no surprise. Raises Stuck."""
        end = asyncio.get_running_loop().time() + self.patience_s
        while True:
            try:
                answer = await self.site.ask(method, path, body, {"instore_member": self.session})
            except HttpFailed as failed:
                why = str(failed)
            else:
                if answer.status < 400 or answer.status in also:
                    return answer
                why = f"{path} was answered with {answer.status}: {str(answer.body)[:300]}"
                if answer.status not in _TRY_AGAIN:
                    raise Stuck(f"{self.name}: {why}")
            if asyncio.get_running_loop().time() >= end:
                raise Stuck(f"{self.name}: {why}, for {self.patience_s:g} s")
            self.counters["retries"] += 1
            await asyncio.sleep(AGAIN_S * (0.5 + self._dice.random()))

    def _hear(self, frame: str | bytes) -> None:
        """Her list comes over the same connection as coupons."""
        cart = _cart(frame)
        if cart is None:
            super()._hear(frame)
        elif cart["customer"] != self.customer:
            self._say_that("not_mine", id=cart["cart"])
        elif self.cart is None or cart["revision"] >= self.cart["revision"]:
            self.cart = cart


def _cart(frame: str | bytes) -> Json | None:
    try:
        read_frame = json.loads(frame)
        if read_frame["message"]["type"] != "instore.cart.v1":
            return None
        return decode(read_frame["topic"], json.dumps(read_frame["message"]).encode()).data.model_dump(mode="json")
    except (ValueError, KeyError, TypeError, ContractError):
        return None
