"""An incentive as it is given: title, coupon ID, the lines of the printed slip in the customer's language. Pure."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from config.incentives import ELECTRONIC, IncentiveRule
from contract.payloads import RECEIPT_TEXT_MAX, Bilingual, Incentive, ReceiptLine
from hub.database.lanes import IncentiveRow
from hub.database.times import text, time


def new_coupon_id() -> str:
    """Its ID for life, hard to guess: it is worth money at the checkout."""
    return f"K{secrets.token_hex(8).upper()}"


def reserve(rule: IncentiveRule, *, coupon: str, code: str, scan: str, sale: str, customer: str | None,
            now: datetime) -> IncentiveRow:  # fmt: skip
    """A new incentive by this rule, reserved by this scan."""
    until = now + timedelta(days=rule.valid_days)
    give = "electronic" if rule.give[0] in ELECTRONIC else rule.give[0]
    return IncentiveRow(coupon, code, scan, sale, customer, rule.name, rule.kind, rule.title.ja, rule.title.en,
                        rule.amount_minor, rule.points, give, "", "reserved", text(now), None, text(until),
                        ways=" ".join(way for way in rule.give if way in ELECTRONIC) or "app")  # fmt: skip


def as_message(row: IncentiveRow, receipt: list[ReceiptLine]) -> Incentive:
    """What the lane is told to give."""
    return Incentive.model_validate(
        {
            "coupon": row.coupon,
            "kind": row.kind,
            "title": Bilingual(ja=row.title_ja, en=row.title_en),
            "amount_minor": row.amount_minor,
            "points": row.points,
            "give": row.give,
            "receipt": receipt if row.give == "print" else [],
            "valid_until": time(row.valid_until),
        }
    )


def receipt(rule: IncentiveRule, language: str, places: dict[str, str]) -> list[ReceiptLine]:
    """The slip's lines, filled. `places` as `config.rules.RECEIPT_PLACES`; longer texts are cut, never the coupon's ID."""
    if rule.receipt is None:
        return []
    lines = rule.receipt.en if language == "en" else rule.receipt.ja
    short = {name: value[:100] for name, value in places.items()}
    return [ReceiptLine(kind=kind, text=words.format_map(short)[:RECEIPT_TEXT_MAX]) for kind, words in lines]
