"""Ranks: reached by purchases over a span of days, kept with their reason, looked at again as time passes (row A1)."""

from __future__ import annotations

import os

import pytest

from config.load import SettingsError
from hub.rules.policy import read_policy
from hub.rules.ranks import Standing, span_days

NEVER = Standing(0, 0, {})


def rank(store, customer="C0003"):
    return store.one("SELECT rank, rank_reason FROM customer WHERE customer = ?", customer)


def change_rules(store, was, now):
    text = store.settings.rules.read_text()
    assert was in text
    store.settings.rules.write_text(text.replace(was, now))
    stamp = store.settings.rules.stat().st_mtime_ns + 1_000_000
    os.utime(store.settings.rules, ns=(stamp, stamp))
    return store.policy.check()


@pytest.mark.row("A1")
@pytest.mark.row("A3")
def test_a_sale_lifts_the_rank_and_says_why(store):
    store.sell("S-1", 300_000, "C0003")
    assert rank(store)[0] == "gold"
    assert rank(store)[1].startswith(
        "gold: spent_365d >= 300000 (spent_365d is 300000); for platinum: spent_365d >= 1000000"
    )
    assert store.counters["ranks_changed"] == 1


@pytest.mark.row("A1")
def test_the_rank_goes_when_the_purchases_it_rests_on_are_old(store):
    store.sell("S-1", 300_000, "C0003")
    store.later(days=364)
    store.tick()
    assert rank(store)[0] == "gold"
    store.later(days=1)
    store.tick()
    assert rank(store)[0] == "silver"  # 306,300 in all
    assert "spent_365d is 0" in rank(store)[1]


def test_many_are_looked_at_in_portions_and_a_restart_goes_on(store, monkeypatch):
    monkeypatch.setattr("hub.ranking.BATCH", 2)
    store.journal.db.execute("UPDATE customer SET rank = 'regular'")
    store.tick()
    assert [rank(store, id)[0] for id in ("C0001", "C0002")] == ["gold", "silver"]
    assert store.one("SELECT upto, done FROM rank_run") == ("C0002", 0)
    store.restart()
    store.tick()
    assert store.one("SELECT upto, done FROM rank_run") == ("C0003", 1)
    store.journal.db.execute("UPDATE customer SET rank = 'regular'")
    store.tick()
    assert rank(store, "C0001")[0] == "regular"  # done for today
    store.later(days=1)
    store.tick()
    store.tick()
    assert rank(store, "C0001")[0] == "gold"


@pytest.mark.row("A1")
def test_who_has_just_registered_has_the_lowest_rank_and_a_reason(store):
    store.tick()
    store.journal.db.execute("INSERT INTO customer (customer) VALUES ('C9')")
    store.tick()
    assert rank(store, "C9")[0] == "regular"
    assert rank(store, "C9")[1].startswith("regular: the lowest; for silver: spent >= 100000 (spent is 0)")


@pytest.mark.row("A1")
def test_new_rules_hold_for_all(store):
    store.tick()
    assert change_rules(store, 'when = "spent >= 100000"', 'when = "spent >= 5000"')
    store.tick()
    assert rank(store)[0] == "silver"


@pytest.mark.row("A1")
def test_an_imported_rank_holds_for_its_time(store):
    assert rank(store, "C0001")[0] == "gold"
    assert "gold: imported on " in rank(store, "C0001")[1]
    store.sell("S-1", 10, "C0001")
    assert rank(store, "C0001")[0] == "gold"
    since = store.one("SELECT rank_imported_on FROM customer WHERE customer = 'C0001'")[0]
    policy = read_policy(store.settings)
    assert policy.ranking.holds(since, since)
    standing = Standing(10, 1, {"365d": (10, 1)}, "gold", "2026-03-01")
    assert policy.ranking.decide(standing, "2027-02-28").rank == "gold"
    assert policy.ranking.decide(standing, "2027-03-01").rank == "regular"


@pytest.mark.row("A1")
def test_ranks_of_what_was_spent_in_all(store):
    text = store.settings.rules.read_text()
    for name, spent in (("silver", "100_000"), ("gold", "300_000"), ("platinum", "1_000_000")):
        head = f'name = "{name}"\n'
        at = text.index(head) + len(head)
        text = text[:at] + f"from_spent = {spent}\n" + text[text.index("label", at) :]
    store.settings.rules.write_text(text)
    ranking = read_policy(store.settings).ranking
    spent = (0, 99_999, 100_000, 999_999, 1_000_000)
    assert [ranking.decide(Standing(each, 1, {}), "2026-03-01").rank for each in spent] == [
        "regular", "regular", "silver", "gold", "platinum"]  # fmt: skip


@pytest.mark.parametrize(
    ("was", "now", "sentence"),
    [
        ("spent_365d >= 1000000", "spent_0d >= 1000000", "platinum.*column 1: 'spent_0d': a span has 1 to 3660 days"),
        ("spent_365d >= 1000000", "spent_365days >= 1", "'spent_365days' is not known; possible are .*spent_365d"),
        ("spent_365d >= 1000000", "rank >= gold", "rank 'platinum' .*is not known"),
        ("spent_365d >= 1000000", "spent_365d >= 'many'", "rank 'platinum'"),
        ('when = "spent >= 100000"\n', "", "'silver' needs when or from_spent"),
        ('\nwhen = "spent >= 100000"', "\nfrom_spent = 0", "'silver' must need more"),
        ('name = "regular"\n', 'name = "regular"\nwhen = "visits > 1"\n', "'regular' is the lowest: everybody has it"),
    ],
)
def test_mistakes_in_ranks(store, was, now, sentence):
    text = store.settings.rules.read_text()
    assert was in text
    store.settings.rules.write_text(text.replace(was, now, 1))
    with pytest.raises(SettingsError, match=sentence):
        read_policy(store.settings)


@pytest.mark.parametrize(
    ("span", "days"),
    [
        ("1d", ("2026-03-31", "2026-04-01")),
        ("365d", ("2025-04-01", "2026-04-01")),
        ("this_month", ("2026-03-01", "2026-04-01")),
        ("last_month", ("2026-02-01", "2026-03-01")),
        ("this_year", ("2026-01-01", "2026-04-01")),
        ("last_year", ("2025-01-01", "2026-01-01")),
    ],
)
def test_spans(span, days):
    assert span_days(span, "2026-03-31") == days


def test_visits_of_a_span_are_days(store):
    assert change_rules(store, 'when = "spent >= 100000"', 'when = "visits_this_month >= 2"')
    store.sell("S-1", 10, "C0003")
    store.sell("S-2", 10, "C0003")
    assert rank(store)[0] == "regular"
    store.later(days=1)
    store.sell("S-3", 10, "C0003")
    assert rank(store)[0] == "silver"
