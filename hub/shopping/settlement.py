"""A customer's list, paid at a settlement device of the store (row B4): the device reads a short code from her screen, gets the
list, takes the money, and posts the sale, which names the list. The list is closed in the transaction that takes the sale.

Reading a list holds nothing: she may still change it. So the sale names the revision that was read, and is refused with the
newest one if there is another; of two devices with one list, one sells it. The code is eight digits, the last of them a check
digit. It opens nothing by itself: whoever asks for a list has the key of a POS.
"""

from __future__ import annotations

import secrets
from collections import Counter

from config.hub_settings import HubSettings
from contract import exit_digits
from delivery.engine import Tx
from hub.database import carts, sales
from hub.database.carts import CartRow
from hub.purchases import Purchases
from hub.sale_shapes import CartLineRead, CartRead, CartTaxRead, SaleLine, SalePost, SaleRefused, SaleTaken
from hub.saying import count
from hub.shopping import cart as core
from hub.shopping.cart import Cart, CartRefused, State
from hub.shopping.carts import Carts

PREFIX = "LIST:"
"""Of what the QR code says."""
DIGITS = 8


class Settlement:
    """Lists at settlement devices."""

    def __init__(self, settings: HubSettings, carts: Carts, purchases: Purchases, counters: Counter[str]) -> None:
        self._settings, self._carts, self._purchases, self._counters = settings, carts, purchases, counters

    # --- her terminal

    def code(self, tx: Tx, customer: str) -> str:
        """The code of her open list, the same as long as the list is. Raises CartRefused."""
        cart = self._carts.newest(tx, customer)
        if cart is None or cart.state is not State.OPEN or not cart.items:
            raise CartRefused("nothing_open", "お会計するリストがありません。", "There is no list to pay.")
        known = carts.code_of(tx.db, cart.cart)
        if known is not None:
            return known
        while carts.of_code(tx.db, made := _new_code()) is not None:
            pass  # some list of the last weeks has it
        carts.add_code(tx.db, made, cart.cart)
        return made

    # --- the device

    def look(self, tx: Tx, code: str) -> CartRead:
        """The list of a code. Raises SaleRefused."""
        cart = self._carts.read(tx, self._row(tx, code))
        sums, included = self._carts.totals(cart), self._settings.shopping.prices_include_tax
        count(tx, self._counters, "carts_read_at_settlement")
        lines = [
            CartLineRead(product=item.product, name_ja=item.name_ja, name_en=item.name_en, category=item.category,
                         quantity=item.quantity, price_minor=item.price_minor, amount_minor=amount,
                         tax_per_mille=item.tax_per_mille)
            for item, amount in zip(cart.items, sums.lines, strict=True)
        ]  # fmt: skip
        taxes = [CartTaxRead(tax_per_mille=each.tax_per_mille, taxed_minor=each.taxed_minor, tax_minor=each.tax_minor)
                 for each in sums.by_rate]  # fmt: skip
        return CartRead(cart=cart.cart, revision=cart.revision, state=cart.state.value, customer=cart.customer,
                        currency=self._settings.store.currency, total_minor=sums.total_minor, tax_minor=sums.tax_minor,
                        prices_include_tax=included, lines=lines, taxes=taxes, sale=cart.sale)  # fmt: skip

    def post(self, tx: Tx, sale: SalePost, caller: str) -> SaleTaken:
        """A sale of the POS; one that names a list closes it. Raises SaleRefused; then nothing was changed."""
        if sale.cart is None:
            if sale.cart_revision is not None:
                raise SaleRefused("cart", "cart", "cart_revision is of a list, and cart does not name one")
            return self._purchases.post(tx, sale, caller)
        if sales.sale(tx.db, sale.sale) is not None:  # said again: it counts once, whatever became of the list since
            return self._purchases.post(tx, sale, caller)
        cart = self._carts.read(tx, self._row(tx, sale.cart))
        self._check(cart, sale)
        taken = self._purchases.post(tx, self._completed(cart, sale), caller, said=sale)
        self._carts.changed(tx, cart, core.settled(cart, sale.sale))
        count(tx, self._counters, "carts_settled")
        return taken

    def _row(self, tx: Tx, code: str) -> CartRow:
        row = carts.cart(tx.db, carts.of_code(tx.db, digits_of(code)) or code.strip())
        if row is None:
            raise SaleRefused("cart_unknown", "cart", "no customer's list has this code; ask her to show it again", 404)
        return row

    def _check(self, cart: Cart, sale: SalePost) -> None:
        if sale.paid_on != "settlement":
            raise SaleRefused("cart_paid_on", "paid_on", 'a list that a device has read is paid_on = "settlement"')
        if sale.cart_revision is None:
            raise SaleRefused("cart_revision", "cart_revision", "name the revision of the list that was read")
        if sale.customer not in (None, cart.customer):
            raise SaleRefused("cart_customer", "customer", "this list is another customer's", 409)
        if cart.state is not State.OPEN:
            why = {State.PAYING: "she is paying it on her terminal", State.CANCELLED: "she has cancelled it"}
            said = why.get(cart.state, f"it was paid by sale {cart.sale}")
            raise SaleRefused(
                f"cart_{cart.state}", "cart", f"this list can't be settled: {said}", 409, revision=cart.revision
            )
        if cart.revision != sale.cart_revision:
            said = f"the list was changed since: it is revision {cart.revision} now; read it again"
            raise SaleRefused("cart_changed", "cart_revision", said, 409, revision=cart.revision)

    def _completed(self, cart: Cart, sale: SalePost) -> SalePost:
        """With whose it is, and with the products of the list, where the device has none of its own and took its total."""
        more: dict[str, object] = {"customer": cart.customer, "registered_on": sale.registered_on or "terminal"}
        sums = self._carts.totals(cart)
        if not sale.lines and sale.amount_minor == sums.total_minor:
            ja = self._settings.store.language == "ja"
            more["lines"] = [
                SaleLine(product=item.product, name=item.name_ja if ja else item.name_en, category=item.category,
                         quantity=item.quantity, amount_minor=amount)
                for item, amount in zip(cart.items, sums.lines, strict=True)
            ]  # fmt: skip
        return sale.model_copy(update=more)


def digits_of(code: str) -> str:
    """The digits of a code as it was read or typed; "" for what is none, or is mistyped."""
    plain = "".join(sign for sign in code.strip().upper().removeprefix(PREFIX) if sign not in " -")
    good = len(plain) == DIGITS and plain.isascii() and plain.isdecimal()
    return plain if good and exit_digits.check_digit(plain[:-1]) == plain[-1] else ""


def _new_code() -> str:
    body = f"{secrets.randbelow(10 ** (DIGITS - 1)):0{DIGITS - 1}d}"
    return body + exit_digits.check_digit(body)
