"""Customers of a busy hour, and what they know themselves: each has paid, got out, or not. They see only the physical world (their
code, the gate before them) and the POS; they try again as people do."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.system.busy_store import BusyStage, Customer
from tests.system.store import ask

CAPTIVE_S = 60.0
"""Whoever stands before the gate with a good code so long after the last fault is held captive. (While a busy machine starts
programs more slowly than they are killed, nobody gets through.)"""
NOTICED_S = 60.0
"""A member stays until the hub knows that she came, and a VIP until a clerk has accepted; but no longer than this."""
TRY_S = 3.0
AGAIN_S = 2.2
"""A reader takes the same code within two seconds for one that is still held there."""


class Captive(Exception):
    """Somebody does not get out; the run ends here."""


@dataclass
class Told:
    """What one customer can tell afterwards. Times in seconds."""

    customer: Customer
    sale: str
    paid: bool = False
    code: str = ""
    out: bool = False
    turn_s: float = 0.0
    shown: int = 0
    wrong: list[str] = field(default_factory=list)


class People:
    """Plays all customers. `told` is what they can tell afterwards."""

    def __init__(self, stage: BusyStage, rng: Random, over_s: float, stays_s: tuple[float, float]) -> None:
        self._stage, self._rng, self._over_s, self._stays_s = stage, rng, over_s, stays_s
        self._lane = asyncio.Lock()
        self.told = [Told(customer, f"S{customer.number:04}") for customer in stage.customers]
        self.posted_twice = 0
        self.tried_again = 0

    async def run(self) -> None:
        """Until all have left."""
        rng = self._rng
        comes = sorted(rng.uniform(0, self._over_s) for _ in self.told)
        plans = [(at, told, rng.uniform(*self._stays_s), rng.random() < 0.1, rng.random() < 0.1, rng.random() < 0.1)
                 for at, told in zip(comes, self.told, strict=True)]  # fmt: skip
        async with asyncio.TaskGroup() as tasks:
            for plan in plans:
                tasks.create_task(self._visit(*plan))

    async def _visit(
        self, at: float, told: Told, stays_s: float, posts_twice: bool, shows_twice: bool, again: bool
    ) -> None:
        await asyncio.sleep(at)
        customer = told.customer
        if customer.beacon is not None:
            await self._stage.appear(f"c{customer.number}", customer.beacon, (0.4, 0.0))
        await asyncio.sleep(stays_s)
        await self._noticed(customer)
        await self._pay(told)
        if posts_twice:
            self.posted_twice += 1
            await self._pay(told)
        async with self._lane:
            await self._leave(told, shows_twice)
            if told.out and again:
                self.tried_again += 1
                await self._try_again(told)
        if customer.beacon is not None:
            await self._stage.vanish(f"c{customer.number}")

    async def _noticed(self, customer: Customer) -> None:
        sql = (
            f"SELECT (SELECT count(*) FROM alert WHERE customer = '{customer.id}' AND holder IS NOT NULL)"
            f" + (SELECT count(*) FROM trace WHERE visit LIKE '%{customer.id}' AND id LIKE '%.late')"
        )
        if not customer.vip:
            sql = f"SELECT count(*) FROM visit WHERE customer = '{customer.id}'"
        end = time.monotonic() + NOTICED_S
        while customer.member and time.monotonic() < end and not self._stage.look("hub", sql):  # noqa: ASYNC110  # one looks around
            await asyncio.sleep(0.3)

    # --- the POS

    async def _pay(self, told: Told) -> None:
        """The till posts until it has an answer."""
        amount = told.customer.amount_minor
        body: dict[str, Any] = {"sale": told.sale, "amount_minor": amount, "currency": "JPY", "paid_on": "terminal"}
        if told.customer.id is not None:
            body["customer"] = told.customer.id
        while True:
            status, answer = await ask(
                f"{self._stage.layout.hub_url}/api/v1/sales", body=body, key=self._stage.layout.api_key
            )
            if status in (200, 201):
                break
            if status not in (0, 503):
                told.wrong.append(f"the POS got {status} {answer}")
                return
            await asyncio.sleep(0.5)
        if told.code and told.code != answer["exit_code"]:
            told.wrong.append("the same sale brought another exit code")
        told.paid, told.code = True, answer["exit_code"]

    # --- the lane

    async def _leave(self, told: Told, shows_twice: bool) -> None:
        exits = int((await self._gate_is("closed", "fault"))["exits"])
        began = time.monotonic()
        while not told.out:
            if time.monotonic() - max(began, self._stage.last_fault) > CAPTIVE_S:
                raise Captive(f"customer {told.customer.number} is captive: {CAPTIVE_S:g} s after the last fault, her code was "
                              f"shown {told.shown} times")  # fmt: skip
            await self._show(told)
            if shows_twice:
                await self._show(told)
            walked = await self._stage.gate.call({"do": "walk", "direction": "exit", "wait_s": TRY_S})
            told.out = bool(walked.get("passed")) or int((await self._gate_is())["exits"]) > exits
        told.turn_s = time.monotonic() - began
        await self._gate_is("closed", "fault")

    async def _show(self, told: Told) -> None:
        await self._stage.reader.there.wait()
        reply = await self._stage.reader.call({"do": "present", "code": told.code})
        told.shown += "error" not in reply

    async def _try_again(self, told: Told) -> None:
        """Somebody else, with a picture of her code: nobody may get through. Two people see each other, so not at once."""
        exits = int((await self._gate_is("closed", "fault"))["exits"])
        await asyncio.sleep(AGAIN_S)
        await self._show(told)
        await self._stage.gate.call({"do": "walk", "direction": "exit", "wait_s": 1.5})
        if int((await self._gate_is("closed", "fault"))["exits"]) != exits:
            told.wrong.append("somebody got out with her code after her")

    async def _gate_is(self, *states: str) -> dict[str, Any]:
        """The gate as one sees it, once it is there and in one of these states."""
        while True:
            await self._stage.gate.there.wait()
            seen = await self._stage.gate.call({"do": "state"})
            if "error" not in seen and (not states or seen["state"] in states):
                return seen
            await asyncio.sleep(0.05)
