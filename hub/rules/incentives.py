"""One incentive rule for one purchase: whether it holds, what it gives, whether there is room for it (rows B7, B8). Pure.

What is out already is not known here: `Room` says it, from wherever the caller keeps it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from config.incentives import ELECTRONIC, IncentiveRule, IncentivesFile
from hub.money import money
from hub.rules.condition import Condition, Value

Verdict = Literal["given", "not", "failed", "over_budget", "over_limit", "not_best", "not_asked"]
NAMES: Mapping[str, Value] = {
    "amount": 0,
    "paid_on": "terminal",
    "registered_on": "terminal",
    "member": True,
    "terminal_payments": 0,
    "payment_number": 0,
    "exits": 0,
    "exit_number": 0,
}
"""What a rule may ask about a purchase, with an example of its type. `payment_number`, `exit_number`: which one of hers this is."""


@dataclass(frozen=True, slots=True)
class Out:
    """What of a rule is reserved or given already: in the period of its budget, and to this customer in the period of her limit.

    `same`: this very exit or payment of hers has had it.
    """

    count: int = 0
    worth_minor: int = 0
    hers: int = 0
    same: bool = False


Room = Callable[[IncentiveRule, int | None], Out]
"""(rule, which exit or payment of hers it is for): asked only for rules that hold."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one rule puts into a grant. `number`: which exit or payment of hers it is for, where the rule counts them."""

    rule: IncentiveRule
    amount_minor: int
    percent: int
    product: str | None
    points: int
    worth_minor: int
    number: int | None


@dataclass(frozen=True, slots=True)
class Ahead:
    """What a rule that counts will bring: so many exits or payments of hers after this one."""

    what: Literal["exits", "payments"]
    more: int
    part: Part


@dataclass(frozen=True, slots=True)
class Judged:
    """One rule and what became of it. `far` orders those that do not hold: smallest is nearest."""

    rule: str
    verdict: Verdict
    because: str
    part: Part | None = None
    far: tuple[bool, int, float] = (False, 0, 0.0)
    ahead: Ahead | None = None


@dataclass(frozen=True, slots=True)
class Incentives:
    """`incentives.toml` with its conditions; `levels` are the places of ranks by their names."""

    file: IncentivesFile
    conditions: tuple[Condition, ...] = ()
    levels: Mapping[str, int] = field(default_factory=dict)
    currency: str = "JPY"

    def judge(self, index: int, values: Mapping[str, Value], room: Room) -> Judged:
        """Rule by its place in the file."""
        rule, condition = self.file.incentive[index], self.conditions[index]
        finding = condition.find(values)
        if not finding.holds:
            verdict: Verdict = "failed" if finding.failed else "not"
            return Judged(
                rule.name, verdict, finding.because, None, (finding.failed, finding.missing, finding.distance)
            )
        number, more, lacking = _counted(rule, values)
        if lacking is None:
            stepped, how, lacking = self._stepped(rule, values)
        if lacking is None:
            lacking = _for_nobody(rule, values)
        if lacking is not None:
            return Judged(rule.name, "not", lacking[0], None, (False, 1, lacking[1]))
        if more and number is not None:
            part = self._part(rule, values, stepped, number + more)
            full = self.full(rule, part.worth_minor, number + more, room(rule, number + more))
            ahead = None if full else Ahead(_counts(rule)[0], more, part)
            because, far = _not_yet(rule, number, more)
            return Judged(rule.name, "not", because, None, (False, 1, far), ahead)
        part = self._part(rule, values, stepped, number)
        out = room(rule, number)
        because = "; ".join(filter(None, (finding.because, how, self._state(rule, part, out))))
        if full := self.full(rule, part.worth_minor, number, out):
            return Judged(rule.name, full[0], full[1])
        return Judged(rule.name, "given", because, part)

    def _stepped(
        self, rule: IncentiveRule, values: Mapping[str, Value]
    ) -> tuple[int | str, str, tuple[str, float] | None]:
        """The value of a table or the way of paying, how it came about, or what lacks."""
        if rule.by_paying is not None:
            return _by_paying(rule, values)
        if rule.table is None:
            return 0, "", None
        if rule.by not in values:
            return 0, "", (f"{rule.by} is not known", 1.0)
        measure, said = int(values[rule.by]), str(values[rule.by])
        if rule.by == "rank":
            said = next((name for name, level in self.levels.items() if level == measure), said)
        rows = [(self.levels[start] if isinstance(start, str) else start, start, value) for start, value in rule.table]
        reached = [row for row in rows if row[0] <= measure]
        first = next((row for row in rows if row[2]), rows[-1])
        if not reached or not reached[-1][2]:
            lack = f"{rule.by} is {said}, the table gives from {first[1]} on"
            return 0, "", (lack, min(1.0, abs(first[0] - measure) / max(abs(first[0]), abs(measure), 1)))
        _, start, value = reached[-1]
        return value, f"{rule.by} is {said}, from {start} on {value}", None

    def _part(self, rule: IncentiveRule, values: Mapping[str, Value], stepped: int | str, number: int | None) -> Part:
        given: dict[str, int | str | None] = {
            "amount_minor": rule.amount_minor, "percent": rule.percent, "product": rule.product, "points": rule.points,
        }  # fmt: skip
        if rule.stepped is not None:
            given[rule.stepped] = stepped
        amount, percent, points = (int(given[name] or 0) for name in ("amount_minor", "percent", "points"))
        if not values["member"]:
            points = 0
        worth = rule.worth_minor
        if worth is None:
            worth = amount + int(values["amount"]) * percent // 100 + points * self.file.point_worth_minor
        product = given["product"]
        return Part(rule, amount, percent, str(product) if product else None, points, worth, number)

    def full(self, rule: IncentiveRule, worth_minor: int, number: int | None, out: Out) -> tuple[Verdict, str] | None:
        """Why there is no room for one more of this worth, or None."""
        period = PERIODS[rule.budget_period]
        if rule.budget_count is not None and out.count + 1 > rule.budget_count:
            return "over_budget", f"all {rule.budget_count} {period} are out"
        if rule.budget_minor is not None and out.worth_minor + worth_minor > rule.budget_minor:
            return "over_budget", (f"its budget {period} of {self._money(rule.budget_minor)} has no room for "
                                   f"{self._money(worth_minor)} ({self._money(out.worth_minor)} are out)")  # fmt: skip
        if out.same:
            return "over_limit", f"her {_nth(number or 0)} has had it"
        if rule.per_customer is not None and out.hers + 1 > rule.per_customer.count:
            return (
                "over_limit",
                f"she has had {out.hers} of {rule.per_customer.count} {PERIODS[rule.per_customer.period]}",
            )
        return None

    def _state(self, rule: IncentiveRule, part: Part, out: Out) -> str:
        """Budget and limit with this one in them."""
        said = []
        if rule.budget_count is not None:
            said.append(f"{out.count + 1} of {rule.budget_count} {PERIODS[rule.budget_period]}")
        if rule.budget_minor is not None:
            spent = out.worth_minor + part.worth_minor
            said.append(
                f"budget {self._money(spent)} of {self._money(rule.budget_minor)} {PERIODS[rule.budget_period]}"
            )
        if rule.per_customer is not None:
            said.append(f"hers {out.hers + 1} of {rule.per_customer.count} {PERIODS[rule.per_customer.period]}")
        return ", ".join(said)

    def _money(self, minor: int) -> str:
        return money(minor, self.currency).en


def table_problem(rule: IncentiveRule, names: Mapping[str, Value], levels: Mapping[str, int]) -> str:
    """What is wrong with a table's column of beginnings, or "": it names a value, and ranks where that is the rank."""
    if rule.table is None:
        return ""
    countable = [
        name for name, sample in names.items() if isinstance(sample, int | float) and not isinstance(sample, bool)
    ]
    if rule.by not in countable:
        close = difflib.get_close_matches(rule.by, countable, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        return f"by: {rule.by!r} is no number of a purchase; possible are {', '.join(sorted(countable))}{hint}"
    before = -1
    for number, (start, _) in enumerate(rule.table, 1):
        if rule.by != "rank":
            if isinstance(start, str):
                return f"table, row {number}: {start!r} is no number, and the table is by {rule.by}; for ranks: by = 'rank'"
            continue
        if not isinstance(start, str) or start not in levels:
            return f"table, row {number}: {start!r} is no rank; ranks are {', '.join(levels)}"
        if levels[start] <= before:
            return f"table, row {number}: {start!r} is no higher than the rank of the row before; rows rise"
        before = levels[start]
    return ""


PERIODS = {"day": "today", "month": "this month", "year": "this year", "all": "in all"}


def _counts(rule: IncentiveRule) -> tuple[Literal["exits", "payments"], str, str, int]:
    """What a rule counts, the value that says which one this is, its word, and every so-manieth."""
    assert rule.every is not None
    if rule.every.exits is not None:
        return "exits", "exit_number", "exit", rule.every.exits
    assert rule.every.terminal_payments is not None
    return "payments", "payment_number", "payment on the terminal", rule.every.terminal_payments


def _counted(rule: IncentiveRule, values: Mapping[str, Value]) -> tuple[int | None, int, tuple[str, float] | None]:
    """Which exit or payment this is, if the rule counts them; how many more it takes after it; and what lacks for counting."""
    if rule.every is None:
        return None, 0, None
    _, name, word, every = _counts(rule)
    if not values["member"]:
        return None, 0, (f"she is not known: nobody counts her {word}s", 1.0)
    number = int(values.get(name, 0))
    if number <= 0:
        return None, 0, (f"this is no {word}", 1.0)
    return number, -number % every, None


def _not_yet(rule: IncentiveRule, number: int, more: int) -> tuple[str, float]:
    _, _, word, every = _counts(rule)
    return f"this is her {_nth(number)} {word}, and it comes at every {_nth(every)}: {more} more", more / every


def _by_paying(rule: IncentiveRule, values: Mapping[str, Value]) -> tuple[int | str, str, tuple[str, float] | None]:
    assert rule.by_paying is not None
    steps = rule.by_paying
    if values["paid_on"] != "terminal":
        value, way = steps.settlement, "paid at a settlement device"
    elif values.get("registered_on") != "terminal":
        where = "elsewhere" if "registered_on" in values else "it is not known where"
        value, way = steps.terminal_payment, f"paid on the terminal, goods registered {where}"
    else:
        value, way = steps.terminal, "registered and paid on the terminal"
    return value, f"{way}: {value}", None if value else (f"{way}: that brings nothing", 1.0)


def _for_nobody(rule: IncentiveRule, values: Mapping[str, Value]) -> tuple[str, float] | None:
    """Who is not known has no account, no limit that could be counted, and no terminal of hers."""
    if values["member"]:
        return None
    if rule.per_customer is not None:
        return "she is not known: nobody counts what she has had", 1.0
    coupon = rule.kind != "points" or rule.amount_minor or rule.percent or rule.product
    if not coupon:
        return "she is not known: there is no account to add points to", 1.0
    if all(way in ELECTRONIC for way in rule.give):
        return f"she is not known: it can't be brought to her by {' or '.join(rule.give)}", 1.0
    return None


def _nth(number: int) -> str:
    end = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{end}"
