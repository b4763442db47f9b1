"""Any number of entrance and floor agents: whoever is first opens the one visit, and she is here as long as any hears her."""

from __future__ import annotations

import random

import pytest

from contract.payloads import Sighting


class Model:
    """What ought to be, by the plainest computation."""

    def __init__(self) -> None:
        self.hearing: dict[str, set[str]] = {}
        self.first: dict[str, str] = {}

    def event(self, who: str, agent: str, kind: str) -> None:
        heard = self.hearing.setdefault(who, set())
        if kind == "arrived":
            self.first.setdefault(who, agent)
            heard.add(agent)
        elif kind == "left":
            heard.discard(agent)


@pytest.mark.row("A4")
@pytest.mark.row("A5")
@pytest.mark.parametrize("seed", range(12))
def test_over_many_entrances_and_floors(store, beacons, seed):
    rng, model = random.Random(seed), Model()
    agents = [f"entrance-{n}" for n in range(rng.randint(1, 10))] + [f"floor-{n}" for n in range(rng.randint(1, 40))]
    ids = dict(zip(beacons, ("C0001", "C0002", "C0003"), strict=True))
    for step in range(50):
        batch = []
        for _ in range(rng.randint(1, 5)):
            beacon, agent = rng.choice(beacons), rng.choice(agents)
            there = agent in model.hearing.get(ids[beacon], ())
            kind = rng.choice(["moved", "left"]) if there and rng.random() < 0.6 else "arrived"
            model.event(ids[beacon], agent, kind)
            data = Sighting(beacon=beacon, event=kind, distance_m=rng.choice([None, 1.0, 9.0]), heard=store.now)
            batch.append(store.bytes_of("sighting", data, agent=agent))
        store.hear(*batch)
        store.later(seconds=rng.uniform(0, 20))
        if rng.random() < 0.02:
            store.restart()
        if step % 10 == 9:
            found = {
                row[0]: row[1:] for row in store.all("SELECT customer, agent, gone_since IS NULL, visit FROM visit")
            }
            assert {who: row[0] for who, row in found.items()} == model.first, seed
            for who, (_, here, visit) in found.items():
                hearing = {agent for (agent,) in store.all("SELECT agent FROM presence WHERE visit = ?", visit)}
                assert hearing == model.hearing[who], (seed, who)
                assert bool(here) is bool(hearing), (seed, who)
                where = store.hub.places.where(store.journal.db, visit)
                assert where.here is bool(hearing)
                assert not hearing or where.agent in hearing
    assert store.one("SELECT count(*) FROM alert") == ((1 if "C0001" in model.first else 0),)
