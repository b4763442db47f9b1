"""Rotating beacons: a customer is known by identifiers that change, and by nothing else (rows C5, C11)."""

from __future__ import annotations

import dataclasses
import sqlite3

import pytest

from hub.database import eids, times
from hub.eid import resolving
from hub.eid.computing import eid
from hub.eid.keys import read_key
from hub.eid.resolving import Resolver
from tests.delivery.real import until
from tests.hub.recognising import (
    KEY,
    OPENED,
    PERIOD_S,
    nothing_of_her,
    registered,
    sight,
)

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
