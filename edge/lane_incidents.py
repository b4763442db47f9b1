"""Who passes a lane without having been let through (row B12): from what the gate tells to incidents. Pure.

Reported and counted; nobody is stopped, and no transaction ends otherwise because of it. While the gate stands open for
everybody (fire, no mains) nothing is an incident, and what happened while nobody watched is told as passages only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from devices.gate_events import GateEvent, Intrusion, Obstacle, Passage

OBSTACLE_S = 5.0
"""Whoever passes stands between the flaps for a second or two; a trolley that was left there stays."""
COUNT_MAX = 65_535


@dataclass(frozen=True, slots=True)
class Seen:
    """As `contract.payloads.LaneIncident`, which the lane makes of it."""

    kind: Literal["tailgating", "wrong_way", "both_ways", "obstacle", "forced"]
    direction: Literal["exit", "entry"] | None = None
    count: int = 1
    detail: str = ""


def seen(events: Sequence[GateEvent]) -> list[Seen]:
    """Of the events of one reading of the gate's board, or several; each reading by itself."""
    return [each for _, one in groupby(events, key=lambda event: event.t) for each in _reading(list(one))]


def _reading(events: Iterable[GateEvent]) -> list[Seen]:
    events = list(events)
    passages = [event for event in events if isinstance(event, Passage) and event.through in ("opening", "closed")]
    exits = [event for event in passages if event.direction == "exit"]
    entries = [event for event in passages if event.direction == "entry"]
    found: list[Seen] = []
    followed = sum(1 for event in events if isinstance(event, Intrusion) and not event.free)
    if exits and entries:
        detail = f"{len(exits)} to the exit and {len(entries)} to the entry in one reading"
        found.append(Seen("both_ways", None, min(len(entries), COUNT_MAX), detail))
    else:
        # More exits through one opening than it was for are followers too, on a board that counts them so.
        followed += sum(1 for event in exits if event.command_seq is None and event.through == "opening")
        if entries:
            found.append(Seen("wrong_way", "entry", min(len(entries), COUNT_MAX)))
        if forced := sum(1 for event in exits if event.command_seq is None and event.through == "closed"):
            found.append(Seen("forced", "exit", min(forced, COUNT_MAX), "through the closed gate"))
    if followed:
        found.append(Seen("tailgating", "exit", min(followed, COUNT_MAX)))
    return found


class ObstacleWatch:
    """An obstacle is an incident when it stays. `due`: when it becomes one (monotonic s), None: there is none, or it was told."""

    def __init__(self) -> None:
        self.due: float | None = None

    def heard(self, event: GateEvent, now: float) -> None:
        """Something was seen, or is gone."""
        if isinstance(event, Obstacle):
            self.due = now + OBSTACLE_S if event.on else None

    def told(self, now: float) -> Seen | None:
        """The incident, once, when it is due."""
        if self.due is None or now < self.due:
            return None
        self.due = None
        return Seen("obstacle", None, 1, f"something stands in the gate for {OBSTACLE_S:g} s")

    def again(self, now: float) -> None:
        """It could not be stored: tell it anew."""
        self.due = now
