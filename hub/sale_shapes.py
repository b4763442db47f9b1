"""What a POS posts and what it is told: shapes, units, ranges (rows A3, B1). Money in minor units of the store's currency."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from contract.payloads import Id

Name = Annotated[str, StringConstraints(max_length=200)]
Place = Literal["terminal", "settlement"]
"""The customer's terminal, or a settlement device of the store."""
CartName = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Minor = Annotated[int, Field(ge=0, le=10**12)]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SaleLine(_Body):
    """One product of a sale; `amount_minor` of all its pieces together, discounts taken off."""

    product: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    name: Name = ""
    category: Name = ""
    quantity: Annotated[int, Field(ge=1, le=10**6)] = 1
    amount_minor: Minor


class Tender(_Body):
    """Part of the amount that was paid in one way, change taken off."""

    method: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    amount_minor: Minor
    paid_on: Annotated[Place | None, Field(description="Where; without it, where the sale was.")] = None
    device: Annotated[Name, Field(description="Which terminal or settlement device; without it, the sale's.")] = ""


class SalePost(_Body):
    """A transaction as the POS posts it. Lines and tenders, where given, each add up to `amount_minor`."""

    sale: Annotated[
        Id, Field(description="The transaction's own ID: posted again with the same content it counts once.")
    ]
    customer: Annotated[Id | None, Field(description="Who bought; without it, nobody who is known.")] = None
    amount_minor: Annotated[Minor, Field(description="Of the whole transaction, in minor units (yen: 1 = 1 yen).")]
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$"), Field(description="ISO 4217; the store's.")]
    paid_on: Annotated[Place, Field(description="Customer's terminal, or a settlement device.")]
    registered_on: Annotated[
        Place | None, Field(description="Where the goods were registered; without it, it is not known.")
    ] = None
    device: Annotated[Name, Field(description="Which terminal or settlement device.")] = ""
    sold: Annotated[
        AwareDatetime | None,
        Field(description="When, with its offset from UTC; without it: now. At most 400 days ago."),
    ] = None
    tenders: Annotated[list[Tender], Field(max_length=20)] = []
    lines: Annotated[list[SaleLine], Field(max_length=1000)] = []
    cart: Annotated[
        CartName | None,
        Field(
            description="The customer's list that is paid by this, as GET /api/v1/carts/{code} has named it: closed with the sale."
        ),
    ] = None
    cart_revision: Annotated[
        int | None, Field(ge=1, le=2**53, description="Of that list, as the till has read it.")
    ] = None

    @property
    def fingerprint(self) -> str:
        """Tells a repetition from another sale under the same ID. What was not said makes no difference: releases add fields."""
        said = self.model_dump(mode="json", exclude={"sold"})
        for name in ("registered_on", "cart", "cart_revision"):
            if said[name] is None:
                del said[name]
        for tender in said["tenders"]:
            for name in ("paid_on", "device"):
                if not tender[name]:
                    del tender[name]
        text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    @property
    def wholly_paid_on(self) -> Place:
        """The terminal, if all that was paid was paid there."""
        places = {tender.paid_on or self.paid_on for tender in self.tenders if tender.amount_minor} or {self.paid_on}
        return "terminal" if places == {"terminal"} else "settlement"


class Problem(BaseModel):
    """Something that was not as it should be, and did not keep the transaction from being taken."""

    field: str
    problem: str


class SaleTaken(BaseModel):
    """The answer to a post."""

    sale: Id
    created: Annotated[bool, Field(description="False: it was known already, and nothing was counted again.")]
    customer_known: bool
    exit_code: Annotated[str, Field(description="What the QR code at the exit says.")]
    exit_code_expires: datetime
    problems: list[Problem] = []


class VoidPost(_Body):
    """A void of a whole transaction. What stays of it is posted as a sale of its own."""

    void: Annotated[Id, Field(description="The void's own ID: posted again for the same sale it counts once.")]


class SaleVoided(BaseModel):
    """The answer to a void."""

    sale: Id
    void: Id
    created: Annotated[bool, Field(description="False: it was known already.")]
    problems: list[Problem] = []


class SaleRead(BaseModel):
    """A transaction as the hub has it."""

    sale: str
    customer: str | None
    amount_minor: int
    currency: str
    paid_on: str
    registered_on: Place | None
    device: str
    sold: datetime
    day: Annotated[str, Field(description="Of the store's calendar.")]
    posted_by: str
    points: Annotated[int, Field(description="That it brought.")]
    void: str | None
    voided: datetime | None
    tenders: list[Tender]
    lines: list[SaleLine]


class CartLineRead(BaseModel):
    """A product of a list; `amount_minor` of all its pieces, as it stands in the total."""

    product: str
    name_ja: str
    name_en: str
    category: str
    quantity: int
    price_minor: int
    amount_minor: int
    tax_per_mille: int


class CartTaxRead(BaseModel):
    """The part of a list that has one rate: with its tax, and the tax in it."""

    tax_per_mille: int
    taxed_minor: int
    tax_minor: int


class CartRead(BaseModel):
    """A customer's list, for a settlement device."""

    cart: Annotated[str, Field(description="What the sale names in `cart`.")]
    revision: Annotated[int, Field(description="What the sale names in `cart_revision`; it grows with each change.")]
    state: Annotated[
        Literal["open", "paying", "paid", "cancelled"],
        Field(description="Only an open one can be settled; `paying`: she is paying on her terminal."),
    ]
    customer: str
    currency: str
    total_minor: Annotated[int, Field(description="To pay, with tax.")]
    tax_minor: int
    prices_include_tax: bool
    lines: list[CartLineRead]
    taxes: list[CartTaxRead]
    sale: Annotated[str | None, Field(description="Of a paid one.")] = None


class CustomerState(BaseModel):
    """What a till may know of a customer: no name, no address, no telephone number."""

    customer: str
    rank: str
    rank_label_ja: str
    rank_label_en: str
    points: int
    visits: int
    average_purchase_minor: int


class ErrorBody(BaseModel):
    """Every error: a sentence, and which field it is about, if it is about one."""

    error: str
    field: str | None = None
    revision: Annotated[int | None, Field(description="Of the list as it is now, if the error is about a list.")] = None


class SaleRefused(ValueError):
    """A transaction that can't be taken; the sentence says why. `kind` is counted, `status` is that of HTTP."""

    def __init__(self, kind: str, field: str, sentence: str, status: int = 422, *, revision: int | None = None) -> None:
        super().__init__(sentence)
        self.kind, self.field, self.status, self.revision = kind, field, status, revision
