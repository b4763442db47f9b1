"""How a lane's transaction ends, and what is said of it. Pure, parts of `edge.lane`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from contract.payloads import LaneOpened, LanePassage, LanePrinted, LaneShown
from edge.lane_types import ENDED_MAX, Action, Ended, HoldCode, Lane, Next, Phase, Say


def idle(lane: Lane) -> Lane:
    """The lane is ready for the next code; the number of its last open command stays, and what may be told late."""
    return Lane(command=lane.command, ended=lane.ended)


def unheard(lane: Lane) -> Lane:
    """Idle, after a transaction in which the gate was told to open and its word on the passage is missing."""
    ended = Ended(lane.command, lane.scan, lane.code, lane.offline)
    return replace(idle(lane), ended=(*lane.ended, ended)[-ENDED_MAX:])


def shown(lane: Lane, outcome: Literal["read", "unread"], detail: str) -> Say:
    assert lane.incentive is not None
    return Say("lane_shown", LaneShown(scan=lane.scan, coupon=lane.incentive.coupon, outcome=outcome, detail=detail))


def printed(lane: Lane, outcome: Literal["printed", "unknown", "failed"], detail: str) -> Say:
    assert lane.incentive is not None
    data = LanePrinted(
        scan=lane.scan, coupon=lane.incentive.coupon, outcome=outcome, attempts=lane.attempt, detail=detail[:500]
    )
    return Say("lane_printed", data)


def opened(lane: Lane) -> Say:
    return Say("lane_opened", LaneOpened(scan=lane.scan, command=lane.command, offline=lane.offline))


def passage(lane: Lane, outcome: Literal["passed", "not_passed", "fault", "fire_open"], **more: Any) -> Say:
    return Say("lane_passage", LanePassage(scan=lane.scan, outcome=outcome, offline=lane.offline, **more))


def interrupted(lane: Lane, why: str) -> tuple[Action, ...]:
    """A transaction ends while paper may be coming out: the hub must not have the coupon printed a second time."""
    if lane.phase is Phase.SHOWING:
        return (shown(lane, "unread", why),)
    return (printed(lane, "unknown", why),) if lane.phase is Phase.PRINTING and lane.sent else ()


def let_go(lane: Lane, why: str) -> Next:
    """The end of a transaction whose customer may have gone: nothing opens for who stands there now, and her code is free."""
    after = unheard(lane) if lane.phase is Phase.OPENING else idle(lane)
    told = interrupted(lane, why)
    return after, (*told, passage(lane, "not_passed", detail=why), HoldCode(lane.code, held=False))
