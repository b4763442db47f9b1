"""Requests to clerks through a real database: who is asked, in which order, with what, until when (rows A7, A12, A13, C6, C7)."""

from __future__ import annotations

import pytest

from contract.payloads import AlertState as S
from hub.database import consents, coupons, times
from hub.database.consents import Purpose
from hub.database.coupons import CouponRow
from hub.explain import explain


def staff(store, *, group: tuple[str, ...] = (), left: dict[str, str] | None = None) -> None:
    """Clerks of the group that the shipped settings escalate to, and who has left."""
    for clerk in group:
        store.journal.db.execute(
            "INSERT OR REPLACE INTO clerk (clerk, name) VALUES (?, ?)", (clerk, f"{clerk} of the floor")
        )
        store.journal.db.execute("INSERT INTO clerk_group VALUES ('floor_managers', ?)", (clerk,))
    for clerk, day in (left or {}).items():
        store.journal.db.execute("UPDATE clerk SET left_on = ? WHERE clerk = ?", (day, clerk))


def alerts(said) -> list[tuple[str, str, str]]:
    return [(m.ids["clerk"], m.data.role, str(m.data.state)) for m in said if m.channel.name == "alert"]


def first(store) -> str:
    return store.of("alert")[0].data.alert


def why(store) -> str:
    return explain(store.settings.database).text()


# --- what a clerk reads


@pytest.mark.row("A7")
@pytest.mark.row("A12")
def test_the_card_has_what_a_clerk_in_charge_needs(store, beacons):
    store.journal.db.execute("UPDATE customer SET preferences = '緑茶、静かな席' WHERE customer = 'C0001'")
    for day in range(12):
        lines = [
            {"product": f"p{day}", "name": f"品{day}", "amount_minor": 1000},
            {"product": "4901", "amount_minor": 500},
        ]
        store.sell(f"S-{day}", 1500, lines=lines)
        store.later(days=1)
    store.sell("S-again", 700)
    store.sell("S-void", 9000)
    store.journal.db.execute("UPDATE sale SET void = 'V-1' WHERE sale = 'S-void'")
    store.sight(beacons[0])
    data = store.of("alert")[0].data
    assert data.customer.preferences == "緑茶、静かな席"
    assert data.customer.note == "お茶がお好みです"
    days = [(line.day.isoformat(), line.products, line.amount_minor) for line in data.customer.history]
    assert len(days) == 10
    assert days[:2] == [("2026-03-13", "", 700), ("2026-03-12", "品11, 4901", 1500)]
    assert data.expires > data.raised
    assert data.place == "door-1"


@pytest.mark.row("A7")
@pytest.mark.row("A4")
def test_the_place_is_where_she_is_now_in_both_languages(store, beacons):
    store.sight(beacons[0], agent="entrance")
    assert store.of("alert")[0].data.place == "正面入口 / Main entrance"
    store.later(seconds=10)
    store.sight(beacons[0], "left", agent="entrance")
    store.sight(beacons[0], agent="floor-9")
    assert {m.data.place for m in store.tick()} == {"floor-9"}


@pytest.mark.row("C6")
@pytest.mark.row("C7")
def test_the_same_visit_does_not_ask_again_and_says_so(store, beacons):
    store.sight(beacons[0])
    store.answer("c01", first(store), "served")
    store.sight(beacons[0], "left")
    store.later(minutes=30)
    assert alerts(store.sight(beacons[0])) == []
    assert "she was here today already, so nobody is asked again" in why(store)


# --- to whom


@pytest.mark.row("C6")
def test_a_clerk_who_has_left_is_not_asked_nor_heard(store, beacons):
    staff(store, left={"c01": "2026-03-01", "c03": "2026-03-02"})
    assert alerts(store.sight(beacons[0])) == [("c02", "main", "offered"), ("c03", "deputy", "offered")]
    store.now = store.now.replace(hour=15, minute=30)  # half past midnight in Tokyo: c03 does not work here any more
    store.later(seconds=-1)
    said = store.answer("c03", first(store), "accept")
    assert said == []
    assert store.counters["alert_answers_clerk_left"] == 1
    assert "c03: accept (not taken: she works here no more)" in why(store)
    assert store.one("SELECT state FROM alert") == ("offered",)


@pytest.mark.row("C6")
@pytest.mark.row("C7")
def test_all_her_clerks_have_left(store, beacons):
    staff(store, left={"c01": "2026-02-01", "c02": "2026-02-01", "c03": "2026-02-01"})
    assert alerts(store.sight(beacons[0])) == []
    assert "her clerks have left (c01, c02, c03), and nobody is in the group floor_managers" in why(store)
    assert store.counters["requests_without_clerk"] == 1


@pytest.mark.row("C6")
def test_without_a_clerk_in_charge_the_group_is_asked_at_once(store, beacons):
    staff(store, group=("m1", "m2"))
    store.journal.db.execute("UPDATE customer SET rank = 'platinum' WHERE customer = 'C0003'")
    assert alerts(store.sight(beacons[2])) == [("m1", "group", "offered"), ("m2", "group", "offered")]
    store.later(seconds=121)
    store.tick()
    assert "escalated" not in why(store)


# --- escalated


@pytest.mark.row("C6")
@pytest.mark.row("C7")
def test_what_nobody_accepts_goes_to_the_group_after_the_set_time(store, beacons):
    staff(store, group=("m1", "m2"))
    store.sight(beacons[0])
    store.later(seconds=119)
    assert {clerk for clerk, *_ in alerts(store.tick())} == {"c01", "c02", "c03"}
    store.later(seconds=1)
    said = store.tick()
    assert alerts(said) == [("c01", "main", "offered"), ("c02", "deputy", "offered"), ("c03", "deputy", "offered"),
                            ("m1", "group", "offered"), ("m2", "group", "offered")]  # fmt: skip
    assert {m.data.revision for m in said} == {2}
    assert "nobody has accepted in 120 s: escalated to floor_managers" in why(store)
    taken = store.answer("m2", first(store), "accept")
    assert {(m.data.holder, m.data.holder_name) for m in taken} == {("m2", "m2 of the floor")}
    store.later(seconds=600)
    store.tick()
    assert store.counters["alerts_escalated"] == 1


@pytest.mark.row("C6")
def test_at_once_when_all_who_were_asked_decline(store, beacons):
    staff(store, group=("c02", "m1"))
    store.sight(beacons[0])
    store.answer("c01", first(store), "decline")
    store.answer("c02", first(store), "decline")
    said = store.answer("c03", first(store), "decline")
    assert ("m1", "group", "offered") in alerts(said)
    assert ("c02", "deputy", "declined") in alerts(said)
    assert store.one("SELECT state, escalate_at FROM alert") == ("offered", None)
    said = store.answer("m1", first(store), "decline")
    assert {state for _, _, state in alerts(said)} == {"declined"}


@pytest.mark.row("C6")
def test_given_back_after_the_time_of_the_group(store, beacons):
    staff(store, group=("m1",))
    store.sight(beacons[0])
    store.answer("c01", first(store), "accept")
    store.later(seconds=300)
    assert "m1" not in {clerk for clerk, *_ in alerts(store.tick())}
    store.answer("c01", first(store), "decline")
    assert ("m1", "group", "offered") in alerts(store.tick())


@pytest.mark.row("C6")
@pytest.mark.row("C7")
@pytest.mark.parametrize(
    ("group", "reason"), [((), "nobody is in that group"), (("c01", "c02"), "all of them were asked already")]
)
def test_nobody_to_escalate_to_is_said_and_counted_once(store, beacons, group, reason):
    staff(store, group=group)
    store.sight(beacons[0])
    for _ in range(5):
        store.later(seconds=100)
        store.tick()
    assert store.counters["alerts_not_escalated"] == 1
    assert f"not escalated to floor_managers: {reason}" in why(store)
    assert store.one("SELECT state FROM alert") == ("offered",)


# --- its end


@pytest.mark.row("C6")
@pytest.mark.parametrize("outcome", ["served", "not_found", "bought"])
def test_the_outcome_is_recorded_and_all_see_it(store, beacons, outcome):
    store.sight(beacons[0])
    store.answer("c02", first(store), "accept")
    said = store.answer("c02", first(store), outcome)
    assert {(m.data.state, m.data.outcome, m.data.holder) for m in said} == {(S.CLOSED, outcome, "c02")}
    assert store.one("SELECT state, outcome FROM alert") == ("closed", outcome)
    assert store.counters[f"alerts_{outcome}"] == 1
    assert f"{outcome} by c02" in why(store)


@pytest.mark.row("C6")
def test_a_sale_suggests_the_outcome_and_the_holder_has_the_word(store, beacons):
    store.sight(beacons[0])
    store.answer("c01", first(store), "accept")
    assert store.tick() == []
    store.later(seconds=5)
    store.sell()
    said = store.tick()
    assert {(m.data.state, m.data.suggested, m.data.revision) for m in said} == {(S.ACCEPTED, "bought", 3)}
    assert store.tick() == []
    assert {m.data.outcome for m in store.answer("c01", first(store), "served")} == {"served"}


@pytest.mark.row("C6")
def test_she_bought_and_left_and_nobody_said_how_it_ended(store, beacons):
    store.sight(beacons[0])
    store.answer("c01", first(store), "accept")
    store.later(seconds=5)
    store.sell()
    store.sight(beacons[0], "left")
    store.later(seconds=61)
    said = store.tick()
    assert {(m.data.state, m.data.outcome) for m in said} == {(S.CLOSED, "bought"), (S.ACCEPTED, None)}
    assert store.counters["alerts_bought"] == 1
    assert "bought: she has left, and the till has her sale" in why(store)


@pytest.mark.row("C6")
def test_a_sale_of_somebody_else_or_from_before_or_void_suggests_nothing(store, beacons):
    store.sell("S-before")
    store.later(seconds=5)
    store.sight(beacons[0])
    store.answer("c01", first(store), "accept")
    store.sell("S-other", customer="C0002")
    store.sell("S-void")
    store.journal.db.execute("UPDATE sale SET void = 'V-1' WHERE sale = 'S-void'")
    assert store.tick() == []


@pytest.mark.row("C6")
def test_an_accepted_request_does_not_stay_open_for_ever(store, beacons):
    store.sight(beacons[0])
    store.answer("c01", first(store), "accept")
    store.later(hours=12)
    assert {m.data.state for m in store.tick()} == {S.EXPIRED}


# --- handhelds that were off


@pytest.mark.row("C6")
def test_a_handheld_that_was_off_gets_what_is_open_and_nothing_that_is_over(store, beacons):
    store.handheld("c01", "lost")
    store.later(seconds=1)
    store.sight(beacons[0])
    over = first(store)
    store.answer("c02", over, "served")
    store.later(seconds=1)
    store.sight(beacons[1])
    store.journal.db.execute("UPDATE customer SET rank = 'gold', main_clerk = 'c01' WHERE customer = 'C0003'")
    store.sight(beacons[2])
    back = store.handheld("c01")
    assert [(m.data.customer.customer, m.data.state) for m in back] == [("C0003", S.OFFERED)]
    store.later(seconds=10)
    assert over not in {m.data.alert for m in store.tick() if m.ids["clerk"] == "c01"}


@pytest.mark.row("C6")
def test_a_handheld_that_had_shown_it_is_told_of_its_end(store, beacons):
    store.sight(beacons[0])
    store.later(seconds=1)
    store.handheld("c01", "lost")
    store.later(seconds=1)
    store.answer("c02", first(store), "served")
    store.later(seconds=1)
    assert [m.data.state for m in store.handheld("c01")] == [S.CLOSED]


# --- a coupon to recommend


def coupon(store, **more) -> CouponRow:
    until = times.text(store.now.replace(year=2027))
    values = {"coupon": "H1", "customer": "C0001", "rule": "tableware", "kind": "discount", "title_ja": "食器1割引",
              "title_en": "10% off tableware", "text_ja": "", "text_en": "", "amount_minor": 500, "points": 0,
              "issued": times.text(store.now), "valid_from": times.text(store.now), "valid_until": until, "state": "offered",
              "revision": 1, "to_terminal": 0, "kept": 0} | more  # fmt: skip
    return CouponRow(**values)


@pytest.mark.row("A13")
def test_a_coupon_that_the_clerk_recommends(store, beacons):
    store.sight(beacons[0])
    row = coupon(store)
    with store.engine.transaction() as tx:
        coupons.add(tx.db, row)
        store.hub.requests.recommend(tx, "2026-03-01.C0001", "C0001", row, "cause")
    said = store.listen()
    assert alerts(said) == [("c01", "main", "offered"), ("c02", "deputy", "offered"), ("c03", "deputy", "offered")]
    data = said[0].data
    assert (data.kind, data.coupon.coupon, data.coupon.title.en) == ("coupon", "H1", "10% off tableware")
    assert data.message.ja == "山田 花子様に「食器1割引」をお勧めください。"
    assert data.message.en == "Recommend to 山田 花子: 10% off tableware."
    store.later(seconds=130)
    store.tick()
    assert store.one("SELECT escalate_at FROM alert WHERE kind = 'coupon'") == (None,)


@pytest.mark.row("C11")
@pytest.mark.row("C7")
def test_no_clerk_reads_of_a_coupon_of_who_objected_meanwhile(store, beacons):
    store.sight(beacons[0])
    row = coupon(store)
    with store.engine.transaction() as tx:
        coupons.add(tx.db, row)
        consents.give(tx.db, "C0001", Purpose.COUPONS, "v1", times.text(tx.utc))
        store.hub.requests.recommend(tx, "2026-03-01.C0001", "C0001", row, "cause")
    assert alerts(store.listen()) == []
    assert store.counters["requests_without_consent"] == 1
    assert "no request: she has not agreed to be recognised on arrival" in why(store)
