"""Who may be known by what: member codes, terminals, faces, rotating beacons; and who may not, of whom nothing stays."""

from __future__ import annotations

from datetime import timedelta

import pytest

from contract.payloads import Detector, TerminalPresence, VisitorsCounted
from hub.database import visitors
from hub.database.consents import Purpose
from tests.hub.recognising import (
    FACE,
    OPENED,
    TOKEN,
    agrees,
    nothing_of_her,
    owns,
    registered,
    sight,
    terminal,
    withdraws,
)

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
