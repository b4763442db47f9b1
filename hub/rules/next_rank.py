"""How far it is to the next rank: the least that a customer has to buy, or how often to come (row B10). Pure.

The ranks' own conditions decide: what she has is made larger until another rank follows. The numbers that stand in the
conditions are tried first, and by halving what a condition computes (`spent * 2 >= 30000`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from config.rules import Rank
from hub.rules.ranks import Ranking, Standing, span_days

MONEY_MAX = 10**9
VISITS_MAX = 1000
"""Beyond these nobody is told how far it is."""
_NUMBER = re.compile(r"(?<![\w.])\d{1,12}(?![\w.])")

Period = Literal["", "this_month", "this_year"]


@dataclass(frozen=True, slots=True)
class NextRank:
    """`more_minor` of money, or `more_visits`; one of them is 0. `period`: until when, if what counts begins anew."""

    rank: Rank
    more_minor: int = 0
    more_visits: int = 0
    period: Period = ""

    def within(self, minor: int, visits: int) -> bool:
        """Whether no more than this is missing: what is out of reach encourages nobody."""
        return self.more_minor <= minor and self.more_visits <= visits


def next_rank(ranking: Ranking, standing: Standing, today: str) -> NextRank | None:
    """None for who has the highest rank, or when neither money nor visits alone would do."""
    level = _level(ranking, standing, today)
    if level == len(ranking.ranks) - 1:
        return None
    current = [
        span for span in ranking.spans if span_days(span, today)[1] > today
    ]  # those that a purchase of today is in

    def rank_with(minor: int, visits: int, spans: Iterable[str], *, in_all: bool = True) -> int:
        return _level(ranking, _more(standing, minor, visits, spans, in_all=in_all), today)

    sources = [condition.source for condition in ranking.conditions if condition is not None]
    numbers = {int(found) for source in sources for found in _NUMBER.findall(source)}
    money = [standing.spent_minor, *(minor for minor, _ in standing.spans.values())]
    visits = [standing.visits, *(number for _, number in standing.spans.values())]
    more = _least(numbers, money, lambda extra: rank_with(extra, 0, current) > level, MONEY_MAX)
    found = NextRank(ranking.ranks[rank_with(more, 0, current)], more_minor=more) if more else None
    if found is None:
        more = _least(numbers, visits, lambda extra: rank_with(0, extra, current) > level, VISITS_MAX)
        found = NextRank(ranking.ranks[rank_with(0, more, current)], more_visits=more) if more else None
    if found is None:
        return None
    periods: tuple[Period, ...] = ("this_month", "this_year")
    for period in periods:
        if period in current and rank_with(found.more_minor, found.more_visits, [period], in_all=False) > level:
            return replace(found, period=period)
    return found


def _level(ranking: Ranking, standing: Standing, today: str) -> int:
    """As `Ranking.decide`, without saying why."""
    values = standing.values()
    imported = [level for level, rank in enumerate(ranking.ranks) if rank.name == standing.imported]
    lowest = imported[0] if imported and ranking.holds(standing.imported_on, today) else 0
    above = range(len(ranking.ranks) - 1, lowest, -1)
    return next((level for level in above if (each := ranking.conditions[level]) and each.holds(values)), lowest)


def _more(standing: Standing, minor: int, visits: int, spans: Iterable[str], *, in_all: bool) -> Standing:
    chosen = set(spans)
    changed = {
        span: (had[0] + minor, had[1] + visits) if span in chosen else had for span, had in standing.spans.items()
    }
    if not in_all:
        return replace(standing, spans=changed)
    return replace(standing, spent_minor=standing.spent_minor + minor, visits=standing.visits + visits, spans=changed)


def _least(numbers: set[int], values: list[int], enough: Callable[[int], bool], most: int) -> int:
    """The least that is enough, or 0."""
    candidates = sorted({each for n in numbers for v in values for each in (n - v, n - v + 1) if 0 < each <= most})
    below, found = 0, 0
    for each in [*candidates, most]:
        if enough(each):
            found = each
            break
        below = each
    if not found or not enough(found - 1):  # a number that stands there is mostly exact
        return found
    while found - below > 1:
        middle = (below + found) // 2
        below, found = (below, middle) if enough(middle) else (middle, found)
    return found
