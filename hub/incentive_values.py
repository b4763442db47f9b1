"""What incentive rules may know of a purchase: the same at the exit and while the customer still shops (rows B3, B7)."""

from __future__ import annotations

from hub.arrivals import rule_values
from hub.database.customers import NOBODY, Customer
from hub.rules.condition import Value
from hub.rules.policy import Policy


def incentive_values(customer: Customer | None, amount_minor: int, paid_on: str, policy: Policy) -> dict[str, Value]:
    """As `hub.rules.policy.CUSTOMER` and `PURCHASE`; `customer` as she is once the purchase has counted, None: not known."""
    someone = customer or NOBODY
    return {
        **rule_values(someone, policy),
        "amount": amount_minor,
        "paid_on": paid_on,
        "member": customer is not None,
        "terminal_payments": someone.terminal_payments,
        "exits": someone.exits,
    }
