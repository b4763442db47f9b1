"""People who passed a counter: visits without an identity, added up by the store's day (row A13)."""

from __future__ import annotations

from collections import Counter
from functools import partial
from zoneinfo import ZoneInfo

from contract.envelope import Message
from contract.payloads import VisitorsCounted
from delivery.engine import Tx
from hub.database import visitors
from hub.days import plausible, store_day
from hub.saying import count


class Visitors:
    """Takes counts."""

    def __init__(self, zone: ZoneInfo, counters: Counter[str]) -> None:
        self._zone, self._counters = zone, counters

    def on_counted(self, message: Message, tx: Tx) -> None:
        """So many came in and went out since the counter's last message. They belong to the day on which they were counted."""
        counted = message.data
        assert isinstance(counted, VisitorsCounted)
        until = plausible(counted.until, tx.utc)
        if until is None:
            count(tx, self._counters, "implausible_clocks")
        day = store_day(until or tx.utc, self._zone)
        visitors.add(tx.db, day, message.ids["agent"], message.ids["device"], counted.entered, counted.left)
        tx.after_commit(partial(self._add, counted.entered, counted.left))

    def _add(self, entered: int, left: int) -> None:
        self._counters["visitors_entered"] += entered
        self._counters["visitors_left"] += left
