"""How much more she has to buy until her exit brings something (row B3). Pure.

Each rule is asked by itself, and only where the amount is part of it: at the numbers that stand in it, and by halving where it
computes (`amount * 2 >= 3000`). So the hub's loop is not held up by files of a hundred rules with a hundred rows each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from config.incentives import IncentiveRule
from hub.rules.condition import Value
from hub.rules.incentives import Incentives, Out, Room

AMOUNT_MAX = 10**9
"""Beyond this nobody is told to buy more."""
_NUMBER = re.compile(r"(?<![\w.])\d{1,9}(?![\w.])")


def least_amount(incentives: Incentives, values: Mapping[str, Value], room: Room, above: int) -> int | None:
    """The least amount above this one with which any rule gives something, all other values as they are; or None."""
    known: dict[tuple[str, int | None], Out] = {}

    def room_once(rule: IncentiveRule, number: int | None) -> Out:
        key = rule.name, number
        if key not in known:
            known[key] = room(rule, number)
        return known[key]

    found: int | None = None
    for index in range(len(incentives.file.incentive)):
        found = (
            _of_rule(incentives, index, values, room_once, above, AMOUNT_MAX if found is None else found - 1) or found
        )
    return found


def _of_rule(
    incentives: Incentives, index: int, values: Mapping[str, Value], room: Room, above: int, most: int
) -> int | None:
    rule, condition = incentives.file.incentive[index], incentives.conditions[index]
    steps = rule.table if rule.table is not None and rule.by == "amount" else ()
    if "amount" not in condition.variables and not steps:
        return None  # what holds or lacks does so for any amount

    def gives(amount: int) -> bool:
        now = {**values, "amount": amount}
        return condition.holds(now) and incentives.judge(index, now, room).verdict == "given"

    # Values of a table never fall: below its first that is something it brings nothing, from there on always something.
    starts = [start for start, value in steps if isinstance(start, int) and value][:1]
    return least_more(above, [condition.source, *map(str, starts)], gives, most)


def least_more(amount: int, sources: Iterable[str], gives: Callable[[int], bool], most: int = AMOUNT_MAX) -> int | None:
    """The least amount above this one, and up to `most`, that gives something, or None; exact where a rule compares the amount with
    a number that stands in `sources`."""
    named = {int(found) for source in sources for found in _NUMBER.findall(source)}
    candidates = sorted({each for number in named for each in (number, number + 1) if amount < each <= most})
    found = next((each for each in candidates if gives(each)), None)
    return _halved(amount, found, gives, most)


def _halved(amount: int, found: int | None, gives: Callable[[int], bool], most: int) -> int | None:
    """Between what gives nothing and what does, by halving: a rule may compute."""
    below, step = amount, 1
    while found is None:
        if below >= most:
            return None
        above = min(amount + step, most)
        if gives(above):
            found = above
        else:
            below, step = above, step * 2
    if found - 1 > below and not gives(found - 1):  # it stands so in the rule
        return found
    while found - below > 1:
        middle = (below + found) // 2
        below, found = (below, middle) if gives(middle) else (middle, found)
    return found
