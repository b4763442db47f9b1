"""What a customer's purchases of a period say: shares and frequencies of categories. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hub.rules.condition import Value


@dataclass(frozen=True, slots=True)
class Bought:
    """Purchases of one category of the POS on one day."""

    category: str
    day: str
    amount_minor: int
    pieces: int


def measure(bought: Iterable[Bought], categories: Mapping[str, Iterable[str]]) -> dict[str, Value]:
    """The values of one customer. A share is of the amount of all she bought, 0.0 when that is nothing."""
    group_of = {part: name for name, parts in categories.items() for part in parts}
    amount: dict[str, int] = defaultdict(int)
    pieces: dict[str, int] = defaultdict(int)
    days: dict[str, set[str]] = defaultdict(set)
    total, all_days = 0, set()
    for each in bought:
        total += each.amount_minor
        all_days.add(each.day)
        name = group_of.get(each.category)
        if name is not None:
            amount[name] += each.amount_minor
            pieces[name] += each.pieces
            days[name].add(each.day)
    values: dict[str, Value] = {"spent_in_period": total, "days_in_period": len(all_days)}
    for name in categories:
        values[f"{name}_share"] = amount[name] / total if total else 0.0
        values[f"{name}_pieces"] = pieces[name]
        values[f"{name}_days"] = len(days[name])
    return values
