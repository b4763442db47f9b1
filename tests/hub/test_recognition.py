"""Who may be known by what: member codes, terminals, faces, rotating beacons; and who may not, of whom nothing stays."""

from __future__ import annotations

import dataclasses
import sqlite3
from datetime import timedelta

import pytest

from contract.payloads import Detector, Sighting, TerminalPresence, VisitorsCounted
from hub.database import consents, eids, times, visitors
from hub.database.consents import Purpose
from hub.eid import resolving
from hub.eid.computing import eid
from hub.eid.keys import read_key
from hub.eid.resolving import Resolver
from tests.delivery.real import until

TOKEN = "member:ABCDEFGHIJKLMNOPQRSTUVWXYZ"
FACE = "face:t-0001"
KEY = bytes(range(16))
PERIOD_S = 1024
OPENED = ["visit_opened", "alert", "alert", "alert"]


def sight(store, beacon, detector=Detector.BEACON, event="arrived", *, agent="entrance", heard=None):
    data = Sighting(beacon=beacon, event=event, detector=detector, heard=heard or store.now)
    return [m.channel.name for m in store.hear(store.bytes_of("sighting", data, agent=agent))]


def terminal(store, event="arrived", *, customer="C0001", says=None):
    data = TerminalPresence(customer=says or customer, event=event, at=store.now)
    assert not store.terminal(customer, "terminal_presence", data)
    return store.listen()


def owns(store, beacon, customer="C0001") -> None:
    store.journal.db.execute("INSERT INTO customer_beacon VALUES (?, ?)", (beacon, customer))


def agrees(store, *purposes, customer="C0001") -> None:
    for purpose in purposes:
        consents.give(store.journal.db, customer, purpose, "wording-1", times.text(store.now))


def withdraws(store, purpose, customer="C0001") -> None:
    assert consents.withdraw(store.journal.db, customer, purpose, times.text(store.now))


def registered(store, customer="C0001") -> None:
    """She made her record herself, on the web."""
    store.journal.db.execute(
        "INSERT INTO member (customer, registered) VALUES (?, ?)", (customer, times.text(store.now))
    )


def nothing_of_her(store, *texts) -> None:
    """No visit, no trace, and none of these texts in any table."""
    for (table,) in store.all("SELECT name FROM sqlite_master WHERE type = 'table'"):
        if table in ("customer", "customer_beacon", "deputy", "consent", "member", "eid_key"):
            continue
        for row in store.all(f"SELECT * FROM {table}"):
            assert not any(text in str(value) for value in row for text in texts), (table, row)


# --- consent to be recognised


@pytest.mark.row("C11")
def test_the_stores_own_records_from_before_consents_were_kept(store, beacons):
    assert sight(store, beacons[0]) == OPENED


@pytest.mark.row("C11")
def test_who_objected_is_not_recognised(store, beacons):
    agrees(store, Purpose.SERVICE)
    withdraws(store, Purpose.SERVICE)
    assert sight(store, beacons[0]) == []
    assert sight(store, beacons[0], event="moved") == []
    assert store.counters["sightings_without_consent"] == 2
    nothing_of_her(store, "C0001", beacons[0])


@pytest.mark.row("C11")
def test_who_registered_herself_is_recognised_only_if_she_agreed(store, beacons):
    registered(store)
    assert sight(store, beacons[0]) == []
    nothing_of_her(store, "C0001", beacons[0])
    agrees(store, Purpose.SERVICE)
    assert sight(store, beacons[0]) == OPENED


@pytest.mark.row("C11")
def test_consent_to_something_else_is_none_to_being_recognised(store, beacons):
    agrees(store, Purpose.COUPONS)
    assert sight(store, beacons[0]) == []


@pytest.mark.row("C11")
def test_consent_withdrawn_during_a_visit_holds_at_once(store, beacons):
    agrees(store, Purpose.SERVICE)
    assert sight(store, beacons[0]) == OPENED
    lines = store.one("SELECT count(*) FROM trace")
    withdraws(store, Purpose.SERVICE)
    assert sight(store, beacons[0], event="moved") == []
    assert store.one("SELECT count(*) FROM presence") == (0,)
    assert sight(store, beacons[0], agent="floor-1") == []
    assert sight(store, beacons[0], event="left") == []
    assert store.one("SELECT count(*) FROM trace") == lines
    agrees(store, Purpose.SERVICE)
    assert sight(store, beacons[0]) == []  # of the same day: the same visit
    assert store.one("SELECT count(*) FROM presence") == (1,)


# --- member code


@pytest.mark.row("A13")
def test_a_member_code_opens_a_visit(store):
    owns(store, TOKEN)
    assert sight(store, TOKEN, Detector.MEMBER_CODE) == OPENED
    assert "by her member code" in store.one("SELECT summary FROM trace ORDER BY row LIMIT 1")[0]
    assert sight(store, TOKEN, Detector.MEMBER_CODE, "left") == []
    assert store.one("SELECT gone_since IS NOT NULL FROM visit") == (1,)


@pytest.mark.row("A13")
def test_an_unknown_code_is_counted_and_never_written_down(store, capfd):
    assert sight(store, TOKEN, Detector.MEMBER_CODE) == []
    assert store.counters["unknown_member_codes"] == 1
    nothing_of_her(store, TOKEN, TOKEN[7:])
    assert TOKEN[7:] not in "".join(capfd.readouterr())


def test_a_code_that_is_given_while_the_hub_runs_is_known_at_once(store):
    assert sight(store, TOKEN, Detector.MEMBER_CODE) == []
    owns(store, TOKEN)
    assert sight(store, TOKEN, Detector.MEMBER_CODE) == OPENED
    store.journal.db.execute("DELETE FROM customer_beacon WHERE beacon = ?", (TOKEN,))
    store.later(days=1)
    assert sight(store, TOKEN, Detector.MEMBER_CODE) == []


def test_a_customer_who_was_erased_is_a_stranger_at_once(store, beacons):
    assert sight(store, beacons[0]) == OPENED
    store.journal.db.execute("DELETE FROM visit WHERE customer = 'C0001'")
    store.journal.db.execute("DELETE FROM customer WHERE customer = 'C0001'")
    assert sight(store, beacons[0], event="moved") == []
    assert sight(store, beacons[0]) == []
    assert store.counters["unknown_beacons"] == 2
    assert store.counters.get("quarantined", 0) == 0


# --- face


@pytest.mark.row("A13")
@pytest.mark.row("C11")
@pytest.mark.parametrize(
    ("purposes", "known"),
    [((), False), ((Purpose.SERVICE,), False), ((Purpose.FACE,), False), ((Purpose.SERVICE, Purpose.FACE), True)],
)
def test_a_face_is_known_only_to_whom_she_agreed(store, purposes, known):
    owns(store, FACE)
    agrees(store, *purposes)
    assert (sight(store, FACE, Detector.FACE) == OPENED) is known
    if not known:
        assert store.counters["sightings_without_consent"] == 1
        nothing_of_her(store, "C0001", FACE)


@pytest.mark.row("C11")
@pytest.mark.parametrize("said_as", list(Detector))
def test_a_face_needs_consent_whatever_the_agent_calls_it(store, said_as):
    owns(store, FACE)
    agrees(store, Purpose.SERVICE)
    assert sight(store, FACE, said_as) == []
    nothing_of_her(store, "C0001", FACE)


@pytest.mark.row("C11")
def test_a_stranger_before_the_camera_leaves_a_count_and_nothing_else(store, capfd):
    assert sight(store, "face:nobody-we-know", Detector.FACE) == []
    assert store.counters["unknown_faces"] == 1
    nothing_of_her(store, "nobody-we-know")
    assert "nobody-we-know" not in "".join(capfd.readouterr())


# --- terminal


@pytest.mark.row("A13")
def test_the_members_terminal_says_that_it_is_in_the_store(store):
    agrees(store, Purpose.SERVICE, Purpose.POSITION)
    assert [m.channel.name for m in terminal(store)] == OPENED
    where = store.hub.places.where(store.journal.db, "2026-03-01.C0001")
    assert (where.agent, where.place.en, where.here) == ("terminal", "in the store", True)
    terminal(store)  # its message came twice
    assert store.one("SELECT count(*) FROM presence") == (1,)
    terminal(store, "left")
    assert store.one("SELECT gone_since IS NOT NULL FROM visit") == (1,)
    assert store.one("SELECT count(*) FROM visit") == (1,)


def test_a_terminal_that_was_switched_off_is_not_here_for_ever(store, beacons):
    agrees(store, Purpose.SERVICE, Purpose.POSITION)
    terminal(store)
    store.later(hours=3)
    sight(store, beacons[0])
    store.later(hours=2)
    with store.engine.transaction() as tx:
        store.hub.clean(tx)
    assert store.all("SELECT agent FROM presence") == [("entrance",)]  # an agent says itself who leaves
    assert store.one("SELECT gone_since FROM visit") == (None,)


@pytest.mark.row("A13")
@pytest.mark.row("C11")
@pytest.mark.parametrize("purposes", [(), (Purpose.SERVICE,), (Purpose.POSITION,)])
def test_without_consent_to_position_the_terminal_says_it_in_vain(store, purposes):
    agrees(store, *purposes)
    assert terminal(store) == []
    nothing_of_her(store, "C0001")
    assert store.counters["sightings_without_consent"] == 1


def test_a_terminal_speaks_for_nobody_else(store):
    agrees(store, Purpose.SERVICE, Purpose.POSITION)
    data = TerminalPresence(customer="C0001", event="arrived", at=store.now)
    assert store.terminal("C0002", "terminal_presence", data) == "not_mine"  # at the door already
    assert store.one("SELECT count(*) FROM visit") == (0,)


def test_an_agent_cannot_speak_for_a_terminal(store):
    agrees(store, Purpose.SERVICE, Purpose.POSITION)
    assert sight(store, "position:C0001") == []
    assert store.counters["unknown_beacons"] == 1


def test_a_terminal_of_somebody_who_is_no_customer_any_more(store):
    assert terminal(store, customer="C0099") == []
    assert store.one("SELECT count(*) FROM visit") == (0,)


@pytest.mark.row("A13")
def test_whichever_detector_is_first_opens_the_one_visit(store, beacons):
    owns(store, TOKEN)
    agrees(store, Purpose.SERVICE, Purpose.POSITION)
    assert [m.channel.name for m in terminal(store)] == OPENED
    assert sight(store, TOKEN, Detector.MEMBER_CODE) == []
    assert sight(store, beacons[0], agent="floor-2") == []
    assert sight(store, TOKEN, Detector.MEMBER_CODE, "left") == []
    terminal(store, "left")
    assert store.one("SELECT gone_since FROM visit") == (None,)  # the beacon is heard still


# --- people without an identity


@pytest.mark.row("A13")
def test_counted_people_add_up_by_day_and_counter(store):
    def counted(entered, left, *, device="door", ago_s=0):
        until = store.now - timedelta(seconds=ago_s)
        data = VisitorsCounted(entered=entered, left=left, since=until - timedelta(seconds=10), until=until)
        store.hear(store.bytes_of("visitors_counted", data, agent="entrance", device=device))

    counted(3, 1)
    counted(2, 4)
    counted(1, 0, device="side-door")
    store.later(days=1)
    counted(7, 0)
    counted(0, 5, ago_s=86_400)  # it was offline
    found = visitors.of_days(store.journal.db, "2026-03-01", "2026-03-02")
    assert [(c.day, c.device, c.entered, c.left) for c in found] == [
        ("2026-03-01", "door", 5, 10), ("2026-03-01", "side-door", 1, 0), ("2026-03-02", "door", 7, 0)]  # fmt: skip
    assert (store.counters["visitors_entered"], store.counters["visitors_left"]) == (13, 10)
    assert store.one("SELECT count(*) FROM visit") == (0,)


@pytest.mark.row("C1")
def test_a_count_that_comes_twice_counts_once(store):
    data = VisitorsCounted(entered=3, left=0, since=store.now, until=store.now)
    message = store.bytes_of("visitors_counted", data, agent="entrance", device="door")
    store.hear(message)
    store.hear(message)
    assert store.one('SELECT entered, "left" FROM visitors') == (3, 0)


# --- rotating beacons


def beacon(store, ago_s: float = 0.0) -> str:
    """What her beacon says now, or said so long ago."""
    return "eddystone-eid:" + eid(KEY, 10, int(store.now.timestamp() - ago_s - ZERO_S)).hex()


ZERO_S = 1772000000.0


@pytest.fixture
def rotating(store):
    key = dataclasses.replace(
        read_key(f"{KEY.hex()}/10/2026-02-25T00:00:00Z", 2e9), zero_s=ZERO_S, seen_s=store.now.timestamp()
    )
    eids.replace(store.journal.db, "C0001", [key])
    return key


@pytest.mark.row("C5")
def test_a_rotating_beacon_opens_a_visit(store, rotating):
    assert sight(store, beacon(store)) == OPENED


@pytest.mark.row("C5")
def test_a_new_identifier_is_no_new_customer(store, rotating):
    """She changes her identifier twenty times: one visit, one request, never gone."""
    said = beacon(store)
    assert sight(store, said) == OPENED
    for _ in range(20):
        store.later(seconds=PERIOD_S)
        store.hub.eids.idle(store.journal.db, store.now)
        new = beacon(store)
        assert new != said
        assert sight(store, new) == []
        assert "heard anew at entrance" in store.all("SELECT summary FROM trace ORDER BY row")[-1][0]
        store.later(seconds=30)
        assert sight(store, said, event="left") == []
        assert store.one("SELECT gone_since FROM visit") == (None,)
        said = new
    assert store.one("SELECT count(*) FROM visit") == (1,)
    assert store.one("SELECT count(*) FROM presence") == (1,)
    sight(store, said, event="left")
    assert store.one("SELECT gone_since IS NOT NULL FROM visit") == (1,)


@pytest.mark.row("C5")
def test_over_a_restart_of_the_hub(store, rotating):
    assert sight(store, beacon(store)) == OPENED
    store.restart()
    assert sight(store, beacon(store), event="moved") == []
    store.later(seconds=PERIOD_S)
    assert sight(store, beacon(store)) == []
    assert store.one("SELECT count(*) FROM visit") == (1,)


@pytest.mark.row("C5")
def test_a_replay_within_the_window_greets_and_does_nothing_else(store, rotating):
    """The measure of the damage: a request to a clerk. No money, no gate, no reading, no coupon's code goes out."""
    store.sell("S-1", 3000)
    before = store.all("SELECT customer, spent_minor, points, exits, terminal_payments FROM customer")
    assert sight(store, beacon(store, PERIOD_S)) == OPENED
    names = {m.channel.name for m in store.said}
    assert names <= {"visit_opened", "alert"}
    assert store.all("SELECT customer, spent_minor, points, exits, terminal_payments FROM customer") == before
    for table in ("scan", "incentive", "redemption"):
        assert store.one(f"SELECT count(*) FROM {table}") == (0,)


@pytest.mark.row("C5")
@pytest.mark.parametrize("ago_s", [3 * PERIOD_S, 86_400, 30 * 86_400])
def test_a_replay_from_outside_the_window_is_a_stranger(store, rotating, ago_s):
    said = beacon(store, ago_s)
    assert sight(store, said) == []
    assert store.counters["unknown_beacons"] == 1
    nothing_of_her(store, said, "C0001")


@pytest.mark.row("C5")
def test_an_identifier_that_once_resolved_is_not_remembered(store, rotating):
    said = beacon(store)
    assert sight(store, said) == OPENED
    sight(store, said, event="left")
    store.later(days=1)
    store.hub.eids.idle(store.journal.db, store.now)
    assert sight(store, said) == []


@pytest.mark.row("C5")
def test_news_of_an_hour_ago_resolve(store, rotating):
    """Agents were cut off from the hub; the hub ran on."""
    store.hub.eids.idle(store.journal.db, store.now)
    said, heard = beacon(store), store.now
    for _ in range(60):
        store.later(seconds=60)
        store.hub.eids.idle(store.journal.db, store.now)
    assert sight(store, said, heard=heard) == ["visit_opened"]  # a visit; too late for a request
    assert store.one("SELECT opened FROM visit") == (times.text(heard),)


def test_keys_that_come_and_go_while_the_hub_runs(store, rotating):
    store.hub.eids.idle(store.journal.db, store.now)
    other = read_key(f"{bytes(16).hex()}/10/2026-02-25T06:13:20Z", store.now.timestamp())
    eids.replace(store.journal.db, "C0002", [other])
    while store.hub.eids.idle(store.journal.db, store.now) < 0.1:
        store.later(seconds=1)
    assert len(store.hub.eids.table) == 2
    eids.replace(store.journal.db, "C0001", [])
    assert sight(store, beacon(store)) == []
    while store.hub.eids.idle(store.journal.db, store.now) < 0.1:
        store.later(seconds=1)
    assert len(store.hub.eids.table) == 1
    store.journal.db.execute("DELETE FROM customer WHERE customer = 'C0002'")
    while store.hub.eids.idle(store.journal.db, store.now) < 0.1:
        store.later(seconds=1)
    assert len(store.hub.eids.table) == 0


@pytest.mark.row("C5")
def test_a_beacons_clock_is_remembered_over_a_restart(store, rotating):
    """Its clock runs fast by 150 ppm; it is heard once a day for half a year, with a restart a week."""
    start = store.now
    for day in range(180):
        store.later(days=1)
        drift_s = (store.now - start).total_seconds() * 150e-6
        store.hub.eids.idle(store.journal.db, store.now)
        said = beacon(store, -drift_s)
        assert sight(store, said) == OPENED, day
        sight(store, said, event="left")
        if day % 7 == 6:
            store.restart()
    (drift_s,) = store.one("SELECT drift_s FROM eid_key")
    assert drift_s > 180 * 86_400 * 150e-6 - 2 * PERIOD_S


def test_the_same_keys_imported_again_change_nothing(store, rotating):
    eids.heard(store.journal.db, rotating.name, 77.0, 1.0)
    eids.replace(store.journal.db, "C0001", [rotating])
    assert store.one("SELECT drift_s FROM eid_key") == (77.0,)
    eids.replace(store.journal.db, "C0001", [dataclasses.replace(rotating, zero_s=5.0)])
    assert store.one("SELECT drift_s, zero_s FROM eid_key") == (0.0, 5.0)


@pytest.mark.row("C11")
def test_a_rotating_beacon_needs_consent_as_well(store, rotating):
    registered(store)
    assert sight(store, beacon(store)) == []
    nothing_of_her(store, beacon(store), "C0001")


@pytest.mark.parametrize(
    "said", ["eddystone-eid:", "eddystone-eid:00", "eddystone-eid:zz", "eddystone-eid:" + "0" * 32]
)
def test_what_is_no_identifier_is_a_strangers(store, rotating, said):
    assert sight(store, said) == []
    assert store.counters["unknown_beacons"] == 1


def test_the_name_of_a_beacon_is_no_identifier(store, rotating):
    assert sight(store, rotating.name) == []


async def test_whatever_fails_in_it_the_hub_goes_on(store, monkeypatch):
    import asyncio
    from collections import Counter

    resolver, calls = Resolver(Counter()), []

    def idle(_db, _now):
        calls.append(1)
        if len(calls) < 4:
            raise [sqlite3.OperationalError("disk"), ZeroDivisionError(), KeyError()][len(calls) - 1]
        return 0.001

    monkeypatch.setattr(resolver, "idle", idle)
    monkeypatch.setattr(resolving, "IDLE_S", 0.001)
    task = asyncio.create_task(resolving.keep_ahead(resolver, store.journal.db, store.engine.clock))
    await until(lambda: len(calls) >= 8)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_portions_are_small(store):
    from collections import Counter

    keys = [read_key(f"{n:032x}/10/2026-02-25T06:13:20Z", store.now.timestamp()) for n in range(500)]
    resolver = Resolver(Counter())
    resolver.load(store.journal.db, store.now)
    eids.replace(store.journal.db, "C0001", keys)
    computed = 0
    for _ in range(10_000):
        pause_s = resolver.idle(store.journal.db, store.now)
        assert resolver.table.counters["computed"] - computed <= 64 + 8
        computed = resolver.table.counters["computed"]
        if pause_s > 0.1:
            break
    assert computed >= 3 * 500
