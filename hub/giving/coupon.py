"""A lane's coupon as a terminal, a letter or a notification says it. Pure."""

from __future__ import annotations

from datetime import datetime

from contract.payloads import Bilingual, MemberCoupon
from hub.database import times
from hub.database.givings import GivenRow
from hub.database.lanes import IncentiveRow
from hub.money import money


def state_of(row: IncentiveRow, now: str, *, used: bool) -> str:
    """What it is for her now: offered, redeemed, expired, withdrawn. `now` as `hub.database.times.text`."""
    if used:
        return "redeemed"
    if row.state == "released":
        return "withdrawn"
    return "offered" if now < row.valid_until else "expired"


def begins(row: IncentiveRow) -> datetime:
    """From when on it can be used."""
    return times.time(row.valid_from or row.settled or row.reserved)


def conditions(row: IncentiveRow, currency: str) -> Bilingual:
    """What it asks of her, as a sentence."""
    least = money(row.minimum_minor, currency)
    ja = f"、{least.ja}以上のお買い上げで" if row.minimum_minor else ""
    en = f" of {least.en} or more" if row.minimum_minor else ""
    return Bilingual(ja=f"次回のお買い物から{ja}お使いいただけます。", en=f"For your next purchase{en}.")


def as_message(row: IncentiveRow, given: GivenRow, currency: str) -> MemberCoupon:
    """As her terminal gets it. Until she has passed the lane it is reserved, and valid from then on."""
    return MemberCoupon.model_validate(
        {
            "coupon": row.coupon,
            "customer": given.customer,
            "title": Bilingual(ja=row.title_ja, en=row.title_en),
            "text": conditions(row, currency),
            "code": row.coupon,
            "kind": row.kind,
            "amount_minor": row.amount_minor,
            "state": given.state,
            "valid_from": begins(row),
            "valid_until": times.time(row.valid_until),
            "revision": given.revision,
        }
    )
