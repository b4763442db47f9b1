"""Rules of incentives as they stand in the file, what a purchase is, and what comes of both."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import settings

from config.incentives import IncentiveRule, IncentivesFile
from hub.rules.condition import Condition, Names, Value
from hub.rules.granting import Outcome, decide
from hub.rules.incentives import Incentives, Out
from hub.rules.policy import CUSTOMER, PURCHASE

TOKYO = ZoneInfo("Asia/Tokyo")
NOW = datetime(2026, 3, 1, 1, 0, tzinfo=UTC)
RANKS = {"regular": 0, "silver": 1, "gold": 2}
NAMES = Names({**CUSTOMER, **PURCHASE}, RANKS)
RECEIPT = {"ja": [["qr", "{coupon}"]], "en": [["qr", "{coupon}"]]}
often = settings(max_examples=100, deadline=None)


def rule(name: str = "it", **more: Any) -> dict[str, Any]:
    """A rule that is complete but for what is said."""
    made: dict[str, Any] = {
        "name": name,
        "when": "true",
        "kind": "discount",
        "title": {"ja": name, "en": name},
        "receipt": RECEIPT,
    }
    made |= more
    if made["kind"] == "discount" and not {"amount_minor", "percent", "table", "by_paying"} & set(made):
        made["amount_minor"] = 200
    return made


def compiled(*rules: dict[str, Any], **top: Any) -> Incentives:
    file = IncentivesFile.model_validate({"incentive": rules, **top})
    return Incentives(file, tuple(Condition(each.when, NAMES) for each in file.incentive), RANKS)


def values(**more: Value) -> dict[str, Value]:
    return {"rank": 0, "visits": 0, "average_purchase": 0, "points": 0, "spent": 0, "amount": 3000, "paid_on": "terminal",
            "member": True, "terminal_payments": 0, "exits": 0, "exit_number": 1, **more}  # fmt: skip


def nothing_is_out(_: IncentiveRule, __: int | None) -> Out:
    return Out()


def outcome(incentives: Incentives, room=nothing_is_out, now: datetime = NOW, **more: Value) -> Outcome:
    return decide(incentives, values(**more), room, now=now, zone=TOKYO)
