"""The exit code as a number: what it opens, how it ages, and what a lane that asks for a wrong one is told (rows B5, B6)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from contract.exit_digits import check_digit, read_digits
from contract.payloads import LaneDecision, LaneScan
from tests.hub.conftest import Store

pytestmark = [pytest.mark.row("B5"), pytest.mark.row("B6")]
LIFETIME_S = 120


def number(store: Store, sale: str = "S-1") -> str:
    """What a terminal shows now."""
    with store.engine.transaction() as tx:
        code, _ = store.hub.purchases.exit_code(tx, sale, LIFETIME_S)
        return store.hub.exit_numbers.of(tx, code)


def typed(store: Store, digits: str, id: str = "scan-1", lane: str = "1", **more: Any) -> LaneDecision:
    data = LaneScan(digits=digits, by="keypad", scanned=more.pop("scanned", store.now))
    store.hear(store.bytes_of("lane_scan", data, agent="exit", lane=lane, id=id))
    decision: LaneDecision = store.of("lane_decision")[-1].data
    return decision


@pytest.mark.row("B7")
def test_it_opens_as_the_code_does_and_brings_the_same(store: Store) -> None:
    store.sell()
    digits = number(store)
    assert read_digits(digits) == digits
    decision = typed(store, digits)
    assert (decision.outcome, decision.reason) == ("open", "ok")
    assert decision.incentive is not None
    store.passage("passed")
    assert store.one("SELECT used IS NOT NULL FROM exit_code") == (1,)
    assert typed(store, digits, "scan-2").reason == "already_used"


def test_the_number_stays_while_the_code_does_and_is_another_after_each_renewal(store: Store) -> None:
    store.sell()
    first = number(store)
    store.later(seconds=30)
    assert number(store) == first
    store.later(seconds=40)
    second = number(store)
    assert second != first
    assert typed(store, first).outcome == "open"  # a picture of it is good until it has aged
    store.passage("not_passed")
    store.later(seconds=LIFETIME_S)  # and the leeway that clocks have
    assert typed(store, first, "scan-2").reason == "expired"
    store.later(seconds=60)
    assert typed(store, second, "scan-3").reason == "expired"
    assert typed(store, number(store), "scan-4").outcome == "open"


def test_number_and_code_are_one_and_open_once(store: Store) -> None:
    store.sell()
    digits = number(store)
    with store.engine.transaction() as tx:
        code, text = store.hub.purchases.exit_code(tx, "S-1", LIFETIME_S)
    assert typed(store, digits).outcome == "open"
    (decision,) = [m.data for m in store.scan(text, code_id=code.code, id="scan-2", lane="2")
                   if m.channel.name == "lane_decision"]  # fmt: skip
    assert (decision.outcome, decision.reason) == ("refuse", "in_use")


def test_a_number_that_is_nobodys_is_refused_with_a_sentence_and_a_trace(store: Store) -> None:
    store.sell()
    body = "12345678901"
    decision = typed(store, body + check_digit(body))
    assert (decision.outcome, decision.reason) == ("refuse", "malformed")
    assert decision.show.ja
    assert decision.show.en
    assert store.hub.counters["scans_unknown_number"] == 1
    summaries = [row[0] for row in store.all("SELECT summary FROM trace WHERE visit = 'scan-1'")]
    assert any("stands for no exit code" in summary for summary in summaries), summaries


def test_what_a_lane_says_of_a_number_is_not_believed(store: Store) -> None:
    """Neither a code nor a sale beside it."""
    store.sell()
    body = "12345678901"
    data = LaneScan(digits=body + check_digit(body), sale="S-1", code_id="00", code="IS1:X", scanned=store.now)
    store.hear(store.bytes_of("lane_scan", data, agent="exit", lane="1", id="scan-1"))
    assert store.of("lane_decision")[-1].data.outcome == "refuse"


def test_a_cut_off_lane_that_tells_late_is_judged_by_the_time_of_the_scan(store: Store) -> None:
    store.sell()
    digits, when = number(store), store.now
    store.later(hours=3)
    assert typed(store, digits, scanned=when + timedelta(seconds=20)).outcome == "open"


def test_old_numbers_go(store: Store) -> None:
    store.sell()
    number(store)
    store.later(days=3)
    with store.engine.transaction() as tx:
        store.hub.clean(tx)
    assert store.all("SELECT * FROM exit_number") == []
