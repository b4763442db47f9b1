"""The store's policy as one object: ranks, rules, messages, incentives, read together and replaced together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from config.coupons import CouponsFile
from config.hub_settings import HubSettings
from config.load import SettingsError, load
from config.rules import IncentivesFile, MessagesFile, Points, Rank, RulesFile, TreatmentRule
from contract.payloads import Reading
from hub.rules import incentives, senses
from hub.rules.condition import Condition, ConditionError, Finding, Names, Value
from hub.rules.coupon_table import CouponTable, samples
from hub.rules.incentives import Incentives
from hub.rules.ranks import RankError, Ranking, compile_ranks

CUSTOMER: Mapping[str, Value] = {"rank": 0, "visits": 0, "average_purchase": 0, "points": 0, "spent": 0}
"""What a rule may ask about a customer, with an example of its type."""
PURCHASE: Mapping[str, Value] = incentives.NAMES


@dataclass(frozen=True, slots=True)
class Decision:
    """Who decided what and why (row C7). `rule` is empty when no rule stands there.

    `failed`: rules that could not be computed for these values, each with its reason. They do not hold; count them.
    """

    rule: str
    holds: bool
    because: str
    values: dict[str, Value]
    failed: tuple[str, ...] = ()

    def __str__(self) -> str:
        if not self.rule:
            return "no: there is no rule"
        said = f"{self.rule}: yes, {self.because}" if self.holds else f"no, nearest {self.rule}: {self.because}"
        others = [each for each in self.failed if each != f"{self.rule}: {self.because}"]
        return "; ".join([said, *(f"could not be computed: {each}" for each in others)])


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds now."""

    ranks: tuple[Rank, ...]
    ranking: Ranking
    points: Points
    good: tuple[tuple[str, Condition], ...]
    messages: MessagesFile
    incentives: Incentives
    """Row B7; asked by `hub.rules.granting.decide`."""
    coupons: CouponTable = field(default_factory=CouponTable)
    treatments: tuple[tuple[TreatmentRule, Condition], ...] = ()

    def level(self, rank: str) -> int:
        """The place of a rank from the lowest (0); a rank that is no longer in the file is the lowest."""
        return next((level for level, each in enumerate(self.ranks) if each.name == rank), 0)

    def is_good(self, values: Mapping[str, Value]) -> Decision:
        """Row A6. `values` as in CUSTOMER."""
        return _first([(name, condition) for name, condition in self.good], values)[0]

    @property
    def readings(self) -> tuple[Reading, ...]:
        """What a terminal is asked for: the readings that treatment rules name, and no others (row A8)."""
        return senses.asked_for(tuple(name for _, condition in self.treatments for name in condition.variables))

    def treat(self, values: Mapping[str, Value]) -> tuple[Decision, TreatmentRule | None]:
        """Row A9. `values` as in CUSTOMER, and what there is of `hub.rules.senses.SENSES`; the decision names none of those."""
        decision, index = _first([(rule.name, condition) for rule, condition in self.treatments], values)
        return decision, None if index is None else self.treatments[index][0]


def _first(rules: Sequence[tuple[str, Condition]], values: Mapping[str, Value]) -> tuple[Decision, int | None]:
    """The first rule that holds, or the nearest "no"."""
    nearest: tuple[str, Finding] | None = None
    failed: list[str] = []
    for index, (name, condition) in enumerate(rules):
        finding = condition.find(values)
        if finding.holds:
            return Decision(name, True, finding.because, finding.values, tuple(failed)), index
        if finding.failed:
            failed.append(f"{name}: {finding.because}")
        if nearest is None or _far(finding) < _far(nearest[1]):
            nearest = name, finding
    if nearest is None:
        return Decision("", False, "", {}), None
    return Decision(nearest[0], False, nearest[1].because, nearest[1].values, tuple(failed)), None


def _far(finding: Finding) -> tuple[bool, int, float]:
    return finding.failed, finding.missing, finding.distance


def read_policy(settings: HubSettings) -> Policy:
    """All files of the policy, checked. Raises SettingsError naming file, rule, line and column of the mistake."""
    rules, messages = load(settings.rules, RulesFile), load(settings.messages, MessagesFile)
    ranks = {rank.name: level for level, rank in enumerate(rules.rank)}
    taken = sorted(set(ranks) & {*CUSTOMER, *PURCHASE, *senses.SENSES})
    if taken:
        raise SettingsError(settings.rules, [f"rank {taken[0]!r} has the name of a value; call it differently"])
    customer = Names(CUSTOMER, ranks)
    good = _compiled(
        settings.rules, "good_customer", [(rule.name, rule.when) for rule in rules.good_customer], customer
    )
    treatments = _treatments(settings, rules, messages, ranks)
    coupons = CouponTable()
    if settings.coupons is not None:
        file = load(settings.coupons, CouponsFile)
        names = Names({**CUSTOMER, **samples(file.categories)}, ranks)
        coupons = CouponTable(
            file, tuple(_compiled(settings.coupons, "coupon", [(rule.name, rule.when) for rule in file.coupon], names))
        )
    return Policy(
        tuple(rules.rank),
        _ranking(settings.rules, rules),
        rules.points,
        tuple(zip([rule.name for rule in rules.good_customer], good, strict=True)),
        messages,
        _incentives(settings, ranks),
        coupons,
        treatments,
    )


def _incentives(settings: HubSettings, ranks: Mapping[str, int]) -> Incentives:
    path = settings.incentives
    file = load(path, IncentivesFile)
    names = {**CUSTOMER, **PURCHASE}
    when = _compiled(path, "incentive", [(rule.name, rule.when) for rule in file.incentive], Names(names, ranks))
    for rule in file.incentive:
        problem = incentives.table_problem(rule, names, ranks)
        if problem:
            raise SettingsError(path, [f"incentive {rule.name!r}{_line_of(path, rule.when)}, {problem}"])
    return Incentives(file, tuple(when), ranks, settings.store.currency)


def _treatments(settings: HubSettings, rules: RulesFile, messages: MessagesFile,
                ranks: Mapping[str, int]) -> tuple[tuple[TreatmentRule, Condition], ...]:  # fmt: skip
    for rule in rules.treatment:
        if rule.message not in messages.treatment:
            known = ", ".join(messages.treatment) or "none"
            raise SettingsError(settings.rules, [f"treatment {rule.name!r}{_line_of(settings.rules, rule.when)}, message: "
                                                 f"{rule.message!r} is not in [treatment] of {settings.messages.name}; "
                                                 f"there: {known}"])  # fmt: skip
    names = Names({**CUSTOMER, **senses.SAMPLES}, ranks, frozenset(senses.SENSES))
    when = _compiled(settings.rules, "treatment", [(rule.name, rule.when) for rule in rules.treatment], names)
    return tuple(zip(rules.treatment, when, strict=True))


def _ranking(path: Path, rules: RulesFile) -> Ranking:
    try:
        return compile_ranks(rules.rank, rules.imported_rank_days)
    except RankError as wrong:
        where = _line_of(path, wrong.source)
        raise SettingsError(
            path, [f"rank {wrong.rank!r}{where}, when: column {wrong.error.column}: {wrong.error.problem}"]
        ) from None


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
