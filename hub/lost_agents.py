"""Agents that were there and are not any more, and when a clerk is called for their lanes (again). Pure memory of the hub.

Somebody may wait behind a closed gate: a clerk is called when an agent is lost for `patience`, and again as long as it is lost and
nobody has it in hand: five minutes after the last call was over, then ten, at most an hour.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

AGAIN, AGAIN_MAX = timedelta(minutes=5), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Lost:
    """`since`: when it was lost. `due`: when a clerk is called next. `pause`: so long after that one the next but one."""

    since: datetime
    due: datetime
    pause: timedelta = AGAIN


class LostAgents:
    """All of the store."""

    def __init__(self, patience: timedelta) -> None:
        self._patience = patience
        self._lost: dict[str, Lost] = {}

    def went(self, agent: str, now: datetime) -> None:
        """It is lost; said again changes nothing."""
        self._lost.setdefault(agent, Lost(now, now + self._patience))

    def is_back(self, agent: str) -> None:
        """It is there, or has left on purpose."""
        self._lost.pop(agent, None)

    def due(self, now: datetime) -> list[tuple[str, Lost]]:
        """For whom it is time."""
        return [(agent, lost) for agent, lost in self._lost.items() if now >= lost.due]

    def called(self, agent: str, now: datetime) -> None:
        """A clerk was called."""
        if (lost := self._lost.get(agent)) is not None:
            self._lost[agent] = replace(lost, due=now + lost.pause, pause=min(2 * lost.pause, AGAIN_MAX))

    def in_hand(self, agent: str, now: datetime) -> None:
        """Somebody is asked, or on the way."""
        if (lost := self._lost.get(agent)) is not None:
            self._lost[agent] = replace(lost, due=now + AGAIN)
