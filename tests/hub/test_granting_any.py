"""What a purchase brings, whatever the rules and whoever buys: nothing over a budget, the best is the best (rows B7, B8, C7)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.incentives import IncentiveRule, IncentivesFile
from hub.rules.condition import Value
from hub.rules.granting import Outcome, decide
from hub.rules.incentives import Incentives, Out
from tests.hub.granting_rules import (
    NOW,
    TOKYO,
    compiled,
    nothing_is_out,
    often,
    outcome,
    rule,
    values,
)

pytestmark = [pytest.mark.row("B7"), pytest.mark.row("B8")]


# --- whatever the rules


@dataclass
class Ledger:
    """What is out, kept as plainly as can be."""

    file: IncentivesFile
    grants: list[tuple[str, str, int, int | None]] = field(default_factory=list)  # rule, customer, worth, number

    def room(self, customer: str):
        def room(each: IncentiveRule, number: int | None) -> Out:
            own = [grant for grant in self.grants if grant[0] == each.name]
            hers = [grant for grant in own if customer and grant[1] == customer]
            return Out(
                len(own),
                sum(grant[2] for grant in own),
                len(hers),
                number is not None and any(g[3] == number for g in hers),
            )

        return room

    def take(self, found: Outcome, customer: str) -> None:
        if found.grant is not None:
            self.grants += [(part.rule.name, customer, part.worth_minor, part.number) for part in found.grant.parts]


CONDITIONS = ["true", "amount >= 1000", "rank >= silver", 'paid_on == "terminal"', 'registered_on == "terminal"', "member",
              "exits >= 3 && amount > 500", "10 / exits > 1", "points > 100 || terminal_payments >= 2"]  # fmt: skip
small, steps = st.integers(1, 500), st.lists(st.integers(0, 4000), min_size=1, max_size=4, unique=True).map(sorted)


@st.composite
def any_rule(draw: st.DrawFn, name: str) -> dict[str, Any]:
    kind = draw(st.sampled_from(["points", "discount", "product"]))
    made = rule(
        name,
        when=draw(st.sampled_from(CONDITIONS)),
        kind=kind,
        give=draw(st.sampled_from([["print"], ["app"], ["display", "app"]])),
    )
    made.pop("amount_minor", None)
    if kind == "product":
        made |= {"product": draw(st.sampled_from(["CUP", "MUG"])), "worth_minor": draw(small)}
    else:
        of = "points" if kind == "points" else draw(st.sampled_from(["amount_minor", "percent"]))
        most = 100 if of == "percent" else 500
        match draw(st.integers(0, 2)):
            case 0:
                made[of] = draw(st.integers(1, most))
            case 1:
                starts = draw(steps)
                worths = sorted(draw(st.lists(st.integers(0, most), min_size=len(starts), max_size=len(starts))))
                made |= {
                    "of": of,
                    "table": list(zip(starts, worths, strict=True)),
                    "by": draw(st.sampled_from(["amount", "exits", "spent"])),
                }
            case _:
                low, middle, high = sorted(draw(st.tuples(*[st.integers(0, most - 1)] * 3)))
                made |= {"of": of, "by_paying": {"settlement": low, "terminal_payment": middle, "terminal": high + 1}}
        made |= draw(st.sampled_from([{}, {"worth_minor": 40}]))
    made |= draw(
        st.sampled_from([{}, {"budget_count": 2}, {"budget_minor": 300}, {"budget_minor": 700, "budget_count": 5}])
    )
    made |= draw(
        st.sampled_from(
            [{}, {}, {"per_customer": {"count": 1}}, {"every": {"exits": 2}}, {"every": {"terminal_payments": 3}}]
        )
    )
    return made


@st.composite
def any_rules(draw: st.DrawFn, combine: tuple[str, ...] = ("first", "best", "sum")) -> Incentives:
    number = draw(st.integers(0, 6))
    rules = [draw(any_rule(f"r{index}")) for index in range(number)]
    return compiled(*rules, combine=draw(st.sampled_from(combine)), point_worth_minor=draw(st.integers(0, 3)))


@st.composite
def any_purchase(draw: st.DrawFn) -> dict[str, Value]:
    member = draw(st.booleans())
    paid_on, registered_on = (
        draw(st.sampled_from(["terminal", "settlement"])),
        draw(st.sampled_from(["terminal", "settlement", ""])),
    )
    exits, payments = draw(st.integers(0, 12)), draw(st.integers(0, 12))
    made = values(amount=draw(st.integers(0, 5000)), paid_on=paid_on, member=member, exits=exits, exit_number=exits + 1,
                  terminal_payments=payments, rank=draw(st.integers(0, 2)), points=draw(st.integers(0, 300)),
                  spent=draw(st.integers(0, 4000)))  # fmt: skip
    if registered_on:
        made["registered_on"] = registered_on
    if paid_on == "terminal" and member:
        made["payment_number"] = payments
    return made


def run(incentives: Incentives, purchase: Mapping[str, Value], ledger: Ledger, customer: str) -> Outcome:
    return decide(incentives, purchase, ledger.room(customer), now=NOW, zone=TOKYO)


@often
@given(any_rules(), st.lists(st.tuples(any_purchase(), st.sampled_from(["C1", "C2", "C3"])), max_size=25))
def test_never_over_a_budget_or_a_limit(incentives: Incentives, bought: list[tuple[dict[str, Value], str]]) -> None:
    ledger = Ledger(incentives.file)
    for purchase, customer in bought:
        who = customer if purchase["member"] else ""
        ledger.take(run(incentives, purchase, ledger, who), who)
    worth, count, hers = defaultdict(int), defaultdict(int), defaultdict(int)
    for name, customer, minor, _ in ledger.grants:
        worth[name] += minor
        count[name] += 1
        hers[name, customer] += 1
    for each in incentives.file.incentive:
        assert each.budget_minor is None or worth[each.name] <= each.budget_minor
        assert each.budget_count is None or count[each.name] <= each.budget_count
        if each.per_customer is not None:
            assert all(number <= each.per_customer.count for (name, _), number in hers.items() if name == each.name)
            assert (each.name, "") not in hers
        if each.every is not None:
            numbered = [(name, customer, number) for name, customer, _, number in ledger.grants if name == each.name]
            assert len(numbered) == len(set(numbered))


@often
@given(any_rules(), any_purchase())
@pytest.mark.row("C7")
def test_the_explanation_names_every_rule(incentives: Incentives, purchase: dict[str, Value]) -> None:
    found = run(incentives, purchase, Ledger(incentives.file), "C1")
    assert [each.rule for each in found.judged] == [each.name for each in incentives.file.incentive]
    assert all(each.because for each in found.judged)
    assert all(each.name in str(found) for each in incentives.file.incentive)
    given = [each.rule for each in found.judged if each.verdict == "given"]
    assert given == ([part.rule.name for part in found.grant.parts] if found.grant else [])
    assert str(found).startswith("no" if found.grant is None else f"{given[0]}: yes, ")


@often
@given(any_rules(("best",)), any_purchase())
def test_the_best_is_the_best(incentives: Incentives, purchase: dict[str, Value]) -> None:
    found = run(incentives, purchase, Ledger(incentives.file), "C1")
    alone = [(index, part.worth_minor) for index, part in possible(incentives, purchase)]
    assert (found.grant is None) == (not alone)
    if found.grant is not None:
        (part,) = found.grant.parts
        best = max(worth for _, worth in alone)
        first = next(index for index, worth in alone if worth == best)
        assert part.rule.name == incentives.file.incentive[first].name


@often
@given(any_rules(("sum",)), any_purchase())
def test_the_sum_is_the_sum(incentives: Incentives, purchase: dict[str, Value]) -> None:
    found = run(incentives, purchase, Ledger(incentives.file), "C1")
    parts = [part for _, part in possible(incentives, purchase)]
    gifts = [part for part in parts if part.product]
    parts = [part for part in parts if not part.product or part is max(gifts, key=lambda each: each.worth_minor)]
    assert (found.grant is None) == (not parts)
    if found.grant is not None:
        assert found.grant.parts == tuple(parts)
        assert found.grant.amount_minor == sum(part.amount_minor for part in parts)
        assert found.grant.points == sum(part.points for part in parts)
        assert found.grant.percent == min(100, sum(part.percent for part in parts))


def possible(incentives: Incentives, purchase: Mapping[str, Value]) -> list[tuple[int, Any]]:
    """Each rule by itself."""
    judged = [
        (index, incentives.judge(index, purchase, nothing_is_out)) for index in range(len(incentives.file.incentive))
    ]
    return [(index, each.part) for index, each in judged if each.part is not None]


@often
@given(
    steps,
    st.data(),
    st.integers(0, 6000),
    st.integers(0, 6000),
    st.sampled_from(["amount", "exits", "visits", "terminal_payments"]),
)
def test_who_does_more_gets_no_less(starts: list[int], data: st.DataObject, one: int, other: int, by: str) -> None:
    worths = sorted(data.draw(st.lists(st.integers(0, 500), min_size=len(starts), max_size=len(starts))))
    incentives = compiled(rule(table=list(zip(starts, worths, strict=True)), by=by))
    less, more = (outcome(incentives, **{by: number}).grant for number in sorted((one, other)))
    assert (less.amount_minor if less else 0) <= (more.amount_minor if more else 0)


@often
@given(st.tuples(*[st.integers(0, 500)] * 3).map(sorted), any_purchase())
def test_who_does_more_of_it_on_the_terminal_gets_no_less(steps: list[int], purchase: dict[str, Value]) -> None:
    incentives = compiled(
        rule(by_paying={"settlement": steps[0], "terminal_payment": steps[1], "terminal": steps[2] + 1})
    )
    at_till = {**purchase, "paid_on": "settlement"}
    paid = {**purchase, "paid_on": "terminal", "registered_on": "settlement"}
    both = {**purchase, "paid_on": "terminal", "registered_on": "terminal"}
    grants = [run(incentives, each, Ledger(incentives.file), "C1").grant for each in (at_till, paid, both)]
    amounts = [grant.amount_minor if grant else 0 for grant in grants]
    assert amounts == [steps[0], steps[1], steps[2] + 1]


@often
@given(any_rules(), any_purchase(), st.integers(0, 3000))
def test_the_same_question_has_the_same_answer(incentives: Incentives, purchase: dict[str, Value], days: int) -> None:
    ledger, now = Ledger(incentives.file), NOW + timedelta(days=days)
    first, second = (decide(incentives, purchase, ledger.room("C1"), now=now, zone=TOKYO) for _ in range(2))
    assert first == second
    if first.grant is not None:
        assert now <= first.grant.valid_from < first.grant.valid_until or first.grant.valid_from == now
        assert first.grant.ways
