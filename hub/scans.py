"""Scans at lanes: one decision for one scan (rows B6 to B12, C2, C3). How it ends is in `hub.passages`.

    scan ──▶ reserve what the purchase brings ──▶ passed: the code is used, the incentive committed
                                              └─▶ anything else: the code is free again, the incentive released

A code is used by passing, not by scanning: who scans and steps back may scan again and gets the same coupon ID. While a
scan's end is not reported it holds its code against other lanes, for `busy_s`. The same lane scanning anew means that its
former transaction is over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from config.hub_settings import HubSettings
from contract import exit_code
from contract.envelope import Message
from contract.exit_code import ExitClaims, ExitCodeError
from contract.payloads import (
    LaneDecision,
    LaneScan,
    ReceiptLine,
)
from delivery.engine import Tx
from hub import coupons, lane_words
from hub.database import customers, lanes, sales, times, visits
from hub.database.customers import Customer
from hub.database.lanes import IncentiveRow, ScanRow
from hub.database.sales import CodeRow, SaleRow
from hub.days import plausible, recent_day, store_day
from hub.grants import Grants
from hub.money import money
from hub.passages import Passages
from hub.ranking import way_up
from hub.rules.policy import Policy
from hub.saying import count, decided, heard, sale_hop, say


@dataclass(frozen=True, slots=True)
class _Asked:
    """A scan and everything that the database knows of it."""

    message: Message
    scan: LaneScan
    sale: SaleRow | None
    customer: Customer | None
    visit: str

    @property
    def lane(self) -> tuple[str, str]:
        return self.message.ids["agent"], self.message.ids["lane"]


class Scans:
    """Scans of all lanes of the store."""

    def __init__(self, settings: HubSettings, keys: Mapping[str, Ed25519PublicKey], policy: Callable[[], Policy],
                 passages: Passages, grants: Grants, counters: Counter[str],
                 can_print: Callable[[str], bool] = lambda agent: True) -> None:  # fmt: skip  # noqa: ARG005
        self._settings, self._keys, self._policy = settings, keys, policy
        self._passages, self._grants, self._counters, self._can_print = passages, grants, counters, can_print

    def on_scan(self, message: Message, tx: Tx) -> None:
        """Decide, once: the same scan again gets the same decision again."""
        scan = message.data
        assert isinstance(scan, LaneScan)
        known = lanes.scan(tx.db, message.id)
        if known is not None:
            count(tx, self._counters, "scans_repeated")
            self._answer(
                tx, message, LaneDecision.model_validate_json(known.decision), known.visit, message.id, "the same again"
            )
            return
        asked = self._gather(tx, message, scan)
        words = f"code {scan.code_id} of sale {scan.sale} at {'/'.join(asked.lane)}"
        heard(tx, message, asked.visit, words, cause=sale_hop(tx, asked.visit, scan.sale))
        try:
            claims = self._verify(tx, scan)
        except ExitCodeError as error:
            count(tx, self._counters, f"scans_{error.reason}")
            self._refuse(tx, asked, error.reason, str(error))
            return
        self._decide(tx, asked, claims)

    def _gather(self, tx: Tx, message: Message, scan: LaneScan) -> _Asked:
        sale = sales.sale(tx.db, scan.sale)
        customer = customers.customer(tx.db, sale.customer) if sale and sale.customer else None
        visit = self._visit(tx, customer, scan) if customer else None
        # Nobody knows who left: the scan is a story of its own.
        return _Asked(message, scan, sale, customer, visit or message.id)

    def _visit(self, tx: Tx, customer: Customer, scan: LaneScan) -> str | None:
        when = plausible(scan.scanned, tx.utc) or tx.utc
        return visits.latest(tx.db, customer.customer, recent_day(when, self._settings.store.zone))

    def _verify(self, tx: Tx, scan: LaneScan) -> ExitClaims:
        """Check the code again, at the time of the scan: a lane that was alone may tell of it hours later."""
        if scan.digits and not scan.code:
            raise ExitCodeError("malformed", "the number stands for no exit code of this store")
        claims = exit_code.verify(scan.code, self._keys, store=self._settings.store.id, now=None)
        when = plausible(scan.scanned, tx.utc)
        if when is None or when < claims.issued:  # before the code existed: that clock is wrong
            when = tx.utc
        exit_code.judge_times(claims, when, self._settings.exit_code.leeway_s)
        if (claims.code_id, claims.sale) != (scan.code_id, scan.sale):
            raise ExitCodeError("malformed", "the scan names another code or sale than its code does", claims)
        return claims

    def _decide(self, tx: Tx, asked: _Asked, claims: ExitClaims) -> None:
        sales.add_code(tx.db, claims.code_id, claims.sale, times.text(claims.issued), times.text(claims.expires))
        code = sales.code(tx.db, claims.code_id)
        assert code is not None
        if (taken := self._not_free(tx, code, asked.lane)) is not None:
            count(tx, self._counters, f"scans_{taken[0]}")
            self._refuse(tx, asked, *taken)
        elif asked.sale is None and self._settings.exit_code.unknown_sale == "refuse":
            count(tx, self._counters, "scans_unknown_sale")
            # A lane that was alone has let her through.
            self._grants.owe(tx, code.code, asked.scan.sale, asked.message.id)
            self._refuse(tx, asked, "unknown_sale", "exit_code.unknown_sale = refuse, and this sale was never posted")
        else:
            self._open(tx, asked, code)

    def _not_free(self, tx: Tx, code: CodeRow, lane: tuple[str, str]) -> tuple[str, str] | None:
        """Why the code can't be used now, as a reason and in words; None: it can. A former scan that is over or given up is
        released."""
        if code.used is not None:
            return "already_used", f"used at {code.used} by scan {code.scan}"
        holder = lanes.scan(tx.db, code.scan) if code.scan else None
        if holder is None or holder.ended is not None:
            return None
        busy = tx.utc - times.time(holder.decided) < timedelta(seconds=self._settings.lane.busy_s)
        if busy and (holder.agent, holder.lane) != lane:
            return "in_use", f"scan {holder.scan} at {holder.agent}/{holder.lane} holds it and has not ended"
        self._passages.release(tx, holder, "superseded", "another scan of the same code", holder.scan)
        return None

    def _open(self, tx: Tx, asked: _Asked, code: CodeRow) -> None:
        count(tx, self._counters, "scans_opened")
        cause, row = self._grants.reserve(tx, asked.customer, asked.sale, code=code.code, scan=asked.message.id,
                                          named=asked.scan.sale, visit=asked.visit, can_print=self._can_print(asked.lane[0]))  # fmt: skip
        lines = self._receipt(tx, asked, row) if row is not None else []
        policy, who, store, lane = self._policy(), asked.customer, self._settings.store, self._settings.lane
        up = way_up(tx.db, who.customer, policy.ranking, store_day(tx.utc, store.zone)) if who else None
        if up is not None and not up.within(lane.rank_within_minor, lane.rank_within_visits):
            up = None
        decision = LaneDecision(
            scan=asked.message.id,
            outcome="open",
            incentive=coupons.as_message(row, lines) if row else None,
            code_id=code.code if asked.scan.digits else None,  # so that the lane knows it as used when it is alone
            code_expires=times.time(code.expires) if asked.scan.digits else None,
            show=lane_words.show(policy.messages, who, row),
            screen=lane_words.screen(policy.messages, who, row, up, store.currency),
            open_s=lane.open_s,
        )
        sales.hold_code(tx.db, code.code, asked.message.id)
        self._conclude(tx, asked, decision, cause, f"open, {row.give + ' ' + row.coupon if row else 'no incentive'}",
                       row.coupon if row else None)  # fmt: skip

    def _receipt(self, tx: Tx, asked: _Asked, row: IncentiveRow) -> list[ReceiptLine]:
        text = self._grants.receipt(row.rule)
        if row.give != "print" or text is None:
            return []
        language = asked.customer.language if asked.customer else self._settings.store.language
        zone, store = self._settings.store.zone, self._settings.store.name
        places = {
            "name": lane_words.name(self._policy().messages, asked.customer, language),
            "title": row.title_en if language == "en" else row.title_ja,
            "coupon": row.coupon,
            "store": store.en if language == "en" else store.ja,
            "valid_until": times.time(row.valid_until).astimezone(zone).strftime("%Y-%m-%d"),
            "issued": tx.utc.astimezone(zone).strftime("%Y-%m-%d %H:%M"),
            "amount": f"{asked.sale.amount_minor:,}" if asked.sale else "",
            "minimum": _money(row.minimum_minor, self._settings.store.currency, language),
        }
        return coupons.receipt(text, language, places)

    def _refuse(self, tx: Tx, asked: _Asked, reason: str, detail: str) -> None:
        cause = decided(tx, asked.visit, asked.message.id, "refused", f"refused, {reason}: {detail}")
        said = {"unknown_key": "bad_signature"}.get(reason, reason)
        decision = LaneDecision.model_validate(
            {
                "scan": asked.message.id,
                "outcome": "refuse",
                "reason": said,
                "show": lane_words.refused(self._policy().messages, asked.customer, reason),
                "open_s": self._settings.lane.open_s,
            }
        )
        self._conclude(tx, asked, decision, cause, f"refuse: {reason}", None)

    def _conclude(
        self, tx: Tx, asked: _Asked, decision: LaneDecision, cause: str, summary: str, coupon: str | None
    ) -> None:
        agent, lane = asked.lane
        lanes.add_scan(
            tx.db,
            ScanRow(asked.message.id, asked.scan.code_id, asked.scan.sale, asked.customer.customer if asked.customer else None,
                    asked.visit, agent, lane, decision.outcome, decision.reason, times.text(tx.utc),
                    decision.model_dump_json(), coupon, None, None),
        )  # fmt: skip
        self._answer(tx, asked.message, decision, asked.visit, cause, summary)

    def _answer(
        self, tx: Tx, message: Message, decision: LaneDecision, visit: str | None, cause: str, summary: str
    ) -> None:
        say(tx, "lane_decision", decision, summary, visit=visit, cause=cause, **message.ids)


def _money(minor: int, currency: str, language: str) -> str:
    words = money(minor, currency)
    return words.en if language == "en" else words.ja
