"""A coupon says what it asks of her (rows B8, B9)."""

from __future__ import annotations

import pytest

from hub.database.lanes import IncentiveRow
from hub.giving.coupon import conditions

pytestmark = pytest.mark.row("B9")


def row(**changes: object) -> IncentiveRow:
    base: dict[str, object] = dict.fromkeys(IncentiveRow.__slots__, "")
    return IncentiveRow(**{**base, "minimum_minor": 0, **changes})  # type: ignore[arg-type]


def test_from_the_next_purchase_on_and_from_what_amount() -> None:
    assert conditions(row(), "JPY").en == "For your next purchase."
    least = conditions(row(minimum_minor=3000), "JPY")
    assert least.ja == "次回のお買い物から、3,000円以上のお買い上げでお使いいただけます。"
    assert least.en == "For your next purchase of 3,000 yen or more."
    assert conditions(row(minimum_minor=3000), "EUR").en == "For your next purchase of 30.00 EUR or more."
