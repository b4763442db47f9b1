"""Exit scan to settlement: one decision a scan, one incentive a purchase, used up only by passage."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contract import exit_code
from contract.exit_code import ExitClaims


@pytest.mark.row("B6")
@pytest.mark.row("B12")
@pytest.mark.row("C3")
def test_from_scan_to_commit(store, beacons):
    store.sight(beacons[0])
    code = store.sell().exit_code
    (decision,) = store.scan(code)
    incentive = decision.data.incentive
    assert (decision.ids, decision.data.scan, decision.data.outcome) == (
        {"agent": "exit", "lane": "1"},
        "scan-1",
        "open",
    )
    assert (incentive.kind, incentive.amount_minor, incentive.give) == ("discount", 200, "print")
    assert incentive.title.ja == "200円引きクーポン"
    assert decision.data.show.ja == "山田 花子様、ありがとうございました。200円引きクーポンをお取りください。"
    assert ("qr", incentive.coupon) in [(line.kind, line.text) for line in incentive.receipt]
    assert "山田 花子様、ご来店ありがとうございました。" in [line.text for line in incentive.receipt]
    assert "有効期限 2026-03-31" in [line.text for line in incentive.receipt]
    store.printed(incentive.coupon)
    store.opened()
    (settled,) = store.passage()
    assert (settled.data.coupon, settled.data.outcome) == (incentive.coupon, "committed")
    assert store.one("SELECT state, paper FROM incentive") == ("committed", "printed")
    assert store.one("SELECT exits FROM customer WHERE customer = 'C0001'") == (1,)
    assert {decision.visit, settled.visit} == {"2026-03-01.C0001"}


def test_an_english_customer_gets_an_english_slip(store):
    (decision,) = store.scan(store.sell(customer="C0002").exit_code)
    assert "Thank you for coming, John Smith." in [line.text for line in decision.data.incentive.receipt]
    assert decision.data.show.en == "Thank you, John Smith. Please take your coupon: 200 yen off."


def test_a_purchase_without_a_customer_is_served_too(store):
    (decision,) = store.scan(store.sell(customer=None).exit_code)
    assert decision.data.outcome == "open"
    assert "お客様、ご来店ありがとうございました。" in [line.text for line in decision.data.incentive.receipt]
    (settled,) = store.passage()
    assert settled.data.outcome == "committed"


@pytest.mark.row("B7")
@pytest.mark.row("C7")
def test_below_the_rules_amount_there_is_none_and_the_trace_says_what_lacked(store, beacons):
    store.sight(beacons[0])
    (decision,) = store.scan(store.sell(amount=688).exit_code)
    assert decision.data.incentive is None
    assert decision.data.show.en == "Thank you, 山田 花子."
    assert store.passage() == []
    assert store.one("SELECT exits FROM customer WHERE customer = 'C0001'") == (1,)
    (why,) = store.one("SELECT summary FROM trace WHERE type = 'decision' AND id LIKE '%incentive'")
    assert why == "incentive? no, nearest thanks-200: amount >= 1000 (amount is 688)"


@pytest.mark.row("C1")
def test_the_same_scan_gets_the_same_decision(store):
    code = store.sell().exit_code
    (first,) = store.scan(code)
    store.restart()
    (second,) = store.scan(code)
    assert first.data == second.data
    assert store.one("SELECT count(*) FROM incentive") == (1,)
    store.passage()
    store.restart()
    assert "incentive_settled" not in {message.channel.name for message in store.passage()}
    assert store.one("SELECT exits FROM customer WHERE customer = 'C0001'") == (1,)


@pytest.mark.row("C3")
def test_a_code_is_used_by_passing(store):
    code = store.sell().exit_code
    store.scan(code)
    store.passage()
    (again,) = store.scan(code, id="scan-2")
    assert (again.data.outcome, again.data.reason, again.data.incentive) == ("refuse", "already_used", None)
    assert again.data.show.en == "This code was used already. Please call the staff."
    assert store.passage("not_passed", scan="scan-2") == []
    assert store.one("SELECT state FROM incentive") == ("committed",)


@pytest.mark.row("C3")
@pytest.mark.parametrize("end", ["not_passed", "fault", "fire_open"])
def test_nobody_passed_and_the_incentive_is_released_and_reserved_again(store, end):
    code = store.sell().exit_code
    coupon = store.scan(code)[0].data.incentive.coupon
    (released,) = store.passage(end)
    assert released.data.outcome == "released"
    (again,) = store.scan(code, id="scan-2", lane="2")
    assert (again.data.incentive.coupon, again.data.incentive.give) == (coupon, "print")
    (settled,) = store.passage(scan="scan-2", lane="2")
    assert (settled.data.outcome, settled.data.coupon) == ("committed", coupon)
    assert store.one("SELECT count(*) FROM incentive") == (1,)


def test_somebody_who_came_in_is_no_exit(store):
    store.scan(store.sell().exit_code)
    assert store.passage(direction="entry")[0].data.outcome == "released"


@pytest.mark.row("C4")
def test_a_slip_that_was_printed_is_not_printed_again(store):
    code = store.sell().exit_code
    coupon = store.scan(code)[0].data.incentive.coupon
    store.printed(coupon)
    store.passage("not_passed")
    (again,) = store.scan(code, id="scan-2")
    assert (again.data.incentive.coupon, again.data.incentive.give) == (coupon, "electronic")
    assert again.data.incentive.receipt == []
    assert "printed already" in again.data.show.en
    assert store.passage(scan="scan-2")[0].data.outcome == "committed"


@pytest.mark.row("C4")
@pytest.mark.parametrize("outcome", ["failed", "unknown"])
def test_a_slip_that_was_not_confirmed_becomes_electronic(store, outcome):
    coupon = store.scan(store.sell().exit_code)[0].data.incentive.coupon
    store.printed(coupon, outcome)
    assert store.one("SELECT paper, give FROM incentive") == (outcome, "electronic")
    assert store.passage()[0].data.outcome == "committed"


def test_two_lanes_cannot_use_one_code_at_a_time(store):
    code = store.sell().exit_code
    store.scan(code)
    (second,) = store.scan(code, id="scan-2", lane="2")
    assert second.data.reason == "in_use"
    # The first lane never reports its end: after busy_s the code is free.
    store.later(seconds=121)
    third, *_ = store.scan(code, id="scan-3", lane="2")  # what a person waits for goes first
    assert third.data.outcome == "open"
    assert store.passage(scan="scan-3", lane="2")[0].data.outcome == "committed"


def test_a_lane_that_scans_anew_has_ended_what_was_before(store):
    code = store.sell().exit_code
    store.scan(code)
    decision, released = store.scan(code, id="scan-2")
    assert released.data.outcome == "released"
    assert decision.data.outcome == "open"


@pytest.mark.row("C2")
def test_a_lane_that_was_alone_settles_when_the_hub_is_back(store):
    code, scanned = store.sell().exit_code, store.now + timedelta(minutes=10)
    store.later(hours=5)  # the code is long expired; at the time of the scan it was not
    (decision,) = store.scan(code, scanned=scanned)
    assert decision.data.outcome == "open"
    (settled,) = store.passage(offline=True)
    assert settled.data.outcome == "committed"
    assert store.one("SELECT give, state FROM incentive") == ("electronic", "committed")
    (again,) = store.scan(code, id="scan-2")
    assert again.data.reason in ("already_used", "expired")


@pytest.mark.row("C2")
def test_two_lanes_that_were_alone_give_one_incentive(store):
    code = store.sell().exit_code
    at = store.now
    store.later(minutes=30)
    store.scan(code, scanned=at)
    assert len(store.passage(offline=True)) == 1
    store.scan(code, id="scan-2", agent="exit-2", scanned=at)
    assert store.passage(scan="scan-2", agent="exit-2", offline=True) == []
    assert store.counters["codes_passed_twice"] == 1
    assert store.one("SELECT exits FROM customer WHERE customer = 'C0001'") == (1,)


@pytest.mark.row("C2")
@pytest.mark.parametrize(
    ("change", "reason", "counter"),
    [
        ("forged", "bad_signature", "scans_bad_signature"),
        ("foreign_key", "bad_signature", "scans_unknown_key"),
        ("store", "wrong_store", "scans_wrong_store"),
        ("expired", "expired", "scans_expired"),
        ("garbage", "malformed", "scans_malformed"),
        ("other_sale", "malformed", "scans_malformed"),
    ],
)
def test_codes_that_cannot_be_trusted(store, change, reason, counter):
    code = store.sell().exit_code
    store.sell("S-2")
    claims = ExitClaims("ginza", "S-1", store.now, store.now + timedelta(hours=1), "00" * 8)
    stranger = Ed25519PrivateKey.from_private_bytes(bytes(32))
    made = {
        "forged": lambda: exit_code.issue(claims, stranger, store.keys.kid),
        "foreign_key": lambda: exit_code.issue(claims, stranger, exit_code.key_id(stranger.public_key())),
        "store": lambda: exit_code.issue(
            ExitClaims("shibuya", "S-1", claims.issued, claims.expires, claims.code_id),
            store.keys.signing,
            store.keys.kid,
        ),
        "garbage": lambda: "IS1:HELLO",
    }
    if change == "expired":
        store.later(hours=2)
    (decision,) = store.scan(made.get(change, lambda: code)(), sale="S-2" if change == "other_sale" else "S-1")
    assert (decision.data.outcome, decision.data.reason) == ("refuse", reason)
    assert decision.data.incentive is None
    assert store.counters[counter] == 1
    assert store.one("SELECT count(*) FROM incentive") == (0,)
    # What follows is served as if nothing had been.
    if change != "expired":
        assert store.scan(code, id="scan-9")[0].data.outcome == "open"


@pytest.mark.parametrize(("policy", "outcome"), [("open", "open"), ("refuse", "refuse")])
def test_a_sale_that_was_never_posted(store, policy, outcome):
    settings = store.settings.model_copy(
        update={"exit_code": store.settings.exit_code.model_copy(update={"unknown_sale": policy})}
    )
    store.hub.scans._settings = settings
    claims = ExitClaims("ginza", "S-77", store.now.replace(microsecond=0), store.now + timedelta(hours=1), "11" * 8)
    code = exit_code.issue(claims, store.keys.signing, store.keys.kid)
    (decision,) = store.scan(code, sale="S-77", code_id="11" * 8)
    assert (decision.data.outcome, decision.data.incentive) == (outcome, None)
    assert (decision.data.reason == "unknown_sale") == (policy == "refuse")


def test_reports_that_belong_to_nothing_are_counted(store):
    assert store.passage(scan=None) == []
    assert store.passage(scan="never-seen") == []
    assert store.printed("K0", scan="never-seen") == []
    assert store.opened("never-seen") == []
    assert store.counters["passages_without_scan"] == 2
    assert store.counters["printed_unknown_coupon"] == 1


def test_a_lane_that_refused_by_itself_is_counted(store):
    from contract.payloads import LaneRefused

    data = LaneRefused(reason="bad_signature", scanned=store.now)
    assert store.hear(store.bytes_of("lane_refused", data, agent="exit", lane="1")) == []
    assert store.counters["lane_refused_bad_signature"] == 1


@pytest.mark.row("B8")
def test_points_are_added_by_the_passage_not_before(store):
    path = store.settings.incentives
    path.write_text('[[incentive]]\nname = "p"\nwhen = "member && rank >= gold && exits == 0"\nkind = "points"\npoints = 50\n'
                    'give = "electronic"\ntitle = { ja = "50ポイント", en = "50 points" }\n')  # fmt: skip
    assert store.policy.check()
    code = store.sell().exit_code
    before = store.one("SELECT points FROM customer WHERE customer = 'C0001'")[0]
    assert store.scan(code)[0].data.incentive.points == 50
    assert store.one("SELECT points FROM customer WHERE customer = 'C0001'") == (before,)
    store.passage()
    assert store.one("SELECT points FROM customer WHERE customer = 'C0001'") == (before + 50,)
