"""A coupon that the lane's display shows: read by her terminal it is hers, unread it is brought to her electronically (B9, B12)."""

from __future__ import annotations

import pytest

from contract.payloads import LaneShown
from hub.database import givings
from hub.giving.claiming import Claiming
from tests.giving.conftest import MAIL

RULES = """
[[incentive]]
name = "shown"
when = "amount >= 1000"
kind = "discount"
amount_minor = 200
title = { ja = "200円引き", en = "200 yen off" }
give = ["display", "email"]
"""


@pytest.fixture(autouse=True)
def settings(folder):
    """A store that prints nothing; before the hub starts."""
    (folder / "incentives.toml").write_text(RULES, encoding="utf-8")
    with (folder / "hub.toml").open("a", encoding="utf-8") as file:
        file.write(MAIL)


def at_the_lane(store, customer="C0001"):
    (decision,) = store.scan(store.sell("S-1", 3000, customer).exit_code)
    assert decision.data.incentive.give == "display"
    coupon = decision.data.incentive.coupon
    assert decision.data.screen.coupon_code == f"COUPON:{coupon}"
    return coupon


def shown(store, coupon, outcome):
    data = LaneShown(scan="scan-1", coupon=coupon, outcome=outcome)
    store.hear(store.bytes_of("lane_shown", data, agent="exit", lane="1"))


def claim(store, code, customer="C0001"):
    with store.engine.transaction() as tx:
        return Claiming(store.hub.giving, store.hub.counters).claim(tx, customer, code)


@pytest.mark.row("B9")
@pytest.mark.row("B12")
def test_unread_it_is_brought_to_her_by_the_rules_next_way(store):
    coupon = at_the_lane(store)
    shown(store, coupon, "unread")
    assert givings.given(store.journal.db, coupon) is None
    store.passage()
    assert givings.given(store.journal.db, coupon).how == "granted"
    assert [row.way for row in givings.ways_of(store.journal.db, coupon)] == ["email"]


@pytest.mark.row("B9")
@pytest.mark.row("B12")
def test_read_it_is_hers_and_nothing_is_sent(store):
    coupon = at_the_lane(store)
    assert claim(store, f"COUPON:{coupon}") == "kept"
    assert [m.data.coupon for m in store.listen() if m.channel.name == "coupon_read"] == [coupon]
    shown(store, coupon, "read")
    store.passage()
    assert givings.given(store.journal.db, coupon).how == "claimed"
    assert givings.ways_of(store.journal.db, coupon) == []
    assert store.one("SELECT state FROM incentive") == ("committed",)


@pytest.mark.row("B9")
def test_read_after_she_has_passed_it_is_hers_all_the_same(store):
    coupon = at_the_lane(store)
    shown(store, coupon, "unread")
    store.passage()
    assert claim(store, coupon) == "already_kept"
    assert [m for m in store.listen() if m.channel.name == "coupon_read"] == []
