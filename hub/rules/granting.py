"""What a purchase brings at the exit: all rules together, one grant or none, and what became of every rule (rows B3, B7, B8, C7). Pure.

    first   the first rule of the file that holds and for which there is room
    best    of those, the one of the highest worth; of equals the first
    sum     all of them: amounts, percentages and points add up, the strictest of their conditions counts

The exit and the list on a terminal ask the same function: what is promised is what is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from config.incentives import ELECTRONIC, IncentiveRule, ReceiptText, Way
from config.words import Words
from hub.money import money
from hub.rules.condition import Value
from hub.rules.incentives import Ahead, Incentives, Judged, Part, Room

LAST_SECOND = time(23, 59, 59)
"""A slip says a day: it holds to its end."""
PERCENT_MAX = 100


@dataclass(frozen=True, slots=True)
class Grant:
    """One coupon of one ID; points, where there are any, are added to her account by her passage.

    `ways` in the order in which they are tried, those left out that can't be had by who is not known.
    """

    parts: tuple[Part, ...]
    kind: str
    title: Words
    amount_minor: int
    percent: int
    product: str | None
    points: int
    minimum_minor: int
    valid_from: datetime
    valid_until: datetime
    ways: tuple[Way, ...]
    receipt: ReceiptText | None

    @property
    def rule(self) -> str:
        """The names of the rules that it comes from."""
        return "+".join(part.rule.name for part in self.parts)

    @property
    def give(self) -> str:
        """How the lane gives it: print, display, electronic."""
        return "electronic" if self.ways[0] in ELECTRONIC else self.ways[0]

    def given(self, *, can_print: bool, known: bool) -> str:
        """As `give`, where there is a printer that can print or not: the first that can be had. Who is not known has no terminal
        of hers, so that the display is her last resort."""
        if can_print or self.give != "print":
            return self.give
        other = next((way for way in self.ways if way != "print"), None)
        if other is not None:
            return "electronic" if other in ELECTRONIC else other
        return "electronic" if known else "display"

    @property
    def electronic(self) -> tuple[Way, ...]:
        """How it is brought to her when it is not on paper, or the paper has failed; none: as [giving] of the settings says."""
        return tuple(way for way in self.ways if way in ELECTRONIC)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A grant or none, and every rule of the file with what became of it."""

    grant: Grant | None
    judged: tuple[Judged, ...]
    ahead: tuple[Words, Ahead] | None = None
    """Where nothing is given: what a rule that counts brings soonest, with its title."""

    @property
    def rule(self) -> str:
        """The rule that was given, or the nearest one; "" where there is none."""
        if self.grant is not None:
            return self.grant.rule
        nearest = self._nearest()
        return nearest.rule if nearest is not None else ""

    @property
    def failed(self) -> tuple[str, ...]:
        """Rules that could not be computed, each with its reason: a mistake in the rule."""
        return tuple(f"{each.rule}: {each.because}" for each in self.judged if each.verdict == "failed")

    def _nearest(self) -> Judged | None:
        lacking = [each for each in self.judged if each.verdict in ("not", "failed")]
        return min(lacking, key=lambda each: each.far, default=None)

    def __str__(self) -> str:
        """Every rule by its name: what was given, or what was nearest, comes first."""
        given = [each for each in self.judged if each.verdict == "given"]
        full = [each for each in self.judged if each.verdict in ("over_budget", "over_limit")]
        nearest = self._nearest() if not given and not full else None
        first = given or full
        said = [f"{each.rule}: yes, {each.because}" for each in given]
        if full and not given:
            said = [f"no: {'; '.join(f'{each.rule} holds, but {each.because}' for each in full)}"]
        elif nearest is not None:
            said, first = [f"no, nearest {nearest.rule}: {nearest.because}"], [nearest]
        elif not given:
            return "no: there is no rule"
        return "; ".join([*said, *(_other(each) for each in self.judged if each not in first)])


def _other(judged: Judged) -> str:
    if judged.verdict == "failed":
        return f"could not be computed: {judged.rule}: {judged.because}"
    word = {"not": "no", "not_asked": "not asked"}.get(judged.verdict, "holds, but")
    return (
        f"{judged.rule}: {word}, {judged.because}"
        if word != "holds, but"
        else f"{judged.rule} holds, but {judged.because}"
    )


def _itself(product: str) -> Words:
    return Words(ja=product, en=product)


def decide(incentives: Incentives, values: Mapping[str, Value], room: Room, *, now: datetime, zone: ZoneInfo,
           product: Callable[[str], Words] = _itself) -> Outcome:  # fmt: skip
    """For one purchase of one customer. `values` as in `hub.rules.policy.CUSTOMER` and `PURCHASE`, without what is not known;
    `product` is the name of a product by its code."""
    judged: list[Judged] = []
    for index, rule in enumerate(incentives.file.incentive):
        first = next((each for each in judged if each.verdict == "given"), None)
        if first is not None and incentives.file.combine == "first":
            judged.append(Judged(rule.name, "not_asked", f"{first.rule} stands before it"))
        else:
            judged.append(incentives.judge(index, values, room))
    if incentives.file.combine == "best":
        judged = _best(judged)
    elif incentives.file.combine == "sum":
        judged = _one_product(judged)
    parts = tuple(each.part for each in judged if each.part is not None)
    if not parts:
        ahead = min((each.ahead for each in judged if each.ahead), key=lambda each: each.more, default=None)
        coming = (_title(ahead.part, incentives.currency, product), ahead) if ahead is not None else None
        return Outcome(None, tuple(judged), coming)
    made = _made(parts, bool(values["member"]), now, zone, lambda part: _title(part, incentives.currency, product))
    return Outcome(made, tuple(judged))


def _best(judged: list[Judged]) -> list[Judged]:
    able = [each.part for each in judged if each.part is not None]
    if not able:
        return judged
    best = max(able, key=lambda part: part.worth_minor)  # the first of equals
    return [
        each if each.part is None or each.part is best
        else Judged(each.rule, "not_best", f"{best.rule.name} is worth {best.worth_minor}, it {each.part.worth_minor}")
        for each in judged
    ]  # fmt: skip


def _one_product(judged: list[Judged]) -> list[Judged]:
    """One coupon brings one product: the one of the highest worth, of equals the first."""
    bringing = [each.part for each in judged if each.part is not None and _brings_product(each.part)]
    if len(bringing) < 2:
        return judged
    best = max(bringing, key=lambda part: part.worth_minor)
    return [
        Judged(each.rule, "not_best", f"one coupon brings one product, that of {best.rule.name}")
        if each.part in bringing and each.part is not best else each
        for each in judged
    ]  # fmt: skip


def _made(parts: tuple[Part, ...], known: bool, now: datetime, zone: ZoneInfo, title: Callable[[Part], Words]) -> Grant:
    """One grant of these parts. What it is given as goes by the first that is more than points."""
    lead = next((part for part in parts if not _points_only(part)), parts[0])
    ways = tuple(way for way in lead.rule.give if known or way not in ELECTRONIC)
    if _points_only(lead):  # nothing to read from a display: they are in her account
        ways = tuple(way for way in ways if way != "display") or ("app",)
    titles = [title(part) for part in parts]
    coupon = [part for part in parts if not _points_only(part)] or list(parts)  # points have no minimum and no last day
    amount, percent = sum(part.amount_minor for part in parts), sum(part.percent for part in parts)
    product = next((part.product for part in parts if part.product is not None), None)
    kind = lead.rule.kind
    if len(parts) > 1:
        is_product = any(part.rule.kind == "product" for part in parts)
        kind = "discount" if amount or percent else "product" if is_product else "points"
    return Grant(
        parts,
        kind,
        Words.model_construct(
            ja="＋".join(each.ja for each in titles)[:300], en=" + ".join(each.en for each in titles)[:300]
        ),
        amount,
        min(percent, PERCENT_MAX),
        product,
        sum(part.points for part in parts),
        max(part.rule.minimum_minor for part in coupon),
        max(_begins(part.rule, now, zone) for part in coupon),
        min(_ends(part.rule, now, zone) for part in coupon),
        ways,
        lead.rule.receipt,
    )


def _brings_product(part: Part) -> bool:
    return part.rule.kind == "product" or part.product is not None


def _points_only(part: Part) -> bool:
    return part.rule.kind == "points" and not (part.amount_minor or part.percent or part.product)


def _begins(rule: IncentiveRule, now: datetime, zone: ZoneInfo) -> datetime:
    """Of the next purchase: from her passage on, and never in the sale that brought it; `hub.offers.redeeming` sees to it."""
    if rule.valid_from == "next_purchase":
        return now
    return datetime.combine(now.astimezone(zone).date() + timedelta(days=1), time(), zone)


def _ends(rule: IncentiveRule, now: datetime, zone: ZoneInfo) -> datetime:
    return datetime.combine(now.astimezone(zone).date() + timedelta(days=rule.valid_days), LAST_SECOND, zone)


def _title(part: Part, currency: str, product: Callable[[str], Words]) -> Words:
    amount, minimum = money(part.amount_minor, currency), money(part.rule.minimum_minor, currency)
    name = product(part.product) if part.product else Words.model_construct(ja="", en="")
    numbers = {"percent": part.percent, "points": f"{part.points:,}"}
    ja = {**numbers, "amount": amount.ja, "minimum": minimum.ja, "product": name.ja}
    en = {**numbers, "amount": amount.en, "minimum": minimum.en, "product": name.en}
    title = part.rule.title
    return Words.model_construct(ja=title.ja.format_map(ja)[:300], en=title.en.format_map(en)[:300])


__all__ = ["Grant", "Outcome", "decide"]
