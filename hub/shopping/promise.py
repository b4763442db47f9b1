"""What the exit will bring for a list, or what is missing (row B3).

The sale is rehearsed: it is posted as it would be, the exit's own rules are asked (`hub.rules.policy.Policy.incentive` with
`hub.incentive_values`), and everything is taken back. So points, ranks and counts that the purchase itself would change are
in the answer, and the list can't promise what the lane does not give.

When nothing holds, the least larger amount is sought with which something would: at the numbers that stand in the rules, and
by halving for rules that compute. It is rehearsed too before it is said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from config.rules import IncentiveRule
from config.words import Words
from delivery.engine import Tx
from hub.database import customers
from hub.incentive_values import incentive_values
from hub.purchases import Purchases
from hub.rules.condition import Value
from hub.sale_shapes import SalePost

AMOUNT_MAX = 10**9
"""Beyond this nobody is told to buy more."""
_NUMBER = re.compile(r"(?<![\w.])\d{1,9}(?![\w.])")
_DECIMALS = {**dict.fromkeys(["JPY", "KRW", "VND", "CLP", "ISK", "PYG", "UGX", "XAF", "XOF", "XPF", "RWF"], 0),
             **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3)}  # fmt: skip
"""ISO 4217: digits of the minor unit; 2 for all others."""

Values = dict[str, Value]


@dataclass(frozen=True, slots=True)
class Promise:
    """`short_minor` 0: `rule` is given for this list; else when so much more is bought."""

    rule: IncentiveRule
    short_minor: int


def promise(tx: Tx, purchases: Purchases, sale: SalePost) -> Promise | None:
    """For a sale that is not yet one; None when no purchase would bring anything. Changes nothing."""
    policy = purchases.policy()

    def at_exit(amount: int) -> IncentiveRule | None:
        return policy.incentive(_rehearsed(tx, purchases, sale, amount))[1]

    values = _rehearsed(tx, purchases, sale, sale.amount_minor)
    rule = policy.incentive(values)[1]
    if rule is not None:
        return Promise(rule, 0)
    sources = [condition.source for _, condition in policy.incentives]

    def gives(amount: int) -> bool:
        return policy.incentive({**values, "amount": amount})[1] is not None

    more = least_more(sale.amount_minor, sources, gives)
    given = at_exit(more) if more is not None else None
    return Promise(given, more - sale.amount_minor) if more is not None and given is not None else None


def _rehearsed(tx: Tx, purchases: Purchases, sale: SalePost, amount: int) -> Values:
    """What the rules would know at the exit if this were sold for `amount`."""
    sale = sale.model_copy(update={"amount_minor": amount, "lines": [], "tenders": []})
    mark = tx.mark()
    tx.db.execute("SAVEPOINT rehearsal")
    try:
        purchases.post(tx, sale, "rehearsal")
        buyer = customers.customer(tx.db, sale.customer) if sale.customer else None
        return incentive_values(buyer, amount, sale.paid_on, purchases.policy())
    finally:
        tx.db.execute("ROLLBACK TO rehearsal")
        tx.db.execute("RELEASE rehearsal")
        tx.back_to(mark)


def least_more(amount: int, sources: Iterable[str], gives: Callable[[int], bool]) -> int | None:
    """The least amount above this one that gives something, or None; exact where a rule compares the amount with a number."""
    named = {int(found) for source in sources for found in _NUMBER.findall(source)}
    candidates = sorted({each for number in named for each in (number, number + 1) if amount < each <= AMOUNT_MAX})
    found = next((each for each in candidates if gives(each)), None)
    return _halved(amount, found, gives)


def _halved(amount: int, found: int | None, gives: Callable[[int], bool]) -> int | None:
    """Between what gives nothing and what does, by halving: a rule may compute (`amount * 2 >= 3000`)."""
    below, step = amount, 1
    while found is None:
        if below >= AMOUNT_MAX:
            return None
        above = min(amount + step, AMOUNT_MAX)
        if gives(above):
            found = above
        else:
            below, step = above, step * 2
    while found - below > 1:
        middle = (below + found) // 2
        below, found = (below, middle) if gives(middle) else (middle, found)
    return found


def money(minor: int, currency: str) -> Words:
    """An amount for people: 312円, 312 yen; 3.12 EUR."""
    digits = _DECIMALS.get(currency, 2)
    whole, rest = divmod(minor, 10**digits)
    text = f"{whole:,}" + (f".{rest:0{digits}d}" if digits else "")
    if currency == "JPY":
        return Words(ja=f"{text}円", en=f"{text} yen")
    return Words(ja=f"{text} {currency}", en=f"{text} {currency}")
