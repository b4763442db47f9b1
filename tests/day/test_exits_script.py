"""The script of a day of exits, its independent computation, what a shopper's camera reads, and that the books see what is wrong."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.display.board import qr_image
from firmware_sim.shopper_eyes import NotReadable, on_screen, package, read
from hub.members.picture import qr_svg
from hub.shopping.codes import check_digit, product_code
from instore.day import exits_oracle as oracle
from instore.day.exits_books import Ledger, balance
from instore.day.exits_oracle import Expected, Grant, expected
from instore.day.exits_script import Customer, ExitsScript, Product, Trip, exits


def test_the_same_seed_is_the_same_day_in_every_process():
    program = (
        "from instore.day.exits_script import exits\n"
        "day = exits(7, 60, 4, faults=True)\n"
        "for each in (*day.customers, *day.faults, *day.products): print(each)"
    )
    told = {
        subprocess.run([sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": str(number)},
                       capture_output=True, text=True, check=True).stdout
        for number in (1, 2)
    }  # fmt: skip
    assert len(told) == 1
    assert exits(7, 60, 4, faults=True) != exits(8, 60, 4, faults=True)


@pytest.mark.row("C9")
def test_a_day_has_something_of_everything():
    day = exits(1, 1000, 4, faults=True)
    wanted = expected(day)
    trips = [trip for customer in day.customers for trip in customer.trips]
    assert (day.exits, len(wanted.paid), len(trips)) == (1000, 1000, 1000)
    assert {grant.rule for grant in wanted.grants.values()} == {
        "guest",
        "third-exit",
        "gold-10",
        "by-amount",
        "on-display",
        "by-mail",
        "by-paying",
    }
    assert {fault.kind for fault in day.faults} == {
        "paper_out",
        "printer_power",
        "gate_stuck",
        "agent_killed",
        "hub_away",
    }
    assert {fault.for_s for fault in day.faults if fault.kind == "hub_away"} == {10.0}, "ten minutes at sixty times"
    assert {trip.redeem for trip in trips} == {"no", "once", "again", "two_tills"}
    assert {trip.lane for trip in trips} == {0, 1, 2, 3}
    assert all(any(getattr(trip, what) for trip in trips) for what in ("card_fails", "steps_back", "changes"))
    assert {trip.by for trip in trips} == {"picture", "keypad", "nfc"}
    assert 0 < wanted.budget < len(wanted.lucky), "less than those who would get one"
    assert not all(trip.on_terminal for trip in trips)
    assert len(wanted.grants) < 1000
    assert len(wanted.redeemed) > 50


TRIP = Trip(1, 0.0, 0, ((0, 1),), (), True, False, 0, "picture", "once")


def day(*trips: Trip, price: int = 1000, member: bool = True) -> ExitsScript:
    numbered = tuple(replace(trip, number=number) for number, trip in enumerate(trips, 1))
    someone = Customer("s1", "x", "ja", member, "ibeacon:f", numbered)
    return ExitsScript(
        1, 1, 60.0, 10.0, (Product("4900000000000", "a", price), Product("4900000000001", "b", 1)), (someone,), ()
    )


@pytest.mark.parametrize(
    ("script", "rules"),
    [
        (day(TRIP), ["by-paying points 0/0%/50p"]),
        (day(replace(TRIP, on_terminal=False), price=1499), ["by-paying points 0/0%/10p"]),
        (day(TRIP, price=1499), ["by-paying points 0/0%/50p"]),
        (day(TRIP, price=1500), ["on-display discount 50/0%/0p"]),
        (day(TRIP, price=2999), ["on-display discount 50/0%/0p"]),
        (day(TRIP, price=3000), ["by-amount discount 200/0%/0p"]),
        (day(replace(TRIP, on_terminal=False), price=1500), ["by-mail discount 30/0%/0p"]),
        (day(TRIP, price=19_999), ["by-amount discount 1000/0%/0p"]),
        (day(TRIP, TRIP, TRIP, price=20_000), ["gold-10 discount 0/10%/0p", "by-amount discount 1000/0%/0p", "third-exit product 0/0%/0p"]),
        (day(TRIP, price=1999, member=False), []),
        (day(TRIP, price=2000, member=False), ["guest discount 100/0%/0p"]),
    ],
)  # fmt: skip
def test_what_an_exit_brings(script, rules):
    assert [str(grant) for _, grant in sorted(expected(script).grants.items())] == rules


def test_the_account_and_the_amount():
    changed = replace(TRIP, items=((0, 2), (1, 3), (0, 1)), changes=((1, 0),))
    script = day(changed, replace(TRIP, on_terminal=False))
    assert oracle.amount_of(script, script.customers[0].trips[0]) == 3000
    found = expected(script)
    account = found.accounts["s1"]
    assert (account.exits, account.terminal_payments, account.points) == (2, 1, 30 + 10 + 10)
    assert found.redeemed == {("s1", 1)}, "points are on the account: there is nothing to take to a till"


# --- eyes


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**12 - 1), st.integers(0, 100))
def test_a_camera_reads_what_stands_on_a_package(number, seed):
    digits = f"{number:012}"
    code = f"{digits}{check_digit(digits)}"
    for turn in range(20):
        try:
            assert product_code(read(package(code, Random(seed + turn)))) == product_code(code)
            return
        except NotReadable:
            continue  # she holds it up again
    raise AssertionError(f"{code} is never read")


def test_a_reader_reads_what_stands_on_a_screen():
    for text in ("6BFOXN*TSM.DJ3", "COUPON:K0123456789ABCDEF", "A" * 150):
        assert read(on_screen(qr_svg(text))) == text
        assert read(on_screen(unquote(qr_image(text)))) == text
    with pytest.raises(NotReadable):
        read(on_screen('<svg width="100"></svg>'))


# --- books

SCHEMA = """
CREATE TABLE exit_code (sale TEXT, used TEXT);
CREATE TABLE incentive (sale TEXT, coupon TEXT, rule TEXT, kind TEXT, amount_minor INT, percent INT, points INT, give TEXT,
                        paper TEXT, state TEXT);
CREATE TABLE scan (coupon TEXT, passage TEXT);
CREATE TABLE redemption (coupon TEXT);
CREATE TABLE given_coupon (coupon TEXT);
CREATE TABLE customer (customer TEXT, exits INT, terminal_payments INT, points INT);
INSERT INTO exit_code VALUES ('S1', 'now'), ('S2', 'now');
INSERT INTO incentive VALUES ('S1', 'K1', 'by-amount', 'discount', 200, 0, 0, 'print', 'printed', 'committed'),
                             ('S2', 'K2', 'by-paying', 'points', 0, 0, 50, 'electronic', '', 'committed');
INSERT INTO scan VALUES ('K1', 'not_passed'), ('K1', 'passed'), ('K2', 'passed'), (NULL, 'passed'), (NULL, NULL);
INSERT INTO redemption VALUES ('K1');
INSERT INTO customer VALUES ('D1', 2, 2, 80);
"""
A, B = ("s1", 1), ("s1", 2)


def books(folder: Path, change: str = "", **seen) -> object:
    path = folder / "hub.sqlite"
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as db:
        db.executescript(SCHEMA + change)
    db.close()
    account = oracle.Account(2, 2, 80, 3000)
    wanted = Expected({A: 3000, B: 0}, {A: Grant("by-amount", "discount", amount_minor=200), B: Grant("by-paying", "points", points=50)},
                      {A}, {"s1": account})  # fmt: skip
    wanted.lucky, wanted.budget = seen.pop("lucky", set()), seen.pop("budget", 0)
    if "by_mail" in seen:
        wanted.grants[A] = replace(wanted.grants[A], ways=("email", "app"))
    given = {"pictures": set(), "letters": seen.pop("by_mail", {}), "sales": {A: "S1", B: "S2"}, "out": {A: 1, B: 1}, "promises": {A: "200円引き"}, "used": {A: 1}, "slips": {"K1": 1},
             "counted": 2, "customers": {"s1": "D1"}, **seen}  # fmt: skip
    return balance(Ledger(path), wanted, **given)


@pytest.mark.row("B7", "B9")
def test_books_with_a_budget_and_with_letters(tmp_path):
    """Who comes first has what the budget has; what was to come by e-mail came once, to her."""
    lucky = "UPDATE incentive SET rule = 'lucky', amount_minor = 777 WHERE coupon = 'K1';"
    letter = {("s1@example.com", "K1"): 1}
    assert books(tmp_path, lucky, lucky={A}, budget=1).ok
    assert not books(tmp_path, lucky).ok, "she was not one of those"
    assert not books(tmp_path, by_mail={}).ok, "no letter came"
    assert books(tmp_path, by_mail=letter).ok
    assert not books(tmp_path, by_mail={("s1@example.com", "K1"): 2}).ok
    assert not books(tmp_path, by_mail=letter | {("s2@example.com", "K1"): 1}).ok
    unused = books(tmp_path, lucky={A}, budget=1)
    assert unused.broken == ["0 of a budget of 1 were given; 1 could have had one"]
    over = books(tmp_path, lucky, lucky={A}, budget=0)
    assert over.broken == ["1 of a budget of 0 were given; 1 could have had one"]


def test_books_that_balance(tmp_path):
    found = books(tmp_path)
    assert found.ok, found
    wanted = {
        "paid": 2,
        "out": 2,
        "reserved": 3,
        "committed": 2,
        "released": 1,
        "printed": 1,
        "confirmed": 1,
        "granted": 2,
        "redeemed": 1,
    }
    assert {key: found.figures[key] for key in wanted} == wanted


@pytest.mark.row("C1", "C3", "C4")
@pytest.mark.parametrize(
    ("change", "seen", "kind"),
    [
        ("UPDATE exit_code SET used = NULL WHERE sale = 'S2';", {}, "exits"),
        ("", {"out": {A: 1}, "counted": 1}, "exits"),
        ("", {"out": {A: 2, B: 1}, "counted": 3}, "exits"),
        ("", {"counted": 3}, "gates counted 3"),
        ("INSERT INTO exit_code VALUES ('S9', 'now');", {}, "exits"),
        ("UPDATE incentive SET amount_minor = 400 WHERE coupon = 'K1';", {}, "grants"),
        ("DELETE FROM incentive WHERE coupon = 'K2';", {}, "grants"),
        ("INSERT INTO incentive VALUES ('S1', 'K9', 'by-amount', 'discount', 200, 0, 0, 'print', '', 'committed');", {}, "grants"),
        ("INSERT INTO incentive VALUES ('S8', 'K8', 'guest', 'discount', 100, 0, 0, 'print', '', 'committed');", {}, "grants"),
        ("UPDATE incentive SET state = 'reserved' WHERE coupon = 'K2';", {}, "2 scans were committed, and coupons are"),
        ("INSERT INTO scan VALUES ('K1', NULL);", {}, "reserved 4 is not committed 2 + released 1"),
        ("INSERT INTO scan VALUES ('K1', 'passed');", {}, "3 scans were committed"),
        ("", {"slips": {"K1": 2}}, "given"),
        ("", {"slips": {"K1": 1, "K7": 1}}, "given"),
        ("UPDATE incentive SET paper = '' WHERE coupon = 'K1';", {"slips": {}}, "given"),
        ("UPDATE incentive SET rule = 'guest', paper = 'failed' WHERE coupon = 'K1';", {"slips": {}}, "given"),
        ("UPDATE incentive SET paper = 'unknown' WHERE coupon = 'K1';", {}, "printed 1, confirmed 0"),
        ("DELETE FROM redemption;", {"used": {}}, "redeemed"),
        ("", {"used": {A: 2}}, "redeemed"),
        ("", {"used": {A: 1, B: 1}}, "redeemed"),
        ("INSERT INTO redemption VALUES ('K2'), ('K3');", {}, "redeemed 3 of 2 granted"),
        ("UPDATE customer SET exits = 1;", {}, "accounts"),
        ("UPDATE customer SET points = 130;", {}, "accounts"),
        ("", {"promises": {A: ""}}, "promises"),
    ],
)  # fmt: skip
def test_books_that_do_not(tmp_path, change, seen, kind):
    found = books(tmp_path, change, **seen)
    wrong = [name for name in (*found.missing, *found.extra) if found.missing[name] or found.extra[name]]
    assert not found.ok
    assert kind in wrong or any(kind in broken for broken in found.broken), found
