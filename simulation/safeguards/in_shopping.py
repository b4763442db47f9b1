"""Safeguards of lists, payments and their sales, taken out."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from delivery.engine import Publication, Tx
from edge.lane_entry import LaneEntry
from hub.database import carts, exit_numbers, lanes, payments, times
from hub.giving.giving import Giving
from hub.grants import Grants
from hub.members.gateway import Gateway
from hub.passages import Passages
from hub.rules.incentives import Out
from hub.sale_shapes import SalePost, SaleRefused, SaleTaken
from hub.shopping.cart import Cart, State
from hub.shopping.carts import Carts
from hub.shopping.payments import Payments
from hub.shopping.settlement import Settlement
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


# --- settlement devices


def _passed_over(*kinds: str) -> AbstractContextManager[Any]:
    check = Settlement._check

    def checked(self: Settlement, cart: Any, sale: Any) -> None:
        try:
            check(self, cart, sale)
        except SaleRefused as refused:
            if refused.kind not in kinds:
                raise

    return patch.object(Settlement, "_check", checked)


def any_revision() -> AbstractContextManager[Any]:
    return _passed_over("cart_changed")


def settled_again() -> AbstractContextManager[Any]:
    def settled(cart: Cart, sale: str) -> Cart:
        return replace(cart, revision=cart.revision + 1, state=State.PAID, sale=sale)

    return together(_passed_over("cart_paid", "cart_changed"), patch("hub.shopping.cart.settled", settled))


def said_again_is_new() -> AbstractContextManager[Any]:
    post = Settlement.post

    def posted(self: Settlement, tx: Tx, sale: SalePost, caller: str) -> SaleTaken:
        if sale.cart is not None:
            self._check(self._carts.read(tx, self._row(tx, sale.cart)), sale)
        return post(self, tx, sale, caller)

    return patch.object(Settlement, "post", posted)


# --- numbers in place of codes


def numbers_for_ever() -> AbstractContextManager[Any]:
    meaning = exit_numbers.meaning

    def renewed(db: sqlite3.Connection, digits: str) -> Any:
        found = meaning(db, digits)
        return found and (*found[:3], "2099-01-01T00:00:00.000000Z")

    return patch.object(exit_numbers, "meaning", renewed)


def numbers_tried_out() -> AbstractContextManager[Any]:
    return patch.object(LaneEntry, "_allowed", lambda self: True)  # noqa: ARG005


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
