"""Times in the database: UTC, RFC 3339 with six decimals, so that text sorts as time does."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(maxsize=64)  # a transaction says its time many times
def text(when: datetime) -> str:
    """An aware time as text."""
    return when.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def time(text: str) -> datetime:
    """The time of `text`."""
    return datetime.fromisoformat(text)
