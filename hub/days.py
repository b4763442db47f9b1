"""The store's day, pure: which calendar day of the store's time zone a moment belongs to, across midnight and DST."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

AHEAD_MAX = timedelta(minutes=5)
BEHIND_MAX = timedelta(days=7)
"""An agent may have been offline for so long. Beyond, its clock was never set (a Pi has no battery clock)."""


def store_day(when: datetime, zone: ZoneInfo) -> str:
    """The day as `2026-03-01`. `when` is aware.

    A day begins when its date is shown for the first time. Where clocks go back over midnight, the old date is shown once more;
    that hour belongs to the new day: a day that has begun never begins again.
    """
    local = when.astimezone(zone)
    if local.fold:
        tomorrow = local.date() + timedelta(days=1)
        if datetime.combine(tomorrow, time(), zone) <= when.astimezone(UTC):
            return tomorrow.isoformat()
    return local.date().isoformat()


def recent_day(when: datetime, zone: ZoneInfo) -> str:
    """The first day whose visit may still be going on at this moment: a store may be open past midnight."""
    return store_day(when - timedelta(hours=12), zone)


def plausible(said: datetime, now: datetime) -> datetime | None:
    """What an agent's clock said, or None when that clock can't be right; `now` is the hub's."""
    if said.tzinfo is None or not now - BEHIND_MAX <= said <= now + AHEAD_MAX:
        return None
    return min(said, now)
