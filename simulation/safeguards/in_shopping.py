"""Safeguards of lists, payments and their sales, taken out."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from delivery.engine import Publication, Tx
from hub.database import carts, lanes, payments, times
from hub.giving.giving import Giving
from hub.grants import Grants
from hub.members.gateway import Gateway
from hub.passages import Passages
from hub.rules.incentives import Out
from hub.shopping.carts import Carts
from hub.shopping.payments import Payments
from simulation.safeguards.in_service import together


def commands_count_twice() -> AbstractContextManager[Any]:
    def note(_self: Carts, tx: Tx, customer: str, id: str, content: str) -> None:
        if carts.command(tx.db, customer, id) is None:
            carts.add_command(tx.db, customer, id, content, times.text(tx.utc))

    new = patch.object(Carts, "known", lambda self, tx, customer, id, content: False)  # noqa: ARG005
    return together(new, patch.object(Carts, "note", note))


def any_amount() -> AbstractContextManager[Any]:
    confirm = Payments.confirm

    def confirmed(self: Payments, tx: Tx, id: str, amount_minor: int, currency: str, tenders: Any = ()) -> Any:
        row = payments.payment(tx.db, id)
        return confirm(self, tx, id, amount_minor if row is None else row.amount_minor, currency, tenders)

    return patch.object(Payments, "confirm", confirmed)


def late_confirmations() -> AbstractContextManager[Any]:
    confirm = Payments.confirm

    def confirmed(self: Payments, tx: Tx, id: str, *args: Any) -> Any:
        row = payments.payment(tx.db, id)
        if row is not None and row.state in ("cancelled", "expired"):
            return self._sold(tx, row, ())
        return confirm(self, tx, id, *args)

    return patch.object(Payments, "confirm", confirmed)


def payments_never_end() -> AbstractContextManager[Any]:
    return patch.object(Payments, "tick", lambda self, tx: None)  # noqa: ARG005


# --- her screens


def only_one_device_is_told() -> AbstractContextManager[Any]:
    outlet = Gateway.outlet

    def first(self: Gateway, customer: str, publication: Publication) -> None:
        with patch.object(self, "_terminals", {customer: self._terminals.get(customer, [])[:1]}):
            outlet(self, customer, publication)

    return patch.object(Gateway, "outlet", first)


def nothing_at_sign_in() -> AbstractContextManager[Any]:
    return patch.object(Carts, "on_terminal", lambda *_: None)


def read_codes_stay() -> AbstractContextManager[Any]:
    return patch.object(Carts, "_exit_changed", lambda *_: None)


# --- what an exit brings


def no_budgets() -> AbstractContextManager[Any]:
    return patch.object(Grants, "_room", lambda *_: lambda _rule, _number: Out(0, 0, 0, False))


def nothing_is_given_electronically() -> AbstractContextManager[Any]:
    return patch.object(Giving, "on_settled", lambda *_, **__: None)


def claimed_by_anybody() -> AbstractContextManager[Any]:
    return patch(
        "hub.giving.claiming.Claiming._claimable", lambda _self, tx, _customer, coupon: lanes.incentive(tx.db, coupon)
    )


def twice_is_not_told() -> AbstractContextManager[Any]:
    return patch.object(Passages, "_twice", lambda *_: None)
