"""A visit over midnight, and midnights that are none: summer time that begins, or ends, at the turn of the day (row A5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hub.days import store_day

TOKYO = ZoneInfo("Asia/Tokyo")


def at(store, text: str) -> None:
    store.now = datetime.fromisoformat(f"2026-03-{text}+09:00")


def visits_of(store) -> list[str]:
    return [day for (day,) in store.all("SELECT day FROM visit ORDER BY day")]


@pytest.mark.row("A5")
def test_who_is_here_over_midnight_is_not_announced_again(store, beacons):
    at(store, "01T23:30:00")
    assert len(store.sight(beacons[0], agent="entrance")) == 4
    at(store, "02T00:10:00")
    assert store.sight(beacons[0], agent="floor-2") == []  # another agent hears her for the first time today
    assert store.sight(beacons[0], "moved", agent="floor-2") == []
    assert visits_of(store) == ["2026-03-01"]
    assert "since before midnight" in store.all("SELECT summary FROM trace ORDER BY row")[-2][0]


@pytest.mark.row("A5")
def test_when_she_really_comes_back_it_is_a_visit_of_the_new_day(store, beacons):
    at(store, "01T23:30:00")
    store.sight(beacons[0])
    at(store, "02T00:20:00")
    store.sight(beacons[0], "left")
    at(store, "02T00:40:00")
    assert [m.channel.name for m in store.sight(beacons[0])] == ["visit_opened", "alert", "alert", "alert"]
    at(store, "02T14:00:00")
    store.sight(beacons[0], "left")
    at(store, "02T15:00:00")
    assert store.sight(beacons[0]) == []
    assert visits_of(store) == ["2026-03-01", "2026-03-02"]


@pytest.mark.row("A5")
def test_a_beacon_that_was_lost_for_a_moment_over_midnight_had_not_left(store, beacons):
    at(store, "01T23:58:00")
    store.sight(beacons[0])
    at(store, "01T23:59:00")
    store.sight(beacons[0], "left")
    at(store, "02T00:03:00")
    assert store.sight(beacons[0]) == []
    at(store, "02T00:05:00")
    store.sight(beacons[0], "left")
    at(store, "02T00:30:00")
    assert store.sight(beacons[0]) != []


@pytest.mark.row("A5")
@pytest.mark.parametrize("agent", ["door-1", "floor-9"])
def test_an_agent_that_died_with_her_in_its_ears_does_not_hide_her_next_day(store, beacons, agent):
    at(store, "01T22:00:00")
    store.sight(beacons[0])
    at(store, "02T09:30:00")
    assert store.sight(beacons[0], agent=agent) != []
    assert visits_of(store) == ["2026-03-01", "2026-03-02"]


@pytest.mark.row("A5")
def test_late_news_of_the_evening_belong_to_the_evening(store, beacons):
    """An agent was offline over midnight; what it says then is judged by when it heard her."""
    at(store, "01T23:40:00")
    store.sight(beacons[0], agent="entrance")
    at(store, "02T00:30:00")
    store.sight(beacons[0], "left", agent="entrance")
    heard = datetime.fromisoformat("2026-03-02T00:05:00+09:00")
    at(store, "02T08:00:00")
    assert store.sight(beacons[0], agent="floor-2", heard=heard) == []
    assert visits_of(store) == ["2026-03-01"]


@pytest.mark.row("A5")
def test_the_visit_of_today_goes_before_that_of_yesterday(store, beacons):
    at(store, "01T23:40:00")
    store.sight(beacons[0], agent="entrance")
    store.sight(beacons[0], "left", agent="entrance")
    at(store, "02T00:30:00")
    store.sight(beacons[0], agent="entrance")
    at(store, "02T00:31:00")
    assert store.sight(beacons[0], agent="floor-2") == []
    assert store.one("SELECT visit FROM presence WHERE agent = 'floor-2'") == ("2026-03-02.C0001",)


@pytest.mark.row("A5")
def test_a_hub_that_was_killed_at_midnight_knows_who_is_here(store, beacons):
    at(store, "01T23:59:00")
    store.sight(beacons[0])
    store.restart()
    at(store, "02T00:01:00")
    assert store.sight(beacons[0], agent="floor-1") == []
    assert visits_of(store) == ["2026-03-01"]


# --- days

MIDNIGHT_CHANGES = [
    ("America/Sao_Paulo", 2018, "back to 23:00 at 24:00"),
    ("America/Havana", 2026, "forward at 0:00, back at 1:00"),
    ("America/Santiago", 2026, "back to 23:00 at 24:00"),
    ("America/Asuncion", 2020, "at 0:00"),
    ("Asia/Beirut", 2026, "forward at 0:00, back to 23:00 at 24:00"),
    ("Africa/Cairo", 2026, "forward at 0:00, back to 23:00 at 24:00"),
    ("America/St_Johns", 2008, "a minute after midnight: the old date is shown again"),
    ("America/Goose_Bay", 2010, "a minute after midnight"),
    ("Asia/Amman", 2015, "forward at 24:00"),
    ("Asia/Gaza", 2016, "at 1:00"),
    ("Atlantic/Azores", 2026, "forward at 0:00, back at 1:00"),
    ("Australia/Lord_Howe", 2026, "by half an hour"),
    ("Asia/Tehran", 2021, "at 24:00"),
    ("Europe/Berlin", 2026, "not at midnight"),
    ("Asia/Tokyo", 2026, "never"),
]


@pytest.mark.row("A5")
@pytest.mark.parametrize(("zone", "year", "how"), MIDNIGHT_CHANGES, ids=[each[0] for each in MIDNIGHT_CHANGES])
def test_every_day_of_a_year_comes_once_and_in_order(zone, year, how):
    del how
    info, when = ZoneInfo(zone), datetime(year, 1, 1, 12, tzinfo=UTC)
    seen, end = [store_day(when, info)], when + timedelta(days=366)
    while when < end:
        when += timedelta(minutes=15)
        for second in (0, 59):
            day = store_day(when + timedelta(seconds=second), info)
            assert day >= seen[-1], when
            if day != seen[-1]:
                following = datetime.fromisoformat(seen[-1]) + timedelta(days=1)
                assert day == following.date().isoformat(), when
                seen.append(day)


@pytest.mark.row("A5")
def test_the_hour_before_midnight_that_comes_twice_is_one_evening():
    info = ZoneInfo("America/Santiago")  # on 4 April 2026 24:00 becomes 23:00
    first, second = datetime(2026, 4, 5, 2, 30, tzinfo=UTC), datetime(2026, 4, 5, 3, 30, tzinfo=UTC)
    assert first.astimezone(info).hour == second.astimezone(info).hour == 23
    assert store_day(first, info) == store_day(second, info) == "2026-04-04"


@pytest.mark.row("A5")
def test_a_day_that_had_begun_does_not_end_when_its_eve_is_shown_again():
    info = ZoneInfo("America/St_Johns")  # on 2 November 2008 at 0:01 the clock went back to 23:01
    begun = datetime(2008, 11, 2, 2, 30, 30, tzinfo=UTC)
    again = begun + timedelta(minutes=30)
    assert begun.astimezone(info).date().isoformat() == "2008-11-02"
    assert again.astimezone(info).date().isoformat() == "2008-11-01"
    assert store_day(begun, info) == store_day(again, info) == "2008-11-02"


@pytest.mark.row("A5")
def test_a_visit_over_a_midnight_that_does_not_exist(store, beacons):
    """In Beirut the clock goes from 23:59:59 to 1:00 on 29 March 2026."""
    store.hub.arrivals._zone = ZoneInfo("Asia/Beirut")
    store.now = datetime(2026, 3, 28, 21, 59, tzinfo=UTC)
    assert store.sight(beacons[0])[0].visit == "2026-03-28.C0001"
    store.now = datetime(2026, 3, 28, 22, 1, tzinfo=UTC)
    assert store.sight(beacons[0], agent="floor-1") == []
    store.sight(beacons[0], "left")
    store.sight(beacons[0], "left", agent="floor-1")
    store.now = datetime(2026, 3, 28, 22, 20, tzinfo=UTC)
    assert store.sight(beacons[0])[0].visit == "2026-03-29.C0001"
