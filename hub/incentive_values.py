"""What incentive rules may know of a purchase: the same at the exit and while the customer still shops (rows B3, B7, B11)."""

from __future__ import annotations

from hub.arrivals import rule_values
from hub.database.customers import NOBODY, Customer
from hub.rules.condition import Value
from hub.rules.policy import Policy


def incentive_values(customer: Customer | None, policy: Policy, *, amount_minor: int, paid_on: str, registered_on: str = "",
                     payment_number: int | None = None) -> dict[str, Value]:  # fmt: skip
    """As `hub.rules.policy.CUSTOMER` and `PURCHASE`, without what is not known.

    `customer` as she is once the purchase has counted, None: not known. `payment_number`: which of her payments on the terminal it
    was; None: it is her newest.
    """
    someone = customer or NOBODY
    values: dict[str, Value] = {
        **rule_values(someone, policy),
        "amount": amount_minor,
        "paid_on": paid_on,
        "member": customer is not None,
        "terminal_payments": someone.terminal_payments,
        "exits": someone.exits,
        "exit_number": someone.exits + 1,
    }
    if registered_on:
        values["registered_on"] = registered_on
    if paid_on == "terminal" and customer is not None:
        values["payment_number"] = payment_number if payment_number is not None else someone.terminal_payments
    return values
