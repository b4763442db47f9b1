"""Ways of paying, what is counted, ways of giving, and points (rows B4, B7, B8, B9, B11)."""

from __future__ import annotations

import pytest

from contract.payloads import DeviceStatus
from hub.sale_shapes import SaleLine, SalePost, SaleRefused, Tender
from tests.hub.conftest import Store
from tests.hub.granted import HER, Exit, exit_, write

__all__ = ["exit_"]


# --- ways of paying, and counts


@pytest.mark.row("B4", "B7")
def test_where_goods_were_registered_and_paid_is_kept_and_decides(store: Store, exit_: Exit) -> None:
    write(store, "by_paying = { settlement = 10, terminal_payment = 20, terminal = 30 }")
    card, cash = (
        Tender(method="card", amount_minor=2000, paid_on="terminal"),
        Tender(method="cash", amount_minor=1000, paid_on="settlement"),
    )
    assert exit_.leave("A", registered_on="terminal").amount_minor == 30
    assert exit_.leave("B").amount_minor == 20
    assert exit_.leave("C", registered_on="settlement").amount_minor == 20
    assert exit_.leave("D", registered_on="terminal", tenders=[card, cash]).amount_minor == 10, (
        "a part of it at the till"
    )
    assert store.all("SELECT sale, paid_on, registered_on FROM sale ORDER BY sale") == [
        ("A", "terminal", "terminal"), ("B", "terminal", ""), ("C", "terminal", "settlement"), ("D", "settlement", "terminal")]  # fmt: skip
    assert store.all("SELECT method, paid_on FROM sale_tender ORDER BY line") == [
        ("card", "terminal"),
        ("cash", "settlement"),
    ]


@pytest.mark.row("B4")
def test_a_pos_that_says_nothing_new_repeats_itself_over_an_update(store: Store) -> None:
    """Fingerprints of sales in the database are those of the release that took them."""
    post = SalePost(sale="S-1", customer=HER, amount_minor=3000, currency="JPY", paid_on="terminal",
                    tenders=[Tender(method="現金", amount_minor=3000)],
                    lines=[SaleLine(product="P-1", category="食器", amount_minor=3000)])  # fmt: skip
    assert post.fingerprint == "073d5abc3f88c3acd91bed645cc58989"
    store.sell("S-1", 3000, HER)
    with pytest.raises(SaleRefused, match="with another content"):
        store.sell("S-1", 3000, HER, registered_on="terminal")


@pytest.mark.row("B11")
def test_counts_are_kept_and_each_is_counted_once(store: Store, exit_: Exit) -> None:
    before = store.one("SELECT terminal_payments, exits FROM customer WHERE customer = ?", HER)
    exit_.sell("A")
    exit_.sell("A")  # the POS posts again
    exit_.scan("A")
    exit_.scan("A")
    exit_.pass_("A")
    exit_.pass_("A")
    after = store.one("SELECT terminal_payments, exits FROM customer WHERE customer = ?", HER)
    assert (after[0] - before[0], after[1] - before[1]) == (1, 1)
    assert store.one("SELECT payment_number FROM sale") == (after[0],)


@pytest.mark.row("B7", "B11")
def test_every_third_exit_and_every_second_payment(store: Store, exit_: Exit) -> None:
    store.journal.db.execute("UPDATE customer SET exits = 0, terminal_payments = 0")
    write(
        store,
        "name = 'e'\nevery = { exits = 3 }",
        "name = 'p'\nevery = { terminal_payments = 2 }",
        top="combine = 'sum'",
    )
    given = [exit_.leave(sale) for sale in "ABCDEF"]
    rules = [store.one("SELECT rule FROM incentive WHERE coupon = ?", each.coupon)[0] if each else "" for each in given]
    assert rules == ["", "p", "e", "p", "", "e+p"]


@pytest.mark.row("B11")
def test_two_purchases_at_once_are_not_both_her_tenth(store: Store, exit_: Exit) -> None:
    store.journal.db.execute("UPDATE customer SET exits = 9, terminal_payments = 8")
    write(
        store,
        "name = 'e'\nevery = { exits = 10 }",
        "name = 'p'\nevery = { terminal_payments = 10 }",
        top="combine = 'sum'",
    )
    exit_.sell("A")
    exit_.sell("B")
    first, second = exit_.scan("A"), exit_.scan("B")
    rules = store.all("SELECT rule FROM incentive ORDER BY sale")
    assert (first is not None, second is not None, rules) == (True, True, [("e",), ("p",)])


# --- ways


def printer(store: Store, *flags: str, power: str = "online", device: str = "printer-1") -> None:
    data = DeviceStatus(category="pos_printer", power=power, flags=list(flags))
    store.hear(store.bytes_of("device_status", data, agent="exit", device=device))


@pytest.mark.row("B9", "C4")
@pytest.mark.parametrize(
    ("give", "customer", "out"),
    [("'print'", HER, "electronic"), ("'print'", None, "display"), ("['print', 'display', 'app']", HER, "display"),
     ("['print', 'email']", HER, "electronic"), ("['print', 'email']", None, "display"), ("['display', 'print']", HER, "display")],
)  # fmt: skip
def test_the_first_way_that_can_be_had(store: Store, exit_: Exit, give: str, customer: str | None, out: str) -> None:
    write(store, f"give = {give}")
    usual = exit_.leave("A", customer).give
    assert usual == ("display" if give.startswith("['display'") else "print")
    printer(store, "rec_empty")
    without = exit_.leave("B", customer)
    assert (without.give, without.receipt) == (out, [])
    if out != usual:
        assert f"incentive? {out}, as no printer there can print; r0: yes" in exit_.why()
    printer(store, device="printer-2")
    assert exit_.leave("C", customer).give == usual, "another printer of this agent can"
    printer(store, "rec_near_end")
    assert exit_.leave("D", customer).give == usual


@pytest.mark.row("C4")
def test_a_slip_that_failed_is_shown_to_who_is_not_known(store: Store, exit_: Exit) -> None:
    """She has no terminal that a coupon could be sent to."""
    write(store, "")
    exit_.sell("A", None)
    given = exit_.scan("A")
    store.printed(given.coupon, "failed", scan="scan-A-1", lane="a")
    exit_.pass_("A", "not_passed")
    again = exit_.scan("A")
    assert (again.coupon, again.give) == (given.coupon, "display")


# --- points


@pytest.mark.row("B8")
@pytest.mark.row("C7")
def test_points_come_with_a_coupon_once_and_are_explained(store: Store, exit_: Exit, beacons) -> None:
    store.sight(beacons[0])
    write(store, "amount_minor = 300\npoints = 50")
    exit_.sell("A")
    (before,) = store.one("SELECT points FROM customer WHERE customer = ?", HER)
    given = exit_.scan("A")
    assert (given.kind, given.amount_minor, given.points) == ("discount", 300, 50)
    exit_.pass_("A")
    store.restart()
    exit_.pass_("A")
    assert store.one("SELECT points FROM customer WHERE customer = ?", HER) == (before + 50,)
    (why,) = store.one("SELECT summary FROM trace WHERE id LIKE '%.points'")
    assert why == f"50 points by r0, {given.coupon}: {before} are now {before + 50}"
