"""What a purchase brings, as arithmetic: whatever the rules and whoever buys (rows B7, B8, C7)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.incentives import IncentiveRule, IncentivesFile
from hub.rules.condition import Condition, Names, Value
from hub.rules.granting import Outcome, decide
from hub.rules.incentives import Incentives, Out
from hub.rules.policy import CUSTOMER, PURCHASE

pytestmark = [pytest.mark.row("B7"), pytest.mark.row("B8")]
TOKYO = ZoneInfo("Asia/Tokyo")
NOW = datetime(2026, 3, 1, 1, 0, tzinfo=UTC)
RANKS = {"regular": 0, "silver": 1, "gold": 2}
NAMES = Names({**CUSTOMER, **PURCHASE}, RANKS)
RECEIPT = {"ja": [["qr", "{coupon}"]], "en": [["qr", "{coupon}"]]}
often = settings(max_examples=200, deadline=None)


def rule(name: str = "it", **more: Any) -> dict[str, Any]:
    """A rule that is complete but for what is said."""
    made: dict[str, Any] = {
        "name": name,
        "when": "true",
        "kind": "discount",
        "title": {"ja": name, "en": name},
        "receipt": RECEIPT,
    }
    made |= more
    if made["kind"] == "discount" and not {"amount_minor", "percent", "table", "by_paying"} & set(made):
        made["amount_minor"] = 200
    return made


def compiled(*rules: dict[str, Any], **top: Any) -> Incentives:
    file = IncentivesFile.model_validate({"incentive": rules, **top})
    return Incentives(file, tuple(Condition(each.when, NAMES) for each in file.incentive), RANKS)


def values(**more: Value) -> dict[str, Value]:
    return {"rank": 0, "visits": 0, "average_purchase": 0, "points": 0, "spent": 0, "amount": 3000, "paid_on": "terminal",
            "member": True, "terminal_payments": 0, "exits": 0, "exit_number": 1, **more}  # fmt: skip


def nothing_is_out(_: IncentiveRule, __: int | None) -> Out:
    return Out()


def outcome(incentives: Incentives, room=nothing_is_out, now: datetime = NOW, **more: Value) -> Outcome:
    return decide(incentives, values(**more), room, now=now, zone=TOKYO)


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
