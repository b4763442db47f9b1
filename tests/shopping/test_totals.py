"""Sums and tax: whole numbers that always add up (rows B1, B2)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.shopping.totals import Rounding, TaxShare, divided, spread, totals

pytestmark = [pytest.mark.row("B1", "B2")]


@dataclass(frozen=True)
class Line:
    price_minor: int
    tax_per_mille: int = 100
    quantity: int = 1


LINES = st.lists(
    st.builds(Line, st.integers(0, 10**10), st.sampled_from([0, 55, 80, 100, 200]), st.integers(1, 999)), max_size=100
)
ROUNDINGS = st.sampled_from(["down", "half_up", "up"])


def test_prices_with_tax() -> None:
    found = totals([Line(110), Line(108, 80, 2), Line(55)], included=True, rounding="down")
    assert found.total_minor == 381
    assert found.by_rate == (TaxShare(100, 165, 15), TaxShare(80, 216, 16))
    assert (found.tax_minor, found.lines) == (31, (110, 216, 55))


def test_prices_without_tax_are_taxed_once_for_each_rate() -> None:
    found = totals([Line(15), Line(15), Line(15), Line(98, 80)], included=False, rounding="down")
    assert found.by_rate == (TaxShare(100, 49, 4), TaxShare(80, 105, 7))  # 45 · 10 % = 4.5, and not three times 1
    assert found.total_minor == 154
    assert found.lines == (17, 16, 16, 105)


@pytest.mark.parametrize(("rounding", "tax"), [("down", 4), ("half_up", 5), ("up", 5)])
def test_rounding_is_a_setting(rounding: Rounding, tax: int) -> None:
    assert totals([Line(45)], included=False, rounding=rounding).tax_minor == tax


@pytest.mark.parametrize(("rounding", "tax"), [("down", 4), ("half_up", 4), ("up", 5)])
def test_below_the_half(rounding: Rounding, tax: int) -> None:
    assert totals([Line(44)], included=False, rounding=rounding).tax_minor == tax


def test_an_empty_list_costs_nothing() -> None:
    assert totals([], included=True, rounding="down").total_minor == 0


@given(LINES, st.booleans(), ROUNDINGS)
def test_everything_adds_up(lines: list[Line], included: bool, rounding: Rounding) -> None:
    found = totals(lines, included=included, rounding=rounding)
    plain = sum(line.price_minor * line.quantity for line in lines)
    assert sum(found.lines) == found.total_minor == sum(share.taxed_minor for share in found.by_rate)
    assert found.tax_minor == sum(share.tax_minor for share in found.by_rate)
    assert found.total_minor == plain if included else found.total_minor == plain + found.tax_minor
    assert found.total_minor < 2**53
    for line, amount in zip(lines, found.lines, strict=True):
        assert amount >= line.price_minor * line.quantity


@given(LINES, st.booleans(), ROUNDINGS)
def test_the_tax_of_a_rate_is_within_one_of_the_exact_one(
    lines: list[Line], included: bool, rounding: Rounding
) -> None:
    found = {share.tax_per_mille: share for share in totals(lines, included=included, rounding=rounding).by_rate}
    by_rate = groupby(sorted(lines, key=lambda line: line.tax_per_mille), key=lambda line: line.tax_per_mille)
    for rate, some in by_rate:
        plain = sum(line.price_minor * line.quantity for line in some)
        exact = Fraction(plain * rate, 1000 + rate if included else 1000)
        off = found[rate].tax_minor - exact
        assert {"down": -1 < off <= 0, "half_up": -Fraction(1, 2) < off <= Fraction(1, 2), "up": 0 <= off < 1}[rounding]


@given(LINES, st.booleans(), ROUNDINGS)
def test_the_order_of_the_lines_changes_no_sum(lines: list[Line], included: bool, rounding: Rounding) -> None:
    one, other = (totals(each, included=included, rounding=rounding) for each in (lines, lines[::-1]))
    assert (one.total_minor, one.tax_minor, one.by_rate) == (other.total_minor, other.tax_minor, other.by_rate)


@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**9), min_size=1, max_size=50))
def test_parts_sum_to_the_whole(amount: int, weights: list[int]) -> None:
    parts = spread(amount, weights)
    assert sum(parts) == amount
    assert min(parts) >= 0
    if sum(weights):
        for part, weight in zip(parts, weights, strict=True):
            assert abs(part - Fraction(amount * weight, sum(weights))) < 1


@given(st.integers(0, 10**15), st.integers(1, 2000))
def test_division(above: int, below: int) -> None:
    assert divided(above, below, "down") <= Fraction(above, below) <= divided(above, below, "up")
    assert abs(divided(above, below, "half_up") - Fraction(above, below)) <= Fraction(1, 2)
