"""Budgets, limits, points and counts at real lanes: decided inside the transaction that reserves (rows B3, B7, B8, B11, C3)."""

from __future__ import annotations

from random import Random

import pytest

from contract.payloads import LaneScan
from hub.database import whole
from hub.sale_shapes import SalePost, VoidPost
from hub.shopping.promise import promise
from tests.hub.conftest import Store
from tests.hub.granted import HER, ICHIRO, JOHN, Exit, exit_, write

__all__ = ["exit_"]


# --- budgets and limits


@pytest.mark.row("B7", "C3")
def test_a_budget_of_money(store: Store, exit_: Exit) -> None:
    write(store, "amount_minor = 200\nbudget_minor = 500")
    assert [bool(exit_.leave(sale)) for sale in ("A", "B", "C")] == [True, True, False]
    assert (
        exit_.why()
        == "incentive? no: r0 holds, but its budget in all of 500 yen has no room for 200 yen (400 yen are out)"
    )
    assert store.counters["incentives_over_budget"] == 1


@pytest.mark.row("B7", "C3")
def test_what_is_reserved_counts_and_what_is_released_is_free_again(store: Store, exit_: Exit) -> None:
    write(store, "budget_count = 1")
    for sale, who in (("A", HER), ("B", JOHN), ("C", ICHIRO)):
        exit_.sell(sale, who)
    assert exit_.scan("A") is not None
    assert exit_.scan("B") is None, "the last one is reserved at the other lane"
    exit_._scans = 1
    assert exit_.pass_("A", "not_passed") == "released"
    assert exit_.scan("C") is not None, "nobody passed: it is free again"


@pytest.mark.row("C3")
def test_who_comes_back_when_it_is_gone_is_told_so(store: Store, exit_: Exit) -> None:
    write(store, "amount_minor = 900\nbudget_count = 1\nname = 'big'", "amount_minor = 50\nname = 'small'")
    exit_.sell("A")
    exit_.sell("B", JOHN)
    coupon = exit_.scan("A").coupon
    exit_.pass_("A", "not_passed")
    assert exit_.scan("B").amount_minor == 900
    again = exit_.scan("A")
    assert (again.amount_minor, again.coupon) == (50, coupon), "one code has one coupon ID for life"
    assert "what was released (big) has no room any more; small: yes" in exit_.why()
    assert store.all("SELECT rule, count, worth_minor FROM incentive_day ORDER BY rule") == [
        ("big", 1, 900),
        ("small", 1, 50),
    ]


@pytest.mark.row("C3", "C4")
def test_a_slip_that_was_printed_keeps_its_place(store: Store, exit_: Exit) -> None:
    write(store, "budget_count = 1")
    exit_.sell("A")
    exit_.sell("B", JOHN)
    given = exit_.scan("A")
    store.printed(given.coupon, scan="scan-A-1", lane="a")
    assert exit_.pass_("A", "not_passed") == "released"
    assert exit_.scan("B") is None, "it is in her hand"
    again = exit_.scan("A")
    assert (again.coupon, again.give) == (given.coupon, "electronic")
    assert exit_.pass_("A") == "committed"
    assert store.one("SELECT count, worth_minor FROM incentive_day") == (1, 200)


@pytest.mark.row("C3", "C4")
@pytest.mark.parametrize("gone", [True, False])
def test_a_slip_that_is_told_of_when_others_have_had_the_last(store: Store, exit_: Exit, gone: bool) -> None:
    """Her first lane was cut off while it printed; at the second one she stepped back."""
    write(store, "budget_count = 1")
    exit_.sell("A")
    exit_.sell("B", JOHN)
    coupon = exit_.scan("A", lane="1").coupon
    store.later(seconds=130)
    exit_.scan("A", lane="2")
    exit_.pass_("A", "not_passed", lane="2")
    if gone:
        assert exit_.scan("B") is not None
    store.printed(coupon, scan="scan-A-1", lane="1")
    assert store.one("SELECT paper FROM incentive WHERE coupon = ?", coupon) == ("unknown" if gone else "printed",)
    assert store.one("SELECT count FROM incentive_day") == (1,)
    assert (exit_.scan("B") is not None) == gone
    assert (exit_.scan("A", lane="2") is None) == gone


@pytest.mark.row("C3")
def test_a_late_passage_of_what_was_released_goes_by_what_is_left(store: Store, exit_: Exit) -> None:
    """Her first lane told of nothing for long, so that the second one took over and nobody passed there."""
    write(store, "budget_count = 1")
    exit_.sell("A")
    exit_.sell("B", JOHN)
    exit_.scan("A", lane="1")
    store.later(seconds=130)
    exit_.scan("A", lane="2")
    exit_.pass_("A", "not_passed", lane="2")
    assert exit_.scan("B") is not None
    said = store.passage("passed", scan="scan-A-1", lane="1")
    assert not [m for m in said if m.channel.name == "incentive_settled"]
    assert store.one("SELECT count(*) FROM incentive WHERE state = 'released'") == (1,)
    assert store.one("SELECT exits FROM customer WHERE customer = ?", HER) == (1,), "she has left all the same"
    assert store.counters["incentives_lost_room"] == 1


@pytest.mark.row("B7")
@pytest.mark.parametrize(("period", "days"), [("day", 1), ("month", 31), ("year", 306)])
def test_a_budget_begins_anew_with_its_period(store: Store, exit_: Exit, period: str, days: int) -> None:
    write(store, f"budget_count = 1\nbudget_period = '{period}'")
    assert exit_.leave("A") is not None
    store.later(hours=13.9)  # just before midnight in Tokyo
    assert exit_.leave("B") is None
    store.later(days=days - 1, minutes=10)
    assert exit_.leave("C") is not None


@pytest.mark.row("B7")
def test_limits_per_customer_and_period(store: Store, exit_: Exit) -> None:
    write(store, "per_customer = { count = 2, period = 'day' }")
    assert [bool(exit_.leave(sale)) for sale in ("A", "B", "C")] == [True, True, False]
    assert "she has had 2 of 2 today" in exit_.why()
    assert exit_.leave("D", JOHN) is not None
    assert exit_.leave("E", None) is None, "who is not known can't be counted"
    store.later(days=1)
    assert exit_.leave("F") is not None


@pytest.mark.row("B7")
def test_percentages_and_points_use_up_money_too(store: Store, exit_: Exit) -> None:
    write(store, "percent = 10\nbudget_minor = 500\nname = 'p'", "kind = 'points'\npoints = 100\nbudget_minor = 300\nname = 'q'",
          top="combine = 'sum'\npoint_worth_minor = 2")  # fmt: skip
    given = exit_.leave("A", amount=3000)
    assert (given.percent, given.points) == (10, 100)
    given = exit_.leave("B", amount=3000)
    assert given is None, "300 + 300 > 500, and 200 + 200 > 300"
    assert store.all("SELECT rule, worth_minor FROM incentive_day ORDER BY rule") == [("p", 300), ("q", 200)]


@pytest.mark.row("C3")
def test_lanes_at_the_same_moment_cannot_exceed_it(store: Store, exit_: Exit) -> None:
    """Forty scans in one batch, as they come from forty lanes."""
    write(store, "budget_count = 7")
    batch = []
    for number in range(40):
        code = store.sell(f"S-{number}", customer=None).exit_code
        row = store.one("SELECT code FROM exit_code WHERE sale = ?", f"S-{number}")
        data = LaneScan(code_id=row[0], sale=f"S-{number}", code=code, scanned=store.now)
        batch.append(store.bytes_of("lane_scan", data, agent=f"exit-{number}", lane="1", id=f"scan-{number}"))
    store.hear(*batch)
    decisions = store.of("lane_decision")
    assert len(decisions) == 40
    assert sum(decision.data.incentive is not None for decision in decisions) == 7


@pytest.mark.row("B3")
def test_a_promise_keeps_to_the_budget(store: Store, exit_: Exit) -> None:
    write(
        store,
        "table = [[1000, 100], [3000, 400]]\nbudget_minor = 450\ntitle = { ja = '{amount}引き', en = '{amount} off' }",
    )

    def promised(amount: int) -> tuple[str, int] | None:
        post = SalePost(
            sale="L-x", customer=HER, amount_minor=amount, currency="JPY", paid_on="terminal", registered_on="terminal"
        )
        with store.engine.transaction() as tx:
            found = promise(tx, store.hub.purchases, store.hub.grants, post)
        return (found.title.en, found.short_minor) if found else None

    assert promised(688) == ("100 yen off", 312)
    assert promised(1000) == ("100 yen off", 0)
    assert promised(3500) == ("400 yen off", 0)
    exit_.leave("A", JOHN, 1000)
    assert promised(3500) is None, "350 are left: the exit would give nothing for this list"
    assert exit_.leave("B", HER, 3500) is None
    assert promised(2000) == ("100 yen off", 0)
    assert store.one("SELECT count(*) FROM sale") == (2,)


@pytest.mark.row("B7")
def test_without_an_exit_code_there_is_none(store: Store, exit_: Exit) -> None:
    write(store, "points = 5")
    exit_.sell("A")
    store.passage(scan=None)
    store.later(hours=20)
    store.tick()
    assert store.one("SELECT count(*) FROM incentive") == (0,)
    assert store.one("SELECT exits FROM customer WHERE customer = ?", HER) == (0,)


# --- whatever happens


@pytest.mark.row("C1", "C3")
@pytest.mark.parametrize("seed", range(12))
def test_accounts_agree_after_anything(store: Store, exit_: Exit, seed: int) -> None:
    rng = Random(seed)
    write(store, "name = 'day'\nbudget_count = 3\nbudget_period = 'day'\namount_minor = 70",
          "name = 'money'\nbudget_minor = 900\npercent = 10\nper_customer = { count = 2, period = 'month' }",
          "name = 'third'\nevery = { exits = 3 }\nkind = 'points'\npoints = 5", top=f"combine = '{rng.choice(['first', 'best', 'sum'])}'")  # fmt: skip
    points = dict(store.all("SELECT customer, points FROM customer"))
    open_: list[tuple[str, str]] = []
    sales: list[str] = []
    for step in range(12):
        store.later(seconds=rng.choice([1, 100, 9000]))
        act = rng.choice(["sell", "scan", "scan", "end", "end", "print", "kill", "void"])
        if act == "sell" or not sales:
            sales.append(f"S{step}")
            exit_.sell(sales[-1], rng.choice([HER, JOHN, ICHIRO, None]), rng.choice([500, 3000, 8000]))
        elif act == "scan":
            sale, lane = rng.choice(sales), rng.choice("123")
            exit_.scan(sale, lane)
            open_.append((f"scan-{sale}-{exit_._scans}", lane))
        elif act == "end" and open_:
            id, lane = rng.choice(open_[-4:])
            store.passage(
                rng.choice(["passed", "passed", "not_passed", "fault"]), scan=id, lane=lane, offline=rng.random() < 0.2
            )
        elif act == "print" and (rows := store.all("SELECT coupon, scan FROM incentive ORDER BY reserved, sale")):
            coupon, scan = rng.choice(rows)  # also of what was released: lanes that were cut off tell late
            store.printed(coupon, rng.choice(["printed", "failed"]), scan=scan)
        elif act == "kill":
            store.restart()
        elif act == "void" and rng.random() < 0.3:
            with store.engine.transaction() as tx:
                store.hub.purchases.void(tx, sales[0], VoidPost(void=f"V-{sales[0]}"))
            sales.pop(0)
    out = "(state <> 'released' OR paper = 'printed')"
    counted = store.all(f"SELECT rule, day, count(*), sum(worth_minor) FROM incentive_part JOIN incentive USING (coupon) WHERE {out} "
                        "GROUP BY incentive_part.rule, day".replace("SELECT rule", "SELECT incentive_part.rule"))  # fmt: skip
    kept = store.all("SELECT rule, day, count, worth_minor FROM incentive_day WHERE count > 0")
    assert sorted(counted) == sorted(kept), f"seed {seed}"
    assert all(count <= 3 for rule, _, count, _ in kept if rule == "day"), f"seed {seed}"
    assert sum(worth for rule, _, _, worth in kept if rule == "money") <= 900, f"seed {seed}"
    hers = store.all(f"SELECT count(*) FROM incentive_part JOIN incentive USING (coupon) WHERE incentive_part.rule = 'money' AND {out} "
                     "GROUP BY customer")  # fmt: skip
    assert all(number <= 2 for (number,) in hers), f"seed {seed}"
    for customer, before in points.items():
        given = store.one(
            "SELECT coalesce(sum(points), 0) FROM incentive WHERE customer = ? AND state = 'committed'", customer
        )[0]
        bought = store.one("SELECT coalesce(sum(points), 0) FROM sale WHERE customer = ? AND void IS NULL", customer)[0]
        now = store.one("SELECT points FROM customer WHERE customer = ?", customer)[0]
        assert now == before + given + bought, f"seed {seed}: {customer}"
    assert "quarantined" not in store.counters, f"seed {seed}"


@pytest.mark.row("C11")
def test_what_she_was_given_is_among_her_data(store: Store, exit_: Exit) -> None:
    exit_.leave("A")
    found = whole.everything(store.journal.db, HER)
    assert [row["coupon"] for row in found["incentive"]]
    assert [row["rule"] for row in found["incentive_part"]] == ["thanks-200"]
