"""A rotating beacon changes its identifier: the agent hears one customer go on, not one go and another come."""

from __future__ import annotations

import random

import pytest

from edge.presence import Arrived, Event, Left, Presence

ENTER_DBM, EXIT_DBM = -72, -88


def eid(n: int) -> str:
    return f"eddystone-eid:{n:016x}"


class Walk:
    """One customer with a rotating beacon, others around her, on the test's own clock."""

    def __init__(self, seed: int = 1, *, interval_s: float = 1.0, scatter_db: float = 3.0, loss: float = 0.1) -> None:
        self.presence, self.rng = Presence(), random.Random(seed)
        self.interval_s, self.scatter_db, self.loss = interval_s, scatter_db, loss
        self.now, self.events = 100.0, list[Event]()
        self.present: set[str] = set()
        self.alone = 0

    def heard(self, name: str, dbm: float) -> None:
        self._take(self.presence.advert(name, round(self.rng.gauss(dbm, self.scatter_db)), -59, self.now))

    def go_on(self, name: str, seconds: float, dbm: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += self.interval_s + self.rng.uniform(0, 0.01)
            self._take(self.presence.tick(self.now))
            if self.rng.random() >= self.loss:
                self.heard(name, dbm)
            self.alone += not self.present

    def _take(self, events: tuple[Event, ...]) -> None:
        for event in events:
            self.events.append(event)
            if isinstance(event, Arrived):
                self.present.add(event.beacon_id)
            elif isinstance(event, Left):
                self.present.discard(event.beacon_id)


@pytest.mark.row("C5")
@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("dbm", [-55, -70, -80])
def test_at_no_moment_is_she_gone(seed, dbm):
    """-80 dBm is a far corner: kept by the hysteresis, too faint to come in as from the street."""
    walk = Walk(seed)
    walk.go_on(eid(0), 20, -55)  # through the door
    walk.go_on(eid(0), 30, dbm)
    walk.alone = 0
    for n in range(1, 8):
        walk.go_on(eid(n), 60, dbm)
    assert walk.alone == 0, [event for event in walk.events if not isinstance(event, Left | Arrived)]
    assert len(walk.present) <= 2


@pytest.mark.row("C5")
def test_the_new_one_is_told_before_the_old_one_is_gone():
    walk = Walk(3, scatter_db=0.0, loss=0.0)
    walk.go_on(eid(0), 20, -55)
    walk.go_on(eid(0), 60, -80)
    walk.go_on(eid(1), 5, -80)
    arrived, left = walk.events[-2:]
    assert (type(arrived), arrived.beacon_id) == (Arrived, eid(1))
    assert (type(left), left.beacon_id, left.reason) == (Left, eid(0), "followed")
    assert walk.presence.counters["followed"] == 1


@pytest.mark.row("C5")
def test_its_interval_is_known_and_so_its_leaving_is_told_soon():
    walk = Walk(3, scatter_db=0.0, loss=0.0)
    walk.go_on(eid(0), 60, -70)
    walk.go_on(eid(0), 20, -80)
    walk.go_on(eid(1), 5, -80)
    began = walk.now
    while walk.present:
        walk.now += 1
        walk._take(walk.presence.tick(walk.now))
    assert walk.now - began < 15


@pytest.mark.row("C5")
def test_who_is_near_and_leaves_right_after_a_change_does_not_linger():
    """Her new identifier came in by its own strength, and was heard too seldom for an interval of its own."""
    walk = Walk(3, scatter_db=0.0, loss=0.0)
    walk.go_on(eid(0), 60, -50)
    walk.go_on(eid(1), 3, -50)
    assert walk.present == {eid(1)}
    began = walk.now
    while walk.present:
        walk.now += 1
        walk._take(walk.presence.tick(walk.now))
    assert walk.now - began < 15


@pytest.mark.parametrize(
    ("why", "other_dbm", "after_s"), [("another level", -87, 0), ("too late", -80, 9), ("too faint", -92, 0)]
)
def test_who_is_somebody_else_comes_in_by_the_door(why, other_dbm, after_s):
    walk = Walk(3, scatter_db=0.0, loss=0.0)
    walk.go_on(eid(0), 20, -55)
    walk.go_on(eid(0), 40, -78 if why != "too faint" else -87)
    walk.now += after_s
    walk.go_on(eid(1), 8, other_dbm)
    assert eid(1) not in walk.present, why


def test_a_fixed_beacon_follows_nobody_and_nobody_follows_it():
    for old, new in ((eid(0), "ibeacon:x:1:1"), ("ibeacon:x:1:1", eid(0))):
        walk = Walk(3, scatter_db=0.0, loss=0.0)
        walk.go_on(old, 20, -55)
        walk.go_on(old, 40, -80)
        walk.go_on(new, 8, -80)
        assert new not in walk.present


def test_one_that_is_still_heard_has_not_changed():
    walk = Walk(3, scatter_db=0.0, loss=0.0)
    walk.go_on(eid(0), 20, -55)
    walk.go_on(eid(0), 40, -80)
    for _ in range(10):
        walk.go_on(eid(0), 1, -80)
        walk.heard(eid(1), -80)
    assert walk.present == {eid(0)}


@pytest.mark.parametrize("seed", range(10))
def test_of_several_the_most_alike_is_followed_and_each_once(seed):
    walk = Walk(seed, scatter_db=0.5, loss=0.0)
    for _ in range(5):
        walk.now += 1
        for n in range(4):
            walk.heard(eid(n), -50)
    for _ in range(30):
        walk.now += 1
        for n, dbm in enumerate((-74, -78, -82, -86)):
            walk.heard(eid(n), dbm)
    for _ in range(8):
        walk.now += 1
        walk.heard(eid(11), -78)
        for n, dbm in ((0, -74), (2, -82), (3, -86)):
            walk.heard(eid(n), dbm)
    assert {eid(n) for n in (0, 11, 2, 3)} <= walk.present
    assert eid(1) not in walk.present


@pytest.mark.parametrize("strangers", [0, 30])
def test_passers_by_do_not_come_in_with_every_customer_who_goes(strangers):
    """Strangers' identifiers pass by outside, faint, at all times; a customer leaves now and then."""
    walk = Walk(5, loss=0.3)
    known = set()
    for n in range(20):
        known.add(eid(n))
        walk.go_on(eid(n), 20, -60)
        for m in range(strangers):
            walk.heard(eid(1000 + n * 100 + m), -90)
    came = {event.beacon_id for event in walk.events if isinstance(event, Arrived)}
    assert came <= known
