"""What a purchase brings, as arithmetic: whatever the rules and whoever buys (rows B7, B8, C7)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from hub.rules.condition import Value
from hub.rules.incentives import Out
from tests.hub.granting_rules import (
    NOW,
    TOKYO,
    compiled,
    outcome,
    rule,
)

pytestmark = [pytest.mark.row("B7"), pytest.mark.row("B8")]


# --- each kind of rule


def test_fixed() -> None:
    grant = outcome(compiled(rule(amount_minor=200))).grant
    assert grant is not None
    assert (grant.rule, grant.kind, grant.amount_minor, grant.give) == ("it", "discount", 200, "print")


@pytest.mark.parametrize(
    ("where", "amount"),
    [
        ({"paid_on": "settlement"}, 100),
        ({"paid_on": "settlement", "registered_on": "terminal"}, 100),
        ({"paid_on": "terminal", "registered_on": "settlement"}, 200),
        ({"paid_on": "terminal"}, 200),
        ({"paid_on": "terminal", "registered_on": "terminal"}, 300),
    ],
)
def test_by_way_of_paying_in_three_steps(where: dict[str, Value], amount: int) -> None:
    """The terminal above the settlement device; registered and paid on the terminal highest."""
    incentives = compiled(rule(by_paying={"settlement": 100, "terminal_payment": 200, "terminal": 300}))
    found = outcome(incentives, **where)
    assert found.grant is not None
    assert found.grant.amount_minor == amount


def test_a_way_of_paying_that_brings_nothing_says_so() -> None:
    found = outcome(compiled(rule(by_paying={"terminal": 300})), paid_on="settlement")
    assert str(found) == "no, nearest it: paid at a settlement device: that brings nothing"


@pytest.mark.parametrize(("amount", "brings"), [(999, None), (1000, 100), (2999, 100), (3000, 400), (10**9, 400)])
def test_a_table_of_amounts(amount: int, brings: int | None) -> None:
    found = outcome(compiled(rule(table=[[1000, 100], [3000, 400]])), amount=amount)
    assert (found.grant.amount_minor if found.grant else None) == brings
    if brings is None:
        assert str(found) == "no, nearest it: amount is 999, the table gives from 1000 on"
    else:
        assert f"amount is {amount}, from {1000 if brings == 100 else 3000} on {brings}" in str(found)


@pytest.mark.parametrize(("rank", "points"), [(0, None), (1, 10), (2, 30)])
def test_a_table_of_ranks(rank: int, points: int | None) -> None:
    found = outcome(compiled(rule(kind="points", by="rank", table=[["silver", 10], ["gold", 30]])), rank=rank)
    assert (found.grant.points if found.grant else None) == points
    assert ("silver" in str(found)) == (rank < 2)


@pytest.mark.parametrize("by", ["terminal_payments", "exits", "exit_number", "visits", "spent", "points"])
def test_a_table_of_counts(by: str) -> None:
    """The more often, the more."""
    incentives = compiled(rule(by=by, table=[[0, 10], [5, 50], [10, 500]]))
    given = [outcome(incentives, **{by: count}).grant for count in (0, 4, 5, 9, 10, 99)]
    assert [grant.amount_minor for grant in given if grant] == [10, 10, 50, 50, 500, 500]


def test_a_table_of_percentages_and_of_products() -> None:
    percent = outcome(compiled(rule(of="percent", table=[[1000, 5], [3000, 10]]))).grant
    assert percent is not None
    assert (percent.percent, percent.amount_minor, percent.kind) == (10, 0, "discount")
    product = outcome(
        compiled(
            rule(kind="product", table=[[1000, "CUP"], [3000, "MUG-7"]], title={"ja": "{product}", "en": "A {product}"})
        )
    ).grant
    assert product is not None
    assert (product.product, product.kind, product.title.en) == ("MUG-7", "product", "A MUG-7")


@pytest.mark.row("B11")
@pytest.mark.parametrize(("exit_number", "given"), [(1, False), (9, False), (10, True), (11, False), (20, True)])
def test_every_tenth_exit(exit_number: int, given: bool) -> None:
    found = outcome(compiled(rule(every={"exits": 10})), exit_number=exit_number)
    assert (found.grant is not None) == given
    if not given:
        assert f"{-exit_number % 10} more" in str(found)


@pytest.mark.row("B11")
@pytest.mark.parametrize(("number", "given"), [(None, False), (4, False), (5, True), (10, True)])
def test_every_fifth_payment_on_the_terminal(number: int | None, given: bool) -> None:
    """A purchase that was paid elsewhere is none of them, however many there were before."""
    more: dict[str, Value] = {"terminal_payments": 5} | (
        {"payment_number": number} if number else {"paid_on": "settlement"}
    )
    assert (outcome(compiled(rule(every={"terminal_payments": 5})), **more).grant is not None) == given


def test_this_very_exit_has_had_it() -> None:
    found = outcome(compiled(rule(every={"exits": 10})), lambda _, number: Out(same=number == 10), exit_number=10)
    assert found.grant is None
    assert "her 10th has had it" in str(found)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"kind": "points", "points": 5}, "no account to add points to"),
        ({"per_customer": {"count": 1}}, "nobody counts what she has had"),
        ({"give": ["app", "email"]}, "can't be brought to her by app or email"),
        ({"every": {"exits": 1}}, "nobody counts her exits"),
    ],
)
def test_what_somebody_unknown_cannot_be_given(more: dict[str, Any], why: str) -> None:
    found = outcome(compiled(rule(**more)), member=False)
    assert found.grant is None
    assert why in str(found)


def test_somebody_unknown_gets_the_coupon_without_the_points() -> None:
    found = outcome(compiled(rule(points=50, give=["app", "display"])), member=False)
    assert found.grant is not None
    assert (found.grant.points, found.grant.amount_minor, found.grant.ways, found.grant.give) == (
        0,
        200,
        ("display",),
        "display",
    )


def test_points_alone_are_not_shown_as_a_code() -> None:
    for give, how in (
        (["display"], "electronic"),
        (["display", "print"], "print"),
        (["display", "email"], "electronic"),
    ):
        found = outcome(compiled(rule(kind="points", points=5, give=give)))
        assert found.grant is not None
        assert found.grant.give == how


# --- validity


def test_it_holds_to_the_end_of_its_last_day() -> None:
    grant = outcome(compiled(rule(valid_days=30))).grant
    assert grant is not None
    assert grant.valid_until.astimezone(TOKYO).isoformat() == "2026-03-31T23:59:59+09:00"
    assert grant.valid_from == NOW


def test_from_the_next_day_on() -> None:
    grant = outcome(compiled(rule(valid_from="next_day")), now=datetime(2026, 3, 1, 15, 30, tzinfo=UTC)).grant
    assert grant is not None
    assert grant.valid_from.isoformat() == "2026-03-03T00:00:00+09:00", (
        "half past midnight in Tokyo is the second of March"
    )


# --- several rules


def test_the_first_in_the_file_unless_it_says_otherwise() -> None:
    found = outcome(compiled(rule("never", when="false"), rule("small", amount_minor=1), rule("big", amount_minor=999)))
    assert found.grant is not None
    assert found.grant.rule == "small"
    assert str(found) == "small: yes, true; never: no, false; big: not asked, small stands before it"


def test_the_best_is_the_one_of_the_highest_worth() -> None:
    rules = (rule("amount", amount_minor=290), rule("percent", percent=10), rule("points", kind="points", points=100),
             rule("gift", kind="product", worth_minor=250))  # fmt: skip
    found = outcome(compiled(*rules, combine="best"))
    assert found.grant is not None
    assert (found.grant.rule, found.grant.percent) == ("percent", 10), "10 % of 3000 is 300"
    assert "amount holds, but percent is worth 300, it 290" in str(found)
    dear = compiled(*rules, combine="best", point_worth_minor=5)
    assert outcome(dear).rule == "points"


def test_the_best_of_those_for_which_there_is_room() -> None:
    rules = (rule("big", amount_minor=900, budget_count=1), rule("small", amount_minor=100))
    found = outcome(compiled(*rules, combine="best"), lambda each, _: Out(count=1 if each.name == "big" else 0))
    assert found.rule == "small"
    assert "big holds, but all 1 in all are out" in str(found)


def test_the_sum_of_all() -> None:
    rules = (
        rule("p", kind="points", points=30, valid_days=1),
        rule("a", amount_minor=100, minimum_minor=1000, valid_days=10),
        rule("b", amount_minor=250, minimum_minor=2000, valid_days=20, points=5, valid_from="next_day", give="app"),
        rule("c", percent=60),
        rule("d", percent=60),
        rule("cup", kind="product", product="CUP", worth_minor=10),
        rule("mug", kind="product", product="MUG", worth_minor=90),
    )
    found = outcome(compiled(*rules, combine="sum"))
    grant = found.grant
    assert grant is not None
    assert (grant.rule, grant.kind) == ("p+a+b+c+d+mug", "discount")
    assert (grant.amount_minor, grant.percent, grant.points, grant.product) == (350, 100, 35, "MUG")
    assert (grant.minimum_minor, grant.ways) == (2000, ("print",))
    assert grant.valid_until.astimezone(TOKYO).day == 11, "the shortest of the coupon's parts; points don't rot"
    assert grant.title.en == "p + a + b + c + d + mug"
    assert "cup holds, but one coupon brings one product, that of mug" in str(found)
