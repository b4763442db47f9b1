"""The list as a pure core: what may be done when, and that nothing else changes it (rows B2, B4)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hub.shopping import cart as core
from hub.shopping.cart import LINES_MAX, QUANTITY_MAX, Cart, CartRefused, Item, State

pytestmark = [pytest.mark.row("B1", "B2")]


def item(product: str = "A", price: int = 100) -> Item:
    return Item(product, f"{product}-ja", product, "food", price, 80)


EMPTY = Cart("L1", "C1", 0)
ONE = core.add(EMPTY, item(), 1)


def refused(kind: str):
    return pytest.raises(CartRefused, check=lambda error: error.kind == kind)


def test_the_same_product_again_is_one_line() -> None:
    found = core.add(core.add(ONE, item("B"), 2), item("A", price=999), 3)
    assert [(each.product, each.quantity, each.price_minor) for each in found.items] == [("A", 4, 100), ("B", 2, 100)]
    assert found.revision == 3


def test_quantity_and_removal() -> None:
    assert core.change(ONE, "A", 7).items[0].quantity == 7
    gone = core.change(ONE, "A", 0)
    assert (gone.items, gone.revision) == ((), 2)
    assert core.change(gone, "A", 0) is gone


@pytest.mark.parametrize("quantity", [0, -1, QUANTITY_MAX + 1])
def test_a_quantity_that_is_none(quantity: int) -> None:
    with refused("quantity"):
        core.add(ONE, item("B"), quantity)


def test_more_than_fits() -> None:
    full = EMPTY
    for n in range(LINES_MAX):
        full = core.add(full, item(f"P{n}"), 1)
    with refused("full"):
        core.add(full, item("more"), 1)
    assert core.add(full, item("P0"), 1).items[0].quantity == 2
    with refused("quantity"):
        core.add(core.change(full, "P0", QUANTITY_MAX), item("P0"), 1)
    with refused("too_much"):
        core.add(ONE, item("dear", 10**9), QUANTITY_MAX)


def test_what_is_not_in_the_list_has_no_quantity() -> None:
    with refused("unknown_product"):
        core.change(ONE, "B", 2)


def test_a_payment_is_of_what_she_sees() -> None:
    with refused("changed"):
        core.begin_payment(ONE, "P1", ONE.revision - 1)
    with refused("empty"):
        core.begin_payment(EMPTY, "P1", 0)


@pytest.mark.parametrize("act", [
    lambda cart: core.add(cart, item("B"), 1),
    lambda cart: core.change(cart, "A", 2),
    lambda cart: core.change(cart, "A", 0),
    lambda cart: core.cancel(cart),
    lambda cart: core.begin_payment(cart, "P2", cart.revision),
])  # fmt: skip
def test_what_is_being_paid_or_closed_can_not_be_changed(act) -> None:
    paying = core.begin_payment(ONE, "P1", ONE.revision)
    with refused("paying"):
        act(paying)
    for closed in (core.paid(paying, "P1", "S1"), core.cancel(ONE)):
        with refused("closed"):
            act(closed)


def test_only_its_own_payment_ends_or_closes_it() -> None:
    paying = core.begin_payment(ONE, "P1", ONE.revision)
    assert core.end_payment(paying, "P0") is paying
    assert core.paid(paying, "P0", "S0") is paying
    again = core.end_payment(paying, "P1")
    assert (again.state, again.payment, again.items) == (State.OPEN, None, ONE.items)
    assert core.paid(again, "P1", "S1") is again
    done = core.paid(paying, "P1", "S1")
    assert (done.state, done.sale) == (State.PAID, "S1")
    assert core.end_payment(done, "P1") is done


@pytest.mark.parametrize("state", [State.PAYING, State.PAID, State.CANCELLED])
def test_every_refusal_speaks_both_languages(state: State) -> None:
    with pytest.raises(CartRefused) as refused:
        core.cancel(replace(ONE, state=state))
    assert refused.value.words.ja
    assert refused.value.words.en


class AnyList(RuleBasedStateMachine):
    """Whatever is tried in whatever order: revisions only grow, and a list that is not open never changes its lines."""

    def __init__(self) -> None:
        super().__init__()
        self.cart, self.model = EMPTY, dict[str, int]()

    def try_to(self, act, model=None) -> None:
        before = self.cart
        try:
            self.cart = act()
        except CartRefused:
            assert self.cart is before
            return
        assert self.cart is before or self.cart.revision == before.revision + 1
        if model is not None:
            model()

    @rule(product=st.sampled_from("ABCD"), quantity=st.integers(-1, 1001))
    def add(self, product: str, quantity: int) -> None:
        def more() -> None:
            self.model[product] = self.model.get(product, 0) + quantity

        self.try_to(lambda: core.add(self.cart, item(product), quantity), more)

    @rule(product=st.sampled_from("ABCD"), quantity=st.integers(-1, 1001))
    def change(self, product: str, quantity: int) -> None:
        def so_many() -> None:
            self.model.update({product: quantity} if product in self.model else {})
            self.model = {name: number for name, number in self.model.items() if number}

        self.try_to(lambda: core.change(self.cart, product, quantity), so_many)

    @rule(behind=st.integers(0, 1))
    def pay(self, behind: int) -> None:
        self.try_to(lambda: core.begin_payment(self.cart, "P", self.cart.revision - behind))

    @rule(payment=st.sampled_from(["P", "Q"]))
    def end(self, payment: str) -> None:
        self.try_to(lambda: core.end_payment(self.cart, payment))

    @rule(payment=st.sampled_from(["P", "Q"]))
    def paid(self, payment: str) -> None:
        self.try_to(lambda: core.paid(self.cart, payment, "S"))

    @invariant()
    def is_what_was_asked_for(self) -> None:
        assert {each.product: each.quantity for each in self.cart.items} == self.model
        assert (self.cart.state is State.PAYING) == (self.cart.payment is not None)
        assert (self.cart.state is State.PAID) == (self.cart.sale is not None)


TestAnyList = AnyList.TestCase
TestAnyList.pytestmark = [pytest.mark.row("B2")]
