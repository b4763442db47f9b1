"""The store's policy as files: ranks and rules, messages. Shapes only; `hub.rules` compiles the conditions.

Incentives have their own room, `config.incentives`, and are named here too.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from config.incentives import Condition, IncentiveRule, IncentivesFile, Minor, RuleName
from config.load import Section
from config.words import Words, check_places

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


def _unique(names: list[str], what: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{what} {twice[0]!r} stands here twice")


# --- rules.toml


class Rank(Section):
    """A rank and what reaches it: a condition as in `hub.rules.ranks`, or what was spent in all, in minor units."""

    name: Name
    when: Condition | None = None
    from_spent: Minor | None = None
    label: Words


class Rule(Section):
    """A condition with a name. Rules are tried in order; the first that holds decides."""

    name: RuleName
    when: Condition


class TreatmentRule(Rule):
    """A condition on the readings of a good customer's terminal (row A9), and the entry of the message table (row A10)."""

    message: Name


class Points(Section):
    """One point for so many minor units spent; 0: none."""

    spent_per_point: Minor = 100


class RulesFile(Section):
    """`rules.toml`: ranks from the lowest to the highest, and who is a good customer (row A6)."""

    imported_rank_days: Annotated[int, Field(ge=1, le=3660)] | None = None
    """So long a rank that an import said holds against what the purchases since then reach; None: for ever."""
    rank: Annotated[tuple[Rank, ...], Field(min_length=1, max_length=32)]
    points: Points = Points()
    good_customer: Annotated[tuple[Rule, ...], Field(max_length=100)] = ()
    treatment: Annotated[tuple[TreatmentRule, ...], Field(max_length=100)] = ()
    """Tried in order; the first that holds decides. None: nobody's terminal is asked for anything."""

    @model_validator(mode="after")
    def _in_order(self) -> RulesFile:
        _unique([rank.name for rank in self.rank], "rank")
        _unique([rule.name for rule in self.good_customer], "rule")
        _unique([rule.name for rule in self.treatment], "treatment")
        lowest = self.rank[0]
        if lowest.from_spent or lowest.when is not None:
            raise ValueError(
                f"rank {lowest.name!r} is the lowest: everybody has it, so it has no when and no from_spent"
            )
        spent = 0
        for rank in self.rank[1:]:
            if (rank.when is None) == (rank.from_spent is None):
                raise ValueError(f"rank {rank.name!r} needs when or from_spent, and not both")
            if rank.from_spent is not None:
                if rank.from_spent <= spent:
                    raise ValueError(f"rank {rank.name!r} must need more than those before it; they are in order")
                spent = rank.from_spent
        return self


# --- messages.toml


class ClerkMessages(Section):
    """What a handheld shows. Places: {name} of the customer, {title} of the coupon."""

    service_request: Words
    coupon: Words = Words(ja="{name}様に「{title}」をお勧めください。", en="Recommend to {name}: {title}.")

    @model_validator(mode="after")
    def _places(self) -> ClerkMessages:
        for text in (self.service_request.ja, self.service_request.en):
            check_places(text, ("name",))
        for text in (self.coupon.ja, self.coupon.en):
            check_places(text, ("name", "title"))
        return self


class Periods(Section):
    """How the time is called in which a customer may reach her next rank; where nothing begins anew, nothing is said."""

    this_month: Words = Words(ja="今月", en="this month")
    this_year: Words = Words(ja="今年", en="this year")


_RANK_PLACES = ("name", "rank", "period", "amount", "visits")


class LaneMessages(Section):
    """What a lane's display shows. Places: {name} of the customer, {title} of the incentive.

    On the way to the next rank: {rank} is its name, {amount} or {visits} what is missing, {period} as in `period`.
    """

    thanks: Words
    thanks_coupon: Words
    thanks_electronic: Words
    already_printed: Words
    already_used: Words
    in_use: Words = Words(
        ja="このコードは別のレーンで処理中です。少し待って、もう一度かざしてください。",
        en="Another lane is serving this code. Please wait a moment and hold it up again.",
    )
    unknown_sale: Words
    expired: Words
    not_valid: Words
    gift: Words = Words(ja="次回のお買い物に「{title}」", en="For your next purchase: {title}")
    gift_points: Words = Words(ja="「{title}」を差し上げます", en="You receive: {title}")
    rank_by_money: Words = Words(
        ja="{period}あと{amount}のご購入で、{rank}会員になられます。", en="{amount} more {period} and you reach {rank}."
    )
    rank_by_visits: Words = Words(
        ja="{period}あと{visits}回のご購入で、{rank}会員になられます。",
        en="{visits} more purchases {period} and you reach {rank}.",
    )
    rank_by_one_visit: Words = Words(
        ja="{period}あと1回のご購入で、{rank}会員になられます。", en="One more purchase {period} and you reach {rank}."
    )
    period: Periods = Periods()

    @model_validator(mode="after")
    def _places(self) -> LaneMessages:
        for key in type(self).model_fields:
            words = getattr(self, key)
            if isinstance(words, Periods):
                continue
            for text in (words.ja, words.en):
                check_places(text, _RANK_PLACES if key.startswith("rank_") else ("name", "title"))
        return self


class ShoppingMessages(Section):
    """What the list on a customer's terminal says of the coupon (row B3). Places: {title} of the coupon, {amount} that is missing,
    {count} of exits or payments after this one."""

    coupon: Words = Words(
        ja="退店処理を行うと、次回使える「{title}」を差し上げます。",
        en="Scan out with your exit code and receive for your next purchase: {title}.",
    )
    more: Words = Words(
        ja="あと{amount}お買い上げのうえ退店処理を行うと、次回使える「{title}」を差し上げます。",
        en="Buy {amount} more and scan out with your exit code to receive for your next purchase: {title}.",
    )

    more_exits: Words = Words(
        ja="今回のあと、あと{count}回の退店処理で「{title}」を差し上げます。",
        en="Exits with your exit code still to go after this one: {count}. Then you receive: {title}.",
    )
    more_payments: Words = Words(
        ja="今回のあと、あと{count}回このスマートフォンでお支払いいただくと「{title}」を差し上げます。",
        en="Payments on this phone still to go after this one: {count}. Then you receive: {title}.",
    )

    @model_validator(mode="after")
    def _places(self) -> ShoppingMessages:
        counted = ("title", "count")
        for words, allowed in ((self.coupon, ("title",)), (self.more, ("title", "amount")), (self.more_exits, counted),
                               (self.more_payments, counted)):  # fmt: skip
            for text in (words.ja, words.en):
                check_places(text, allowed)
        return self


class MessagesFile(Section):
    """`messages.toml`."""

    anonymous: Words
    """Stands for the name of a customer who is not known."""
    clerk: ClerkMessages
    lane: LaneMessages
    shopping: ShoppingMessages = ShoppingMessages()
    treatment: Annotated[dict[Name, Words], Field(default_factory=dict, max_length=100)]
    """The message table (row A10): what a clerk is asked to do for a good customer. Places: {name}."""

    @model_validator(mode="after")
    def _places(self) -> MessagesFile:
        for words in self.treatment.values():
            for text in (words.ja, words.en):
                check_places(text, ("name",))
        return self


__all__ = [
    "ClerkMessages",
    "Condition",
    "IncentiveRule",
    "IncentivesFile",
    "LaneMessages",
    "MessagesFile",
    "Minor",
    "Name",
    "Points",
    "Rank",
    "Rule",
    "RuleName",
    "RulesFile",
    "ShoppingMessages",
    "TreatmentRule",
]
