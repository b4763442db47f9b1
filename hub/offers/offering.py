"""Coupons for whoever came (rows A11, A13): decided soon after a visit is opened, sent until her terminal has kept them.

Not in the visit's own transaction: the clerk's alert must not wait for a look into half a year of purchases. A visit without
a decision is found again after a crash.

    offered ──redeemed at the POS──▶ redeemed
       ├── its last day is over ──▶ expired
       └── taken back by the store ──▶ withdrawn
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from config.coupons import CouponRule
from contract.envelope import Message
from contract.payloads import Bilingual, CouponIssued, CouponKept, MemberCoupon
from delivery.engine import Tx
from hub.arrivals import rule_values
from hub.born import age as age_of
from hub.database import consents, coupons, customers, times, trace
from hub.database.consents import Purpose
from hub.database.coupons import CouponRow
from hub.days import store_day
from hub.offers.measures import Bought, measure
from hub.rules.condition import Value
from hub.rules.coupon_table import Chosen
from hub.rules.policy import Policy
from hub.saying import count, decided, heard, say

A_TURN = 50
"""Visits and expiries looked at in one tick, so that a rush does not hold up a lane."""
LATE = timedelta(hours=12)
"""News of an agent that was alone for longer: she is at home by now."""
OnCoupon = Callable[[Tx, str, str, CouponRow, str], None]
"""(tx, visit, customer, coupon, cause): a clerk is to recommend this coupon."""


class Offers:
    """Decides, delivers, lets expire. `to_clerk` hears of coupons that a clerk is to recommend."""

    def __init__(
        self, zone: ZoneInfo, policy: Callable[[], Policy], counters: Counter[str], to_clerk: OnCoupon | None = None
    ) -> None:
        self._zone, self._policy, self._counters, self._to_clerk = zone, policy, counters, to_clerk

    def tick(self, tx: Tx) -> None:
        """What visits bring, and what is over. Call about once a second."""
        for visit, customer, opened, good in coupons.undecided(tx.db, A_TURN):
            self._decide(tx, visit, customer, times.time(opened), good)
        for row in coupons.past(tx.db, times.text(tx.utc), A_TURN):
            self.changed(tx, coupons.change(tx.db, row.coupon, "expired"), None, "its last day is over")

    def choose(self, tx: Tx, customer: str, good: bool) -> Chosen:
        """What a visit of this customer would bring now; changes nothing (`instore rules try`)."""
        policy = self._policy()
        file = policy.coupons.file
        if file.good_customers_only and not good:
            return Chosen((), "no: coupons are for good customers only")
        if consents.in_force(tx.db, customer, Purpose.COUPONS) is None and consents.any_known(tx.db, customer):
            return Chosen((), "no: she has not agreed to coupons by what she bought")
        return policy.coupons.choose(self.values(tx, customer), lambda rule: self._full(tx, rule, customer))

    def values(self, tx: Tx, customer: str) -> dict[str, Value]:
        """What the conditions of the table may name of this customer; what is not known is not there."""
        policy = self._policy()
        found = customers.customer(tx.db, customer)
        assert found is not None
        since = store_day(tx.utc - timedelta(days=policy.coupons.file.period_days), self._zone)
        rows = [Bought(*row) for row in coupons.bought(tx.db, customer, since)]
        values = {**rule_values(found, policy), **measure(rows, policy.coupons.file.categories)}
        born, gender = coupons.born_and_gender(tx.db, customer)
        age = age_of(born, store_day(tx.utc, self._zone))
        return values | ({} if age is None else {"age": age}) | ({"gender": gender} if gender else {})

    def _full(self, tx: Tx, rule: CouponRule, customer: str) -> str:
        """Which limit is reached, or ""."""
        since = times.text(tx.utc - timedelta(days=self._policy().coupons.file.period_days))
        if coupons.issued_to(tx.db, rule.name, customer, since) >= rule.limit_per_customer:
            return f"she had {rule.limit_per_customer} in the period"
        if rule.limit is not None and coupons.issued_count(tx.db, rule.name) >= rule.limit:
            return f"all {rule.limit} are issued"
        if rule.budget_minor is not None:
            out = coupons.spent(tx.db, rule.name, open_too=True)
            if out + rule.amount_minor > rule.budget_minor:
                return f"its budget of {rule.budget_minor} is used up ({out} are out)"
        return ""

    def _decide(self, tx: Tx, visit: str, customer: str, opened: datetime, good: bool) -> None:
        if customers.customer(tx.db, customer) is None:  # erased meanwhile
            coupons.decide(tx.db, visit, "")
            return
        if tx.utc - opened > LATE:
            coupons.decide(tx.db, visit, f"no: she was heard at {times.text(opened)}, the news came too late")
            return
        cause = trace.id_of(tx.db, visit, "instore.visit.opened.v1") or visit
        chosen = self.choose(tx, customer, good)
        coupons.decide(tx.db, visit, chosen.because)
        why = decided(tx, visit, cause, "coupon", f"coupon? {chosen.because}")
        if not chosen.rules:
            count(tx, self._counters, "coupons_none")
        for rule in chosen.rules:
            self._issue(tx, visit, customer, rule, why)

    def _issue(self, tx: Tx, visit: str, customer: str, rule: CouponRule, cause: str) -> None:
        file = self._policy().coupons.file
        terminal = file.deliver_to != "clerk"
        begins, ends = _validity(rule, tx.utc, self._zone)
        text = rule.text or rule.title
        row = CouponRow(f"H{secrets.token_hex(8).upper()}", customer, rule.name, rule.kind, rule.title.ja, rule.title.en,
                        text.ja, text.en, rule.amount_minor, rule.points, times.text(tx.utc), times.text(begins),
                        times.text(ends), "offered", 1, terminal, 0)  # fmt: skip
        coupons.add(tx.db, row)
        count(tx, self._counters, "coupons_issued")
        self.changed(tx, row, visit, f"{rule.name}: given", cause)
        if self._to_clerk is not None and file.deliver_to != "terminal":
            self._to_clerk(tx, visit, customer, row, cause)

    def changed(self, tx: Tx, row: CouponRow, visit: str | None, why: str, cause: str | None = None) -> None:
        """Tell the terminal and whoever watches of a coupon's newest state."""
        if row.customer is None:
            return
        if row.state != "offered":
            count(tx, self._counters, f"coupons_{row.state}")
        state = CouponIssued.model_validate(
            {"coupon": row.coupon, "customer": row.customer, "rule": row.rule, "state": row.state}
        )
        said = say(tx, "coupon_issued", state, f"{row.coupon} {row.state} ({why})", visit=visit, cause=cause)
        if row.to_terminal:
            say(tx, "member_coupon", as_message(row), f"{row.coupon} to her terminal: {row.state}", visit=visit, cause=said,
                customer=row.customer)  # fmt: skip

    # --- her terminal

    def on_terminal(self, customer: str, tx: Tx) -> None:
        """A terminal signed in: tell it what it should have."""
        for row in coupons.for_terminal(tx.db, customer):
            tx.send("member_coupon", as_message(row), customer=customer)

    def on_kept(self, message: Message, tx: Tx) -> None:
        """Her terminal has kept a coupon. Another's is none of its business."""
        kept = message.data
        assert isinstance(kept, CouponKept)
        row = coupons.read(tx.db, kept.coupon)
        if row is None or row.customer != message.ids["customer"] or kept.customer != message.ids["customer"]:
            count(tx, self._counters, "coupons_kept_by_others")
            return
        if kept.revision > row.kept:
            coupons.kept(tx.db, row.coupon, min(kept.revision, row.revision))
            heard(tx, message, message.visit, f"{row.coupon}: kept by her terminal")


def as_message(row: CouponRow) -> MemberCoupon:
    """A coupon as her terminal gets it."""
    return MemberCoupon.model_validate(
        {
            "coupon": row.coupon,
            "customer": row.customer,
            "title": Bilingual(ja=row.title_ja, en=row.title_en),
            "text": Bilingual(ja=row.text_ja, en=row.text_en),
            "code": row.coupon,
            "kind": row.kind,
            "amount_minor": row.amount_minor,
            "state": row.state,
            "valid_from": times.time(row.valid_from),
            "valid_until": times.time(row.valid_until),
            "revision": row.revision,
        }
    )


def _validity(rule: CouponRule, now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """From now or the beginning of a later day of the store, to the end of the last one."""
    today = now.astimezone(zone).date()
    first, last = (
        today + timedelta(days=rule.begins_after_days),
        today + timedelta(days=rule.begins_after_days + rule.valid_days),
    )
    begins = now if first == today else datetime.combine(first, time(), zone)
    return begins, datetime.combine(last, time(), zone)
