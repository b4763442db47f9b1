"""What was refused or came to nothing while somebody shopped, in the trace of her visit (row C7)."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from delivery.engine import Tx
from hub.database import visits
from hub.days import recent_day
from hub.saying import decided


def noted(tx: Tx, zone: ZoneInfo, customer: str | None, what: str, summary: str, *, payment: str | None = None) -> None:
    """A line in the newest visit of these days; of a payment without one, in a story of its own, under the payment's ID."""
    visit = visits.latest(tx.db, customer, recent_day(tx.utc, zone)) if customer is not None else None
    story = visit or payment
    if story is not None:
        decided(tx, story, payment or story, what, summary)
