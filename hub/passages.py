"""What lanes report: paper, gate, passage; and the settling of accounts that follows (rows B12, C2, C3, C4).

A code is used by passing, not by scanning. A lane that was alone has opened by itself: its scan and its passage arrive late
and together, and are settled as they happened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo

from contract.envelope import Message
from contract.payloads import IncentiveSettled, LaneOpened, LanePassage, LanePrinted, LaneRefused
from delivery.engine import Tx
from hub.database import lane_calls, lanes, sales, times, visits
from hub.database.lane_calls import IncidentRow
from hub.database.lanes import IncentiveRow, ScanRow
from hub.database.sales import SaleRow
from hub.days import recent_day, store_day
from hub.grants import Grants
from hub.saying import count, decided, heard, say


class Passages:
    """Ends of scans: commits and releases."""

    def __init__(self, zone: ZoneInfo, grants: Grants, counters: Counter[str],
                 settled: Callable[[Tx, IncentiveRow, Sequence[str]], None] | None = None) -> None:  # fmt: skip
        self._zone, self._grants, self._counters, self._settled = zone, grants, counters, settled

    def on_refused(self, message: Message, tx: Tx) -> None:
        """The lane refused a code by itself."""
        refused = message.data
        assert isinstance(refused, LaneRefused)
        count(tx, self._counters, f"lane_refused_{refused.reason}")
        code = sales.code(tx.db, refused.code_id) if refused.code_id else None
        sale = sales.sale(tx.db, code.sale) if code else None
        visit = visits.latest(tx.db, sale.customer, recent_day(tx.utc, self._zone)) if sale and sale.customer else None
        heard(tx, message, visit or message.id, f"the lane refused a code: {refused.reason} {refused.detail}")

    def on_printed(self, message: Message, tx: Tx) -> None:
        """What became of the paper. What was not confirmed is given electronically too: it is redeemed once by its ID."""
        printed = message.data
        assert isinstance(printed, LanePrinted)
        row, scan = lanes.incentive(tx.db, printed.coupon), lanes.scan(tx.db, printed.scan)
        heard(tx, message, scan.visit if scan else message.id,
              f"coupon {printed.coupon} {printed.outcome} after {printed.attempts} tries {printed.detail}".rstrip())  # fmt: skip
        if row is None:
            count(tx, self._counters, "printed_unknown_coupon")
            return
        count(tx, self._counters, f"coupons_{printed.outcome}")
        if row.paper != "printed":
            outcome = self._grants.on_paper(tx, row, printed.outcome, scan.visit if scan else message.id, message.id)
            lanes.paper(tx.db, row.coupon, outcome, "print" if outcome == "printed" else "electronic")
            if row.state == "committed":  # she has passed already
                self._tell_giving(tx, row.coupon)

    def on_opened(self, message: Message, tx: Tx) -> None:
        """The gate took the command: no evidence of an exit."""
        opened = message.data
        assert isinstance(opened, LaneOpened)
        count(tx, self._counters, "gates_opened")
        scan = lanes.scan(tx.db, opened.scan)
        heard(tx, message, scan.visit if scan else message.id,
              f"gate opened, command {opened.command}{', the lane was alone' if opened.offline else ''}")  # fmt: skip

    def on_passage(self, message: Message, tx: Tx) -> None:
        """The end of a lane's transaction: commit, or release (row C3)."""
        passage = message.data
        assert isinstance(passage, LanePassage)
        scan = lanes.scan(tx.db, passage.scan) if passage.scan else None
        words = f"{passage.outcome} ({passage.direction}){', the lane was alone' if passage.offline else ''} {passage.detail}"
        heard(tx, message, scan.visit if scan else message.id, words.rstrip())
        if scan is None:
            count(tx, self._counters, "passages_without_scan")
            return
        if passage.outcome == "passed" and passage.direction == "exit":
            self._passed(tx, scan, message, passage)
        elif scan.ended is None:
            self.release(tx, scan, passage.outcome, words.rstrip(), message.id)

    def _passed(self, tx: Tx, scan: ScanRow, message: Message, passage: LanePassage) -> None:
        if scan.passage == "passed":
            return
        lanes.end_scan(tx.db, scan.scan, times.text(tx.utc), "passed")
        if sales.code(tx.db, scan.code) is None:  # refused as no code of ours, and yet the lane let it through
            count(tx, self._counters, "passages_after_refusal")
            return
        if not sales.use_code(tx.db, scan.code, scan.scan, times.text(tx.utc)):
            # Two lanes that were alone each let the same code through once: seen here, and the incentive is given once.
            count(tx, self._counters, "codes_passed_twice")
            decided(tx, scan.visit, message.id, "twice", "this code had been used: nothing is given a second time")
            self._twice(tx, scan, message)
            return
        count(tx, self._counters, "exits")
        row = self._grants.on_passed(tx, scan, message.id)
        if row is not None:
            if passage.offline and row.paper == "":  # the lane had no decision, so it printed nothing
                lanes.paper(tx.db, row.coupon, "", "electronic")
            self._settle(tx, scan, row, "committed", message.id, "passed")

    def _twice(self, tx: Tx, scan: ScanRow, message: Message) -> None:
        code = sales.code(tx.db, scan.code)
        first = lanes.scan(tx.db, code.scan) if code is not None and code.scan is not None else None
        where = f"{first.agent}/{first.lane}" if first is not None else "another lane"
        detail = f"code {scan.code} of sale {scan.sale} was used at {where} already; this lane was alone"
        lane_calls.add_incident(tx.db, IncidentRow(
            message.id, scan.agent, scan.lane, "code_twice", "exit", 1, scan.scan, detail, times.text(tx.utc),
            store_day(tx.utc, self._zone)))  # fmt: skip
        count(tx, self._counters, "lane_incidents_code_twice")

    def release(self, tx: Tx, scan: ScanRow, passage: str, why: str, cause: str) -> None:
        """A scan ended without a passage: its code is free again."""
        lanes.end_scan(tx.db, scan.scan, times.text(tx.utc), passage)
        code = sales.code(tx.db, scan.code)
        if code is None or code.scan != scan.scan or code.used is not None:
            return
        sales.hold_code(tx.db, scan.code, None)
        row = lanes.incentive_of_code(tx.db, scan.code)
        if row is not None and row.state == "reserved":
            self._settle(tx, scan, row, "released", cause, why)

    def on_sale(self, tx: Tx, sale: SaleRow) -> None:
        """A sale is known now: what is owed to who has left with its code before follows."""
        due = self._grants.on_sale(tx, sale)
        if due is not None:
            scan, row = due
            self._settle(tx, scan, row, "committed", scan.scan, "the sale came after she had left")

    def _settle(self, tx: Tx, scan: ScanRow, row: IncentiveRow, state: str, cause: str, why: str) -> None:
        lanes.settle(tx.db, row.coupon, state, times.text(tx.utc))
        count(tx, self._counters, f"incentives_{state}")
        data = IncentiveSettled.model_validate(
            {"coupon": row.coupon, "scan": scan.scan, "outcome": state, "detail": why[:500]}
        )
        say(tx, "incentive_settled", data, f"{row.rule} {row.coupon} {state}", visit=scan.visit, cause=cause)
        self._tell_giving(tx, row.coupon)

    def _tell_giving(self, tx: Tx, coupon: str) -> None:
        """What is hers and is not on paper is given electronically (row C4)."""
        row = lanes.incentive(tx.db, coupon)
        if self._settled is not None and row is not None:
            self._settled(tx, row, row.ways.split())
