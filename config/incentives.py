"""`incentives.toml`: what an exit code brings to whom, how much of it there is, and how it is given (rows B7, B8, B9). Shapes only.

What a rule gives stands in one of three ways: fixed (`amount_minor`, `percent`, `product`, `points`); by a `table`, whose rows begin
at a number of `by`; or `by_paying`, in three steps. The rest of a rule says when, how often, and how much money there is for it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from config.load import Section
from config.words import Words, check_places

RuleName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
Condition = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
Minor = Annotated[int, Field(ge=0, le=10**12)]
"""An amount in minor units, or points: what messages and the database can carry with room to spare."""
Product = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Times = Annotated[int, Field(ge=1, le=10**9)]
Of = Literal["amount_minor", "percent", "product", "points"]
Period = Literal["day", "month", "year", "all"]
"""Of the store's calendar."""
Way = Literal["print", "display", "app", "email", "push"]
WAYS: tuple[Way, ...] = ("print", "display", "app", "email", "push")
ELECTRONIC: tuple[Way, ...] = ("app", "email", "push")

TITLE_PLACES = ("amount", "percent", "points", "product", "minimum")
RECEIPT_PLACES = ("name", "title", "coupon", "store", "valid_until", "issued", "amount", "minimum")
ReceiptLine = tuple[
    Literal["text", "title", "center", "rule", "feed", "qr"], Annotated[str, StringConstraints(max_length=150)]
]


class ReceiptText(Section):
    """Lines of the printed coupon, as [kind, text], in each language."""

    ja: Annotated[tuple[ReceiptLine, ...], Field(min_length=1, max_length=60)]
    en: Annotated[tuple[ReceiptLine, ...], Field(min_length=1, max_length=60)]

    @model_validator(mode="after")
    def _places(self) -> ReceiptText:
        for lines in (self.ja, self.en):
            for _, text in lines:
                check_places(text, RECEIPT_PLACES)
            if not any(kind == "qr" and "{coupon}" in text for kind, text in lines):
                raise ValueError("a printed coupon needs a line ['qr', '{coupon}'], or no checkout can read it")
        return self


class ByPaying(Section):
    """What each way of paying brings (row B7): who does more herself gets no less. A step that is not named is the one below it."""

    settlement: Minor = 0
    """Paid at a settlement device."""
    terminal_payment: Minor = 0
    """Paid on the terminal, goods registered elsewhere, or it is not known where."""
    terminal: Minor = 0
    """Goods registered and paid on the terminal."""

    @model_validator(mode="before")
    @classmethod
    def _below(cls, said: object) -> object:
        if not isinstance(said, dict):
            return said
        filled = {"settlement": 0, **said}
        filled.setdefault("terminal_payment", filled["settlement"])
        filled.setdefault("terminal", filled["terminal_payment"])
        return filled

    @model_validator(mode="after")
    def _rises(self) -> ByPaying:
        if not self.settlement <= self.terminal_payment <= self.terminal:
            raise ValueError(
                "by_paying falls: it must be settlement <= terminal_payment <= terminal (who does more gets no less)"
            )
        if not self.terminal:
            raise ValueError("by_paying gives nothing: set terminal")
        return self


class Every(Section):
    """Every so-manieth exit, or payment on the terminal, of a customer; this one is counted."""

    exits: Times | None = None
    terminal_payments: Times | None = None

    @model_validator(mode="after")
    def _one(self) -> Every:
        if (self.exits is None) == (self.terminal_payments is None):
            raise ValueError("every needs exits or terminal_payments, and not both: every = { exits = 10 }")
        return self


class PerCustomer(Section):
    """So often to one customer in a period. Who is not known can't be counted, and is not given it."""

    count: Times
    period: Period = "all"


def _as_list(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _as_ways(value: object) -> object:
    """`electronic` is how files of before call `app`."""
    said = _as_list(value)
    return tuple("app" if each == "electronic" else each for each in said) if isinstance(said, tuple | list) else said


Give = Annotated[tuple[Way, ...], BeforeValidator(_as_ways), Field(min_length=1, max_length=5)]
Start = int | Annotated[str, StringConstraints(min_length=1, max_length=40)]
Worth = int | Product
Table = Annotated[tuple[tuple[Start, Worth], ...], Field(min_length=1, max_length=200)]


class IncentiveRule(Section):
    """What is given to whom on leaving."""

    name: RuleName
    when: Condition
    kind: Literal["points", "discount", "product"]
    title: Words
    """Places: {amount}, {percent}, {points}, {product}, {minimum}, for what varies."""

    amount_minor: Minor = 0
    percent: Annotated[int, Field(ge=0, le=100)] = 0
    product: Product | None = None
    points: Minor = 0
    of: Of | None = None
    """What `table` and `by_paying` say; without it, what the kind says."""
    table: Table | None = None
    """Rows [from, value], rising: the last whose `from` is reached counts; below the first, nothing is given."""
    by: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")] = "amount"
    by_paying: ByPaying | None = None

    every: Every | None = None
    minimum_minor: Minor = 0
    """A coupon can be used from this amount of the next purchase on."""
    valid_from: Literal["next_purchase", "next_day"] = "next_purchase"
    valid_days: Annotated[int, Field(ge=1, le=3650)] = 30
    """To the end of that day of the store."""

    worth_minor: Minor | None = None
    """What one counts among others and against the budget; without it: the amount, the percentage of this purchase, the points."""
    budget_minor: Annotated[int, Field(ge=1, le=10**12)] | None = None
    budget_count: Times | None = None
    budget_period: Period = "all"
    per_customer: PerCustomer | None = None

    give: Give = ("print",)
    receipt: ReceiptText | None = None

    @property
    def stepped(self) -> Of | None:
        """What a table or the way of paying says; None: everything is fixed."""
        if self.table is None and self.by_paying is None:
            return None
        usual: dict[str, Of] = {"points": "points", "discount": "amount_minor", "product": "product"}
        return self.of or usual[self.kind]

    @model_validator(mode="after")
    def _complete(self) -> IncentiveRule:
        own = f"incentive {self.name!r}"
        if "print" in self.give and self.receipt is None:
            raise ValueError(f"{own} is printed and has no receipt: add [incentive.receipt] with ja and en")
        if len(set(self.give)) < len(self.give):
            raise ValueError(f"{own} names a way to give it twice")
        wanted: dict[str, tuple[Of, ...]] = {
            "points": ("points",),
            "discount": ("amount_minor", "percent"),
            "product": (),
        }
        ways = wanted[self.kind]
        if ways and not any(getattr(self, way) or self.stepped == way for way in ways):
            raise ValueError(f"{own} is of kind {self.kind!r} and gives nothing: set {' or '.join(ways)}")
        if self.amount_minor and self.percent:
            raise ValueError(f"{own} takes off both amount_minor and percent: set one")
        for text in (self.title.ja, self.title.en):
            check_places(text, TITLE_PLACES)
        _check_steps(self, own)
        _check_budget(self, own)
        return self


def _check_steps(rule: IncentiveRule, own: str) -> None:
    of = rule.stepped
    if of is None:
        if rule.of is not None:
            raise ValueError(f"{own} has of = {rule.of!r} and no table or by_paying that it would be about")
        return
    if rule.table is not None and rule.by_paying is not None:
        raise ValueError(f"{own} has both a table and by_paying: make two rules, and combine = 'sum' or 'best'")
    if getattr(rule, of):
        raise ValueError(f"{own} has both {of} and a {'table' if rule.table else 'by_paying'} of it: set one")
    if of == "percent" and rule.amount_minor:
        raise ValueError(f"{own} takes off both amount_minor and percent: set one")
    kinds: dict[Of, str] = {"points": "points", "amount_minor": "discount", "percent": "discount", "product": "product"}
    if of != "points" and kinds[of] != rule.kind:
        raise ValueError(
            f"{own} is of kind {rule.kind!r} and its {'table' if rule.table else 'by_paying'} says {of}: make it of kind {kinds[of]!r}"
        )
    if rule.by_paying is not None:
        if of == "product":
            raise ValueError(
                f"{own} gives products by way of paying: make one rule each, with when = 'paid_on == \"terminal\"'"
            )
        if of == "percent" and rule.by_paying.terminal > 100:
            raise ValueError(f"{own}, by_paying: {rule.by_paying.terminal} percent; at most 100")
    if rule.table is not None:
        _check_table(rule.table, of, own)


def _check_table(table: tuple[tuple[int | str, int | str], ...], of: Of, own: str) -> None:
    before: tuple[int | str, int | str] | None = None
    for number, (start, value) in enumerate(table, 1):
        row = f"{own}, table, row {number}: [{start!r}, {value!r}]"
        most = 100 if of == "percent" else 10**12
        if of == "product" and not isinstance(value, str):
            raise ValueError(f"{row}: the second column is the code of a product, as text")
        if of != "product" and not (isinstance(value, int) and 0 <= value <= most):
            raise ValueError(f"{row}: the second column is a whole number from 0 to {most}")
        if isinstance(start, int) and not -(2**53) <= start <= 2**53:
            raise ValueError(f"{row}: the first column is too large")
        if before is not None:
            if isinstance(start, str) != isinstance(before[0], str):
                raise ValueError(f"{row}: the first column is a number in all rows, or a rank in all rows")
            if isinstance(start, int) and isinstance(before[0], int) and start <= before[0]:
                raise ValueError(f"{row}: {start} does not lie above {before[0]} of the row before; rows rise")
            if isinstance(value, int) and isinstance(before[1], int) and value < before[1]:
                raise ValueError(
                    f"{row}: {value} is less than {before[1]} of the row before; who does more gets no less"
                )
        before = start, value


def _check_budget(rule: IncentiveRule, own: str) -> None:
    if rule.budget_period != "all" and rule.budget_minor is None and rule.budget_count is None:
        raise ValueError(f"{own} has a budget_period and no budget_minor or budget_count")
    if rule.budget_minor is None:
        return
    if rule.kind == "product" and rule.worth_minor is None:
        raise ValueError(f"{own} is a product with a budget_minor: set worth_minor, what one counts against it")
    if rule.worth_minor == 0:
        raise ValueError(f"{own} has a budget_minor and worth_minor = 0, which never uses it up")


class IncentivesFile(Section):
    """`incentives.toml`."""

    combine: Literal["first", "best", "sum"] = "first"
    """Of several rules that hold: the first in the file, the one of the highest worth, or all together."""
    point_worth_minor: Annotated[int, Field(ge=0, le=10**6)] = 1
    """What one point counts when rules are compared, and against a budget_minor."""
    incentive: Annotated[tuple[IncentiveRule, ...], Field(max_length=100)] = ()

    @model_validator(mode="after")
    def _names(self) -> IncentivesFile:
        names = [rule.name for rule in self.incentive]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"incentive {twice[0]!r} stands here twice")
        if self.combine == "best":
            for rule in self.incentive:
                if rule.kind == "product" and rule.worth_minor is None:
                    raise ValueError(
                        f"incentive {rule.name!r} is a product, and combine = 'best' compares: set worth_minor, what it is worth"
                    )
        return self
