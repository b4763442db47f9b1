"""A payment on the terminal, from its beginning to its sale, or to its end without one (rows B4, B5).

    begun ──▶ confirmed      the sale, in the same transaction, once; the list is closed
      ├────▶ failed          the provider says no, or can't be reached
      ├────▶ cancelled       the customer goes back to her list
      └────▶ expired         nobody confirmed it in time

Whatever is not `confirmed` opens the list again. A confirmation that comes after that is refused, and says that the money goes
back: the list may have changed meanwhile, or be paid already. So is one of another amount. One that comes twice is one sale.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from config.hub_settings import HubSettings
from delivery.engine import Tx
from hub.database import carts, customers, payments, times
from hub.database.payments import PaymentRow
from hub.purchases import Purchases
from hub.sale_shapes import SalePost, Tender
from hub.saying import count
from hub.shopping import cart as core
from hub.shopping.cart import CartRefused
from hub.shopping.carts import AT_ONCE, Carts
from hub.shopping.noting import noted

CALLS_KEPT = timedelta(hours=3)
"""Longer than any clock may be off (`config.shopping_settings.PaymentSettings.skew_s`), both ways."""


class PaymentRefused(ValueError):
    """A confirmation that has no effect; the sentence is for the provider. `kind`: unknown, amount, currency, tenders, late, paid.

    `give_back`: if money was taken for it, it goes back to the customer.
    """

    def __init__(self, kind: str, sentence: str, status: int = 409, *, give_back: bool = True) -> None:
        super().__init__(sentence)
        self.kind, self.status, self.give_back = kind, status, give_back


class Payments:
    """Payments of all terminals."""

    def __init__(self, settings: HubSettings, carts: Carts, purchases: Purchases, counters: Counter[str]) -> None:
        self._settings, self._carts, self._purchases, self._counters = settings, carts, purchases, counters

    # --- her terminal

    def begin(self, tx: Tx, customer: str, command: str, cart: str, revision: int) -> PaymentRow:
        """Begin to pay what she sees. The same command again: the same payment. Raises CartRefused."""
        provider = self._settings.shopping.payment
        if provider is None:
            raise CartRefused("no_payment", "お会計はレジでお願いいたします。", "Please pay at the till.")
        content = f"pay {cart} {revision}"
        before = self._carts.meant(tx, customer, cart)
        if self._carts.known(tx, customer, command, content):
            known = payments.payment(tx.db, before.payment) if before.payment else None
            if known is None:
                raise _not_paying()
            return known
        id = f"P{secrets.token_hex(8).upper()}"
        after = core.begin_payment(before, id, revision)
        sums = self._carts.totals(after)
        sale = self._carts.sale(after, sums, id).model_copy(update={"customer": None})
        row = PaymentRow(id, cart, sums.total_minor, provider.provider, "begun", sale.model_dump_json(), times.text(tx.utc),
                         times.text(tx.utc + timedelta(seconds=self._settings.shopping.payment_s)), None, None)  # fmt: skip
        payments.add(tx.db, row)
        self._carts.note(tx, customer, command, content)
        count(tx, self._counters, "payments_begun")
        self._carts.changed(tx, before, after)
        return row

    def cancel(self, tx: Tx, customer: str, payment: str) -> bool:
        """She goes back to her list. False when it was over already. Raises CartRefused when it is none of hers."""
        row = payments.payment(tx.db, payment)
        cart = carts.cart(tx.db, row.cart) if row is not None else None
        if row is None or cart is None or cart.customer != customer:
            raise _not_paying()
        if row.state == "begun":
            self._end(tx, row, "cancelled")
        return row.state == "begun"

    # --- the provider

    def confirm(self, tx: Tx, id: str, amount_minor: int, currency: str, tenders: Sequence[Tender] = ()) -> PaymentRow:
        """The money is there: the sale, once. Raises PaymentRefused, and then nothing has changed."""
        row = self._known(tx, id)
        said = currency, amount_minor
        wanted = self._settings.store.currency, row.amount_minor
        if said != wanted:
            raise PaymentRefused("amount", f"payment {id} is of {wanted[1]} {wanted[0]}, not of {said[1]} {said[0]}; nothing was sold")  # fmt: skip
        if tenders and sum(tender.amount_minor for tender in tenders) != amount_minor:
            raise PaymentRefused("tenders", f"the tenders do not add up to {amount_minor}", 422, give_back=False)
        if row.state == "confirmed":
            count(tx, self._counters, "payments_repeated")
            return row
        # By its own time too: the clock may not have come to it yet.
        if row.state != "begun" or times.text(tx.utc) >= row.expires:
            over = row.state if row.state != "begun" else "expired"
            raise PaymentRefused("late", f"payment {id} is {over}; nothing was sold, give the money back")
        return self._sold(tx, row, tenders)

    def _sold(self, tx: Tx, row: PaymentRow, tenders: Sequence[Tender]) -> PaymentRow:
        cart = carts.cart(tx.db, row.cart)
        post = SalePost.model_validate_json(row.post)
        if not tenders:
            provider = self._settings.shopping.payment
            tenders = [Tender(method=provider.method if provider else row.provider, amount_minor=row.amount_minor)]
        buyer = cart.customer if cart is not None and customers.customer(tx.db, cart.customer) else None
        sale = post.model_copy(update={"customer": buyer, "tenders": list(tenders)})
        self._purchases.post(tx, sale, f"payment-{row.provider}")
        payments.settle(tx.db, row.payment, "confirmed", times.text(tx.utc), sale.sale)
        count(tx, self._counters, "payments_confirmed")
        if cart is not None:
            before = self._carts.read(tx, cart)
            self._carts.changed(tx, before, core.paid(before, row.payment, sale.sale))
        return self._known(tx, row.payment)

    def fail(self, tx: Tx, id: str, state: str = "failed") -> PaymentRow:
        """It came to nothing (`failed`, `cancelled`), unless it is over already: then it stays what it is."""
        row = self._known(tx, id)
        if row.state == "begun":
            self._end(tx, row, state)
        return self._known(tx, id)

    def _known(self, tx: Tx, id: str) -> PaymentRow:
        row = payments.payment(tx.db, id)
        if row is None:
            raise PaymentRefused("unknown", f"there is no payment {id}; nothing was sold, give the money back", 404)
        return row

    def _end(self, tx: Tx, row: PaymentRow, state: str) -> None:
        payments.settle(tx.db, row.payment, state, times.text(tx.utc))
        count(tx, self._counters, f"payments_{state}")
        self.note(
            tx,
            row.payment,
            f"payment_{state}",
            f"payment {row.payment} of {row.amount_minor}: {state}; the list is open again",
        )
        cart = carts.cart(tx.db, row.cart)
        if cart is not None:
            before = self._carts.read(tx, cart)
            self._carts.changed(tx, before, core.end_payment(before, row.payment))

    def note(self, tx: Tx, id: str, what: str, summary: str) -> None:
        """In the trace of her visit. Of a payment that nobody knows, nothing: strangers must not write there."""
        row = payments.payment(tx.db, id)
        cart = carts.cart(tx.db, row.cart) if row is not None else None
        if row is not None:
            noted(tx, self._settings.store.zone, cart.customer if cart is not None else None, what, summary, payment=id)

    # --- what time brings

    def tick(self, tx: Tx) -> None:
        """Payments that nobody confirmed are over; call about once a second."""
        for row in payments.overdue(tx.db, times.text(tx.utc), AT_ONCE):
            self._end(tx, row, "expired")

    def clean(self, tx: Tx) -> None:
        """Old calls go; call now and then."""
        payments.forget_calls(tx.db, times.text(tx.utc - CALLS_KEPT))


def _not_paying() -> CartRefused:
    return CartRefused("not_paying", "お支払いは終了しています。", "This payment is over.", field="payment")
