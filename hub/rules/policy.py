"""The store's policy as one object: ranks, rules, messages, incentives, read together and replaced together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from config.coupons import CouponsFile
from config.hub_settings import HubSettings
from config.load import SettingsError, load
from config.rules import IncentiveRule, IncentivesFile, MessagesFile, Points, Rank, RulesFile
from hub.rules.condition import Condition, ConditionError, Finding, Names, Value
from hub.rules.coupon_table import CouponTable, samples

CUSTOMER: Mapping[str, Value] = {"rank": 0, "visits": 0, "average_purchase": 0, "points": 0, "spent": 0}
"""What a rule may ask about a customer, with an example of its type."""
PURCHASE: Mapping[str, Value] = {
    "amount": 0,
    "paid_on": "terminal",
    "member": True,
    "terminal_payments": 0,
    "exits": 0,
}


@dataclass(frozen=True, slots=True)
class Decision:
    """Who decided what and why (row C7). `rule` is empty when no rule stands there."""

    rule: str
    holds: bool
    because: str
    values: dict[str, Value]

    def __str__(self) -> str:
        if not self.rule:
            return "no: there is no rule"
        return f"{self.rule}: yes, {self.because}" if self.holds else f"no, nearest {self.rule}: {self.because}"


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds now."""

    ranks: tuple[Rank, ...]
    points: Points
    good: tuple[tuple[str, Condition], ...]
    messages: MessagesFile
    incentives: tuple[tuple[IncentiveRule, Condition], ...]
    coupons: CouponTable = field(default_factory=CouponTable)

    def level(self, rank: str) -> int:
        """The place of a rank from the lowest (0); a rank that is no longer in the file is the lowest."""
        return next((level for level, each in enumerate(self.ranks) if each.name == rank), 0)

    def rank_of(self, spent_minor: int) -> str:
        """The rank that a customer's purchases reach."""
        return max(
            (rank for rank in self.ranks if rank.from_spent <= spent_minor), key=lambda rank: rank.from_spent
        ).name

    def is_good(self, values: Mapping[str, Value]) -> Decision:
        """Row A6. `values` as in CUSTOMER."""
        return _first([(name, condition) for name, condition in self.good], values)[0]

    def incentive(self, values: Mapping[str, Value]) -> tuple[Decision, IncentiveRule | None]:
        """Row B7. `values` as in CUSTOMER and PURCHASE."""
        decision, index = _first([(rule.name, condition) for rule, condition in self.incentives], values)
        return decision, None if index is None else self.incentives[index][0]


def _first(rules: Sequence[tuple[str, Condition]], values: Mapping[str, Value]) -> tuple[Decision, int | None]:
    """The first rule that holds, or the nearest "no"."""
    nearest: tuple[str, Finding] | None = None
    for index, (name, condition) in enumerate(rules):
        finding = condition.find(values)
        if finding.holds:
            return Decision(name, True, finding.because, finding.values), index
        if nearest is None or (finding.missing, finding.distance) < (nearest[1].missing, nearest[1].distance):
            nearest = name, finding
    if nearest is None:
        return Decision("", False, "", {}), None
    return Decision(nearest[0], False, nearest[1].because, nearest[1].values), None


def read_policy(settings: HubSettings) -> Policy:
    """All files of the policy, checked. Raises SettingsError naming file, rule, line and column of the mistake."""
    rules, messages = load(settings.rules, RulesFile), load(settings.messages, MessagesFile)
    incentives = load(settings.incentives, IncentivesFile)
    ranks = {rank.name: level for level, rank in enumerate(rules.rank)}
    taken = sorted(set(ranks) & {*CUSTOMER, *PURCHASE})
    if taken:
        raise SettingsError(settings.rules, [f"rank {taken[0]!r} has the name of a value; call it differently"])
    customer, purchase = Names(CUSTOMER, ranks), Names({**CUSTOMER, **PURCHASE}, ranks)
    good = _compiled(
        settings.rules, "good_customer", [(rule.name, rule.when) for rule in rules.good_customer], customer
    )
    given = _compiled(
        settings.incentives, "incentive", [(rule.name, rule.when) for rule in incentives.incentive], purchase
    )
    coupons = CouponTable()
    if settings.coupons is not None:
        file = load(settings.coupons, CouponsFile)
        names = Names({**CUSTOMER, **samples(file.categories)}, ranks)
        coupons = CouponTable(
            file, tuple(_compiled(settings.coupons, "coupon", [(rule.name, rule.when) for rule in file.coupon], names))
        )
    return Policy(
        tuple(rules.rank),
        rules.points,
        tuple(zip([rule.name for rule in rules.good_customer], good, strict=True)),
        messages,
        tuple(zip(incentives.incentive, given, strict=True)),
        coupons,
    )


def _compiled(path: Path, table: str, rules: list[tuple[str, str]], names: Names) -> list[Condition]:
    found, problems = [], []
    for name, source in rules:
        try:
            found.append(Condition(source, names))
        except ConditionError as error:
            where = _line_of(path, source)
            problems.append(f"{table} {name!r}{where}, when: column {error.column}: {error.problem}")
    if problems:
        raise SettingsError(path, problems)
    return found


def _line_of(path: Path, source: str) -> str:
    """The line of the file where a condition begins. TOML readers give no places, so it is searched for."""
    first = source.strip().partition("\n")[0]
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if first in line and not line.lstrip().startswith("#"):
            return f" (line {number})"
    return ""
