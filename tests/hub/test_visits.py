"""Beacon to handheld: visits, requests, answers, as encoded messages through a real database."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from contract.payloads import AlertState as S
from hub.asked import Asked


@pytest.mark.row("A5")
@pytest.mark.row("A7")
@pytest.mark.row("A12")
def test_the_first_sighting_of_a_good_customer_calls_her_clerks(store, beacons):
    said = store.sight(beacons[0], id="sighting-1")
    visit, *alerts = said
    assert visit.channel.name == "visit_opened"
    assert visit.data.good
    assert visit.data.decided == "vip: yes, rank >= gold (rank is gold)"
    assert (visit.cause, visit.visit) == ("sighting-1", "2026-03-01.C0001")
    assert [(a.ids["clerk"], a.data.role, a.data.state) for a in alerts] == [
        ("c01", "main", S.OFFERED), ("c02", "deputy", S.OFFERED), ("c03", "deputy", S.OFFERED)]  # fmt: skip
    card = alerts[0].data.customer
    assert (card.name, card.rank, card.visits, card.average_purchase_minor) == (
        "山田 花子",
        "ゴールド / Gold",
        48,
        12400,
    )
    assert alerts[0].data.message.ja == "お得意様の山田 花子様が来店されました。接客してください。"
    assert alerts[0].data.message.en == "Our valued customer 山田 花子 has arrived. Please attend."
    assert {a.cause for a in alerts} == {visit.id}


@pytest.mark.row("A5")
def test_only_the_first_of_the_stores_day_opens_a_visit(store, beacons):
    store.sight(beacons[0])
    assert store.sight(beacons[0], "moved") == []
    assert store.sight(beacons[0], agent="floor-2") == []
    store.sight(beacons[0], "left")
    assert store.sight(beacons[0]) == []
    store.now = datetime.fromisoformat("2026-03-01T23:50:00+09:00")
    assert store.sight(beacons[0]) == []
    assert store.sight(beacons[0], "left") == []
    assert store.sight(beacons[0], "left", agent="floor-2") == []
    store.now = datetime.fromisoformat("2026-03-02T00:00:00+09:00")
    assert [m.channel.name for m in store.sight(beacons[0])] == ["visit_opened", "alert", "alert", "alert"]
    assert store.all("SELECT day FROM visit ORDER BY day") == [("2026-03-01",), ("2026-03-02",)]


@pytest.mark.row("A4")
def test_a_floor_agent_may_be_the_first_to_hear_her(store, beacons):
    assert store.sight(beacons[0], agent="floor-3")[0].data.agent == "floor-3"


def test_only_arrived_opens(store, beacons):
    assert store.sight(beacons[0], "moved") == []
    assert store.sight(beacons[0], "left") == []
    assert store.counters["sightings_without_visit"] == 2


@pytest.mark.row("A6")
@pytest.mark.row("C7")
def test_a_customer_who_is_not_good_opens_a_visit_and_the_silence_explains_itself(store, beacons):
    (visit,) = store.sight(beacons[1])
    assert not visit.data.good
    assert visit.data.decided == "no, nearest vip: rank >= gold (rank is silver)"
    assert store.one("SELECT count(*) FROM alert") == (0,)


def test_an_unknown_beacon_is_counted_and_leaves_nothing(store):
    assert store.sight("ibeacon:00000000-0000-0000-0000-000000000000:9:9") == []
    assert store.counters["unknown_beacons"] == 1
    assert store.one("SELECT (SELECT count(*) FROM visit) + (SELECT count(*) FROM trace)") == (0,)


@pytest.mark.row("C1")
def test_redelivery_and_a_killed_hub_make_no_second_request(store, beacons):
    data = store.sight(beacons[0], id="s-1")
    assert len(data) == 4
    store.restart()
    assert store.sight(beacons[0], id="s-1") == []
    assert store.one("SELECT count(*) FROM alert") == (1,)
    assert store.one("SELECT count(*) FROM visit") == (1,)


@pytest.mark.row("C1")
def test_a_batch_that_comes_to_nothing_leaves_nothing_in_memory(store, beacons, monkeypatch):
    message = store.bytes_of("sighting", store_sighting(store, beacons[0]), agent="door-1")
    import sqlite3

    def broken(*_args):
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(store.journal, "mark", broken)
    with pytest.raises(sqlite3.OperationalError):
        store.engine.receive([message])
    monkeypatch.undo()
    assert store.counters.get("visits") is None
    assert [m.channel.name for m in store.hear(message)] == ["visit_opened", "alert", "alert", "alert"]
    assert store.one("SELECT count(*) FROM presence") == (1,)
    assert store.counters["visits"] == 1


def store_sighting(store, beacon, event="arrived"):
    from contract.payloads import Sighting

    return Sighting(beacon=beacon, event=event, zone="near", heard=store.now)


def test_news_that_come_late_belong_to_the_day_they_were_heard(store, beacons):
    heard = store.now
    store.later(hours=20)
    (visit,) = store.sight(beacons[0], heard=heard)
    assert visit.visit == "2026-03-01.C0001"
    assert store.counters["requests_too_late"] == 1
    assert "came too late" in store.one("SELECT summary FROM trace WHERE type = 'decision'")[0]


def test_an_agent_whose_clock_was_never_set(store, beacons):
    visit = store.sight(beacons[0], heard=datetime.fromisoformat("1970-01-01T00:00:12+00:00"))[0]
    assert visit.visit == "2026-03-01.C0001"
    assert store.counters["implausible_clocks"] == 1


def test_customers_imported_while_the_hub_runs_are_known_at_once(store, folder):
    import sqlite3

    beacon = "ibeacon:00000000-0000-0000-0000-000000000000:9:9"
    assert store.sight(beacon) == []
    other = sqlite3.connect(store.settings.database)
    with other:
        other.execute("INSERT INTO customer (customer, name, rank) VALUES ('C9', 'New', 'platinum')")
        other.execute("INSERT INTO customer_beacon VALUES (?, 'C9')", (beacon,))
    other.close()
    (visit,) = store.sight(beacon)
    assert visit.data.customer == "C9"
    assert store.counters["requests_without_clerk"] == 1


# --- alerts


def alert_id(store) -> str:
    return store.of("alert")[0].data.alert


@pytest.mark.row("C6")
def test_the_first_accept_holds_it_and_the_others_see_by_whom(store, beacons):
    store.sight(beacons[0])
    first = store.answer("c02", alert_id(store), "accept")
    assert [(a.ids["clerk"], a.data.state, a.data.holder, a.data.revision) for a in first] == [
        (clerk, S.ACCEPTED, "c02", 2) for clerk in ("c01", "c02", "c03")]  # fmt: skip
    (again,) = store.answer("c01", alert_id(store), "accept")
    assert (again.ids["clerk"], again.data.holder, again.data.revision) == ("c01", "c02", 2)
    assert store.counters["alert_answers_held"] == 1
    (same,) = store.answer("c02", alert_id(store), "accept")
    assert same.data.revision == 2
    assert {a.data.state for a in store.answer("c02", alert_id(store), "served")} == {S.CLOSED}


@pytest.mark.row("C6")
def test_an_answer_by_somebody_it_was_not_offered_to_shows_her_nothing(store, beacons):
    store.sight(beacons[0])
    assert store.answer("c99", alert_id(store), "accept") == []
    assert store.answer("c01", "a-0000", "accept") == []
    assert store.counters["alert_answers_not_offered"] == 1
    assert store.counters["alert_answers_unknown"] == 1


@pytest.mark.row("C6")
def test_a_handheld_that_comes_back_sees_what_is_open(store, beacons):
    store.sight(beacons[0])
    assert store.handheld("c01", "lost") == []
    (again,) = store.handheld("c01")
    assert (again.data.state, again.data.role) == (S.OFFERED, "main")
    store.answer("c02", alert_id(store), "served")
    assert [a.data.state for a in store.handheld("c01")] == [S.CLOSED]
    store.later(minutes=5)
    assert store.handheld("c01") == []


@pytest.mark.row("C6")
def test_a_handheld_out_of_reach_for_long_hears_what_ended_meanwhile(store, beacons):
    """In the cellar, switched on: what it shows as held by its clerk would stand there for ever."""
    store.sight(beacons[0])
    store.answer("c01", alert_id(store), "accept")
    store.handheld("c01", "lost")
    store.sight(beacons[0], "left")
    store.later(minutes=2)
    store.tick()
    store.later(minutes=5)
    assert [a.data.state for a in store.handheld("c01")] == [S.EXPIRED]
    assert store.handheld("c01") == []


@pytest.mark.row("C1")
@pytest.mark.row("C6")
def test_an_open_alert_is_sent_again_until_it_is_over_also_after_a_restart(store, beacons):
    store.sight(beacons[0])
    assert store.tick() == []
    store.later(seconds=10)
    assert [a.ids["clerk"] for a in store.tick()] == ["c01", "c02", "c03"]
    assert store.tick() == []
    store.restart()
    store.later(seconds=10)
    assert {a.data.revision for a in store.tick()} == {1}
    store.answer("c01", alert_id(store), "served")
    store.later(seconds=10)
    assert {a.data.state for a in store.tick()} == {S.CLOSED}  # who missed the end must hear of it
    store.later(minutes=2)
    assert store.tick() == []


@pytest.mark.row("C6")
def test_an_alert_expires_in_time(store, beacons):
    store.sight(beacons[0])
    store.later(seconds=901)
    assert {(a.data.state, a.data.revision) for a in store.tick()} == {(S.EXPIRED, 2)}
    (late,) = store.answer("c01", alert_id(store), "accept")
    assert late.data.state is S.EXPIRED
    assert store.counters["alert_answers_late"] == 1


@pytest.mark.row("C6")
def test_an_alert_is_over_when_nobody_hears_the_customer_any_more(store, beacons):
    store.sight(beacons[0])
    store.sight(beacons[0], agent="floor-2")
    store.sight(beacons[0], "left")
    store.later(seconds=61)
    assert S.EXPIRED not in {a.data.state for a in store.tick()}  # the floor still hears her
    store.sight(beacons[0], "left", agent="floor-2")
    store.later(seconds=30)
    store.sight(beacons[0], agent="floor-1")  # a dead spot on her way
    store.later(seconds=61)
    assert S.EXPIRED not in {a.data.state for a in store.tick()}
    store.sight(beacons[0], "left", agent="floor-1")
    store.later(seconds=61)
    assert {a.data.state for a in store.tick()} == {S.EXPIRED}
    assert "has left" in store.all("SELECT summary FROM trace WHERE type = 'instore.alert.v1' ORDER BY row")[-1][0]


def test_clerks_who_stand_in_for_customers_without_one(store, beacons):
    store.journal.db.execute("UPDATE customer SET rank = 'platinum' WHERE customer = 'C0003'")
    alerts = store.settings.alerts.model_copy(update={"fallback_clerks": ("c07",)})
    store.hub.requests._asked = Asked(alerts)
    assert [(a.ids["clerk"], a.data.role) for a in store.sight(beacons[2])[1:]] == [("c07", "main")]


@pytest.mark.row("A6")
def test_changed_rules_hold_from_the_next_visit_on(store, beacons):
    rules = store.settings.rules
    rules.write_text(rules.read_text().replace("rank >= gold ||", "rank >= silver ||"))
    assert store.policy.check()
    assert store.sight(beacons[1])[0].data.good


def test_bad_messages_are_kept_aside_and_the_rest_goes_on(store, beacons):
    topic, body = store.bytes_of("sighting", store_sighting(store, beacons[0]), agent="door-1")
    wrong = [(topic, b"{"), (topic, body.replace(b"arrived", b"landed")), ("instore/ginza/nobody/x", b"{}")]
    said = store.hear(*wrong, (topic, body))
    assert said[0].channel.name == "visit_opened"
    assert store.counters["quarantined"] == 3
    with store.engine.transaction() as tx:
        store.hub.say_state(tx, store.engine.counters)
    keys, status = store.listen()
    assert status.data.counters["quarantined"] == 3
    assert list(keys.data.keys) == [store.keys.kid]


def test_a_visit_lasts_over_an_hour_of_dst(store, beacons):
    zone = store.settings.model_copy(
        update={"store": store.settings.store.model_copy(update={"time_zone": "Europe/Berlin"})}
    )
    store.hub.arrivals._zone = zone.store.zone
    store.now = datetime.fromisoformat("2026-10-25T00:30:00+02:00")
    assert store.sight(beacons[0])[0].visit == "2026-10-25.C0001"
    store.now += timedelta(hours=24)  # half past eleven in the evening of a day of 25 hours
    assert store.sight(beacons[0]) == []
    store.sight(beacons[0], "left")
    store.now += timedelta(minutes=30)
    assert store.sight(beacons[0])[0].visit == "2026-10-26.C0001"
