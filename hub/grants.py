"""Grants in the database: what a purchase brings is decided, reserved, and due, each inside the transaction that says so (rows B7, C3).

One writer decides: what is reserved counts against budgets and limits at once, so that two lanes at the same moment can't both
have the last one. What is released is free again, but for a slip that was printed: it is in her hand and keeps its place.

    scan ──▶ reserved ──passed──▶ committed            it keeps its place in the budget
                 └──nobody passed──▶ released ──scanned again──▶ reserved, if there is still room; else the rules are asked anew
    scan of a sale that is not known, passed ──▶ owed ──the sale arrives──▶ committed, electronically
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from config.incentives import IncentiveRule, Period, ReceiptText
from config.words import Words
from delivery.engine import Tx
from hub import coupons
from hub.database import customers, grants, lanes, products, sales, times
from hub.database.customers import Customer
from hub.database.grants import OwedRow, PartRow
from hub.database.lanes import IncentiveRow, ScanRow
from hub.database.sales import SaleRow
from hub.days import store_day
from hub.incentive_values import incentive_values
from hub.rules.condition import Value
from hub.rules.granting import Grant, Outcome, decide
from hub.rules.incentives import Out, Room
from hub.rules.policy import Policy
from hub.rules.reaching import least_amount
from hub.saying import count, decided

SAID_MAX = 4000
"""Characters of an explanation that a trace or a coupon carries; a file may have a hundred rules."""
OWED_DAYS = 30
"""A sale that never came: longer than any till is alone."""


class Grants:
    """Decides and keeps account. `policy` is asked each time, so that a reload holds at once."""

    def __init__(self, zone: ZoneInfo, policy: Callable[[], Policy], counters: Counter[str]) -> None:
        self._zone, self._policy, self._counters = zone, policy, counters

    # --- to decide, changing nothing

    def decide(self, tx: Tx, customer: Customer | None, sale: SaleRow) -> Outcome:
        """What this sale brings now."""
        return self.with_values(tx, customer, self.values(customer, sale))

    def values(self, customer: Customer | None, sale: SaleRow) -> dict[str, Value]:
        """What the rules know of a sale."""
        return incentive_values(customer, self._policy(), amount_minor=sale.amount_minor, paid_on=sale.paid_on,
                                registered_on=sale.registered_on, payment_number=sale.payment_number)  # fmt: skip

    def with_values(self, tx: Tx, customer: Customer | None, values: dict[str, Value]) -> Outcome:
        """The same for values that somebody has thought of."""
        return decide(self._policy().incentives, values, self._room(tx, customer), now=tx.utc, zone=self._zone,
                      product=lambda code: _named(tx, code))  # fmt: skip

    def least_amount(self, tx: Tx, customer: Customer | None, values: dict[str, Value], above: int) -> int | None:
        """The least larger amount with which these values would bring something; None: no amount would."""
        return least_amount(self._policy().incentives, values, self._room(tx, customer), above)

    def _room(self, tx: Tx, customer: Customer | None) -> Room:
        today = store_day(tx.utc, self._zone)

        def room(rule: IncentiveRule, number: int | None) -> Out:
            count = worth = hers = 0
            if rule.budget_count is not None or rule.budget_minor is not None:
                count, worth = grants.out(tx.db, rule.name, begins(rule.budget_period, today))
            if rule.per_customer is not None and customer is not None:
                hers = grants.hers(tx.db, rule.name, customer.customer, begins(rule.per_customer.period, today))
            same = (
                number is not None and customer is not None and grants.had(tx.db, rule.name, customer.customer, number)
            )
            return Out(count, worth, hers, same)

        return room

    # --- a scan

    def reserve(self, tx: Tx, customer: Customer | None, sale: SaleRow | None, *, code: str, scan: str, named: str,
                visit: str, can_print: bool = True) -> tuple[str, IncentiveRow | None]:  # fmt: skip
        """For a scan that opens: the decision's ID in the trace, and what is reserved. `named`: the sale that the code names;
        `can_print`: a slip may come out there."""
        former = lanes.incentive_of_code(tx.db, code)
        if former is not None and self._still_room(tx, former, customer):
            give = self._again(former, can_print)
            lanes.reserve_again(tx.db, former.coupon, scan, give)
            cause = decided(tx, visit, scan, "incentive", f"{former.rule}: reserved again, {former.coupon}")
            return cause, lanes.incentive(tx.db, former.coupon)
        if sale is None:
            self.owe(tx, code, named, scan)
            why = "none: the sale is not known; it follows when the sale arrives"
            return decided(tx, visit, scan, "incentive", why), None
        grants.settled(tx.db, code)
        outcome = self.decide(tx, customer, sale)
        self._count(tx, outcome)
        said = [] if former is None else [f"what was released ({former.rule}) has no room any more"]
        grant, give = outcome.grant, ""
        if grant is not None:
            give = grant.given(can_print=can_print, known=customer is not None)
            if give != grant.give:
                said.append(f"{give}, as no printer there can print")
        cause = decided(tx, visit, scan, "incentive", f"incentive? {'; '.join([*said, str(outcome)])}"[:SAID_MAX])
        if grant is None:
            return cause, None
        row = coupons.reserve(grant, coupon=coupons.new_coupon_id(), code=code, scan=scan, sale=sale.sale, now=tx.utc, give=give,
                              because=str(outcome)[:SAID_MAX], customer=customer.customer if customer else None)  # fmt: skip
        if former is not None:  # one code has one coupon ID for life, and what became of its paper stays known
            row = replace(row, coupon=former.coupon, paper=former.paper)
            row = replace(row, give=self._again(row, can_print))
        return cause, self._write(tx, grant, row)

    def _again(self, former: IncentiveRow, can_print: bool) -> str:
        """How it is given now. A slip that was printed is in the customer's hand: no second one. Nor one whose rule is gone, or one
        that failed. Who is not known has no terminal of hers: the display shows her the code."""
        if former.paper == "" and (former.give != "print" or (can_print and self.receipt(former.rule) is not None)):
            return former.give
        return "electronic" if former.customer is not None or former.paper == "printed" else "display"

    def owe(self, tx: Tx, code: str, sale: str, scan: str) -> None:
        """A code whose sale is not known: if somebody passes with it, the incentive follows when the sale arrives."""
        grants.owe(tx.db, OwedRow(code, sale, scan, None))

    def _still_room(self, tx: Tx, former: IncentiveRow, customer: Customer | None) -> bool:
        """Whether what was released may be reserved again. A rule that is gone from the file has no limits any more."""
        if former.state != "released" or former.paper == "printed":
            return True
        rules = {rule.name: rule for rule in self._policy().incentives.file.incentive}
        room, full = self._room(tx, customer), self._policy().incentives.full
        return not any(
            full(rules[part.rule], part.worth_minor, part.number, room(rules[part.rule], part.number))
            for part in grants.parts(tx.db, former.coupon)
            if part.rule in rules
        )

    def _write(self, tx: Tx, grant: Grant, row: IncentiveRow) -> IncentiveRow:
        lanes.write_incentive(tx.db, row)
        today = store_day(tx.utc, self._zone)
        grants.write_parts(tx.db, row.coupon, [
            PartRow(row.coupon, part.rule.name, today, part.amount_minor, part.percent, part.points, part.product,
                    part.worth_minor, part.number)
            for part in grant.parts
        ])  # fmt: skip
        count(tx, self._counters, "incentives_reserved")
        return row

    def _count(self, tx: Tx, outcome: Outcome) -> None:
        for verdict in {each.verdict for each in outcome.judged} & {"over_budget", "over_limit"}:
            count(tx, self._counters, f"incentives_{verdict}")
        for _ in outcome.failed:
            count(tx, self._counters, "rules_failed")

    def receipt(self, rules: str) -> ReceiptText | None:
        """The slip of the first of these rules (`a+b`) that has one; None: they are gone."""
        known = {rule.name: rule.receipt for rule in self._policy().incentives.file.incentive}
        return next((known[name] for name in rules.split("+") if known.get(name) is not None), None)

    # --- paper

    def on_paper(self, tx: Tx, row: IncentiveRow, outcome: str, visit: str | None, cause: str) -> str:
        """What counts as having become of its paper. A lane that was cut off may tell of a slip when nobody has passed and others
        have had what was left: it is in doubt then, like one that was not confirmed, and keeps no place in the budget."""
        customer = customers.customer(tx.db, row.customer) if row.customer is not None else None
        if outcome != "printed" or self._still_room(tx, row, customer):
            return outcome
        count(tx, self._counters, "incentives_lost_room")
        decided(tx, visit, cause, "slip", f"{row.coupon} was released, and others have had what was left of {row.rule}: its slip is worth nothing")  # fmt: skip
        return "unknown"

    # --- a passage

    def on_passed(self, tx: Tx, scan: ScanRow, cause: str) -> IncentiveRow | None:
        """She has passed with a code: her exit is counted, her points are added, once. Returns what is to be committed."""
        row = lanes.incentive_of_code(tx.db, scan.code)
        owed = grants.owed(tx.db, scan.code) if row is None else None
        if owed is not None:
            sale = sales.sale(tx.db, owed.sale)
            grants.owe(tx.db, OwedRow(owed.code, owed.sale, scan.scan, times.text(tx.utc)))
            return self._follows(tx, scan, sale, cause) if sale is not None else None
        customer = customers.customer(tx.db, scan.customer) if scan.customer is not None else None
        if row is not None and not self._still_room(tx, row, customer):
            decided(
                tx,
                scan.visit,
                cause,
                "none",
                f"{row.coupon} was released, and others have had what was left of {row.rule}",
            )
            count(tx, self._counters, "incentives_lost_room")
            row = None
        self._left(tx, scan, customer, row, cause)
        return row

    def on_sale(self, tx: Tx, sale: SaleRow) -> tuple[ScanRow, IncentiveRow] | None:
        """A sale is known now, or whose it is. If its code was let through before: what is to be committed for that scan."""
        for owed in grants.owed_for(tx.db, sale.sale):
            scan = lanes.scan(tx.db, owed.scan)
            if scan is not None and (row := self._follows(tx, scan, sale, scan.scan)) is not None:
                return scan, row
        return None

    def _follows(self, tx: Tx, scan: ScanRow, sale: SaleRow, cause: str) -> IncentiveRow | None:
        """She has left with a code whose sale came later: hers electronically. Whose ID nobody has yet may still be entered."""
        customer = customers.customer(tx.db, sale.customer) if sale.customer is not None else None
        if customer is None and sale.unclaimed is not None:
            return None
        grants.settled(tx.db, scan.code)
        if customer is None or sale.void is not None:
            why = "the sale was voided" if sale.void is not None else "nobody knows whose purchase it was"
            decided(tx, scan.visit, cause, "late", f"incentive? no: the sale came after she had left, and {why}")
            return None
        outcome = self.decide(tx, customer, sale)
        decided(tx, scan.visit, cause, "late", f"incentive? the sale came after she had left: {outcome}"[:SAID_MAX])
        self._count(tx, outcome)
        row = None
        if outcome.grant is not None:
            row = coupons.reserve(outcome.grant, coupon=coupons.new_coupon_id(), code=scan.code, scan=scan.scan, sale=sale.sale,
                                  now=tx.utc, give="electronic", because=str(outcome)[:SAID_MAX],
                                  customer=customer.customer)  # fmt: skip
            self._write(tx, outcome.grant, row)
        self._left(tx, scan, customer, row, cause)
        return row

    def _left(self, tx: Tx, scan: ScanRow, customer: Customer | None, row: IncentiveRow | None, cause: str) -> None:
        if customer is None:
            return
        points = row.points if row is not None else 0
        customers.left_with_code(tx.db, customer.customer, points)
        if points and row is not None:
            count(tx, self._counters, "points_given")
            decided(tx, scan.visit, cause, "points", f"{points} points by {row.rule}, {row.coupon}: {customer.points} are now "
                    f"{customer.points + points}")  # fmt: skip

    def clean(self, tx: Tx) -> None:
        """Sales that never came; call now and then."""
        grants.forget_owed(tx.db, times.text(tx.utc - timedelta(days=OWED_DAYS)))


def begins(period: Period, today: str) -> str:
    """The first day of a period of the store's calendar, "" for all time."""
    return {"day": today, "month": f"{today[:7]}-01", "year": f"{today[:4]}-01-01", "all": ""}[period]


def ends(period: Period, day: str) -> str:
    """The last day of the period that a day lies in, or a text after every day that it may have."""
    return {"day": day, "month": f"{day[:7]}-31", "year": f"{day[:4]}-12-31", "all": "9999"}[period]


def _named(tx: Tx, code: str) -> Words:
    row = products.product(tx.db, code)
    return Words.model_construct(ja=row.name_ja, en=row.name_en) if row is not None else Words(ja=code, en=code)
