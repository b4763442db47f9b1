"""Arrivals in full, lists and coupons in the simulated store: they take place, and a few of their safeguards are missed at once."""

import random
from collections import Counter

import pytest

from simulation import members
from simulation.cast import people
from simulation.plan import Plan, Size
from simulation.run import simulate
from simulation.safeguards.hunt import hunt
from simulation.safeguards.known import SERVICE

CALM = Size(customers=30, hours=0.15, faults=0)


@pytest.mark.row("C1")
@pytest.mark.row("C11")
def test_terminals_are_asked_coupons_kept_brought_and_used_lists_paid():
    counts: Counter[str] = Counter()
    for seed in (1, 2):
        result = simulate(Plan(seed, CALM))
        assert result.ok, result.broken
        counts.update(result.counts)
    for what in (
        "terminals asked",
        "coupons told",
        "coupons used",
        "coupon used",
        "coupons claimed",
        "lists settled",
        "sale refused cart_paid",
        "taken by email",
        "taken by push",
        "terminal refused schema",
    ):
        assert counts[what] > 0, what
    assert counts["left"] == 2 * CALM.customers


@pytest.mark.row("C9")
@pytest.mark.parametrize(
    "name",
    [
        "consent to readings",
        "own answers only",
        "readings not stored",
        "a coupon is used once",
        "amount of a payment",
        "budgets of incentives",
        "electronic fallback",
        "lists on all devices",
        "a list is paid once",
        "no answer is none",
        "the next way",
        "numbers age",
        "numbers are not tried out",
    ],
)
def test_a_missing_safeguard_of_service_is_caught(name):
    found = hunt(name, limit=6)
    assert found.seeds is not None, found


@pytest.mark.row("C5")
def test_customers_come_with_fixed_and_with_rotating_beacons():
    kinds = [type(person.beacon).__name__ for person in people(Plan(1, SERVICE)) if person.member is not None]
    assert set(kinds) == {"str", "Rotating"}
    assert {members.is_rotating(n) for n in range(1, members.CUSTOMERS + 1)} == {True, False}
    tag = members.rotating(5, random.Random(1).uniform(-140, 140))
    assert len({tag.frame(at) for at in range(0, 900, 5)}) > 2
