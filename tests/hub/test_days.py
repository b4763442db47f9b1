"""The store's day across midnight and the change of the clocks (row A5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.days import plausible, store_day


@pytest.mark.row("A5")
@pytest.mark.parametrize(
    ("when", "zone", "day"),
    [
        ("2026-03-01T14:59:59+00:00", "Asia/Tokyo", "2026-03-01"),
        ("2026-03-01T15:00:00+00:00", "Asia/Tokyo", "2026-03-02"),
        ("2026-03-28T22:59:59+00:00", "Europe/Berlin", "2026-03-28"),
        ("2026-03-28T23:00:00+00:00", "Europe/Berlin", "2026-03-29"),
        ("2026-03-29T21:59:59+00:00", "Europe/Berlin", "2026-03-29"),  # a day of 23 hours
        ("2026-03-29T22:00:00+00:00", "Europe/Berlin", "2026-03-30"),
        ("2026-10-25T22:59:59+00:00", "Europe/Berlin", "2026-10-25"),  # a day of 25 hours
        ("2026-10-25T23:00:00+00:00", "Europe/Berlin", "2026-10-26"),
        ("2026-03-01T00:30:00+09:00", "UTC", "2026-02-28"),
    ],
)
def test_edges(when, zone, day):
    assert store_day(datetime.fromisoformat(when), ZoneInfo(zone)) == day


@given(st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)))
def test_days_follow_each_other(moment):
    zone, when = ZoneInfo("Europe/Berlin"), moment.replace(tzinfo=UTC)
    first, second = store_day(when, zone), store_day(when + timedelta(minutes=30), zone)
    assert first <= second <= store_day(when + timedelta(hours=25), zone)


def test_a_clock_that_was_never_set_is_not_believed():
    now = datetime(2026, 3, 1, tzinfo=UTC)
    assert plausible(datetime(1970, 1, 1, tzinfo=UTC), now) is None
    assert plausible(now + timedelta(minutes=6), now) is None
    assert plausible(now + timedelta(minutes=4), now) == now
    assert plausible(now - timedelta(hours=5), now) == now - timedelta(hours=5)
    assert plausible(now.replace(tzinfo=None), now) is None
