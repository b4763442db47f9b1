"""A lane's coupon that is not on paper: hers on every terminal, brought by one way after the other, never lost, never twice."""

from __future__ import annotations

import pytest

from contract.payloads import CouponKept
from hub.database import givings
from hub.giving.claiming import Claiming
from hub.offers.redeeming import RedeemPost
from tests.giving.conftest import MAIL, PUSH, leave


@pytest.fixture(autouse=True)
def settings(folder):
    """A store with all ways; before the hub starts."""
    with (folder / "hub.toml").open("a", encoding="utf-8") as file:
        file.write(MAIL + PUSH)


def kept(store, coupon, revision=1, customer="C0001"):
    return store.terminal(customer, "coupon_kept", CouponKept(coupon=coupon, customer=customer, revision=revision))


def there(store, customer="C0001"):
    store.hub.terminals.came(customer)


def told(store):
    return [m.data for m in store.listen() if m.channel.name == "member_coupon"]


@pytest.mark.row("C4")
@pytest.mark.parametrize("paper", ["failed", "unknown"])
def test_what_is_not_on_paper_is_hers_electronically_under_the_same_id(store, paper):
    there(store)
    coupon = leave(store, paper=paper)
    (sent,) = [m.data for m in store.said if m.channel.name == "member_coupon"]
    assert (sent.coupon, sent.customer, sent.state, sent.revision, sent.code) == (coupon, "C0001", "offered", 1, coupon)
    assert store.counters["coupons_given"] == 1


@pytest.mark.row("C4")
def test_what_is_on_paper_is_nothing_else(store):
    coupon = leave(store, paper="printed")
    assert givings.given(store.journal.db, coupon) is None


@pytest.mark.row("C3")
def test_nothing_is_given_before_she_has_passed(store):
    there(store)
    coupon = store.scan(store.sell().exit_code)[0].data.incentive.coupon
    store.printed(coupon, "failed")
    assert givings.given(store.journal.db, coupon) is None
    store.passage()
    assert givings.given(store.journal.db, coupon) is not None


@pytest.mark.row("C4")
def test_paper_that_fails_after_she_has_passed_is_given_then(store):
    coupon = store.scan(store.sell().exit_code)[0].data.incentive.coupon
    store.printed(coupon, "printed")
    store.passage()
    assert givings.given(store.journal.db, coupon) is None
    second = store.scan(store.sell("S-2").exit_code, sale="S-2", id="scan-2")[0].data.incentive.coupon
    store.passage(scan="scan-2")
    store.printed(second, "unknown", scan="scan-2")
    assert givings.given(store.journal.db, second) is not None


def test_a_customer_whom_nobody_knows_gets_nothing_electronically_and_it_is_counted(store):
    sale = store.sell("S-1", 3000, None)
    incentive = store.scan(sale.exit_code)[0].data.incentive
    store.printed(incentive.coupon, "failed")
    store.passage()
    assert store.counters["coupons_for_nobody"] == 1
    assert givings.given(store.journal.db, incentive.coupon) is None


@pytest.mark.row("B9")
@pytest.mark.row("C4")
def test_the_lane_is_told_for_whom_only_the_display_is_left_when_paper_fails(store):
    """And who reads it there with a terminal of hers has it."""
    (hers,) = store.scan(store.sell("S-1", 3000, "C0001").exit_code)
    assert (hers.data.incentive.give, hers.data.incentive.no_paper) == ("print", "electronic")
    (nobodys,) = store.scan(store.sell("S-2", 3000, None).exit_code, sale="S-2", id="scan-2")
    coupon = nobodys.data.incentive.coupon
    assert (nobodys.data.incentive.give, nobodys.data.incentive.no_paper) == ("print", "display")
    store.printed(coupon, "failed", scan="scan-2")
    with store.engine.transaction() as tx:
        assert Claiming(store.hub.giving, store.hub.counters).claim(tx, "C0002", f"COUPON:{coupon}") == "kept"
    store.passage(scan="scan-2")
    assert givings.given(store.journal.db, coupon).customer == "C0002"
    assert "coupons_for_nobody" not in store.counters


@pytest.mark.row("B9")
def test_a_terminal_that_signs_in_is_told_until_it_has_kept_it(store):
    coupon = leave(store)

    def signs_in():
        with store.engine.transaction() as tx:
            store.hub.giving.on_terminal("C0001", tx)
        return told(store)

    assert [each.coupon for each in signs_in()] == [coupon]
    assert kept(store, coupon) == ""
    assert store.one("SELECT kept FROM given_coupon") == (1,)
    assert [each.coupon for each in signs_in()] == [coupon]  # open ones always: it may be another terminal
    redeem(store, coupon)
    store.tick()
    (over,) = signs_in()
    assert (over.state, over.revision) == ("redeemed", 2)
    kept(store, coupon, 2)
    assert signs_in() == []


def redeem(store, coupon, sale="T-1", pos="till-1"):
    with store.engine.transaction() as tx:
        return store.hub.redeeming.redeem(tx, coupon, RedeemPost(sale=sale), pos)


@pytest.mark.row("C4")
def test_used_once_whether_on_paper_or_not_and_her_terminals_hear_of_it(store):
    there(store)
    coupon = leave(store, paper="unknown")  # the slip may be in her hand, too
    store.listen()
    store.later(days=1)
    assert redeem(store, coupon).usable
    assert redeem(store, coupon, "T-2", "till-2").reason == "used"
    store.said.clear()
    store.tick()
    assert [m.data.state for m in store.said if m.channel.name == "member_coupon"] == ["redeemed"]


def test_over_when_its_time_is_over(store):
    there(store)
    coupon = leave(store)
    store.later(days=400)
    store.said.clear()
    store.tick()
    assert [m.data.state for m in store.said if m.channel.name == "member_coupon"] == ["expired"]
    store.tick()
    assert givings.given(store.journal.db, coupon).revision == 2


def test_anothers_word_that_it_was_kept_changes_nothing(store):
    coupon = leave(store)
    kept(store, coupon, customer="C0002")
    assert store.one("SELECT kept FROM given_coupon") == (0,)
    assert store.counters["coupons_kept_by_others"] == 1
