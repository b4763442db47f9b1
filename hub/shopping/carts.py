"""A customer's list in the database: every command takes effect once, and its newest state goes to all her terminals (rows B1 to B3).

A command carries an ID that the terminal made: sent again, after an answer that was lost, it changes nothing more. Whoever
changes a list changes it at the hub, so that two terminals of one customer see the same, and one that dies loses nothing.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from config.hub_settings import HubSettings
from config.words import Words
from contract import payloads
from contract.payloads import LaneScan
from delivery.engine import Tx
from hub.database import carts, customers, lanes, payments, products, sales, times
from hub.database.carts import CartRow
from hub.grants import Grants
from hub.money import money
from hub.purchases import Purchases
from hub.sale_shapes import Place, SaleLine, SalePost
from hub.saying import count
from hub.shopping import cart as core
from hub.shopping.cart import Cart, CartRefused, Item, State
from hub.shopping.codes import CodeRefused, product_code
from hub.shopping.promise import Promise, promise
from hub.shopping.totals import Totals, totals

KEPT = timedelta(days=30)
"""Commands and closed lists."""
AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Command:
    """What a terminal asks for. `cart`: the list that it means; None: the open one, or a new one. `product` as read or typed."""

    id: str
    what: Literal["add", "quantity", "cancel"]
    cart: str | None = None
    product: str = ""
    quantity: int = 1

    @property
    def content(self) -> str:
        """What has to be the same when it comes again."""
        return f"{self.what} {self.cart or '-'} {self.quantity} {self.product}"


class Carts:
    """Lists of all customers. `is_there`: whether a terminal of hers is connected."""

    def __init__(self, settings: HubSettings, purchases: Purchases, grants: Grants, is_there: Callable[[str], bool],
                 counters: Counter[str]) -> None:  # fmt: skip
        self._settings, self._purchases, self._grants = settings, purchases, grants
        self._is_there, self._counters = is_there, counters

    # --- what a terminal asks for

    def take(self, tx: Tx, customer: str, command: Command) -> payloads.Cart | None:
        """Do it, once; the newest state. Raises CartRefused, and then nothing has changed."""
        if self.known(tx, customer, command.id, command.content):
            return self.state(tx, customer)
        before = self._meant(tx, customer, command)
        after = self._done(tx, before, command)
        self.note(tx, customer, command.id, command.content)
        return self.changed(tx, before, after)

    def known(self, tx: Tx, customer: str, id: str, content: str) -> bool:
        """Whether this command was taken. Raises CartRefused when it said something else then."""
        said = carts.command(tx.db, customer, id)
        if said is not None and said != content:
            raise CartRefused(
                "contradicting",
                "操作を確認できませんでした。ページを読み込み直してください。",
                "Another action was sent under this ID before. Please load the page again.",
            )
        if said is not None:
            count(tx, self._counters, "cart_commands_repeated")
        return said is not None

    def note(self, tx: Tx, customer: str, id: str, content: str) -> None:
        """This command was taken."""
        carts.add_command(tx.db, customer, id, content, times.text(tx.utc))

    def _meant(self, tx: Tx, customer: str, command: Command) -> Cart:
        newest = self.newest(tx, customer)
        open_now = newest if newest is not None and newest.state in (State.OPEN, State.PAYING) else None
        if command.cart is not None:
            return self.meant(tx, customer, command.cart)
        if open_now is not None:
            return open_now
        if command.what != "add":
            raise CartRefused("nothing_open", "お買い物は始まっていません。", "There is no shopping list.")
        return Cart(f"L{secrets.token_hex(8).upper()}", customer, newest.revision if newest else 0)

    def meant(self, tx: Tx, customer: str, cart: str) -> Cart:
        """A list of hers. Raises CartRefused; another's is nobody's."""
        row = carts.cart(tx.db, cart)
        if row is None or row.customer != customer:
            raise CartRefused("closed", "このお買い物は終了しています。", "This shopping list is closed.", field="cart")
        return self.read(tx, row)

    def _done(self, tx: Tx, before: Cart, command: Command) -> Cart:
        if command.what == "cancel":
            return core.cancel(before)
        try:
            code = product_code(command.product)
        except CodeRefused as refused:
            words = refused.words
            raise CartRefused(refused.kind, words.ja, words.en, status=422, field="product") from None
        if command.what == "quantity":
            return core.change(before, code, command.quantity)
        return core.add(before, self._product(tx, code), command.quantity)

    def _product(self, tx: Tx, code: str) -> Item:
        row = products.product(tx.db, code)
        if row is None:
            count(tx, self._counters, "products_unknown")
            raise CartRefused(
                "unknown_product",
                f"商品コード {code} は登録されていません。係員にお申し付けください。",
                f"The store does not know a product with the code {code}. Please ask a clerk.",
                status=404,
                field="product",
            )
        if not row.on_sale:
            name_ja, name_en = row.name_ja, row.name_en
            raise CartRefused("not_on_sale", f"「{name_ja}」は現在お取り扱いしておりません。", f"{name_en} is not on sale now.", field="product")  # fmt: skip
        rate = self._settings.shopping.tax_per_mille if row.tax_per_mille is None else row.tax_per_mille
        return Item(row.code, row.name_ja, row.name_en, row.category, row.price_minor, rate)

    # --- in the database

    def newest(self, tx: Tx, customer: str) -> Cart | None:
        """Her newest list, whatever became of it."""
        row = carts.newest(tx.db, customer)
        return self.read(tx, row) if row is not None else None

    def read(self, tx: Tx, row: CartRow) -> Cart:
        """A list with its lines."""
        items = tuple(Item(*line) for line in carts.lines(tx.db, row.cart))
        return Cart(row.cart, row.customer, row.revision, State(row.state), items, row.payment, row.sale)

    def changed(self, tx: Tx, before: Cart, after: Cart) -> payloads.Cart:
        """Write what has changed and tell all her terminals; the newest state."""
        if after is not before:
            at = times.text(tx.utc)
            row = CartRow(after.cart, after.customer, after.state, after.revision, after.payment, after.sale, at, at)
            lines = None if after.items == before.items else [
                (item.product, item.name_ja, item.name_en, item.category, item.price_minor, item.tax_per_mille, item.quantity)
                for item in after.items
            ]  # fmt: skip
            carts.write(tx.db, row, lines)
            count(tx, self._counters, f"carts_{after.state}" if after.state is not before.state else "cart_changes")
        state = self.message(tx, after)
        if after is not before and self._is_there(after.customer):
            tx.send("cart", state, customer=after.customer)
        return state

    # --- to her terminals

    def state(self, tx: Tx, customer: str) -> payloads.Cart | None:
        """Her newest list as her terminals get it, or None when she never had one."""
        newest = self.newest(tx, customer)
        return self.message(tx, newest) if newest is not None else None

    def on_terminal(self, customer: str, tx: Tx) -> None:
        """A terminal signed in: tell it what it should show."""
        state = self.state(tx, customer)
        if state is not None:
            tx.send("cart", state, customer=customer)

    def on_scan(self, scan: LaneScan, tx: Tx) -> None:
        """A lane has read an exit code: her terminals stop showing it (row B5)."""
        self._exit_changed(tx, scan.sale)

    def on_passage(self, scan: str | None, tx: Tx) -> None:
        """Somebody has passed, or nobody did and the code may be shown again."""
        row = lanes.scan(tx.db, scan) if scan is not None else None
        if row is not None:
            self._exit_changed(tx, row.sale)

    def _exit_changed(self, tx: Tx, sale: str) -> None:
        sold = sales.sale(tx.db, sale)
        if sold is None or sold.customer is None or not self._is_there(sold.customer):
            return
        newest = carts.newest(tx.db, sold.customer)
        if newest is not None and newest.sale == sale:
            tx.send("cart", self.message(tx, self.read(tx, newest)), customer=sold.customer)

    def totals(self, cart: Cart) -> Totals:
        """The sums of a list by the store's settings."""
        shopping = self._settings.shopping
        return totals(cart.items, included=shopping.prices_include_tax, rounding=shopping.tax_rounding)

    def sale(self, cart: Cart, sums: Totals, id: str, paid_on: Place = "terminal") -> SalePost:
        """The sale that a list becomes when it is paid; without tenders."""
        ja = self._settings.store.language == "ja"
        lines = [
            SaleLine(product=item.product, name=item.name_ja if ja else item.name_en, category=item.category,
                     quantity=item.quantity, amount_minor=amount)
            for item, amount in zip(cart.items, sums.lines, strict=True)
        ]  # fmt: skip
        return SalePost(sale=id, customer=cart.customer, amount_minor=sums.total_minor, currency=self._settings.store.currency,
                        paid_on=paid_on, registered_on="terminal", device="terminal", lines=lines)  # fmt: skip

    def message(self, tx: Tx, cart: Cart) -> payloads.Cart:
        """A list as her terminals get it."""
        sums = self.totals(cart)
        payment = payments.payment(tx.db, cart.payment) if cart.payment is not None else None
        lines = [
            {
                "product": item.product,
                "name": {"ja": item.name_ja, "en": item.name_en},
                "quantity": item.quantity,
                "price_minor": item.price_minor,
                "amount_minor": amount,
                "tax_per_mille": item.tax_per_mille,
            }
            for item, amount in zip(cart.items, sums.lines, strict=True)
        ]
        taxes = [
            {"tax_per_mille": each.tax_per_mille, "taxed_minor": each.taxed_minor, "tax_minor": each.tax_minor}
            for each in sums.by_rate
        ]
        return payloads.Cart.model_validate(
            {
                "cart": cart.cart,
                "customer": cart.customer,
                "revision": cart.revision,
                "state": cart.state.value,
                "lines": lines,
                "total_minor": sums.total_minor,
                "tax_minor": sums.tax_minor,
                "taxes": taxes,
                "prices_include_tax": self._settings.shopping.prices_include_tax,
                "promise": self._promise(tx, cart),
                "payment": cart.payment,
                "pay_until": times.time(payment.expires) if payment is not None else None,
                "sale": cart.sale,
                "exit_code": self._exit_code(tx, cart.sale),
            }
        )

    def _promise(self, tx: Tx, cart: Cart) -> payloads.CartPromise | None:
        """As it will be paid: on the terminal wherever that can be."""
        if cart.state is State.CANCELLED:
            return None
        if cart.sale is not None:
            found = self._of_sale(tx, cart.sale)
            return self._said(found) if found is not None else None
        return self.promise(tx, cart, "terminal" if self._settings.shopping.payment is not None else "settlement")

    def promise(self, tx: Tx, cart: Cart, paid_on: Place) -> payloads.CartPromise | None:
        """What the exit will bring if an open list is paid so."""
        sale = self.sale(cart, self.totals(cart), f"L-{cart.cart}", paid_on)
        found = promise(tx, self._purchases, self._grants, sale)
        return self._said(found) if found is not None else None

    def _said(self, found: Promise) -> payloads.CartPromise:
        title, texts = found.title, self._purchases.policy().messages.shopping
        short = money(found.short_minor, self._settings.store.currency)
        words, count = texts.more if found.short_minor else texts.coupon, 0
        if found.ahead is not None:
            words, count = texts.more_exits if found.ahead.what == "exits" else texts.more_payments, found.ahead.more
        return payloads.CartPromise.model_validate(
            {
                "holds": found.short_minor == 0 and found.ahead is None,
                "title": {"ja": title.ja, "en": title.en},
                "text": {
                    "ja": words.fill(title=title.ja, amount=short.ja, count=count).ja,
                    "en": words.fill(title=title.en, amount=short.en, count=count).en,
                },
                "short_minor": found.short_minor,
            }
        )

    def _of_sale(self, tx: Tx, sale: str) -> Promise | None:
        """What the exit brings for what is paid, or has brought."""
        given, row = lanes.incentive_of_sale(tx.db, sale), sales.sale(tx.db, sale)
        if given is not None:
            return Promise(Words.model_construct(ja=given.title_ja, en=given.title_en), 0)
        if row is None or row.void is not None or self._exit_code(tx, sale) == "used":
            return None
        buyer = customers.customer(tx.db, row.customer) if row.customer is not None else None
        grant = self._grants.decide(tx, buyer, row).grant
        return Promise(grant.title, 0) if grant is not None else None

    def _exit_code(self, tx: Tx, sale: str | None) -> str:
        code = sales.code_of_sale(tx.db, sale) if sale is not None else None
        if code is None:
            return "none"
        if code.used is not None:
            return "used"
        return "ready" if code.scan is None else "read"

    # --- what time brings

    def tick(self, tx: Tx) -> None:
        """Lists that nobody has touched for long are put away; call about once a second."""
        before = times.text(tx.utc - timedelta(hours=self._settings.shopping.idle_hours))
        for id in carts.idle(tx.db, before, AT_ONCE):
            row = carts.cart(tx.db, id)
            if row is not None:
                cart = self.read(tx, row)
                self.changed(tx, cart, replace(cart, revision=cart.revision + 1, state=State.CANCELLED))
                count(tx, self._counters, "carts_idle")

    def clean(self, tx: Tx) -> None:
        """Old commands and lists go; call now and then."""
        carts.forget(tx.db, times.text(tx.utc - KEPT), 10 * AT_ONCE)
