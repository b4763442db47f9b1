"""`coupons.toml`: which coupon a customer's purchase history brings her when she comes (rows A11, A13). Shapes only."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from config.load import Section
from config.rules import Condition, Minor, Name, RuleName
from config.words import Words

PosCategory = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Limit = Annotated[int, Field(ge=1, le=10**9)]


Categories = Annotated[
    dict[Name, Annotated[tuple[PosCategory, ...], Field(min_length=1, max_length=1000)]], Field(max_length=100)
]


class CouponRule(Section):
    """A row of the coupon table. Limits count what was issued and not taken back."""

    name: RuleName
    when: Condition
    kind: Literal["discount", "product", "points"] = "discount"
    title: Words
    text: Words | None = None
    amount_minor: Minor = 0
    points: Minor = 0
    begins_after_days: Annotated[int, Field(ge=0, le=365)] = 0
    """0: it can be used at once."""
    valid_days: Annotated[int, Field(ge=1, le=3650)] = 30
    """From its beginning, to the end of a day of the store."""
    limit: Limit | None = None
    """So many are issued in all."""
    limit_per_customer: Limit = 1
    """So many to one customer within `period_days`."""
    budget_minor: Annotated[int, Field(ge=1, le=10**12)] | None = None
    """So much money may be out and used in all; what expired unused is free again."""

    @model_validator(mode="after")
    def _complete(self) -> CouponRule:
        wanted = {"points": "points", "discount": "amount_minor"}.get(self.kind)
        if wanted and not getattr(self, wanted):
            raise ValueError(f"coupon {self.name!r} is of kind {self.kind!r} and gives nothing: set {wanted}")
        if self.budget_minor is not None and not self.amount_minor:
            raise ValueError(f"coupon {self.name!r} has a budget and no amount_minor that would use it up")
        return self


class CouponsFile(Section):
    """The whole file."""

    period_days: Annotated[int, Field(ge=1, le=3650)] = 180
    """How far back purchases count."""
    good_customers_only: bool = False
    deliver_to: Literal["terminal", "clerk", "both"] = "terminal"
    per_visit: Annotated[int, Field(ge=1, le=10)] = 1
    categories: Categories = Field(default_factory=dict)
    """Name in conditions: the POS's categories that it stands for."""
    coupon: Annotated[tuple[CouponRule, ...], Field(max_length=200)] = ()

    @model_validator(mode="after")
    def _unique(self) -> CouponsFile:
        names = [rule.name for rule in self.coupon]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"coupon {twice[0]!r} stands here twice")
        owners: dict[str, str] = {}
        for name, parts in self.categories.items():
            for part in parts:
                if owners.setdefault(part, name) != name:
                    raise ValueError(f"category {part!r} belongs to both {owners[part]!r} and {name!r}")
        return self
