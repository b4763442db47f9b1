"""A lane taken through events one after the other, and events that belong to something else."""

from __future__ import annotations

from dataclasses import replace

from edge.lane import step
from edge.lane_types import (
    Decided,
    Event,
    GateRefused,
    GateTook,
    Lane,
    LanePolicy,
    NobodyPassed,
    PrintEnded,
    PrintSent,
    ReadFromDisplay,
)
from tests.edge.lane_ways import COUPON, POLICY, SCAN, decision

REFUSE = replace(POLICY, offline="refuse")
JOB = f"{SCAN}#1"


def go(lane: Lane, *events: Event, now: float = 1.0, policy: LanePolicy = POLICY) -> tuple[Lane, list[object]]:
    actions: list[object] = []
    for event in events:
        lane, more = step(lane, event, now, policy)
        actions += more
    return lane, actions


ALIEN: list[Event] = [
    Decided(decision("another scan"), "m9"),
    PrintSent("another scan#1", 3),
    PrintEnded("another scan#1", "printed"),
    GateTook(999),
    GateRefused(999, "no"),
    NobodyPassed(999),
    ReadFromDisplay(SCAN, "another coupon"),
    ReadFromDisplay("another scan", COUPON),
]
