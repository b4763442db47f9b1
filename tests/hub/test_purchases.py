"""Sales from the POS: visits, averages, points, ranks, and the exit code; twice is once (row A3)."""

from __future__ import annotations

import pytest

from contract import exit_code
from hub.purchases import SaleLine, SaleRefused, Tender


def record(store, customer="C0003"):
    return store.one(
        "SELECT visits, spent_minor, points, rank, terminal_payments FROM customer WHERE customer = ?", customer
    )


@pytest.mark.row("A3")
@pytest.mark.row("B11")
def test_a_sale_counts_once(store):
    first = store.sell("S-1", 4000, "C0003")
    assert (first.created, first.customer_known) == (True, True)
    assert record(store) == (4, 10300, 103, "regular", 1)
    store.restart()
    store.later(minutes=3)
    again = store.sell("S-1", 4000, "C0003")
    assert (again.created, again.exit_code) == (False, first.exit_code)
    assert record(store) == (4, 10300, 103, "regular", 1)


@pytest.mark.row("A3")
def test_two_purchases_of_one_day_are_one_visit_and_lift_the_rank(store):
    store.sell("S-1", 50_000, "C0003")
    store.sell("S-2", 50_000, "C0003")
    assert record(store) == (4, 106_300, 1063, "silver", 2)
    store.later(days=1)
    store.sell("S-3", 1, "C0003")
    assert record(store)[0] == 5


def test_a_purchase_of_a_customer_nobody_knows_is_real_all_the_same(store):
    taken = store.sell("S-1", 1000, "C9999")
    assert not taken.customer_known
    assert store.counters["sales_unknown_customer"] == 1
    assert store.one("SELECT customer, amount_minor FROM sale") == (None, 1000)


@pytest.mark.row("B1")
def test_lines_and_tenders_are_kept(store):
    store.sell(amount=300, lines=[SaleLine(product="4901", name="Cup", category="tableware", quantity=3, amount_minor=300)],
               tenders=[Tender(method="cash", amount_minor=100), Tender(method="card", amount_minor=200)])  # fmt: skip
    assert store.all("SELECT product, category, quantity FROM sale_line") == [("4901", "tableware", 3)]
    assert store.all("SELECT method, amount_minor FROM sale_tender") == [("cash", 100), ("card", 200)]


def test_contradictions_are_refused_and_change_nothing(store):
    store.sell("S-1", 1000)
    before = record(store, "C0001")
    with pytest.raises(SaleRefused, match="posted before with another content"):
        store.sell("S-1", 2000)
    with pytest.raises(SaleRefused, match="tenders add up to 5, amount_minor is 7"):
        store.sell("S-2", 7, tenders=[Tender(method="cash", amount_minor=5)])
    assert record(store, "C0001") == before
    assert store.one("SELECT count(*) FROM sale") == (1,)


def test_the_exit_code_names_store_and_sale(store):
    taken = store.sell("S-1")
    claims = exit_code.verify(taken.exit_code, store.keys.public, store="ginza", now=store.now)
    assert (claims.sale, claims.expires) == ("S-1", taken.exit_code_expires)
    assert (claims.expires - claims.issued).total_seconds() == store.settings.exit_code.lifetime_s
