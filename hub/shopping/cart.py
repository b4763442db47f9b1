"""A customer's list, and what may be done with it. Pure: each change gives a new list.

    open ──▶ paying ──▶ paid            a list that is being paid can't be changed: she cancels the payment, and it is open again
     │  ◀──────┘         ▲
     ├───────────────────┘              at a settlement device, which has read the list
     └──▶ cancelled

A product keeps the price at which it was registered: what she saw at the shelf and on her screen is what she pays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from config.words import Words

LINES_MAX, QUANTITY_MAX = 80, 999
TOTAL_MAX = 10**12
"""What a sale may come to (`hub.sale_shapes`)."""


class State(StrEnum):
    OPEN = "open"
    PAYING = "paying"
    PAID = "paid"
    CANCELLED = "cancelled"


class CartRefused(ValueError):
    """What can't be done with a list now; `words` for the person at the terminal, `status` of HTTP, `field` of what she sent.

    `kind`: unknown_product, not_on_sale, full, quantity, too_much, closed, paying, changed, empty, nothing_open,
    contradicting, no_payment, not_paying.
    """

    def __init__(self, kind: str, ja: str, en: str, *, status: int = 409, field: str = "") -> None:
        super().__init__(en)
        self.kind, self.words, self.status, self.field = kind, Words(ja=ja, en=en), status, field


@dataclass(frozen=True, slots=True)
class Item:
    """A product in the list, as it was when it was registered."""

    product: str
    name_ja: str
    name_en: str
    category: str
    price_minor: int
    tax_per_mille: int
    quantity: int = 1


@dataclass(frozen=True, slots=True)
class Cart:
    """One list. `payment` while it is being paid, `sale` once it was."""

    cart: str
    customer: str
    revision: int
    state: State = State.OPEN
    items: tuple[Item, ...] = ()
    payment: str | None = None
    sale: str | None = None


def add(cart: Cart, item: Item, quantity: int) -> Cart:
    """More of a product: behind the others if it is new, and at the price it was registered at first if not."""
    _changeable(cart)
    if not 1 <= quantity <= QUANTITY_MAX:
        raise _quantity()
    for here in cart.items:
        if here.product == item.product:
            return change(cart, item.product, here.quantity + quantity)
    if len(cart.items) >= LINES_MAX:
        raise CartRefused(
            "full",
            f"一度に登録できる商品は{LINES_MAX}種類までです。",
            f"At most {LINES_MAX} different products fit into one list.",
        )
    return _changed(cart, (*cart.items, replace(item, quantity=quantity)))


def change(cart: Cart, product: str, quantity: int) -> Cart:
    """So many of a product; 0 takes it out. What is not in the list is out already."""
    _changeable(cart)
    if not 0 <= quantity <= QUANTITY_MAX:
        raise _quantity()
    if all(item.product != product for item in cart.items):
        if quantity == 0:
            return cart
        raise CartRefused(
            "unknown_product", "この商品はリストにありません。", "This product is not in the list.", field="product"
        )
    changed = tuple(replace(item, quantity=quantity) if item.product == product else item for item in cart.items)
    return _changed(cart, tuple(item for item in changed if item.quantity))


def cancel(cart: Cart) -> Cart:
    """The whole transaction is off."""
    _changeable(cart)
    return replace(cart, revision=cart.revision + 1, state=State.CANCELLED)


def begin_payment(cart: Cart, payment: str, revision: int) -> Cart:
    """`revision`: what she sees on her screen; she pays that or nothing."""
    _changeable(cart)
    if cart.revision != revision:
        raise CartRefused(
            "changed",
            "リストが変更されました。内容をご確認のうえ、もう一度お支払いください。",
            "The list has changed meanwhile. Please look at it and pay again.",
        )
    if not cart.items:
        raise CartRefused("empty", "リストに商品がありません。", "There is nothing in the list.")
    return replace(cart, revision=cart.revision + 1, state=State.PAYING, payment=payment)


def end_payment(cart: Cart, payment: str) -> Cart:
    """The payment came to nothing: the list is open again. Another payment's end changes nothing."""
    if cart.state is not State.PAYING or cart.payment != payment:
        return cart
    return replace(cart, revision=cart.revision + 1, state=State.OPEN, payment=None)


def paid(cart: Cart, payment: str, sale: str) -> Cart:
    """The payment is a sale, and the list is closed."""
    if cart.state is not State.PAYING or cart.payment != payment:
        return cart
    return replace(cart, revision=cart.revision + 1, state=State.PAID, payment=None, sale=sale)


def settled(cart: Cart, sale: str) -> Cart:
    """Paid at a settlement device, which has read the list (row B4)."""
    _changeable(cart)
    return replace(cart, revision=cart.revision + 1, state=State.PAID, sale=sale)


def _changed(cart: Cart, items: tuple[Item, ...]) -> Cart:
    # With every rate of tax that there can be: at most as much again.
    if sum(item.price_minor * item.quantity for item in items) > TOTAL_MAX // 2:
        raise CartRefused(
            "too_much", "合計金額が大きすぎます。係員にお申し付けください。", "This is more than one list can come to."
        )
    return replace(cart, revision=cart.revision + 1, items=items)


def _changeable(cart: Cart) -> None:
    if cart.state is State.PAYING:
        raise CartRefused(
            "paying",
            "お支払いの途中です。変更するには、先にお支払いを取り消してください。",
            "This list is being paid. To change it, cancel the payment first.",
        )
    if cart.state is not State.OPEN:
        raise CartRefused("closed", "このお買い物は終了しています。", "This shopping list is closed.", field="cart")


def _quantity() -> CartRefused:
    return CartRefused(
        "quantity",
        f"数量は1から{QUANTITY_MAX}までです。",
        f"A quantity is a number from 1 to {QUANTITY_MAX}.",
        status=422,
        field="quantity",
    )
