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


def expected(script: ExitsScript) -> Expected:
    """Everything that the day has to bring, and so nothing else."""
    found = Expected()
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
            account.points += grant.points
            gold_had |= grant.rule == "gold-10"
            if trip.redeem != "no" and customer.member and grant.kind != "points":
                found.redeemed.add(this)
        if customer.member:
            found.accounts[customer.key] = account
    return found


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
        return Grant("gold-10", "discount", percent=10, minimum_minor=1000, ways=("app",))
    reached = [worth for start, worth in TABLE if amount >= start]
    if trip.on_terminal and reached:
        return Grant("by-amount", "discount", amount_minor=reached[-1], ways=("print", "app"))
    if trip.on_terminal and amount >= DISPLAY_FROM:
        return Grant("on-display", "discount", amount_minor=50, ways=("display", "app"))
    return Grant("by-paying", "points", points=50 if trip.on_terminal else 10, ways=("app",))
