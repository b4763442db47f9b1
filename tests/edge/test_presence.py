"""Presence on simulated radio: who counts, who does not, who flaps, who lingers. Every random run names its seed."""

import itertools
import math
import random
import time
from collections.abc import Iterable, Iterator

import pytest

from edge.presence import Arrived, Event, Left, Moved, Presence, PresenceSettings, Zone
from edge.presence_door import Door

POWER_DBM = -59
SEEDS = range(10)


def rssi_at(metres: float, rng: random.Random, sigma_db: float = 4.0, loss_db: float = 0.0) -> int:
    """Log-distance with exponent 2.2, scatter, and now and then a deep fade."""
    level = POWER_DBM - 22 * math.log10(max(metres, 0.3)) - loss_db + rng.gauss(0, sigma_db)
    return round(level - (12 if rng.random() < 0.05 else 0))


def steady(interval_s: float, until_s: float, rng: random.Random, loss: float = 0.1) -> Iterator[float]:
    t = 0.0
    while t < until_s:
        if rng.random() >= loss:
            yield t
        t += interval_s + rng.uniform(0, 0.01)


def play(presence: Presence, adverts: Iterable[tuple[float, str, int]], until_s: float = 0.0) -> list[Event]:
    """As the shell does it: `tick` at each deadline, `advert` at each advertisement, then ticks to the end."""
    events: list[Event] = []

    def tick_to(now: float) -> None:
        while (due := presence.next_deadline()) is not None and due <= now:
            events.extend(presence.tick(due))

    for t, beacon_id, rssi in adverts:
        tick_to(t)
        events.extend(presence.advert(beacon_id, rssi, POWER_DBM, t))
    tick_to(until_s)
    return events


def kinds(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


@pytest.mark.row("A4")
def test_one_strong_advertisement_arrives_at_once():
    (arrived,) = Presence().advert("a", -55, POWER_DBM, 5.0)
    assert isinstance(arrived, Arrived)
    assert (arrived.beacon_id, arrived.t, arrived.rssi_dbm, arrived.first_seen) == ("a", 5.0, -55, 5.0)
    assert arrived.distance_m == pytest.approx(0.66, abs=0.01)


def test_two_strong_ones_in_a_row_arrive_and_one_among_weak_ones_does_not():
    presence = Presence()
    assert [presence.advert("a", rssi, POWER_DBM, n / 10) for n, rssi in enumerate([-80, -61, -80, -62])] == [()] * 4
    assert kinds(list(presence.advert("a", -61, POWER_DBM, 0.5))) == ["Arrived"]


def test_a_weak_tag_at_the_same_spot_counts_like_a_strong_one():
    assert Presence().advert("weak", -70, POWER_DBM - 14, 0.0)
    assert not Presence().advert("strong far away", -70, POWER_DBM, 0.0)
    assert not Presence().advert("claims to be absurdly weak", -90, -127, 0.0)


@pytest.mark.parametrize("rssi", [-127, 127, 21])
def test_an_unknown_level_is_counted_and_not_used(rssi: int):
    presence = Presence()
    assert presence.advert("a", rssi, POWER_DBM, 0.0) == ()
    assert presence.counters["ignored"] == 1
    assert presence.next_deadline() is None


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("metres", [0.5, 1.0, 2.0, 3.0, 4.0])
@pytest.mark.parametrize("interval_s", [0.1, 1.0])
def test_a_still_customer_arrives_once_and_does_not_flap(seed: int, metres: float, interval_s: float):
    rng = random.Random(seed)
    times = steady(interval_s, 600, rng)
    events = play(Presence(), ((t, "a", rssi_at(metres, rng)) for t in times), 600)
    assert kinds(events)[:1] == ["Arrived"], f"seed {seed}"
    assert not any(isinstance(event, Left) for event in events), f"seed {seed}"
    # The first zone is told from one advertisement; after it has settled, nothing more.
    assert [e for e in events if isinstance(e, Moved) and e.t > 15] == [], f"seed {seed}"


@pytest.mark.parametrize("seed", range(20))
def test_a_passer_by_outside_does_not_count(seed: int):
    """Past the shop window, 3 m away at the nearest, glass and frame 6 dB; there and back, ten times."""
    rng = random.Random(seed)
    presence = Presence()
    start, events = 0.0, []
    for _ in range(10):
        for t in steady(0.1, 30, rng):
            metres = math.hypot(1.3 * (t - 15), 3.0)
            events += play(presence, [(start + t, "outside", rssi_at(metres, rng, loss_db=6))])
        start += 200
    assert events == [], f"seed {seed}"


@pytest.mark.parametrize("seed", range(10))
def test_a_tag_of_30_s_with_gaps_up_to_96_s_stays_for_an_hour(seed: int):
    rng = random.Random(seed)
    gaps = (rng.choice([30, 30, 30, 31, 33, 60, 62, 96]) for _ in itertools.count())
    times = itertools.takewhile(lambda t: t < 3600, itertools.accumulate(gaps))
    events = play(Presence(), ((t, "tag", rssi_at(2, rng)) for t in times), 3600)
    assert kinds(events).count("Arrived") == 1, f"seed {seed}"
    assert kinds(events).count("Left") == 0, f"seed {seed}"
    assert kinds(events).count("Moved") <= 4, f"seed {seed}"


def test_a_tag_that_sends_bursts_is_not_taken_for_a_fast_one():
    bursts = [30.0 * n + 0.1 * k for n in range(60) if n % 7 for k in range(3)]
    events = play(Presence(), ((t, "tag", -60) for t in bursts), 1800)
    assert kinds(events) == ["Arrived"]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_fast_beacon_that_is_gone_has_left_within_15_s(seed: int):
    rng = random.Random(seed)
    times = list(steady(0.1, 60, rng))
    events = play(Presence(), ((t, "a", rssi_at(1.5, rng)) for t in times), 200)
    left = events[-1]
    assert isinstance(left, Left)
    assert left.reason == "silent"
    assert left.seen_count == len(times)
    assert left.last_seen == times[-1]
    assert 9 < left.t - left.last_seen < 15, f"seed {seed}"


def test_a_slow_tag_that_is_gone_has_left_within_its_own_habit():
    events = play(Presence(), ((30.0 * n, "tag", -60) for n in range(20)), 2000)
    assert kinds(events) == ["Arrived", "Left"]
    assert events[-1].t - 19 * 30 == pytest.approx(120, abs=1)


@pytest.mark.parametrize("seed", SEEDS)
def test_one_who_walks_away_and_stays_faint_has_left(seed: int):
    rng = random.Random(seed)
    metres = lambda t: 1.5 if t < 20 else min(60.0, 1.5 + 1.2 * (t - 20))  # noqa: E731
    events = play(Presence(), ((t, "a", rssi_at(metres(t), rng)) for t in steady(0.2, 300, rng)), 300)
    assert kinds(events)[0] == "Arrived"
    assert isinstance(events[-1], Left)
    assert events[-1].reason == "faint"
    assert kinds(events).count("Left") == 1, f"seed {seed}"


@pytest.mark.parametrize("seed", SEEDS)
def test_walking_through_the_zones_is_told_once_each(seed: int):
    rng = random.Random(seed)
    metres = lambda t: max(0.4, 12 - 0.6 * t)  # noqa: E731
    events = play(Presence(), ((t, "a", rssi_at(metres(t), rng, 2)) for t in steady(0.1, 60, rng)), 60)
    moves = [(event.was, event.zone) for event in events if isinstance(event, Moved)]
    arrived = events[0]
    assert isinstance(arrived, Arrived)
    assert moves[-1][1] is Zone.IMMEDIATE, f"seed {seed}"
    assert len(moves) <= 3, f"seed {seed}"
    gaps = [b.t - a.t for a, b in itertools.pairwise(events)]
    assert min(gaps) >= PresenceSettings().moved_interval_s


def test_a_late_tick_still_ends_the_old_stay_before_the_new_one():
    presence = Presence()
    for n in range(20):
        presence.advert("a", -55, POWER_DBM, n * 0.1)
    events = presence.advert("a", -55, POWER_DBM, 500.0)
    assert kinds(list(events)) == ["Left", "Arrived"]


def test_time_that_stands_still_or_steps_back_breaks_nothing():
    presence = Presence()
    for now in (10.0, 10.0, 9.0, 10.5):
        presence.advert("a", -55, POWER_DBM, now)
    (row,) = presence.snapshot()
    assert (row.seen_count, row.last_seen) == (4, 10.5)


def test_a_thousand_beacons_each_arrive_and_leave_once():
    seed, presence = 7, Presence()
    rng = random.Random(seed)
    adverts = sorted(
        (t, f"b{number}", rssi_at(1.5, rng)) for number in range(1000) for t in steady(1.0, 20, rng, loss=0.05)
    )
    events = play(presence, adverts, 1000)
    arrived = {e.beacon_id for e in events if isinstance(e, Arrived)}
    left = [e.beacon_id for e in events if isinstance(e, Left)]
    assert len(arrived) == 1000
    assert sorted(left) == sorted(arrived)
    assert presence.snapshot() == ()
    assert presence.next_deadline() is None


def test_a_flood_of_strangers_pushes_no_customer_out():
    presence = Presence(PresenceSettings(max_beacons=50))
    presence.advert("customer", -55, POWER_DBM, 0.0)
    for number in range(1000):
        for again_s in (0.0, 0.1):
            assert presence.advert(f"made up {number}", -90, POWER_DBM, 0.2 + number / 1000 + again_s) == ()
    assert [row.beacon_id for row in presence.snapshot()] == ["customer"]
    assert presence.counters["turned_away"] == 951
    assert presence.counters["forgotten"] == 951


def test_when_all_are_customers_the_one_unheard_for_longest_makes_room():
    presence = Presence(PresenceSettings(max_beacons=3))
    times = [n + again_s for n in range(5) for again_s in (0.0, 0.5)]
    events = [e for t in times for e in presence.advert(f"c{int(t)}", -55, POWER_DBM, t)]
    assert [e.beacon_id for e in events if isinstance(e, Left)] == ["c0", "c1"]
    assert all(e.reason == "evicted" for e in events if isinstance(e, Left))
    assert presence.counters["evicted"] == 2


def test_customers_come_in_and_stay_while_a_million_made_up_beacons_flood_nearby():
    presence, rng, number = Presence(), random.Random(5), 0
    arrived: dict[str, float] = {}
    left = []
    for tick in range(100, 3000):  # of 10 ms; 10,000 made-up advertisements a second
        t = tick / 100
        events = []
        for _ in range(100):
            number += 1
            events += presence.advert(f"made up {number % 1_000_000}", -50, POWER_DBM, t)
        for customer in range(40):  # one comes each half second and advertises three times a second, 2 m away
            if t >= 1 + customer / 2 and (tick + customer * 7) % 33 == 0:
                events += presence.advert(f"customer {customer}", round(rng.gauss(-62, 3)), POWER_DBM, t)
        events += presence.tick(t)
        arrived |= {e.beacon_id: e.t for e in events if isinstance(e, Arrived) and e.beacon_id.startswith("customer")}
        left += [e.beacon_id for e in events if isinstance(e, Left) and e.beacon_id.startswith("customer")]
    assert len(arrived) == 40
    assert max(arrived[f"customer {n}"] - (1 + n / 2) for n in range(40)) < 5.0
    assert left == []
    assert presence.counters["turned_away"] > 250_000
    assert presence.counters["arrived"] < 2100  # and the rest of the agent has nothing to do with it


def test_the_door_remembers_a_bounded_number():
    door = Door(remembered=10)
    assert not door.heard_before("a", 0.0)
    assert not door.heard_before("a", 0.01)  # the scan response of the same event
    assert door.heard_before("a", 0.1)
    for n in range(10):
        assert not door.heard_before(f"b{n}", 0.2)
    assert door.heard_before("a", 0.3)  # the older generation
    for n in range(30):
        assert not door.heard_before(f"c{n}", 0.4)
    assert len(door._young) + len(door._old) <= 22
    assert not door.heard_before("a", 0.5)


def test_memory_of_deadlines_is_bounded():
    rng, presence, t = random.Random(3), Presence(), 0.0
    for _ in range(20_000):
        t += rng.choice([0.02, 0.05, 1.0, 20.0])
        presence.advert("restless", -60, POWER_DBM, t)
    assert len(presence._deadlines) <= 4 * 1 + 64


def test_it_takes_10_000_advertisements_a_second():
    presence = Presence()
    start = time.perf_counter()
    for n in range(20_000):
        presence.advert(f"b{n % 1000}", -60 - n % 30, POWER_DBM, n / 10_000)
    assert 20_000 / (time.perf_counter() - start) > 10_000


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"exit_rssi_dbm": -70.0}, "exit_rssi_dbm -70.0 must be below enter_rssi_dbm -72.0"),
        ({"near_m": 0.5}, "immediate_m 1.0 must be below near_m 0.5"),
        ({"silence_min_s": 400.0}, "silence_min_s 400.0 is above silence_max_s 300.0"),
        ({"max_beacons": 0}, "max_beacons is 0; it must be above 0"),
        ({"zone_hysteresis_db": -1.0}, "must not be negative"),
        ({"strong_margin_db": 20.0}, "must be between 0 and at_once_margin_db"),
    ],
)
def test_settings_that_cannot_be_are_told(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        PresenceSettings(**wrong)
