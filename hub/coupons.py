"""An incentive as it is given: title, coupon ID, the lines of the printed slip in the customer's language. Pure."""

from __future__ import annotations

import secrets
from datetime import datetime

from config.incentives import ReceiptText
from contract.payloads import RECEIPT_TEXT_MAX, Bilingual, Incentive, ReceiptLine
from hub.database.lanes import IncentiveRow
from hub.database.times import text, time
from hub.rules.granting import Grant


def new_coupon_id() -> str:
    """Its ID for life, hard to guess: it is worth money at the checkout."""
    return f"K{secrets.token_hex(8).upper()}"


def reserve(grant: Grant, *, coupon: str, code: str, scan: str, sale: str, customer: str | None, now: datetime, because: str = "",
            give: str | None = None) -> IncentiveRow:  # fmt: skip
    """A grant as it is reserved by this scan; `give` instead of the grant's own way."""
    return IncentiveRow(coupon, code, scan, sale, customer, grant.rule, grant.kind, grant.title.ja, grant.title.en,
                        grant.amount_minor, grant.points, give or grant.give, "", "reserved", text(now), None,
                        text(grant.valid_until), grant.percent, grant.product, grant.minimum_minor, text(grant.valid_from),
                        " ".join(grant.electronic), because)  # fmt: skip


def as_message(row: IncentiveRow, receipt: list[ReceiptLine]) -> Incentive:
    """What the lane is told to give."""
    return Incentive.model_validate(
        {
            "coupon": row.coupon,
            "kind": row.kind,
            "title": Bilingual(ja=row.title_ja, en=row.title_en),
            "amount_minor": row.amount_minor,
            "percent": row.percent,
            "product": row.product,
            "minimum_minor": row.minimum_minor,
            "points": row.points,
            "give": row.give,
            "no_paper": "display" if row.customer is None else "electronic",
            "receipt": receipt if row.give == "print" else [],
            "valid_from": time(row.valid_from) if row.valid_from else None,
            "valid_until": time(row.valid_until),
        }
    )


def receipt(text: ReceiptText, language: str, places: dict[str, str]) -> list[ReceiptLine]:
    """The slip's lines, filled. `places` as `config.incentives.RECEIPT_PLACES`; longer texts are cut, never the coupon's ID."""
    lines = text.en if language == "en" else text.ja
    short = {name: value[:100] for name, value in places.items()}
    return [ReceiptLine(kind=kind, text=words.format_map(short)[:RECEIPT_TEXT_MAX]) for kind, words in lines]
