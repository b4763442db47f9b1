"""Sales that the POS posts: counted once, whatever is posted twice; the answer is the exit code (rows A3, B1, B4).

What can't be taken raises SaleRefused and changes nothing. What is real all the same (money was paid) is taken, and `problems`
of the answer say what was not as it should be: an ID that nobody has, a clock that is ahead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from config.hub_settings import HubSettings
from contract import exit_code
from contract.exit_code import ExitClaims
from delivery.engine import Tx
from hub.database import customers, sales, times, visits
from hub.database.sales import CodeRow, SaleRow
from hub.days import AHEAD_MAX, recent_day, store_day
from hub.exit_keys import KeyRing
from hub.ranking import rerank
from hub.rules.policy import Policy
from hub.sale_shapes import Problem, SaleLine, SalePost, SaleRefused, SaleTaken, SaleVoided, Tender, VoidPost
from hub.saying import bought, count, taken_back

SOLD_BEFORE_MAX = timedelta(days=400)
"""A POS may have been alone for long, but not so long: its clock was never set."""


@dataclass(frozen=True)
class Purchases:
    """Takes sales and voids."""

    settings: HubSettings
    keys: KeyRing
    policy: Callable[[], Policy]
    counters: Counter[str]
    on_sale: Callable[[Tx, SaleRow], None] = lambda tx, sale: None  # noqa: ARG005
    """Hears of each sale once it is known, and once it is known whose it is: what is owed for it follows."""

    # --- a sale

    def post(self, tx: Tx, sale: SalePost, posted_by: str, said: SalePost | None = None) -> SaleTaken:
        """Take one sale in this transaction; `said`: as it was posted, if the hub has added to it. Raises SaleRefused; then
        nothing was changed."""
        self._check(tx, sale)
        fingerprint = (said or sale).fingerprint
        known = sales.sale(tx.db, sale.sale)
        if known is not None:
            return self._again(tx, sale, known, fingerprint)
        when, problems = self._when(tx, sale)
        day = store_day(when, self.settings.store.zone)
        buyer = sale.customer if sale.customer and customers.customer(tx.db, sale.customer) else None
        paid_on = sale.wholly_paid_on
        if paid_on != sale.paid_on:
            problems.append(Problem(field="paid_on", problem=f"by its tenders it was not paid on {sale.paid_on} (alone); it counts as {paid_on}"))  # fmt: skip
        row = SaleRow(sale.sale, None, sale.amount_minor, sale.currency, paid_on, sale.device, times.text(when), day,
                      posted_by, fingerprint, 0, sale.customer, None, None, sale.registered_on or "")  # fmt: skip
        sales.add(
            tx.db,
            row,
            [(line.product, line.name, line.category, line.quantity, line.amount_minor) for line in sale.lines],
            [
                (tender.method, tender.amount_minor, tender.paid_on or sale.paid_on, tender.device or sale.device)
                for tender in sale.tenders
            ],
        )
        count(tx, self.counters, "sales")
        if buyer is not None:
            self._credit(tx, row, buyer)
        elif sale.customer is not None:  # the purchase is real all the same
            count(tx, self.counters, "sales_unknown_customer")
            problems.append(_unknown(sale.customer))
        self._known(tx, sale.sale)
        return self._answer(tx, sale.sale, buyer is not None, problems, created=True)

    def _known(self, tx: Tx, sale: str) -> None:
        row = sales.sale(tx.db, sale)
        assert row is not None
        self.on_sale(tx, row)

    def _again(self, tx: Tx, sale: SalePost, known: SaleRow, fingerprint: str) -> SaleTaken:
        """A post of a known sale. An empty fingerprint: its customer was erased, so what was posted can't be compared."""
        if known.fingerprint not in ("", fingerprint):
            raise SaleRefused(
                "contradicting",
                "sale",
                f"sale {sale.sale} was posted before with another content; a correction needs an ID of its own",
                409,
            )
        if known.void is not None:
            raise SaleRefused("voided", "sale", f"sale {sale.sale} was voided by {known.void}", 409)
        count(tx, self.counters, "sales_repeated")
        problems: list[Problem] = []
        if known.unclaimed is not None:
            if customers.customer(tx.db, known.unclaimed) is None:
                problems.append(_unknown(known.unclaimed))
            else:  # she was entered meanwhile: nothing is lost
                self._credit(tx, known, known.unclaimed)
                self._known(tx, sale.sale)
                return self._answer(tx, sale.sale, True, problems, created=False)
        return self._answer(tx, sale.sale, known.customer is not None, problems, created=False)

    def _check(self, tx: Tx, sale: SalePost) -> None:
        if sale.currency != self.settings.store.currency:
            raise SaleRefused(
                "currency", "currency", f"currency is {sale.currency}, this store's is {self.settings.store.currency}"
            )
        for name, parts in (("tenders", sale.tenders), ("lines", sale.lines)):
            total = sum(part.amount_minor for part in parts)
            if parts and total != sale.amount_minor:
                raise SaleRefused(name, name, f"{name} add up to {total}, amount_minor is {sale.amount_minor}")
        if sale.sold is not None and sale.sold < tx.utc - SOLD_BEFORE_MAX:
            raise SaleRefused(
                "clock",
                "sold",
                f"sold is {sale.sold.isoformat()}, more than {SOLD_BEFORE_MAX.days} days ago; is the POS's clock set?",
            )

    def _when(self, tx: Tx, sale: SalePost) -> tuple[datetime, list[Problem]]:
        """When it was sold. A clock that is ahead must not keep a customer who has paid from leaving: ours stands for it."""
        if sale.sold is None or sale.sold <= tx.utc + AHEAD_MAX:
            return min(sale.sold or tx.utc, tx.utc), []
        count(tx, self.counters, "sales_clock_ahead")
        ahead = timedelta(seconds=round((sale.sold - tx.utc).total_seconds()))
        return tx.utc, [
            Problem(field="sold", problem=f"lies {ahead} ahead of the hub's clock; the hub's time was taken")
        ]

    def _credit(self, tx: Tx, sale: SaleRow, customer: str) -> None:
        """Visits, purchases, points and with them the rank."""
        policy = self.policy()
        per_point = policy.points.spent_per_point
        points = sale.amount_minor // per_point if per_point else 0
        new_visit = not sales.bought_on(tx.db, customer, sale.day)
        terminal = sale.paid_on == "terminal"
        payments = customers.bought(tx.db, customer, sale.amount_minor, points, new_visit=new_visit, terminal=terminal)
        sales.claim(tx.db, sale.sale, customer, points, payments if terminal else None)
        raised = self._rerank(tx, customer)
        visit = visits.latest(tx.db, customer, recent_day(tx.utc, self.settings.store.zone))
        if visit is not None:
            bought(tx, visit, sale.sale, f"{sale.sale}: {sale.amount_minor} {sale.currency} paid on {sale.paid_on}, "
                   f"{points} points{raised}")  # fmt: skip

    def _rerank(self, tx: Tx, customer: str) -> str:
        moved = rerank(tx.db, [customer], self.policy().ranking, store_day(tx.utc, self.settings.store.zone))
        if customer not in moved:
            return ""
        count(tx, self.counters, "ranks_changed")
        return f"; rank is now {moved[customer].reason}"

    # --- a void

    def void(self, tx: Tx, sale: str, void: VoidPost) -> SaleVoided:
        """Take a sale's effects back, once. Raises SaleRefused; then nothing was changed."""
        known = sales.sale(tx.db, sale)
        if known is None:
            raise SaleRefused("unknown_sale", "sale", f"sale {sale} was never posted; post it, then void it", 404)
        if known.void == void.void:
            count(tx, self.counters, "voids_repeated")
            return SaleVoided(sale=sale, void=void.void, created=False)
        if known.void is not None:
            raise SaleRefused("voided", "sale", f"sale {sale} was voided before, by {known.void}", 409)
        other = sales.voided_by(tx.db, void.void)
        if other is not None:
            raise SaleRefused("void_contradicting", "void", f"void {void.void} is of sale {other} already", 409)
        sales.void(tx.db, sale, void.void, times.text(tx.utc))
        problems = self._take_back(tx, known, void.void) if known.customer is not None else []
        problems += self._revoke(tx, sale, void.void)
        count(tx, self.counters, "voids")
        return SaleVoided(sale=sale, void=void.void, created=True, problems=problems)

    def _take_back(self, tx: Tx, sale: SaleRow, void: str) -> list[Problem]:
        assert sale.customer is not None
        missing = customers.took_back(
            tx.db, sale.customer, sale.amount_minor, sale.points,
            visit=not sales.bought_on(tx.db, sale.customer, sale.day), terminal=sale.paid_on == "terminal",
        )  # fmt: skip
        changed = self._rerank(tx, sale.customer)
        visit = visits.latest(tx.db, sale.customer, sale.day)
        if visit is not None:
            taken_back(tx, visit, sale.sale, void, f"{void}: {sale.sale} was voided{changed}")
        used = f"{missing} of its {sale.points} points are spent already and were not taken back"
        return [Problem(field="points", problem=used)] if missing else []

    def _revoke(self, tx: Tx, sale: str, void: str) -> list[Problem]:
        """Its exit code opens no gate any more. What it has brought already is in the customer's hand, and said."""
        given = sales.given_for(tx.db, sale)
        sales.revoke(tx.db, sale, f"void-{void}", times.text(tx.utc))
        return [Problem(field="sale", problem=f"coupon {coupon} {how} and stays so") for coupon, how in given]

    # --- the exit code, shown by a terminal

    def exit_code(self, tx: Tx, sale: str, lifetime_s: int) -> tuple[CodeRow, str]:
        """The exit code of a sale, short-lived: signed anew once half of its time is over, so that a picture of it ages. It is the
        same code all the time, and is used once."""
        code = sales.code_of_sale(tx.db, sale) or self._new_code(tx, sale)
        left, lifetime = times.time(code.expires) - tx.utc, timedelta(seconds=lifetime_s)
        if code.used is None and not lifetime / 2 <= left <= lifetime:
            issued = tx.utc.astimezone(UTC).replace(microsecond=0)
            code = replace(code, issued=times.text(issued), expires=times.text(issued + lifetime))
            sales.renew_code(tx.db, code.code, code.issued, code.expires)
        claims = ExitClaims(self.settings.store.id, sale, times.time(code.issued), times.time(code.expires), code.code)
        return code, exit_code.issue(claims, self.keys.signing, self.keys.kid)

    # --- the answer

    def _answer(self, tx: Tx, sale: str, customer_known: bool, problems: list[Problem], *, created: bool) -> SaleTaken:
        code = sales.code_of_sale(tx.db, sale) or self._new_code(tx, sale)
        claims = ExitClaims(self.settings.store.id, sale, times.time(code.issued), times.time(code.expires), code.code)
        # Ed25519 is deterministic: the same claims make the same code, so it needs no place in the database.
        text = exit_code.issue(claims, self.keys.signing, self.keys.kid)
        return SaleTaken(sale=sale, created=created, customer_known=customer_known, exit_code=text,
                         exit_code_expires=claims.expires, problems=problems)  # fmt: skip

    def _new_code(self, tx: Tx, sale: str) -> CodeRow:
        issued = tx.utc.astimezone(UTC).replace(microsecond=0)
        expires = issued + timedelta(seconds=self.settings.exit_code.lifetime_s)
        row = CodeRow(exit_code.new_code_id(), sale, times.text(issued), times.text(expires), None, None)
        sales.add_code(tx.db, row.code, sale, row.issued, row.expires)
        return row


def _unknown(customer: str) -> Problem:
    return Problem(
        field="customer",
        problem=f"nobody has the ID {customer}; the sale is kept without a customer, post it again when she is entered",
    )


__all__ = ["Purchases", "SaleLine", "SalePost", "SaleRefused", "SaleTaken", "Tender", "VoidPost"]
