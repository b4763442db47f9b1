"""How far it is to the next rank, as a lane's display says it (row B10)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.rules import Rank
from config.words import Words
from hub.rules.next_rank import MONEY_MAX, VISITS_MAX, NextRank, next_rank
from hub.rules.ranks import Ranking, Standing, compile_ranks

pytestmark = pytest.mark.row("B10")

TODAY = "2026-03-12"
LABEL = Words(ja="級", en="Rank")


def ranking(*conditions: str, imported_rank_days: int | None = None) -> Ranking:
    """Ranks r0 (everybody), r1, r2 …"""
    ranks = [
        Rank(name="r0", label=LABEL),
        *(Rank(name=f"r{n}", when=when, label=LABEL) for n, when in enumerate(conditions, 1)),
    ]
    return compile_ranks(ranks, imported_rank_days)


def standing(spent: int = 0, visits: int = 0, imported: str = "", on: str = "", **spans: tuple[int, int]) -> Standing:
    return Standing(spent, visits, {name.removeprefix("_"): value for name, value in spans.items()}, imported, on)


def said(rules: Ranking, has: Standing, today: str = TODAY) -> tuple[str, int, int, str] | None:
    found = next_rank(rules, has, today)
    return found and (found.rank.name, found.more_minor, found.more_visits, found.period)


def test_the_seeds_example() -> None:
    rules = ranking("spent_this_month >= 20000")
    assert said(rules, standing(90_000, 9, _this_month=(18_000, 2))) == ("r1", 2000, 0, "this_month")


@pytest.mark.parametrize(
    ("condition", "has", "expected"),
    [
        ("spent >= 100000", standing(99_000), ("r1", 1000, 0, "")),
        ("spent > 100000", standing(100_000), ("r1", 1, 0, "")),
        ("spent * 2 >= 30001", standing(10_000), ("r1", 5001, 0, "")),
        ("spent_365d >= 300000", standing(900_000, 9, _365d=(120_000, 3)), ("r1", 180_000, 0, "")),
        ("spent_this_year >= 5000", standing(9000, 1, _this_year=(4000, 1)), ("r1", 1000, 0, "this_year")),
        ("visits >= 10", standing(90, 9), ("r1", 0, 1, "")),
        ("visits_this_month >= 4", standing(90, 9, _this_month=(9, 1)), ("r1", 0, 3, "this_month")),
        ("visits >= 10 || spent >= 500", standing(400, 9), ("r1", 100, 0, "")),
        ("visits >= 10 && spent >= 500", standing(400, 12), ("r1", 100, 0, "")),
        ("visits >= 10 && spent >= 500", standing(400, 8), None),
        ("spent_last_month >= 500", standing(400, 8, _last_month=(400, 8)), None),
        ("average_purchase >= 1000", standing(7000, 10), ("r1", 3000, 0, "")),
        ("average_purchase <= 10", standing(7000, 10), ("r1", 0, 627, "")),
        ("spent >= 99000000000000", standing(400, 8), None),
        ("visits >= 1000000", standing(400, 8), None),
        ("spent >= 100000", standing(100_000), None),
    ],
)
def test_the_least_that_is_missing(condition: str, has: Standing, expected: object) -> None:
    assert said(ranking(condition), has) == expected


def test_the_next_rank_and_not_the_highest_and_none_for_who_has_that() -> None:
    rules = ranking("spent >= 1000", "spent >= 5000")
    assert said(rules, standing(0)) == ("r1", 1000, 0, "")
    assert said(rules, standing(1000)) == ("r2", 4000, 0, "")
    assert said(rules, standing(5000)) is None


def test_a_rank_that_an_import_said_is_where_it_goes_on_from() -> None:
    rules = ranking("spent >= 1000", "spent >= 5000", imported_rank_days=30)
    assert said(rules, standing(200, imported="r1", on="2026-03-01")) == ("r2", 4800, 0, "")
    assert said(rules, standing(200, imported="r1", on="2026-01-01")) == ("r1", 800, 0, "")
    assert said(rules, standing(200, imported="r2", on="2026-03-01")) is None
    assert said(rules, standing(200, imported="long gone", on="2026-03-01")) == ("r1", 800, 0, "")


@pytest.mark.parametrize(
    ("more", "minor", "visits", "within"),
    [((2000, 0), 2000, 0, True), ((2001, 0), 2000, 9, False), ((0, 3), 0, 3, True), ((0, 4), 9999, 3, False)],
)
def test_what_is_out_of_reach_encourages_nobody(more: tuple[int, int], minor: int, visits: int, within: bool) -> None:
    assert NextRank(Rank(name="r1", when="spent > 1", label=LABEL), *more).within(minor, visits) == within


def test_only_ranks_that_everybody_has() -> None:
    assert said(ranking(), standing(5)) is None


@given(
    st.lists(st.sampled_from(["spent >= 900", "spent_this_month > 400", "visits >= 7", "visits_90d >= 3 && spent >= 50",
                              "average_purchase >= 120", "spent_this_year >= 700 || visits_this_month >= 5",
                              "spent_last_year >= 10"]), max_size=4),
    st.integers(0, 1500), st.integers(0, 12), st.data())  # fmt: skip
def test_what_is_said_is_enough_and_less_is_not(
    conditions: list[str], spent: int, visits: int, data: st.DataObject
) -> None:
    rules = ranking(*conditions)
    spans = {span: (data.draw(st.integers(0, spent)), data.draw(st.integers(0, visits))) for span in rules.spans}
    has = Standing(spent, visits, spans)
    found = next_rank(rules, has, TODAY)
    if found is None:
        return
    assert bool(found.more_minor) != bool(found.more_visits)
    assert 0 < found.more_minor <= MONEY_MAX or 0 < found.more_visits <= VISITS_MAX

    def rank(minor: int, times: int) -> str:
        counts = {span: (had[0] + minor, had[1] + times) if span != "last_year" else had for span, had in spans.items()}
        return rules.decide(Standing(spent + minor, visits + times, counts), TODAY).rank

    now = rules.decide(has, TODAY).rank
    assert rank(found.more_minor, found.more_visits) == found.rank.name > now
    less = rank(max(0, found.more_minor - 1), max(0, found.more_visits - 1))
    assert less <= now or found.more_visits, "one less would do too"
