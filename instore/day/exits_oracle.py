"""What a day of exits has to bring, worked out from its script alone: no rule engine, no database, no code of the hub.

The rules of `instore.day.exits_files` a second time, as plain arithmetic. What this and the store say must be the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from instore.day.exits_script import Customer, ExitsScript, Trip

GOLD_FROM = 20_000
POINT_PER = 100
TABLE = ((3000, 200), (6000, 400), (12_000, 1000))
GIFT = "product"
LUCKY_FROM = 6000
MAIL_FROM = 1500
DISPLAY_FROM = 1500
"""Smaller purchases than those of the table bring a coupon that she reads from the lane's display."""


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """What one exit brings."""

    rule: str
    kind: str
    amount_minor: int = 0
    percent: int = 0
    points: int = 0
    minimum_minor: int = 0
    ways: tuple[str, ...] = ("print",)

    def __str__(self) -> str:
        return f"{self.rule} {self.kind} {self.amount_minor}/{self.percent}%/{self.points}p"


LUCKY = Grant("lucky", "discount", amount_minor=777, ways=("print", "app"))
Exit = tuple[str, int]
"""A customer's key and which trip of hers."""


@dataclass(slots=True)
class Account:
    """What the store has to know of a member at the end."""

    exits: int = 0
    terminal_payments: int = 0
    points: int = 0
    spent_minor: int = 0


@dataclass(slots=True)
class Expected:
    """By exit, or by customer."""

    paid: dict[Exit, int] = field(default_factory=dict)
    """Amount by exit: everybody who has paid is to be out."""
    grants: dict[Exit, Grant] = field(default_factory=dict)
    redeemed: set[Exit] = field(default_factory=set)
    """Coupons that a till takes."""
    accounts: dict[str, Account] = field(default_factory=dict)
    lucky: set[Exit] = field(default_factory=set)
    """Who brings `LUCKY` instead as long as its budget lasts: whoever comes first. The script does not know who that is."""
    budget: int = 0


def expected(script: ExitsScript) -> Expected:
    """Everything that the day has to bring, and so nothing else."""
    found = Expected(budget=lucky_budget(script))
    for customer in script.customers:
        account, gold_had = Account(), False
        for trip in customer.trips:
            this = (customer.key, trip.number)
            amount = amount_of(script, trip)
            found.paid[this] = amount
            account.spent_minor += amount
            account.points += amount // POINT_PER
            account.terminal_payments += trip.on_terminal
            grant = _grant(customer, trip, amount, account, gold_had=gold_had)
            account.exits += 1
            if grant is None:
                continue
            found.grants[this] = grant
            if grant.rule == "by-amount" and amount >= LUCKY_FROM:
                found.lucky.add(this)
            account.points += grant.points
            gold_had |= grant.rule == "gold-10"
            if trip.redeem != "no" and customer.member and grant.kind != "points":
                found.redeemed.add(this)
        if customer.member:
            found.accounts[customer.key] = account
    return found


def lucky_budget(script: ExitsScript) -> int:
    """Less than those who would get one, and some."""
    return max(1, script.exits // 25)


def amount_of(script: ExitsScript, trip: Trip) -> int:
    """What she pays: prices hold their tax."""
    return sum(script.products[product].price_minor * pieces for product, pieces in trip.pieces().items())


def _grant(customer: Customer, trip: Trip, amount: int, account: Account, *, gold_had: bool) -> Grant | None:
    """The first rule that holds."""
    if not customer.member:
        return Grant("guest", "discount", amount_minor=100) if amount >= 2000 else None
    if (account.exits + 1) % 3 == 0:
        return Grant("third-exit", GIFT, ways=("print", "app"))
    if account.spent_minor >= GOLD_FROM and not gold_had:
        return Grant("gold-10", "discount", percent=10, minimum_minor=1000, ways=("email", "app"))
    reached = [worth for start, worth in TABLE if amount >= start]
    if trip.on_terminal and reached:
        return Grant("by-amount", "discount", amount_minor=reached[-1], ways=("print", "app"))
    if trip.on_terminal and amount >= DISPLAY_FROM:
        return Grant("on-display", "discount", amount_minor=50, ways=("display", "app"))
    if not trip.on_terminal and amount >= MAIL_FROM:
        return Grant("by-mail", "discount", amount_minor=30, ways=("email", "app"))
    return Grant("by-paying", "points", points=50 if trip.on_terminal else 10, ways=("app",))
