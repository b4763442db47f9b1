"""What customers do, from the door to the gate and back: the whole way, over the real wires."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field

from firmware_sim.phone import PhoneError
from firmware_sim.shopper import Shopper
from firmware_sim.shopper_eyes import NotReadable
from instore.day.backstage import DayFailed
from instore.day.exits_books import Ledger
from instore.day.exits_files import OPEN_S
from instore.day.exits_lane import LaneFront
from instore.day.exits_oracle import Exit, amount_of
from instore.day.exits_script import By, Customer, Trip
from instore.day.exits_stage import ExitsStage

TRIES = 3
"""So often she holds her code up at one lane before she goes to another."""
SETTLED_S = 120.0
COUPON_S = 60.0
CROWD_A_LANE, CROWD = 3, 4
"""So many are in the store at once: the others come when one has left. A slow machine makes a longer day, and no other one."""


@dataclass(slots=True)
class Seen:
    """What people have seen themselves."""

    sales: dict[Exit, str] = field(default_factory=dict)
    """The sale of each exit."""
    out: dict[Exit, int] = field(default_factory=dict)
    """How often each customer has walked out with one sale."""
    promises: dict[Exit, str] = field(default_factory=dict)
    """Title of the coupon that the list promised at last, in Japanese; "" for none."""
    used: dict[Exit, int] = field(default_factory=dict)
    """How often a till has taken the coupon of an exit."""
    pictures: set[str] = field(default_factory=set)
    """Coupons that people have photographed on a lane's display."""
    trouble: list[str] = field(default_factory=list)
    stepped_back: int = 0
    given_up: int = 0
    """Trips that came to nothing."""


class People:
    """All customers of the day."""

    def __init__(self, stage: ExitsStage, ledger: Ledger, patience_s: float) -> None:
        self._stage, self._ledger, self._script = stage, ledger, stage.script
        self._patience_s = patience_s
        self.seen = Seen()
        self._room = asyncio.Semaphore(CROWD + CROWD_A_LANE * self._script.lanes)
        self._somebody_left = asyncio.Event()

    async def until_out(self, share: float) -> None:
        """Until this share of all customers is out, or stuck."""
        while self._over() < share * self._script.exits:
            self._somebody_left.clear()
            await self._somebody_left.wait()

    def _over(self) -> int:
        return sum(self.seen.out.values()) + self.seen.given_up

    async def live(self, customer: Customer, start: float) -> None:
        """Her whole day; what keeps her from going on is noted."""
        shopper = self._stage.shoppers.get(customer.key)
        for trip in customer.trips:
            await asyncio.sleep(max(0.0, start + trip.at_s - time.monotonic()))
            try:
                async with self._room:
                    await self._trip(customer, trip, shopper)
            except Exception as error:  # she is stuck; the others go on, and the summary names her
                self.seen.trouble.append(f"{customer.key} trip {trip.number}: {type(error).__name__}: {error}")
                self.seen.given_up += len(customer.trips) + 1 - trip.number
                return
            finally:
                self._somebody_left.set()

    async def _trip(self, customer: Customer, trip: Trip, shopper: Shopper | None) -> None:
        this = (customer.key, trip.number)
        if shopper is not None:
            shopper.on()
            await self._stage.beacons.call({"do": "add", "id": customer.key, "frame": customer.frame, "interval_ms": 400,
                                            "at": [0.5, 0.0]})  # fmt: skip
        try:
            sale, slip = await self._shop(this, trip, shopper)
            self.seen.sales[this] = sale
            await self._leave(this, trip, shopper if trip.on_terminal else None, slip)
            await self._settled(sale)
            await self._redeem(this, trip, shopper, sale)
        finally:
            if shopper is not None:
                await self._stage.beacons.call({"do": "remove", "id": customer.key})
                await shopper.off()

    # --- shopping

    async def _shop(self, this: Exit, trip: Trip, shopper: Shopper | None) -> tuple[str, str]:
        """The sale, and the exit code if a till has printed it."""
        if shopper is not None and trip.on_terminal:
            await self._fill(trip, shopper)
            promise = shopper.promise or {}
            self.seen.promises[this] = promise["title"]["ja"] if promise.get("holds") else ""
            return await shopper.pay(fails_first=trip.card_fails), ""
        sale = f"T-{this[0]}-{this[1]}"
        body = {"sale": sale, "amount_minor": amount_of(self._script, trip), "currency": "JPY", "paid_on": "settlement",
                "customer": shopper.customer if shopper is not None else None}  # fmt: skip
        answer = await self._stage.post("sales", body)
        return sale, str(answer["exit_code"])

    async def _fill(self, trip: Trip, shopper: Shopper) -> None:
        shopper.cart = None  # the list of her last coming is closed
        codes = [product.code for product in self._script.products]
        for product, pieces in trip.items:
            await shopper.add(codes[product], pieces)
        for product, pieces in trip.changes:
            await shopper.change(codes[product], pieces)

    # --- the exit

    async def _leave(self, this: Exit, trip: Trip, shopper: Shopper | None, slip: str) -> None:
        """Until she is out."""
        end, back = time.monotonic() + self._patience_s, trip.steps_back
        lane = self._stage.lanes[trip.lane]
        while True:
            async with lane.turn:
                await lane.begins()
                takes = shopper.claim if shopper is not None else self._photographed
                camera = asyncio.create_task(lane.reads_display(takes))
                try:
                    ended = await self._at_lane(trip, shopper, slip, lane, steps_back=back > 0)
                finally:
                    await _put_away(camera)
            if ended == "out":
                self.seen.out[this] = self.seen.out.get(this, 0) + 1
                return
            if ended == "back":
                back -= 1
                self.seen.stepped_back += 1
            if time.monotonic() > end:
                raise DayFailed(f"is not out after {self._patience_s:g} s; sale {self.seen.sales[this]}")
            lane = self._stage.lanes[(lane.number + 1) % len(self._stage.lanes)]

    async def _photographed(self, code: str) -> None:
        """Whom nobody knows has no terminal of the store's: a picture of the display is her coupon."""
        self.seen.pictures.add(code.removeprefix("COUPON:"))

    async def _at_lane(
        self, trip: Trip, shopper: Shopper | None, slip: str, lane: LaneFront, *, steps_back: bool
    ) -> str:
        """Her turn: she is "out", or has stepped "back" from the open gate, or it did "not" open."""
        for tried in range(TRIES):
            by = "picture" if tried else trip.by  # who has mistyped holds her picture up
            if not await self._opened(shopper, slip, lane, by):
                continue
            if steps_back:
                await lane.closes(OPEN_S + 2.0)
                return "back"
            if await lane.passes():
                return "out"
        return "not"

    async def _opened(self, shopper: Shopper | None, slip: str, lane: LaneFront, by: By) -> bool:
        """Whether the gate opens for her code; she may have none to show just now."""
        if shopper is None:
            return await lane.shows(slip)
        shown = await shopper.exit_code()
        if shown is None:  # a lane holds it
            await asyncio.sleep(0.5)
            return False
        if by == "keypad" and shown.get("digits"):
            return await lane.types(shown["digits"])
        if by == "nfc":
            return await lane.touches(shown["text"])
        return await lane.shows(shopper.on_screen(shown))

    # --- afterwards

    async def _settled(self, sale: str) -> None:
        """Before she comes again the hub knows that she has left; after an outage that takes a while."""
        end = time.monotonic() + SETTLED_S
        while not self._ledger.is_used(sale):
            if time.monotonic() > end:
                raise DayFailed(f"the hub does not know after {SETTLED_S:g} s that she has left; sale {sale}")
            await asyncio.sleep(0.25)

    async def _redeem(self, this: Exit, trip: Trip, shopper: Shopper | None, sale: str) -> None:
        """She comes to a till with her coupon, on paper or in her terminal."""
        if shopper is None or trip.redeem == "no":
            return
        coupon = await self._coupon(shopper, sale)
        if coupon is None:
            return
        tries = 2 if trip.redeem in ("again", "two_tills") else 1
        bodies = [{"sale": f"R-{this[0]}-{this[1]}-{number}", "customer": shopper.customer, "amount_minor": 5000}
                  for number in range(tries)]  # fmt: skip
        if trip.redeem == "two_tills":
            answers = await asyncio.gather(*(self._stage.redeem(coupon, body) for body in bodies))
        else:
            answers = [await self._stage.redeem(coupon, body) for body in bodies]
        self.seen.used[this] = sum(bool(answer.get("usable")) for answer in answers)

    async def _coupon(self, shopper: Shopper, sale: str) -> str | None:
        """The coupon that she has of this sale; None when it brought none that a till takes."""
        wanted = self._ledger.coupon_of(sale)
        if wanted is None:
            return None
        end = time.monotonic() + COUPON_S
        while wanted not in self._stage.slips and not shopper.has(wanted):  # a slip that fell is in her hand
            if time.monotonic() > end:
                raise DayFailed(f"coupon {wanted} of sale {sale} is neither on paper nor on her terminal")
            await asyncio.sleep(0.1)
        return wanted


async def _put_away(camera: asyncio.Task[None]) -> None:
    camera.cancel()
    with contextlib.suppress(
        asyncio.CancelledError, PhoneError, NotReadable
    ):  # what she could not read comes electronically
        await camera
