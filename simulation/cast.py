"""Who comes: each shopper's script, from the seed alone."""

from __future__ import annotations

from random import Random

from firmware_sim.beacons_rotating import Rotating
from simulation import members, terminal
from simulation.members import CUSTOMERS
from simulation.people import Person
from simulation.plan import Plan

HABITS = {"steps_back": 0.1, "shows_twice": 0.15, "shows_forged": 0.03, "tries_again": 0.1, "is_followed": 0.03,
          "posts_twice": 0.1, "lends_code": 0.1, "changes_lane": 0.2, "uses_till": 0.5, "types": 0.2,
          "near": 0.25, "dawdles": 0.06, "guesses": 0.04}  # fmt: skip


def people(plan: Plan) -> list[Person]:
    """In the order of their numbers."""
    rng, size = plan.rng("people"), plan.size
    customers = rng.sample(range(1, CUSTOMERS + 1), k=min(CUSTOMERS, size.customers))
    long_s = min(size.seconds, 3600.0)
    found = []
    for n in range(size.customers):
        known = customers[n] if n < len(customers) and rng.random() < 0.8 else None
        found.append(
            Person(
                n,
                rng.uniform(0, size.seconds - 0.3 * long_s),
                rng.uniform(0.03, 0.25) * long_s,
                known,
                _beacon(known, n, rng),
                rng.choice([1.0, 2.0, 5.0]) * size.pace.tags,
                rng.choice([300, 999, 1000, 2500, 18_000]),
                frozenset(name for name, share in HABITS.items() if rng.random() < share * size.tricks),
                frozenset(name for name, share in terminal.HABITS.items() if rng.random() < share * size.tricks),
            )
        )
    return found


def _beacon(known: int | None, n: int, rng: Random) -> str | Rotating | None:
    if known is None:
        return f"ibeacon:stranger:1:{n}" if rng.random() < 0.3 else None
    return members.rotating(known, rng.uniform(-140, 140)) if members.is_rotating(known) else members.beacon(known)
