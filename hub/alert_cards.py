"""An alert as a handheld gets it: what is stored of it, and the personal data that a clerk in charge needs (rows A7, A12).

One visit reads its customer once: whoever has the record hands it over.
"""

from __future__ import annotations

from dataclasses import dataclass
from sqlite3 import Connection

from config.words import Words
from contract.payloads import Alert, AlertCoupon, Bilingual, CustomerCard
from hub.alert_life import AlertLife
from hub.database import cards, coupons, customers, times
from hub.database.alerts import AlertRow, Offer
from hub.database.customers import Customer
from hub.places import Places
from hub.rules.policy import Policy


@dataclass(frozen=True, slots=True)
class Sheet:
    """Of one customer, as far as clerks may read it; `name` is empty when she was erased meanwhile."""

    card: CustomerCard
    name: str


def sheet(db: Connection, customer: Customer, policy: Policy) -> Sheet:
    """From her record, and her last purchases."""
    rank = policy.ranks[policy.level(customer.rank)].label
    card = CustomerCard(
        customer=customer.customer,
        name=customer.name,
        rank=both(rank),
        visits=customer.visits,
        average_purchase_minor=customer.average_minor,
        points=customer.points,
        note=customer.note,
        preferences=customer.preferences[:500],
        history=list(cards.history(db, customer.customer)),
    )
    return Sheet(card, customer.name)


def read_sheet(db: Connection, id: str, policy: Policy) -> Sheet:
    """From the database."""
    found = customers.customer(db, id)
    if found is None:  # erased meanwhile: the alert goes on without her data
        return Sheet(CustomerCard(customer=id, name=""), "")
    return sheet(db, found, policy)


def both(words: Words) -> str:
    """One text for readers of either language."""
    return words.ja if words.ja == words.en else f"{words.ja} / {words.en}"


def place(db: Connection, visit: str, places: Places) -> str:
    """Where she is, or was heard last."""
    found = places.where(db, visit)
    return both(found.place) if found else ""


def as_message(row: AlertRow, life: AlertLife, offers: tuple[Offer, ...], sheet: Sheet, place: str,
               coupon: AlertCoupon | None) -> Alert:  # fmt: skip
    """The alert as its main clerk sees it; `Alert.model_copy` with `own` makes it another's. All parts are valid already."""
    holder = next((offer.name for offer in offers if offer.clerk == life.holder), "")
    return Alert.model_construct(
        alert=row.alert,
        kind=row.kind,  # type: ignore[arg-type]
        state=life.state,
        role="main",
        holder=life.holder,
        holder_name=holder[:500],
        outcome=life.outcome,
        suggested=life.suggested,
        message=Bilingual.model_construct(ja=row.message_ja, en=row.message_en),
        customer=sheet.card,
        place=place[:500],
        coupon=coupon,
        expires=times.time(row.expires),
        raised=times.time(row.raised),
        revision=life.revision,
    )


def own(life: AlertLife, offer: Offer) -> dict[str, object]:
    """What differs on the handheld of this clerk."""
    return {"state": life.seen_by(offer.clerk), "role": offer.role}


def coupon_of(db: Connection, row: AlertRow) -> AlertCoupon | None:
    """The coupon that the alert is about."""
    found = coupons.read(db, row.subject) if row.kind == "coupon" else None
    if found is None:
        return None
    title = Bilingual(ja=found.title_ja, en=found.title_en)
    return AlertCoupon(coupon=found.coupon, title=title, valid_until=times.time(found.valid_until))
