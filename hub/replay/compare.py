"""What the days were, what they are by the rules as they are now, and by those to be tried. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from hub.replay.play import Result

SHOWN = 20
"""Differences that are shown to a person; machines get all."""


@dataclass(frozen=True, slots=True)
class Sum:
    """How many of a rule, and what they are worth in minor units (0 for alerts)."""

    count: int = 0
    minor: int = 0

    def __add__(self, other: Sum) -> Sum:
        return Sum(self.count + other.count, self.minor + other.minor)


Sums = Mapping[str, Sum]


@dataclass(frozen=True, slots=True)
class Column:
    """One way in which the days went: sums by rule."""

    alerts: Sums
    coupons: Sums
    given: Sums

    @property
    def cost_minor(self) -> int:
        """Of all coupons, as they count against budgets."""
        return total(self.coupons).minor + total(self.given).minor


@dataclass(frozen=True, slots=True)
class Difference:
    """What the rules to be tried do otherwise. `about`: alert, coupon, incentive; `before`, `after`: the rule, "" for none."""

    about: str
    customer: str
    what: str
    before: str
    after: str
    because: str


def total(sums: Sums) -> Sum:
    """All rules together."""
    return sum(sums.values(), Sum())


def column(result: Result) -> Column:
    """The sums of a result."""
    return Column(
        _sums((rule_of(visit.decided), 0) for visit in result.visits if visit.alerted),
        _sums((coupon.rule, coupon.amount_minor) for coupon in result.coupons),
        _sums((each.rule, each.worth_minor) for each in result.given),
    )


def rule_of(decided: str) -> str:
    """The rule that held, by a decision's sentence (`hub.rules.policy.Decision`)."""
    return decided.partition(":")[0]


def _sums(found: Iterable[tuple[str, int]]) -> dict[str, Sum]:
    count: Counter[str] = Counter()
    minor: Counter[str] = Counter()
    for rule, amount in found:
        count[rule] += 1
        minor[rule] += amount
    return {rule: Sum(count[rule], minor[rule]) for rule in sorted(count)}


def differences(before: Result, after: Result) -> list[Difference]:
    """Visit by visit, coupon by coupon, sale by sale, in this order."""
    return [*_alerts(before, after), *_coupons(before, after), *_given(before, after)]


def _alerts(before: Result, after: Result) -> Iterable[Difference]:
    now = {visit.visit: visit for visit in after.visits}
    for was in before.visits:
        then = now.get(was.visit)
        if then is not None and (was.alerted, was.good) != (then.alerted, then.good):
            yield Difference("alert", was.customer, was.visit, rule_of(was.decided) if was.alerted else "",
                             rule_of(then.decided) if then.alerted else "", then.decided)  # fmt: skip


def _coupons(before: Result, after: Result) -> Iterable[Difference]:
    was = Counter((each.customer, each.rule) for each in before.coupons)
    then = Counter((each.customer, each.rule) for each in after.coupons)
    for customer, rule in sorted((was - then).elements()):
        yield Difference("coupon", customer, rule, rule, "", "")
    for customer, rule in sorted((then - was).elements()):
        yield Difference("coupon", customer, rule, "", rule, "")


def _given(before: Result, after: Result) -> Iterable[Difference]:
    was, then = ({each.sale: each for each in result.given} for result in (before, after))
    for sale in sorted(was.keys() | then.keys()):
        old, new = was.get(sale), then.get(sale)
        if (old and (old.rule, old.worth_minor)) != (new and (new.rule, new.worth_minor)):
            one = new or old
            assert one is not None
            yield Difference("incentive", one.customer or "", sale, f"{old.rule} ({old.worth_minor:,})" if old else "",
                             f"{new.rule} ({new.worth_minor:,})" if new else "", new.because if new else "")  # fmt: skip


def table(columns: Mapping[str, Column], money: Callable[[int], str]) -> str:
    """For people: a line for each rule, a column for each way."""
    rows: list[tuple[str, ...]] = [("", *columns)]
    for title, part in (
        ("alerts to clerks", "alerts"),
        ("coupons by what she bought", "coupons"),
        ("given at exits", "given"),
    ):
        sums: list[Sums] = [getattr(each, part) for each in columns.values()]
        rows.append((title, *(_shown(total(each), money) for each in sums)))
        rules = sorted({rule for each in sums for rule in each})
        rows += [(f"  {rule}", *(_shown(each.get(rule, Sum()), money) for each in sums)) for rule in rules]
    rows.append(("cost of all coupons", *(money(each.cost_minor) for each in columns.values())))
    wide = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(wide[0]) if n == 0 else cell.rjust(wide[n]) for n, cell in enumerate(row)).rstrip()
        for row in rows
    )


def _shown(one: Sum, money: Callable[[int], str]) -> str:
    return f"{one.count:,} ({money(one.minor)})" if one.minor else f"{one.count:,}"


def listed(found: list[Difference]) -> str:
    """For people: the first of them."""
    lines = [
        f"{each.about:<9}  {each.customer or 'nobody known':<12}  {each.what}: {each.before or 'none'} → {each.after or 'none'}"
        + (f"\n{'':<11}{each.because}" if each.because else "")
        for each in found[:SHOWN]
    ]
    if len(found) > SHOWN:
        lines.append(f"… and {len(found) - SHOWN:,} more (--json shows all)")
    return "\n".join(lines)
