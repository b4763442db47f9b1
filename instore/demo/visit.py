"""One customer's visit, from the door to the street: what a person does, and what she waits for.

Each step is repeated as a person would repeat it: a code that the lane did not take is held over the reader again, a gate
that did not let her through is tried again. So a visit comes to its end whatever dies meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from instore.demo.record import Happening
from instore.demo.stage import Stage

PATIENCE_S = 60.0
"""A visit of the demo that takes longer has failed."""
TREATED_S = 4.0
"""So long she stays for a drink, and for a coupon; the demo's readings ask for one, her purchases for the other."""
STEP_S = 3.0
"""So long a person waits before she tries again or looks around."""


class Gone(RuntimeError):
    """The visit did not come to its end; the sentence says at which step."""


@dataclass(slots=True)
class Shopper:
    """A customer of the demo: her ID and name, her beacon, what she spends."""

    customer: str
    name: str
    beacon: str
    amount_minor: int
    good: bool


@dataclass(slots=True)
class Visit:
    """What was seen of one visit. `times` hold monotonic seconds."""

    shopper: Shopper
    sale: str
    scan: str | None = None
    times: dict[str, float] = field(default_factory=dict)


class Play:
    """Plays visits on a stage. `pace_s`: how long a customer takes for each thing she does, for those who watch."""

    def __init__(self, stage: Stage, *, pace_s: float = 0.0) -> None:
        self._stage = stage
        self._pace_s = pace_s
        self._record = stage.record
        self._sales = 0

    async def visit(self, shopper: Shopper, *, arrive: Callable[[], Any]) -> Visit:
        """A whole visit; `arrive` brings her into reach of the entrance. Raises Gone."""
        self._sales += 1
        visit = Visit(shopper, f"S{int(time.time())}-{self._sales}")
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._arrive(visit, arrive)
                if shopper.good:
                    await self._be_served(visit)
                await asyncio.sleep(2 * self._pace_s)
                code = await self._pay(visit)
                await asyncio.sleep(self._pace_s)
                await self._scan(visit, code)
                while not await self._leave(visit):  # the gate lost its power, say: a person holds the code up again
                    await self._scan(visit, code)
        except TimeoutError:
            raise Gone(f"{shopper.customer} got no further than {list(visit.times)[-1:] or ['the street']} within "
                       f"{PATIENCE_S:g} s; missing: {self._stage.missing() or 'nothing'}") from None  # fmt: skip
        finally:
            await self._stage.vanish(shopper.customer)
        return visit

    async def _until(self, wanted: Callable[[Happening], bool], again: Callable[[], Any] | None = None) -> Happening:
        """Wait for a happening; every few seconds look at the hub's trace and do something `again`."""
        while True:
            found = await self._record.wait(wanted, STEP_S)
            if found is not None:
                return found
            await self._stage.catch_up()
            if (found := self._record.find(wanted)) is not None:
                return found
            if again is not None:
                await again()

    async def _arrive(self, visit: Visit, arrive: Callable[[], Any]) -> None:
        began = time.monotonic()
        await arrive()
        seen = await self._until(
            lambda h: h.type == "instore.sighting.v1" and h.mono >= began and _concerns(h, visit.shopper.beacon)
        )
        visit.times["sighting"] = seen.mono

    async def _be_served(self, visit: Visit) -> None:
        who, began = visit.shopper.customer, visit.times["sighting"] - 1

        def asked(*states: str) -> Callable[[Happening], bool]:
            def matches(h: Happening) -> bool:
                data = h.message.get("data") or {}
                return (h.type == "instore.alert.v1" and h.mono >= began and data.get("state") in states
                        and data.get("kind") == "service_request" and data.get("customer", {}).get("customer") == who)  # fmt: skip

            return matches

        def accepted(h: Happening) -> bool:
            """Told by the request itself, or by the hub's trace of an answer that nobody here heard."""
            recovered = h.type == "instore.alert.answer.v1" and h.mono >= began and bool(h.extra.get("recovered"))
            said, of = str(h.message.get("summary")), str(h.message.get("visit"))
            return asked("accepted")(h) or (recovered and ": accept" in said and of.endswith(f".{who}"))

        first = await self._until(lambda h: asked("offered", "accepted")(h) or accepted(h))
        visit.times["alert"] = first.mono
        visit.times["accepted"] = (await self._until(accepted)).mono
        await self._be_treated(visit)

    async def _be_treated(self, visit: Visit) -> None:
        """Her phone says how she is, a clerk brings what helps, and a coupon comes. She does not wait for long."""
        who, began = visit.shopper.customer, visit.times["sighting"] - 1

        def happened(type_: str, **wanted: str) -> Callable[[Happening], bool]:
            def matches(h: Happening) -> bool:
                data = h.message.get("data") or {}
                whose = data.get("customer")
                whose = whose.get("customer") if isinstance(whose, dict) else whose
                said = all(data.get(name) == value for name, value in wanted.items())
                return h.type == type_ and h.mono >= began and said and whose == who

            return matches

        for wanted in (happened("instore.alert.v1", kind="special_treatment", state="accepted"),
                       happened("instore.coupon.issued.v1", state="offered")):  # fmt: skip
            await self._record.wait(wanted, TREATED_S)

    async def _pay(self, visit: Visit) -> str:
        while True:
            code = await self._stage.pay(visit.sale, visit.shopper.customer, visit.shopper.amount_minor)
            if code is not None:
                visit.times["paid"] = time.monotonic()
                return code
            await asyncio.sleep(0.3)  # the till tries again

    async def _scan(self, visit: Visit, code: str) -> None:
        async def show() -> None:
            await self._stage.reader.call({"do": "present", "code": code})

        def scanned(h: Happening) -> bool:
            data = h.message.get("data") or {}
            summary = str(h.message.get("summary", ""))
            ours = data.get("sale") == visit.sale or visit.sale in summary
            return h.type == "instore.lane.scan.v1" and ours and h.mono >= visit.times["shown"]

        visit.times["shown"] = time.monotonic()
        await self._stage.reader.there.wait()
        await show()
        seen = await self._until(scanned, show)
        visit.scan, visit.times["scan"] = str(seen.message["id"]), seen.mono

    async def _leave(self, visit: Visit) -> bool:
        """Whether she got through. If not, her code is good still: the gate lost its power, or nobody saw for too long whether she
        stood there."""

        def of_lane(kind: str) -> Callable[[Happening], bool]:
            def matches(h: Happening) -> bool:
                data = h.message.get("data") or {}
                ours = data.get("scan") == visit.scan or bool(h.extra.get("recovered"))
                return h.type == f"instore.{kind}.v1" and h.mono >= visit.times["shown"] and ours

            return matches

        async def walk() -> None:
            await self._stage.gate.call({"do": "walk", "direction": "exit", "wait_s": STEP_S})

        def in_vain(h: Happening) -> bool:
            return of_lane("lane.passage")(h) and passage_outcome(h) != "passed"

        ended = await self._until(lambda h: of_lane("lane.opened")(h) or in_vain(h))
        if in_vain(ended):
            return False
        visit.times["opened"] = time.monotonic()
        await asyncio.sleep(self._pace_s)
        await walk()
        passage = await self._until(of_lane("lane.passage"), walk)
        if passage_outcome(passage) != "passed":
            return False
        visit.times["passed"] = time.monotonic()
        await self._until(of_lane("incentive.settled"))
        visit.times["settled"] = time.monotonic()
        return True


def passage_outcome(happening: Happening) -> str:
    """How a passage ended, as the lane said it or as the hub noted it."""
    data = happening.message.get("data") or {}
    return str(data.get("outcome") or str(happening.message.get("summary")).partition(" ")[0])


def _concerns(happening: Happening, beacon: str) -> bool:
    data = happening.message.get("data") or {}
    if happening.extra.get("recovered"):
        return True
    return data.get("beacon") == beacon and data.get("event") == "arrived"
