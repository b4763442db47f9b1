"""The script of a day of exits: who shops, what she buys, how she pays and leaves, and what goes wrong meanwhile. Pure, by seed.

Store time runs `speed` times as fast as the clock: ten minutes of the store are ten seconds at 60. What devices and programs do
takes the time that it takes.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

LANES_MAX = 16
LANES_AN_AGENT = 2
PER_EXIT_S = 0.8
"""One lane lets a customer out in so long, on average, when all is well."""
SHORTEST_S = 6.0
STORE_MINUTE_S = 60.0
PRICES = (90, 128, 150, 198, 240, 298, 398, 480, 680, 980, 1480, 2980, 5400)
UUID = "f7826da6-4fa2-4e98-8024-bc5b71e0893e"

Redeem = Literal["no", "once", "again", "two_tills"]
"""What she does with the coupon at her next coming: nothing; uses it; tries a second time; two tills take it at one moment."""
By = Literal["picture", "keypad", "nfc"]
Kind = Literal["paper_out", "printer_power", "gate_stuck", "agent_killed", "hub_away"]


@dataclass(frozen=True, slots=True)
class Product:
    """Something on the shelf."""

    code: str
    name: str
    price_minor: int


@dataclass(frozen=True, slots=True)
class Trip:
    """Once through the store. `items`: (product, pieces); `changes`: what she changes in her list before she pays."""

    number: int
    at_s: float
    lane: int
    items: tuple[tuple[int, int], ...]
    changes: tuple[tuple[int, int], ...]
    on_terminal: bool
    card_fails: bool
    steps_back: int
    """So often she shows her code and does not pass, and comes back later."""
    by: By
    """How her code comes to the lane: the picture on her screen, the number typed at the keypad, her phone held near."""
    redeem: Redeem

    def pieces(self) -> dict[int, int]:
        """What she pays: pieces by product."""
        found: dict[int, int] = {}
        for product, pieces in self.items:
            found[product] = found.get(product, 0) + pieces
        found |= dict(self.changes)
        return {product: pieces for product, pieces in found.items() if pieces}


@dataclass(frozen=True, slots=True)
class Customer:
    """`member`: she has a terminal; else nobody knows her, and the till prints her exit code."""

    key: str
    name: str
    language: str
    member: bool
    frame: str
    """Her beacon."""
    trips: tuple[Trip, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something goes wrong at `at_s`, by the share of the day's customers who are out, and is mended `for_s` later. `lane` is where; an agent's fault is at its lanes."""

    at_s: float
    kind: Kind
    lane: int
    for_s: float


@dataclass(frozen=True, slots=True)
class ExitsScript:
    """The day."""

    seed: int
    lanes: int
    speed: float
    length_s: float
    products: tuple[Product, ...]
    customers: tuple[Customer, ...]
    faults: tuple[Fault, ...]

    @property
    def exits(self) -> int:
        return sum(len(customer.trips) for customer in self.customers)


def agent_of(lane: int) -> int:
    """Which agent drives a lane; both count from 0."""
    return lane // LANES_AN_AGENT


def exits(seed: int, count: int, lanes: int, *, faults: bool, speed: float = 60.0) -> ExitsScript:
    """A day with so many exits."""
    rng = random.Random(f"exits {seed}")
    length_s = max(SHORTEST_S, PER_EXIT_S * count / lanes)
    products = tuple(_product(rng, number) for number in range(1, 61))
    customers: list[Customer] = []
    left = count
    while left:
        trips = min(left, rng.choices([1, 2, 3, 4], [0.25, 0.3, 0.3, 0.15])[0])
        customers.append(_customer(rng, len(customers) + 1, trips, length_s, lanes))
        left -= trips
    wrong = tuple(_faults(rng, count, lanes, length_s, speed)) if faults else ()
    return ExitsScript(seed, lanes, speed, length_s, products, tuple(customers), wrong)


def _product(rng: random.Random, number: int) -> Product:
    digits = f"49{number:04}{rng.randrange(10**6):06}"
    check = -sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits))) % 10
    return Product(f"{digits}{check}", f"商品{number}", rng.choice(PRICES))


def _customer(rng: random.Random, number: int, trips: int, length_s: float, lanes: int) -> Customer:
    member = rng.random() < 0.85
    times = sorted(rng.uniform(0, length_s * 0.95) for _ in range(trips))
    return Customer(
        key=f"s{number:05}",
        name=f"{rng.choice('佐鈴高田伊山中小加吉')}{rng.choice('藤木橋村本野')} {rng.choice('花和由美恵真')}{number}",
        language=rng.choice(["ja", "ja", "en"]),
        member=member,
        frame=f"ibeacon:{UUID}:2:{number}",
        trips=tuple(_trip(rng, place, at_s, lanes, member=member) for place, at_s in enumerate(times, 1)),
    )


def _trip(rng: random.Random, number: int, at_s: float, lanes: int, *, member: bool) -> Trip:
    items = tuple((rng.randrange(60), rng.choice([1, 1, 1, 2, 3])) for _ in range(rng.choice([1, 2, 2, 3])))
    bought = sorted({product for product, _ in items})
    changes: tuple[tuple[int, int], ...] = ()
    if rng.random() < 0.25:
        product = rng.choice(bought)
        changes = ((product, rng.choice([0, 4]) if len(bought) > 1 else 4),)
    return Trip(
        number=number,
        at_s=at_s,
        lane=rng.randrange(lanes),
        items=items,
        changes=changes,
        on_terminal=member and rng.random() < 0.75,
        card_fails=rng.random() < 0.05,
        steps_back=rng.choices([0, 1, 2], [0.94, 0.05, 0.01])[0],
        by=rng.choices(["picture", "keypad", "nfc"], [0.8, 0.1, 0.1])[0],  # type: ignore[arg-type]
        redeem=rng.choices(["no", "once", "again", "two_tills"], [0.4, 0.4, 0.1, 0.1])[0],  # type: ignore[arg-type]
    )


def _faults(rng: random.Random, count: int, lanes: int, length_s: float, speed: float) -> list[Fault]:
    """Something of everything, and more of what is likelier. The hub is away for ten minutes of the store's time."""
    minute_s = STORE_MINUTE_S / speed
    often: list[tuple[Kind, float, float]] = [
        ("paper_out", 2.0, 5 * minute_s), ("printer_power", 1.0, 0.5), ("gate_stuck", 1.5, 5 * minute_s),
        ("agent_killed", 1.0, 0.0),
    ]  # fmt: skip
    found = [Fault(rng.uniform(0.05, 0.95) * length_s, kind, rng.randrange(lanes), rng.uniform(0.5, 1.5) * for_s)
             for kind, per_hundred, for_s in often for _ in range(max(1, round(per_hundred * count / 100)))]  # fmt: skip
    away = max(1, count // 500)
    for number in range(away):
        at_s = length_s * (number + rng.uniform(0.2, 0.6)) / away
        found.append(Fault(at_s, "hub_away", 0, 10 * minute_s))
    return sorted(found, key=lambda fault: fault.at_s)
