"""What happens at a gate."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from devices.gate_map import Direction, Outcome

__all__ = [
    "Fault",
    "FireAlarm",
    "GateClosed",
    "GateEvent",
    "GateOpened",
    "HelpPressed",
    "Intrusion",
    "MainsLost",
    "NotPassed",
    "Obstacle",
    "Passage",
    "Restarted",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateEvent:
    """`t`: when it was seen (seconds, monotonic), up to one poll after it happened."""

    t: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GateOpened(GateEvent):
    """The flaps are open, for the open command `command_seq`, or by themselves (None)."""

    command_seq: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateClosed(GateEvent):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage(GateEvent):
    """One person passed. `command_seq` is the open command that let them, None for anybody else.

    `count` is the board's counter of that direction after it (0 to 65535): with the direction it names this passage, so that
    one which is told again after a restart is recognised. `missed`: it happened while nobody was reading.
    """

    direction: Direction
    command_seq: int | None
    count: int
    missed: bool = False
    through: Literal["opening", "free", "closed", "unknown"] = field(default="unknown", compare=False)
    """How the gate stood: open for somebody (`opening`), open for everybody, or closed. Unknown while nobody was reading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotPassed(GateEvent):
    """Nobody used the open command `command_seq`; `why` says how it ended. `missed`: that was while nobody was reading."""

    command_seq: int
    why: Outcome
    missed: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacle(GateEvent):
    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Intrusion(GateEvent):
    """Somebody followed another person through. `count` is the board's counter after it. `free`: the gate stood open for
    everybody."""

    count: int
    free: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HelpPressed(GateEvent):
    """Somebody pressed the button beside the gate. Once a press, however long it is held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault(GateEvent):
    """`code` of the board; 0 when the fault is over."""

    code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FireAlarm(GateEvent):
    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MainsLost(GateEvent):
    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarted(GateEvent):
    """The board was without power. `counters_lost`: its counters are not those of before, counting starts anew."""

    counters_lost: bool = False
