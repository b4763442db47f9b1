"""What lanes tell beside scans and passages: a coupon on the display, and who passed without having been let through."""

from __future__ import annotations

from collections import Counter
from zoneinfo import ZoneInfo

from contract.envelope import Message
from contract.payloads import LaneIncident, LaneShown
from delivery.engine import Tx
from hub.database import lane_calls, lanes, times
from hub.database.lane_calls import IncidentRow
from hub.days import plausible, store_day
from hub.saying import count, heard


class LaneReports:
    """Written down, counted, and in the trace."""

    def __init__(self, zone: ZoneInfo, counters: Counter[str]) -> None:
        self._zone, self._counters = zone, counters

    def on_shown(self, message: Message, tx: Tx) -> None:
        """A coupon's code was on the display. What her terminal did not read is given electronically when she passes."""
        shown = message.data
        assert isinstance(shown, LaneShown)
        row, scan = lanes.incentive(tx.db, shown.coupon), lanes.scan(tx.db, shown.scan)
        words = f"coupon {shown.coupon} on the display: {shown.outcome} {shown.detail}"
        heard(tx, message, scan.visit if scan else message.id, words.rstrip())
        count(tx, self._counters, f"coupons_shown_{shown.outcome}")
        if row is not None and row.give == "display":
            lanes.paper(tx.db, row.coupon, shown.outcome, "display" if shown.outcome == "read" else "electronic")

    def on_incident(self, message: Message, tx: Tx) -> None:
        """Somebody passed, or tried to, without a code."""
        told = message.data
        assert isinstance(told, LaneIncident)
        agent, lane = message.ids["agent"], message.ids["lane"]
        seen = plausible(told.seen, tx.utc) or tx.utc
        row = IncidentRow(message.id, agent, lane, told.kind, told.direction, told.count, told.scan, told.detail,
                          times.text(seen), store_day(seen, self._zone))  # fmt: skip
        if not lane_calls.add_incident(tx.db, row):
            return
        for _ in range(min(told.count, 100)):
            count(tx, self._counters, f"lane_incidents_{told.kind}")
        scan = lanes.scan(tx.db, told.scan) if told.scan else None
        how_many = f" ({told.count} persons)" if told.count > 1 else ""
        words = f"{told.kind} at {agent}/{lane}{how_many} {told.detail}"
        heard(tx, message, scan.visit if scan else message.id, words.rstrip())
