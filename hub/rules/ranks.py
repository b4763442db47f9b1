"""Ranks: which one a customer's purchases reach, and why (row A1). Pure.

A rank's condition may name `spent`, `visits`, `average_purchase` (of all purchases, also those before this program), and
purchases of a span of days, `spent_` or `visits_` followed by

    365d         the last so many days, today among them
    this_month, last_month, this_year, last_year         of the store's calendar
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from config.rules import Rank
from hub.rules.condition import Condition, ConditionError, Finding, Names, Value
from hub.rules.tokens import column, tokens

_SPAN = re.compile(r"(?:spent|visits)_(\d+d|this_month|last_month|this_year|last_year)")
DAYS_MAX = 3660
_ALWAYS: Mapping[str, Value] = {"spent": 0, "visits": 0, "average_purchase": 0}
_EXAMPLES = ("365d", "this_month", "last_month", "this_year", "last_year")


@dataclass(frozen=True, slots=True)
class Standing:
    """What a rank is decided from. `spans`: (money in minor units, days with a purchase) by the name of the span."""

    spent_minor: int
    visits: int
    spans: Mapping[str, tuple[int, int]]
    imported: str = ""
    """The rank that an import said, and the day of that import."""
    imported_on: str = ""

    def values(self) -> dict[str, Value]:
        found: dict[str, Value] = {
            "spent": self.spent_minor,
            "visits": self.visits,
            "average_purchase": self.spent_minor // self.visits if self.visits else 0,
        }
        for span, (spent_minor, visits) in self.spans.items():
            found[f"spent_{span}"], found[f"visits_{span}"] = spent_minor, visits
        return found


@dataclass(frozen=True, slots=True)
class Ranked:
    """A rank, and the sentence that says why. `by_import`: the purchases alone reach less."""

    rank: str
    reason: str
    by_import: bool


@dataclass(frozen=True, slots=True)
class Ranking:
    """The ranks from the lowest, each with its condition (the lowest has none)."""

    ranks: tuple[Rank, ...]
    conditions: tuple[Condition | None, ...]
    spans: tuple[str, ...]
    imported_rank_days: int | None

    def decide(self, standing: Standing, today: str) -> Ranked:
        """The rank that holds on that day of the store, and why."""
        reached, reason = self._reached(standing.values())
        level = next((level for level, rank in enumerate(self.ranks) if rank.name == standing.imported), 0)
        if level <= reached or not self.holds(standing.imported_on, today):
            return Ranked(self.ranks[reached].name, f"{self.ranks[reached].name}: {reason}", by_import=False)
        until = self._imported_until(standing.imported_on)
        for_how_long = "" if until > "9999" else f", holds until {until}"
        why = f"imported on {standing.imported_on}{for_how_long}; by purchases {self.ranks[reached].name}: {reason}"
        return Ranked(standing.imported, f"{standing.imported}: {why}"[:500], by_import=True)

    def _reached(self, values: Mapping[str, Value]) -> tuple[int, str]:
        above: Finding | None = None
        for level in range(len(self.ranks) - 1, -1, -1):
            condition = self.conditions[level]
            found = None if condition is None else condition.find(values)
            if found is None or found.holds:
                reason = "the lowest" if found is None else found.because
                return level, f"{reason}; for {self.ranks[level + 1].name}: {above.because}" if above else reason
            above = found
        raise AssertionError("the lowest rank has no condition")

    def holds(self, imported_on: str, today: str) -> bool:
        """Whether a rank that was imported on that day still counts."""
        return today < self._imported_until(imported_on)

    def _imported_until(self, since: str) -> str:
        if not since:
            return ""
        if self.imported_rank_days is None:
            return "99999"
        return (date.fromisoformat(since) + timedelta(days=self.imported_rank_days)).isoformat()

    @property
    def key(self) -> str:
        """Another one as soon as another rank might follow from the same purchases."""
        text = repr([(rank.name, rank.from_spent, rank.when) for rank in self.ranks]) + repr(self.imported_rank_days)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@lru_cache(maxsize=64)  # asked for each customer of a day
def span_days(span: str, today: str) -> tuple[str, str]:
    """The first day of a span, and the first after it."""
    day = date.fromisoformat(today)
    tomorrow = day + timedelta(days=1)
    month, year = day.replace(day=1), day.replace(month=1, day=1)
    before = month - timedelta(days=1)
    first, after = {
        "this_month": (month, tomorrow),
        "last_month": (before.replace(day=1), month),
        "this_year": (year, tomorrow),
        "last_year": (year.replace(year=year.year - 1), year),
    }.get(span) or (tomorrow - timedelta(days=int(span[:-1])), tomorrow)
    return first.isoformat(), after.isoformat()


def compile_ranks(ranks: Sequence[Rank], imported_rank_days: int | None) -> Ranking:
    """Raises RankError naming the rank."""
    conditions: list[Condition | None] = []
    spans: dict[str, None] = {}
    for rank in ranks:
        source = condition_of(rank)
        if source is None:
            conditions.append(None)
            continue
        try:
            own = _spans(source)
            named = {f"{what}_{span}": 0 for span in (*own, *_EXAMPLES) for what in ("spent", "visits")}
            conditions.append(Condition(source, Names({**_ALWAYS, **named}, {})))
        except ConditionError as error:
            raise RankError(rank.name, source, error) from None
        spans |= dict.fromkeys(own)
    return Ranking(tuple(ranks), tuple(conditions), tuple(spans), imported_rank_days)


class RankError(ValueError):
    """A rank whose condition can't be used."""

    def __init__(self, rank: str, source: str, error: ConditionError) -> None:
        super().__init__(f"rank {rank!r}: {error}")
        self.rank, self.source, self.error = rank, source, error


def condition_of(rank: Rank) -> str | None:
    """The condition of a rank in CEL; None for the lowest."""
    if rank.when is not None:
        return rank.when
    return f"spent >= {rank.from_spent}" if rank.from_spent else None


def _spans(source: str) -> list[str]:
    found = []
    for token in tokens(source):
        match = _SPAN.fullmatch(token.text) if token.kind == "name" else None
        if match is None:
            continue
        if match[1][0].isdigit() and not 1 <= int(match[1][:-1]) <= DAYS_MAX:
            raise ConditionError(column(source, token.text), f"{token.text!r}: a span has 1 to {DAYS_MAX} days")
        found.append(match[1])
    return list(dict.fromkeys(found))
