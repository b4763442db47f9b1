"""What the exit will bring for a list, or what is missing (row B3).

The sale is rehearsed: it is posted as it would be, the exit's own rules are asked (`hub.grants`), budgets and limits with them,
and everything is taken back. So points, ranks and counts that the purchase itself would change are in the answer, and the list
can't promise what the lane does not give.

When nothing holds, the least larger amount is sought with which something would (`hub.rules.reaching`). It is rehearsed too
before it is said.
"""

from __future__ import annotations

from dataclasses import dataclass

from config.words import Words
from delivery.engine import Tx
from hub.database import customers, sales
from hub.database.customers import Customer
from hub.grants import Grants
from hub.purchases import Purchases
from hub.rules.condition import Value
from hub.rules.granting import Outcome
from hub.rules.incentives import Ahead
from hub.sale_shapes import SalePost


@dataclass(frozen=True, slots=True)
class Promise:
    """`short_minor`: it is given when so much more is bought; `ahead`: or after so many exits, payments more; neither: for this list."""

    title: Words
    short_minor: int
    ahead: Ahead | None = None


def promise(tx: Tx, purchases: Purchases, grants: Grants, sale: SalePost) -> Promise | None:
    """For a sale that is not yet one; None when no purchase would bring anything. Changes nothing.

    It is no reservation: what is left of a budget may be somebody else's by the time she leaves.
    """
    now, values, buyer = _rehearsed(tx, purchases, grants, sale, sale.amount_minor)
    if now.grant is not None:
        return Promise(now.grant.title, 0)
    more = grants.least_amount(tx, buyer, values, sale.amount_minor)
    then = _rehearsed(tx, purchases, grants, sale, more)[0].grant if more is not None else None
    if more is not None and then is not None:
        return Promise(then.title, more - sale.amount_minor)
    return Promise(now.ahead[0], 0, now.ahead[1]) if now.ahead is not None else None


def _rehearsed(tx: Tx, purchases: Purchases, grants: Grants, sale: SalePost,
               amount: int) -> tuple[Outcome, dict[str, Value], Customer | None]:  # fmt: skip
    """What the exit would bring if this were sold for `amount`, what its rules would know, and who she would be."""
    sale = sale.model_copy(update={"amount_minor": amount, "lines": [], "tenders": []})
    mark = tx.mark()
    tx.db.execute("SAVEPOINT rehearsal")
    try:
        purchases.post(tx, sale, "rehearsal")
        row = sales.sale(tx.db, sale.sale)
        assert row is not None
        buyer = customers.customer(tx.db, sale.customer) if sale.customer else None
        values = grants.values(buyer, row)
        return grants.with_values(tx, buyer, values), values, buyer
    finally:
        tx.db.execute("ROLLBACK TO rehearsal")
        tx.db.execute("RELEASE rehearsal")
        tx.back_to(mark)
