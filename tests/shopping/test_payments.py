"""Payments on the terminal: confirmed twice is one sale, and nothing else makes one (rows B4, B5)."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from contract import exit_code
from hub.sale_shapes import Tender
from hub.shopping.cart import CartRefused
from hub.shopping.payments import PaymentRefused
from tests.hub.conftest import Store
from tests.shopping.conftest import BREAD, COLA
from tests.shopping.paying import HER, Till, refused, till, with_provider

__all__ = ["till"]
pytestmark = [pytest.mark.row("B4"), pytest.mark.usefixtures("products")]


@pytest.mark.row("B1", "B5", "B11")
def test_the_paid_list_is_a_sale_with_lines_tender_and_exit_code(till: Till, store: Store) -> None:
    (before,) = store.one("SELECT terminal_payments FROM customer WHERE customer = ?", HER)
    till.add(COLA, 3)
    till.add(BREAD)
    payment = till.pay()
    assert till.state().state == "paying"
    assert till.state().pay_until is not None
    row = till.confirm(payment.payment, 688)
    assert (row.state, row.sale) == ("confirmed", payment.payment)
    assert till.sales() == [(payment.payment, HER, 688, "terminal")]
    assert store.all("SELECT product, name, category, quantity, amount_minor FROM sale_line ORDER BY line") == [
        (COLA, "コーラ", "drinks", 3, 450),
        (BREAD, "食パン", "food", 1, 238),
    ]
    assert store.all("SELECT method, amount_minor FROM sale_tender") == [("app", 688)]
    assert store.one("SELECT terminal_payments FROM customer WHERE customer = ?", HER) == (before + 1,)
    state = till.state()
    assert (state.state, state.sale, state.exit_code) == ("paid", payment.payment, "ready")


def test_confirmed_twice_is_one_sale(till: Till, store: Store) -> None:
    till.add()
    payment = till.pay().payment
    first = till.confirm(payment, 150)
    store.restart()
    with_provider(store)
    assert till.confirm(payment, 150) == first
    assert len(till.sales()) == 1
    assert store.counters["payments_repeated"] == 1


@pytest.mark.parametrize(("amount", "currency"), [(149, "JPY"), (151, "JPY"), (0, "JPY"), (150, "EUR"), (150, "")])
def test_another_amount_sells_nothing_and_the_right_one_still_does(till: Till, amount: int, currency: str) -> None:
    till.add()
    payment = till.pay().payment
    with refused("amount") as error:
        till.confirm(payment, amount, currency)
    assert error.value.give_back
    assert (till.sales(), till.state().state) == ([], "paying")
    till.confirm(payment, 150)
    with refused("amount"):
        till.confirm(payment, amount, currency)
    assert len(till.sales()) == 1


def test_tenders_are_kept_and_must_add_up(till: Till, store: Store) -> None:
    till.add()
    payment = till.pay().payment
    with refused("tenders"):
        till.confirm(payment, 150, tenders=(Tender(method="card", amount_minor=100),))
    till.confirm(
        payment, 150, tenders=(Tender(method="card", amount_minor=100), Tender(method="points", amount_minor=50))
    )
    assert store.all("SELECT method, amount_minor FROM sale_tender ORDER BY line") == [("card", 100), ("points", 50)]


def test_an_abandoned_payment_expires_and_the_list_is_open_again(till: Till, store: Store) -> None:
    till.add()
    payment = till.pay().payment
    store.later(seconds=301)
    store.tick()
    assert (till.state().state, till.state().payment) == ("open", None)
    with refused("late") as error:
        till.confirm(payment, 150)
    assert error.value.give_back
    assert till.sales() == []
    till.add(BREAD)
    till.confirm(till.pay().payment, 388)
    assert len(till.sales()) == 1


def test_late_before_the_clock_has_looked(till: Till, store: Store) -> None:
    till.add()
    payment = till.pay().payment
    store.later(seconds=300)
    with refused("late"):
        till.confirm(payment, 150)
    assert till.sales() == []


def test_cancelled_by_her_then_confirmed(till: Till) -> None:
    till.add()
    payment = till.pay().payment
    assert till.cancel(payment) is True
    assert till.cancel(payment) is False
    with refused("late"):
        till.confirm(payment, 150)
    assert (till.sales(), till.state().state) == ([], "open")


def test_a_payment_of_another_is_none_of_hers(till: Till, store: Store) -> None:
    till.add()
    payment = till.pay().payment
    with refused("not_paying", CartRefused), store.engine.transaction() as tx:
        store.hub.payments.cancel(tx, "C0002", payment)
    with refused("unknown"):
        till.confirm("P0", 150)


def test_the_list_can_not_change_while_it_is_paid(till: Till) -> None:
    till.add()
    till.pay()
    with refused("paying", CartRefused):
        till.add(BREAD)
    with refused("paying", CartRefused):
        till.pay()


def test_she_pays_what_she_sees(till: Till) -> None:
    seen = till.add()
    till.add(BREAD)
    with refused("changed", CartRefused):
        till.pay(revision=seen.revision)


def test_pay_again_after_a_lost_answer_is_the_same_payment(till: Till, store: Store) -> None:
    seen = till.add()
    first = till.pay("one", seen.cart, seen.revision)
    assert till.pay("one", seen.cart, seen.revision) == first
    assert store.one("SELECT count(*) FROM payment") == (1,)
    till.confirm(first.payment, 150)
    with refused("not_paying", CartRefused):
        till.pay("one", seen.cart, seen.revision)


def test_without_a_provider_she_pays_at_the_till(store: Store) -> None:
    till = Till(store)
    till.add()
    store.hub.payments._settings = store.settings
    with refused("no_payment", CartRefused):
        till.pay()


def test_who_is_forgotten_while_paying_has_paid_all_the_same(till: Till, store: Store) -> None:
    till.add()
    payment = till.pay().payment
    store.journal.db.execute("DELETE FROM cart WHERE customer = ?", (HER,))
    assert till.confirm(payment, 150).state == "confirmed"
    assert till.sales() == [(payment, None, 150, "terminal")]


@pytest.mark.row("B5", "C2")
def test_the_exit_code_ages_and_is_renewed_as_the_same_code(till: Till, store: Store) -> None:
    till.add()
    till.confirm(till.pay().payment, 150)
    sale = till.state().sale

    def code() -> str:
        with store.engine.transaction() as tx:
            return store.hub.purchases.exit_code(tx, sale, 120)[1]

    first = code()
    store.later(seconds=30)
    assert code() == first
    store.later(seconds=31)
    second = code()
    assert second != first
    claims = [exit_code.verify(each, store.keys.public, store="ginza", now=None) for each in (first, second)]
    assert claims[0].code_id == claims[1].code_id
    assert (claims[1].expires - claims[1].issued).total_seconds() == 120
    store.later(seconds=181)  # and the leeway of a minute
    (decision,) = [m.data for m in store.scan(second, sale=sale) if m.channel.name == "lane_decision"]
    assert (decision.outcome, decision.reason) == ("refuse", "expired")
    third = code()
    (decision,) = [m.data for m in store.scan(third, sale=sale, id="scan-2") if m.channel.name == "lane_decision"]
    assert decision.outcome == "open"
    assert till.state().exit_code == "read"
    store.passage("passed", scan="scan-2")
    assert till.state().exit_code == "used"
    (decision,) = [m.data for m in store.scan(third, sale=sale, id="scan-3") if m.channel.name == "lane_decision"]
    assert (decision.outcome, decision.reason) == ("refuse", "already_used")


@pytest.mark.row("B5")
def test_who_steps_back_may_show_her_code_again(till: Till, store: Store) -> None:
    till.add()
    till.confirm(till.pay().payment, 150)
    sale = till.state().sale
    with store.engine.transaction() as tx:
        text = store.hub.purchases.exit_code(tx, sale, 120)[1]
    store.scan(text, sale=sale)
    store.passage("not_passed")
    assert till.state().exit_code == "ready"


# --- whatever happens in whatever order


def test_money_and_sales_agree_whatever_happens(till: Till, store: Store) -> None:
    """Each confirmed payment is one sale of its amount, and a list is paid by one payment at most."""

    class Anything(RuleBasedStateMachine):
        payments: list[tuple[str, int]]

        def __init__(self) -> None:
            super().__init__()
            self.payments = []

        def attempt(self, act) -> None:
            try:
                act()
            except (CartRefused, PaymentRefused):
                return

        @rule(code=st.sampled_from([COLA, BREAD]))
        def add(self, code: str) -> None:
            self.attempt(lambda: till.add(code))

        @rule()
        def pay(self) -> None:
            def begin() -> None:
                row = till.pay()
                self.payments.append((row.payment, row.amount_minor))

            if till.state() is not None:
                self.attempt(begin)

        @rule(which=st.integers(0, 5), off=st.sampled_from([0, 0, 0, 1]))
        def confirm(self, which: int, off: int) -> None:
            if which < len(self.payments):
                payment, amount = self.payments[-1 - which]
                self.attempt(lambda: till.confirm(payment, amount + off))

        @rule(which=st.integers(0, 5))
        def cancel(self, which: int) -> None:
            if which < len(self.payments):
                self.attempt(lambda: till.cancel(self.payments[-1 - which][0]))

        @rule(seconds=st.sampled_from([10, 200]))
        def time(self, seconds: int) -> None:
            store.later(seconds=seconds)
            store.tick()

        @invariant()
        def books_balance(self) -> None:
            confirmed = store.all(
                "SELECT payment, amount_minor FROM payment WHERE state = 'confirmed' ORDER BY payment"
            )
            assert store.all("SELECT sale, amount_minor FROM sale ORDER BY sale") == confirmed
            paid = store.all("SELECT sale FROM cart WHERE state = 'paid' ORDER BY sale")
            assert paid == [(payment,) for payment, _ in confirmed]
            begun = store.all("SELECT payment FROM payment WHERE state = 'begun'")
            assert begun == store.all("SELECT payment FROM cart WHERE state = 'paying'")

    quick = settings(max_examples=12, stateful_step_count=20, deadline=None,
                     suppress_health_check=list(HealthCheck))  # fmt: skip
    run_state_machine_as_test(Anything, settings=quick)
