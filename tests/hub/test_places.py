"""Where a customer is: the place of the agent that she is nearest to, in the words of the settings."""

from __future__ import annotations

import pytest

from contract.payloads import Sighting

VISIT = "2026-03-01.C0001"


def sight(store, beacon, event="arrived", *, agent, distance_m=None):
    data = Sighting(beacon=beacon, event=event, distance_m=distance_m, heard=store.now)
    return store.hear(store.bytes_of("sighting", data, agent=agent))


def where(store):
    return store.hub.places.where(store.journal.db, VISIT)


def test_a_place_has_words_or_the_agents_name(store):
    assert store.hub.places.place("entrance").ja == "正面入口"
    assert store.hub.places.place("floor-7").en == "floor-7"
    assert store.hub.places.place("terminal").en == "in the store"


@pytest.mark.row("A4")
def test_she_is_where_the_nearest_agent_hears_her(store, beacons):
    assert where(store) is None
    sight(store, beacons[0], agent="entrance", distance_m=1.0)
    assert (where(store).place.en, where(store).here) == ("Main entrance", True)
    store.later(seconds=30)
    sight(store, beacons[0], agent="floor-2", distance_m=6.0)
    assert where(store).agent == "entrance"
    store.later(seconds=30)
    sight(store, beacons[0], "moved", agent="entrance", distance_m=12.0)
    assert where(store).agent == "floor-2"


@pytest.mark.row("A4")
def test_who_has_left_was_last_heard_somewhere(store, beacons):
    sight(store, beacons[0], agent="entrance", distance_m=1.0)
    store.later(seconds=30)
    sight(store, beacons[0], agent="floor-2")
    at = where(store).at
    store.later(seconds=30)
    sight(store, beacons[0], "left", agent="entrance")
    sight(store, beacons[0], "left", agent="floor-2")
    found = where(store)
    assert (found.agent, found.here) == ("floor-2", False)
    assert found.at >= at


def test_news_that_come_late_do_not_move_her_back(store, beacons):
    sight(store, beacons[0], agent="floor-2")
    old = Sighting(beacon=beacons[0], event="moved", heard=store.now.replace(minute=0))
    store.later(minutes=5)
    sight(store, beacons[0], "left", agent="floor-2")
    store.hear(store.bytes_of("sighting", old, agent="floor-2"))
    assert where(store).at.startswith("2026-03-01T01:00")
