"""Beacons on the floor plan: times, walks, independence of each other."""

import itertools

import pytest

from firmware_sim.beacons_world import AdapterPlace, BeaconSpec, World, address_of
from firmware_sim.radio import Radio

FRAME = "ibeacon:2f234454-cf6d-4a0f-adf2-f4911ba9ffa6:1:7"
EXACT = Radio(sigma_db=0, deep_fade_share=0, loss=0)


def world(radio: Radio = EXACT, seed: int = 1) -> World:
    return World([AdapterPlace("hci0", (0, 0)), AdapterPlace("hci1", (10, 0))], radio, seed)


def heard(w: World, until: float, only: str = "a") -> list[tuple[float, str, int]]:
    found = []
    while (due := w.next_due()) is not None and due <= until:
        found += [(due, r.adapter, r.heard.rssi_dbm) for r in w.advance(due) if r.beacon_id == only]
    return found


def test_an_interval_is_kept_with_up_to_10_ms_more():
    w = world()
    w.add(BeaconSpec("a", FRAME, (1, 0)), 0.0)
    times = [t for t, adapter, _ in heard(w, 20) if adapter == "hci0"]
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert min(gaps) > 0.09
    assert max(gaps) < 0.1101
    assert len(times) == pytest.approx(20 / 0.105, rel=0.02)


def test_each_adapter_hears_at_its_own_place():
    w = world()
    w.add(BeaconSpec("a", FRAME, (1, 0)), 0.0)
    assert {adapter: rssi for _, adapter, rssi in heard(w, 2)} == {"hci0": -59, "hci1": -80}


def test_a_walk_goes_through_its_points_and_ends_there():
    w = world()
    beacon = w.add(BeaconSpec("a", FRAME, (0, 0)), 0.0)
    assert w.walk("a", [(3, 0), (3, 4)], 1.0, 10.0) == 17.0
    assert [beacon.position(t) for t in (10, 11.5, 13, 15, 17, 99)] == [
        (0, 0),
        (1.5, 0),
        (3, 0),
        (3, 2),
        (3, 4),
        (3, 4),
    ]
    assert w.walk("a", [(3, 4)], 1.0, 100.0) == 100.0
    assert beacon.position(100.0) == (3, 4)


def test_one_more_beacon_changes_nothing_for_the_first():
    alone, crowded = world(Radio()), world(Radio())
    alone.add(BeaconSpec("a", FRAME, (2, 0)), 0.0)
    crowded.add(BeaconSpec("b", FRAME, (4, 0)), 0.0)
    crowded.add(BeaconSpec("a", FRAME, (2, 0)), 0.0)
    assert heard(alone, 30) == heard(crowded, 30)


def test_a_removed_beacon_is_silent_and_a_replaced_one_sends_once():
    w = world()
    w.add(BeaconSpec("a", FRAME, (1, 0)), 0.0)
    w.add(BeaconSpec("a", FRAME, (1, 0), interval_s=1.0), 0.0)
    assert 8 <= len([1 for _, adapter, _ in heard(w, 10) if adapter == "hci0"]) <= 10
    w.remove("a")
    assert heard(w, 30) == []


def test_after_a_pause_of_the_process_no_flood_follows():
    w = world()
    w.add(BeaconSpec("a", FRAME, (1, 0)), 0.0)
    assert len(w.advance(1000.0)) == 2


def test_addresses_are_static_random_and_belong_to_the_name():
    assert address_of("alice") == address_of("alice") != address_of("bob")
    assert int(address_of("alice")[:2], 16) >= 0xC0


def test_what_cannot_be_is_told():
    with pytest.raises(ValueError, match=r"a: an interval of 0.001 s is outside 0.02 to 600.0 s"):
        BeaconSpec("a", FRAME, (0, 0), interval_s=0.001)
    with pytest.raises(ValueError, match="is no beacon identifier"):
        BeaconSpec("a", "nonsense", (0, 0))
    w = world()
    w.add(BeaconSpec("a", FRAME, (1, 0)), 0.0)
    with pytest.raises(ValueError, match=r"a speed of 0 m/s"):
        w.walk("a", [(1, 1)], 0, 0.0)
