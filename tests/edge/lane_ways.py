"""Lanes in each phase, and what they said."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from contract.payloads import Bilingual, Incentive, LaneDecision, ReceiptLine
from edge.lane import step
from edge.lane_types import CodeAccepted, Decided, Event, GateTook, Lane, LanePolicy, Phase, PrintSent, Say

POLICY = LanePolicy(display=True)
SCAN, CODE, COUPON = "agent-x.e.1", "c0de", "CP-1"


def incentive(give: str, coupon: str = COUPON) -> Incentive:
    return Incentive.model_validate(
        {
            "coupon": coupon,
            "kind": "discount",
            "title": Bilingual(ja="割引", en="Discount"),
            "amount_minor": 300,
            "give": give,
            "receipt": [ReceiptLine(kind="title", text="300円引"), ReceiptLine(kind="qr", text=coupon)],
        }
    )


def decision(scan: str, *, outcome: str = "open", give: str | None = "print", coupon: str = COUPON) -> LaneDecision:
    return LaneDecision.model_validate(
        {
            "scan": scan,
            "outcome": outcome,
            "incentive": incentive(give, coupon) if give and outcome == "open" else None,
            "show": Bilingual(ja="ありがとうございました", en="Thank you"),
        }
    )


def in_phase(phase: Phase, *, sent: bool = False) -> Lane:
    """A lane that came to `phase` at the time 0, with 7 as its open command from `opening` on, 6 before."""
    ways: dict[Phase, list[Event]] = {
        Phase.IDLE: [],
        Phase.DECIDING: [CodeAccepted(SCAN, CODE)],
        Phase.PRINTING: [CodeAccepted(SCAN, CODE), Decided(decision(SCAN), "m2", "v1")],
        Phase.SHOWING: [CodeAccepted(SCAN, CODE), Decided(decision(SCAN, give="display"), "m2", "v1")],
        Phase.OPENING: [CodeAccepted(SCAN, CODE), Decided(decision(SCAN, give=None), "m2", "v1")],
        Phase.OPEN: [CodeAccepted(SCAN, CODE), Decided(decision(SCAN, give=None), "m2", "v1"), GateTook(7)],
    }
    lane = Lane(command=6)
    for event in [*ways[phase], *([PrintSent(f"{SCAN}#1", 41)] if sent and phase is Phase.PRINTING else [])]:
        lane, _ = step(lane, event, 0.0, POLICY)
    assert lane.phase is phase
    return lane


def said(actions: Iterable[object], *kinds: type) -> list[Any]:
    return [action.data for action in actions if isinstance(action, Say) and isinstance(action.data, kinds)]
