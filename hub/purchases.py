"""Sales that the POS posts: counted once, whatever is posted twice; the answer is the exit code (rows A3, B1, B4)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from config.hub_settings import HubSettings
from contract import exit_code
from contract.exit_code import ExitClaims
from contract.payloads import Id
from delivery.engine import Tx
from hub.database import customers, sales, times, visits
from hub.database.sales import CodeRow, SaleRow
from hub.days import plausible, recent_day, store_day
from hub.exit_keys import KeyRing
from hub.rules.policy import Policy
from hub.saying import bought, count

Name = Annotated[str, StringConstraints(max_length=200)]
Minor = Annotated[int, Field(ge=0, le=10**12)]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SaleLine(_Body):
    """One product of a sale; `amount_minor` of all its pieces together."""

    product: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    name: Name = ""
    category: Name = ""
    quantity: Annotated[int, Field(ge=1, le=10**6)] = 1
    amount_minor: Minor


class Tender(_Body):
    """Part of the amount that was paid in one way."""

    method: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    amount_minor: Minor


class SalePost(_Body):
    """A transaction as the POS posts it. Money in minor units of the store's currency."""

    sale: Id
    customer: Id | None = None
    amount_minor: Minor
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    paid_on: Literal["terminal", "settlement"]
    device: Name = ""
    """Which terminal or settlement device."""
    sold: AwareDatetime | None = None
    """When; without it: now."""
    tenders: Annotated[list[Tender], Field(max_length=20)] = []
    lines: Annotated[list[SaleLine], Field(max_length=1000)] = []


class SaleTaken(BaseModel):
    """The answer to a post."""

    sale: Id
    created: bool
    """False: it was known already, and nothing changed."""
    customer_known: bool
    exit_code: str
    exit_code_expires: datetime


class SaleRefused(ValueError):
    """A sale that can't be taken; the sentence says why."""


@dataclass(frozen=True)
class Purchases:
    """Takes sales."""

    settings: HubSettings
    keys: KeyRing
    policy: Callable[[], Policy]
    counters: Counter[str]

    def post(self, tx: Tx, sale: SalePost, posted_by: str) -> SaleTaken:
        """Take one sale in this transaction. Raises SaleRefused; then nothing was changed."""
        self._check(sale)
        fingerprint = hashlib.sha256(sale.model_dump_json(exclude={"sold"}).encode()).hexdigest()[:32]
        known = sales.sale(tx.db, sale.sale)
        if known is not None:
            if known.fingerprint != fingerprint:
                count(tx, self.counters, "sales_contradicting")
                raise SaleRefused(
                    f"sale {sale.sale} was posted before with another content; a correction needs an ID of its own"
                )
            count(tx, self.counters, "sales_repeated")
            return self._answer(tx, sale, known.customer is not None, created=False)
        when = (plausible(sale.sold, tx.utc) if sale.sold else None) or tx.utc
        day = store_day(when, self.settings.store.zone)
        customer = self._credit(tx, sale, day)
        row = SaleRow(sale.sale, customer, sale.amount_minor, sale.currency, sale.paid_on, sale.device, times.text(when), day,
                      posted_by, fingerprint)  # fmt: skip
        sales.add(
            tx.db,
            row,
            [(line.product, line.name, line.category, line.quantity, line.amount_minor) for line in sale.lines],
            [(tender.method, tender.amount_minor) for tender in sale.tenders],
        )
        count(tx, self.counters, "sales")
        return self._answer(tx, sale, customer is not None, created=True)

    def _check(self, sale: SalePost) -> None:
        if sale.currency != self.settings.store.currency:
            raise SaleRefused(f"currency is {sale.currency}, this store's is {self.settings.store.currency}")
        for name, parts in (("tenders", sale.tenders), ("lines", sale.lines)):
            total = sum(part.amount_minor for part in parts)
            if parts and total != sale.amount_minor:
                raise SaleRefused(f"{name} add up to {total}, amount_minor is {sale.amount_minor}")

    def _credit(self, tx: Tx, sale: SalePost, day: str) -> str | None:
        """Visits, purchases, points and with them the rank. Returns the customer's ID, None when nobody has it."""
        if sale.customer is None:
            return None
        customer = customers.customer(tx.db, sale.customer)
        if customer is None:  # the purchase is real all the same
            count(tx, self.counters, "sales_unknown_customer")
            return None
        policy = self.policy()
        spent = customer.spent_minor + sale.amount_minor
        # A purchase never lowers a rank: an imported one may rest on more than we know.
        rank = max(customer.rank, policy.rank_of(spent), key=policy.level)
        per_point = policy.points.spent_per_point
        points = sale.amount_minor // per_point if per_point else 0
        customers.bought(tx.db, customer.customer, sale.amount_minor, points, rank,
                         new_visit=not sales.bought_on(tx.db, customer.customer, day),
                         terminal=sale.paid_on == "terminal")  # fmt: skip
        visit = visits.latest(tx.db, customer.customer, recent_day(tx.utc, self.settings.store.zone))
        raised = "" if rank == customer.rank else f", reaches {rank}"
        if visit is not None:
            bought(tx, visit, sale.sale, f"{sale.sale}: {sale.amount_minor} {sale.currency} paid on {sale.paid_on}, "
                   f"{points} points{raised}")  # fmt: skip
        return customer.customer

    def _answer(self, tx: Tx, sale: SalePost, customer_known: bool, *, created: bool) -> SaleTaken:
        code = sales.code_of_sale(tx.db, sale.sale) or self._new_code(tx, sale.sale)
        claims = ExitClaims(
            self.settings.store.id, sale.sale, times.time(code.issued), times.time(code.expires), code.code
        )
        # Ed25519 is deterministic: the same claims make the same code, so it needs no place in the database.
        text = exit_code.issue(claims, self.keys.signing, self.keys.kid)
        return SaleTaken(sale=sale.sale, created=created, customer_known=customer_known, exit_code=text,
                         exit_code_expires=claims.expires)  # fmt: skip

    def _new_code(self, tx: Tx, sale: str) -> CodeRow:
        issued = tx.utc.astimezone(UTC).replace(microsecond=0)
        expires = issued + timedelta(seconds=self.settings.exit_code.lifetime_s)
        row = CodeRow(exit_code.new_code_id(), sale, times.text(issued), times.text(expires), None, None)
        sales.add_code(tx.db, row.code, sale, row.issued, row.expires)
        return row
