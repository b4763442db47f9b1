"""How much more she has to buy: the same as trying every amount, and quick whatever stands in the file (row B3)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.incentives import IncentiveRule
from hub.rules.incentives import Out
from hub.rules.reaching import least_amount
from tests.hub.granting_rules import compiled, nothing_is_out, outcome, rule, values

pytestmark = pytest.mark.row("B3")
MOST = 60
starts = st.integers(0, MOST)
CONDITIONS = st.one_of(
    st.sampled_from(["true", "member", "rank >= gold", "exits >= 1"]),
    starts.map(lambda n: f"amount >= {n}"),
    starts.map(lambda n: f"amount > {n} && rank >= silver"),
    starts.map(lambda n: f"{n} <= amount || exits > 3"),
    starts.map(lambda n: f"amount * 2 >= {n}"),
    st.tuples(starts, st.integers(1, 5)).map(lambda n: f"amount >= {n[0]} && amount < {n[0] + n[1]}"),
)


@st.composite
def some_rule(draw: Any) -> dict[str, Any]:
    more: dict[str, Any] = {"when": draw(CONDITIONS)}
    if draw(st.booleans()):
        rows = sorted(draw(st.sets(starts, min_size=1, max_size=4)))
        worth = sorted(draw(st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows))))
        if worth[-1]:
            more["table"] = [list(row) for row in zip(rows, worth, strict=True)]
    if draw(st.booleans()):
        more["budget_count"] = draw(st.sampled_from([1, 5]))
    return more


@settings(max_examples=120, deadline=None)
@given(
    rules=st.lists(some_rule(), min_size=1, max_size=4),
    rank=st.integers(0, 2),
    above=starts,
    combine=st.sampled_from(["first", "sum"]),
)
def test_as_if_every_amount_was_tried(rules: list[dict[str, Any]], rank: int, above: int, combine: str) -> None:
    """The least one with which the exit would give something, from an amount that brings nothing."""
    file = compiled(*(rule(f"r{n}", **each) for n, each in enumerate(rules)), combine=combine)

    def room(_: IncentiveRule, __: int | None) -> Out:
        return Out(count=2)

    def gives(amount: int) -> bool:
        return outcome(file, room, amount=amount, rank=rank).grant is not None

    if gives(above):
        return
    wanted = next((amount for amount in range(above + 1, 2 * MOST) if gives(amount)), None)
    assert least_amount(file, values(rank=rank), room, above) == wanted


def test_the_largest_file_that_there_may_be_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred tables of two hundred rows, for others than her: some thousand looks, not some millions."""
    table = [[1000 + 10 * row, 10 + row] for row in range(200)]
    rules = [rule(f"r{n}", when=f"rank >= gold && amount >= {500 + n}", table=table) for n in range(100)]
    file = compiled(*rules, combine="sum")
    asked = 0
    holds = type(file.conditions[0]).holds

    def counted(condition: Any, now: Any) -> bool:
        nonlocal asked
        asked += 1
        return holds(condition, now)

    monkeypatch.setattr(type(file.conditions[0]), "holds", counted)
    assert least_amount(file, values(), nothing_is_out, 150) is None
    assert 0 < asked < 5000
    assert least_amount(file, values(rank=2), nothing_is_out, 150) == 1000
