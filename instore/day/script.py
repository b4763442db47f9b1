"""The script of a day: who the customers are, what they bought, what their phones measure, where they walk. Pure, by seed.

A day is packed into minutes: what takes customers hours (choosing, resting) brings nothing to watch. Places are the IDs of
agents; times are seconds since the store opened.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

ENTRANCES = ("door-1", "door-2", "door-3")
FLOORS = ("floor-1", "floor-2", "floor-3")
PLACES = (*ENTRANCES, *FLOORS)
CLERKS = ("c01", "c02", "c03", "c04", "c05")
LEFT = "c09"
"""A clerk who works here no more, and is still in charge of some customers on paper."""
CATEGORIES = ("婦人服", "食器", "飲料", "文具")
UUID = "f7826da6-4fa2-4e98-8024-bc5b71e0893e"
PURPOSES = ("service", "sensing", "coupons")
ROTATION_EXPONENT = 5
"""A rotating beacon has a new identifier every 32 s, so that a short day sees many."""


@dataclass(frozen=True, slots=True)
class Sale:
    """Something she bought in the days before."""

    sale: str
    days_ago: int
    category: str
    pieces: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Stay:
    """She is at one place from `at_s` on, for `for_s` seconds."""

    at_s: float
    place: str
    for_s: float


@dataclass(frozen=True, slots=True)
class Person:
    """One customer. `member`: she registered by the web and has a phone, and agreed to `purposes`."""

    key: str
    name: str
    gender: str
    age: int
    language: str
    member: bool
    purposes: frozenset[str]
    main_clerk: str
    deputies: tuple[str, ...]
    frame: str
    """Her static beacon, "" for a rotating one."""
    identity_key: str
    """16 bytes in hexadecimal of her rotating beacon, "" for a static one."""
    visits: int
    average_minor: int
    """Of what the store knew of her before."""
    sales: tuple[Sale, ...]
    readings: dict[str, float] = field(hash=False)
    stays: tuple[Stay, ...]


@dataclass(frozen=True, slots=True)
class Script:
    """The day."""

    seed: int
    people: tuple[Person, ...]
    strangers: tuple[tuple[str, Stay], ...]
    """Beacons of nobody."""
    length_s: float


def arrivals(seed: int, customers: int, length_s: float) -> Script:
    """A day of arrivals: `customers` people are known, most of them come."""
    rng = random.Random(f"arrivals {seed}")
    people = tuple(_person(rng, number, length_s) for number in range(1, customers + 1))
    strangers = tuple(
        (f"ibeacon:{UUID}:66:{number}", Stay(rng.uniform(0, length_s), rng.choice(PLACES), rng.uniform(2, 20)))
        for number in range(1, max(3, customers // 10))
    )
    return Script(seed, people, strangers, length_s)


def _person(rng: random.Random, number: int, length_s: float) -> Person:
    rotating, member = rng.random() < 0.4, rng.random() < 0.6
    staff = rng.sample(CLERKS, 3)
    main = rng.choices([staff[0], "", LEFT], [0.85, 0.1, 0.05])[0]
    deputies = tuple(sorted(staff[1 : 1 + rng.choices([0, 1, 2], [0.3, 0.4, 0.3])[0]]))
    return Person(
        key=f"p{number:05}",
        name=f"{rng.choice('佐鈴高田伊山中小加吉')}{rng.choice('藤木橋村本野')} {rng.choice('花和由美恵真')}{number}",
        gender=rng.choice(["female", "male", "other"]),
        age=rng.randint(18, 80),
        language=rng.choice(["ja", "ja", "en"]),
        member=member,
        purposes=frozenset(purpose for purpose in PURPOSES if rng.random() < 0.85) if member else frozenset(),
        main_clerk=main,
        deputies=deputies,
        frame="" if rotating else f"ibeacon:{UUID}:1:{number}",
        identity_key=rng.randbytes(16).hex() if rotating else "",
        visits=rng.choice([0, 1, 5, 29, 30, 60]),
        average_minor=rng.choice([0, 900, 7999, 8000, 12_000]),
        sales=tuple(_sale(rng, number, n) for n in range(rng.choice([0, 0, 1, 2, 4]))),
        readings=_readings(rng),
        stays=_stays(rng, length_s),
    )


def _sale(rng: random.Random, person: int, number: int) -> Sale:
    pieces = rng.choice([1, 2, 3])
    return Sale(
        f"H{person}-{number}",
        rng.randint(1, 6),
        rng.choice(CATEGORIES),
        pieces,
        pieces * rng.choice([300, 4000, 60_000]),
    )


def _readings(rng: random.Random) -> dict[str, float]:
    """What her phone measures: some of it, hot or not, calm or not."""
    every = {
        "ambient_temperature_c": rng.choice([22.0, 29.9, 30.0, 35.5]),
        "heart_rate_per_min": rng.choice([64.0, 99.0, 100.0, 131.0]),
        "speed_m_s": rng.choice([0.1, 0.29, 0.3, 1.3]),
        "systolic_kpa": rng.choice([10.0, 15.5, 21.0, 24.0]),
        "humidity_percent": rng.choice([40.0, 80.0]),
    }
    return {name: value for name, value in every.items() if rng.random() < 0.85}


def _stays(rng: random.Random, length_s: float) -> tuple[Stay, ...]:
    """Most come once; some are first heard on a floor, some walk on, some go out and come back, some stay at home."""
    kind = rng.choices(["home", "once", "floor first", "walk", "back"], [0.1, 0.35, 0.15, 0.25, 0.15])[0]
    if kind == "home":
        return ()
    begin = rng.uniform(0, length_s * 0.8)
    first = Stay(begin, rng.choice(FLOORS if kind == "floor first" else ENTRANCES), rng.uniform(4, 9))
    after = begin + first.for_s
    if kind == "walk":
        return first, Stay(after + rng.uniform(0, 2), rng.choice(FLOORS), rng.uniform(4, 9))
    if kind == "back":
        return first, Stay(after + rng.uniform(18, 25), rng.choice(ENTRANCES), rng.uniform(4, 9))
    return (first,)
