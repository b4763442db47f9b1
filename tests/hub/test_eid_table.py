"""The table of identifiers: what resolves when, drift, portions, forgetting. Times are UNIX seconds of no particular day."""

from __future__ import annotations

import random

import pytest

from hub.eid.computing import eid
from hub.eid.table import AHEAD, SLACK_S, EidKey, EidTable

NOW = 1_800_000_000.0
K = 10
PERIOD_S = 1 << K
MOST = 4 + AHEAD
"""Identifiers of one beacon, without the past."""


def made(
    n: int = 1, *, exponent: int = K, drift_s: float = 0.0, seen_s: float = NOW, zero_s: float | None = None
) -> EidKey:
    rng = random.Random(n)
    return EidKey(
        f"eid:{n}",
        rng.randbytes(16),
        exponent,
        NOW - rng.uniform(1e6, 5e7) if zero_s is None else zero_s,
        drift_s,
        seen_s,
    )


def settle(table: EidTable, now_s: float, limit: int = 64) -> int:
    portions = 0
    while table.work(now_s, limit):
        portions += 1
    return portions


def counter(key: EidKey, at_s: float, drift_s: float = 0.0) -> int:
    return int(at_s - key.zero_s + drift_s)


def says(key: EidKey, at_s: float, drift_s: float = 0.0) -> bytes:
    return eid(key.identity_key, key.exponent, counter(key, at_s, drift_s))


@pytest.mark.row("C5")
@pytest.mark.parametrize("exponent", range(16))
def test_it_resolves_at_any_moment_at_any_pace(exponent):
    table, key = EidTable(0.0), made(exponent=exponent)
    table.put(key)
    rng = random.Random(exponent)
    now = NOW
    for _ in range(200):
        settle(table, now)
        found = table.resolve(says(key, now), now)
        assert found is not None, (exponent, now)
        assert found.name == key.name
        now += rng.uniform(0, 0.5 * (1 << exponent))


@pytest.mark.row("C5")
@pytest.mark.parametrize(
    ("quanta", "resolves"),
    [(-4, False), (-3, False), (-2, False), (-1, True), (0, True), (1, True), (2, False), (3, False)],
)
def test_the_window(quanta, resolves):
    """One quantum either way, in the middle of a quantum; beyond it is a replay."""
    key = made(zero_s=NOW - 5000 * PERIOD_S - PERIOD_S / 2)
    table = EidTable()
    table.put(key)
    settle(table, NOW)
    settle(table, NOW + 5)  # the past is there as well: what is refused is refused by time, not for lack of an entry
    assert (table.resolve(says(key, NOW + quanta * PERIOD_S), NOW) is not None) is resolves


@pytest.mark.row("C5")
def test_a_replay_resolves_for_its_window_and_never_after():
    table, key = EidTable(), made(zero_s=NOW - 1000 * PERIOD_S)
    table.put(key)
    settle(table, NOW)
    recorded = says(key, NOW)
    for later_s in (1, PERIOD_S, 2 * PERIOD_S - 1):
        settle(table, NOW + later_s)
        assert table.resolve(recorded, NOW + later_s) is not None
    for later_s in (2 * PERIOD_S + 10, 3 * PERIOD_S, 10 * PERIOD_S, 86_400):
        settle(table, NOW + later_s)
        assert table.resolve(recorded, NOW + later_s) is None


def test_news_that_come_late_resolve_by_the_time_they_were_heard():
    table, key = EidTable(3600.0), made()
    table.put(key)
    now = NOW
    while now < NOW + 3 * 3600:
        settle(table, now)
        now += 600
    for ago_s in (0, 60, 1800, 3500):
        assert table.resolve(says(key, now - ago_s), now - ago_s) is not None, ago_s
    assert table.resolve(says(key, now - 3500), now) is None  # said to be heard now: a replay
    assert table.resolve(says(key, now - 4 * 3600), now - 4 * 3600) is None


def test_the_past_is_there_also_after_a_start():
    table, key = EidTable(3600.0), made()
    table.put(key)
    settle(table, NOW)
    assert table.resolve(says(key, NOW - 3000), NOW - 3000) is None
    settle(table, NOW + 2)
    assert table.resolve(says(key, NOW - 3000), NOW - 3000) is not None


@pytest.mark.row("C5")
@pytest.mark.parametrize("ppm", [-150, -80, -20, 0, 20, 80, 150])
@pytest.mark.parametrize("heard_every_h", [0.2, 5, 24, 24 * 9])
def test_drift_is_followed(ppm, heard_every_h):
    """Heard now and then for a year by a clock that is as wrong as may be, it resolves every time."""
    table, key = EidTable(0.0), made(ppm * 7 + int(heard_every_h))
    table.put(key)
    rng = random.Random(ppm)
    at, missed, heard = NOW, 0, 0
    while heard < 120 and at < NOW + 365 * 86_400:
        at += heard_every_h * 3600 * rng.uniform(0.5, 1.5)
        settle(table, at)
        drift_s = (at - NOW) * ppm * 1e-6
        heard += 1
        missed += table.resolve(says(key, at, drift_s), at) is None
    assert missed == 0


@pytest.mark.row("C5")
@pytest.mark.parametrize("ppm", [-150, 150])
def test_after_80_days_of_silence_the_window_is_wider(ppm):
    table, key = EidTable(0.0), made()
    table.put(key)
    at = NOW + 100 * 86_400
    drift_s = (at - NOW) * ppm * 1e-6
    assert abs(drift_s) > PERIOD_S
    settle(table, at)
    assert table.resolve(says(key, at, drift_s), at) is not None


@pytest.mark.parametrize("late_share", [0.0, 0.3, 0.99])
def test_beacons_that_switch_late_within_their_quantum(late_share):
    """The specification recommends a random moment of change."""
    table, key = EidTable(0.0), made(zero_s=NOW - 5000 * PERIOD_S)
    table.put(key)
    for n in range(100):
        at = NOW + n * PERIOD_S * 0.25
        settle(table, at)
        assert table.resolve(says(key, at - late_share * PERIOD_S), at) is not None


@pytest.mark.row("C5")
@pytest.mark.parametrize("late_quanta", [0.5, 1.0, 1.5, 1.9])
def test_whoever_replays_cannot_set_a_beacons_clock(late_quanta):
    """Replayed as late as it still resolves, again and again: the beacon itself is found as before."""
    table, key = EidTable(0.0), made(zero_s=NOW - 5000 * PERIOD_S)
    table.put(key)
    at = NOW
    for n in range(400):
        at += PERIOD_S * 0.37
        settle(table, at)
        table.resolve(says(key, at - late_quanta * PERIOD_S), at)
        if n % 20 == 19:
            found = table.resolve(says(key, at), at)
            assert found is not None, n
            assert abs(found.drift_s) < SLACK_S + (at - NOW) * 150e-6


def test_a_stranger_resolves_to_nobody():
    table = EidTable()
    for n in range(50):
        table.put(made(n))
    settle(table, NOW)
    rng = random.Random(3)
    assert all(table.resolve(rng.randbytes(8), NOW) is None for _ in range(10_000))


def test_work_comes_in_portions():
    table = EidTable(0.0)
    for n in range(100):
        table.put(made(n))
    before = 0
    while table.work(NOW, 20):
        now = table.counters["computed"]
        assert now - before <= 20 + MOST
        before = now
    assert 100 * 3 <= before <= 100 * MOST
    assert table.work(NOW, 20) == 0


def test_what_is_kept_does_not_grow():
    table = EidTable(0.0)
    for n in range(20):
        table.put(made(n))
    for hour in range(100):
        settle(table, NOW + hour * 3600)
    assert table.entries <= 20 * MOST


def test_it_is_ahead_of_time():
    """Behind by a whole quantum, the table still resolves: what comes next is computed before it is needed."""
    table, key = EidTable(0.0), made(zero_s=NOW - 5000 * PERIOD_S)
    table.put(key)
    settle(table, NOW + 1)
    assert table.resolve(says(key, NOW + PERIOD_S + 5), NOW + PERIOD_S + 5) is not None


def test_a_dropped_beacon_is_forgotten_with_all_it_said():
    table, key, other = EidTable(), made(1), made(2)
    table.put(key)
    table.put(other)
    settle(table, NOW)
    settle(table, NOW + 2)
    whole = table.entries
    table.drop(key.name)
    assert table.resolve(says(key, NOW), NOW) is None
    assert table.entries == whole // 2
    assert len(table) == 1
    table.drop("eid:unheard-of")
    table.put(made(3))  # takes the free place
    settle(table, NOW + 3)
    assert table.resolve(says(key, NOW), NOW) is None
    assert table.resolve(says(made(3), NOW), NOW) is not None
    assert table.resolve(says(other, NOW), NOW) is not None


def test_new_facts_replace_the_old():
    table, key = EidTable(), made()
    table.put(key)
    settle(table, NOW)
    moved = EidKey(key.name, key.identity_key, key.exponent, key.zero_s - 50_000.0, 0.0, NOW)
    table.put(moved)
    settle(table, NOW)
    assert len(table) == 1
    assert table.resolve(says(key, NOW), NOW) is None
    assert table.resolve(says(moved, NOW), NOW) is not None


def test_a_machine_that_slept_for_weeks_is_up_to_date_with_one_look():
    table, key = EidTable(), made()
    table.put(key)
    settle(table, NOW)
    at = NOW + 40 * 86_400
    settle(table, at)
    assert table.resolve(says(key, at), at) is not None
    settle(table, at + 5)
    assert table.entries < 12


def test_a_clock_that_was_set_back():
    table, key = EidTable(), made()
    table.put(key)
    settle(table, NOW + 10 * 86_400)
    settle(table, NOW)
    assert table.due_s() is not None
    table.put(key)
    settle(table, NOW)
    assert table.resolve(says(key, NOW), NOW) is not None


@pytest.mark.parametrize("seed", range(20))
def test_many_beacons_of_all_kinds_by_chance(seed):
    rng = random.Random(seed)
    table = EidTable(rng.choice([0.0, 600.0, 7200.0]))
    keys = [made(seed * 1000 + n, exponent=rng.randint(4, 15)) for n in range(40)]
    for key in keys:
        table.put(key)
    at = NOW
    for _ in range(60):
        at += rng.expovariate(1 / 900)
        settle(table, at, rng.choice([1, 7, 64]))
        key = rng.choice(keys)
        off_s = rng.uniform(-0.9, 0.9) * (1 << key.exponent)
        found = table.resolve(says(key, at, off_s if rng.random() < 0.1 else 0.0), at)
        assert found is not None, (seed, at, key)
        assert found.name == key.name


def test_the_measurement_runs():
    from bench.eids import measure

    found = measure(200)
    assert found["beacons"] == 200
    assert found["identifiers"] >= 600
    assert found["ratio"] > 0
