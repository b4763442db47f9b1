"""The books at the end of a run: what the hub's database says against what really happened (rows B8 to B12, C3, C4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from simulation import tables
from simulation.truth import Truth

Look = Callable[[str], list[tuple[Any, ...]]]
"""What the database says to a query."""


def unsettled(look: Look) -> Iterator[str]:
    """What is still open in the hub's database though everybody has left and nothing is broken."""
    yield from _found(
        look, "SELECT coupon, state FROM incentive WHERE state = 'reserved'", "an incentive is still reserved"
    )
    yield from _found(
        look,
        "SELECT alert, state FROM alert WHERE state IN ('offered', 'accepted', 'declined')",
        "an alert is still open",
    )
    yield from _found(look, "SELECT beacon, agent FROM presence", "somebody who left is still heard")
    yield from _found(
        look, "SELECT scan, agent FROM scan WHERE outcome = 'open' AND ended IS NULL", "a scan has no end"
    )
    yield from _found(look, "SELECT count(*) FROM outbox HAVING count(*) > 0", "messages wait in the hub's outbox")


def wrong(look: Look, truth: Truth, sales: dict[str, int]) -> Iterator[str]:
    """Where the books do not balance. `sales`: amount by sale, as the POS has posted and the hub has answered."""
    booked: dict[str, int] = dict(look("SELECT sale, amount_minor FROM sale WHERE sale NOT LIKE 'H-%'"))
    if booked != sales:
        yield f"sales: posted and not booked {sorted(sales.items() - booked.items())}, booked {sorted(booked.items() - sales.items())}"
    yield from _codes(look, truth)
    yield from _coupons(look, truth)
    yield from _customers(look)
    yield from _found(
        look,
        "SELECT topic, reason, detail FROM quarantine WHERE topic NOT LIKE '%/customer/%'",
        "an honest message was quarantined",
    )


def _codes(look: Look, truth: Truth) -> Iterator[str]:
    """A code is used exactly if somebody passed with it."""
    for code, used in look("SELECT code, used FROM exit_code"):
        if (used is not None) != bool(truth.walked[code]):
            yield f"code {code} (sale {truth.issued.get(code)}): used {used}, passages with it {truth.walked[code]}"


def _coupons(look: Look, truth: Truth) -> Iterator[str]:
    """reserved = committed + released + open; committed exactly with a used code; given on paper or electronically, once."""
    rows = look("SELECT coupon, code, state, give, paper, rule FROM incentive")
    used = {code for (code,) in look("SELECT code FROM exit_code WHERE used IS NOT NULL")}
    for coupon, code, state, give, paper, rule in rows:
        # What was released and has no room any more when she passes after all is lost to her (`hub.grants`).
        lost = state == "released" and rule in tables.BUDGETS
        if (state == "committed") != (code in used) and not lost:
            yield f"coupon {coupon} of code {code} is {state}, its code was {'' if code in used else 'not '}used"
        slips = truth.slips.get(coupon, 0)
        if paper == "printed" and not slips:
            yield f"coupon {coupon} counts as printed, there is no slip"
        if state == "committed" and give == "print" and not slips:
            yield f"coupon {coupon} was to be given on paper, there is no slip"
    known = {coupon for coupon, *_ in rows}
    yield from (
        f"a slip of coupon {coupon}, which the hub does not know" for coupon in truth.slips if coupon not in known
    )


def _customers(look: Look) -> Iterator[str]:
    """Exits, spending and points are the sums of what the customer did in this run (she began with 0)."""
    exits = Counter(c for (c,) in look("SELECT customer FROM sale JOIN exit_code USING (sale) WHERE used IS NOT NULL"))
    spent: dict[str, int] = dict(
        look("SELECT customer, sum(amount_minor) FROM sale WHERE sale NOT LIKE 'H-%' GROUP BY customer")
    )
    for customer, counted, total in look("SELECT customer, exits, spent_minor - note FROM customer"):
        if counted != exits[customer]:
            yield f"{customer} left {exits[customer]} times with a code, {counted} exits are counted"
        if total != (spent.get(customer) or 0):
            yield f"{customer} spent {spent.get(customer)}, {total} is counted"


def _found(look: Look, sql: str, what: str) -> Iterator[str]:
    yield from (f"{what}: {' '.join(map(str, row))}" for row in look(sql))
