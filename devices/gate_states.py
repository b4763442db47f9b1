"""What a gate is doing, as a table. An illegal move raises.

    offline    nothing known: no port, or no answer
    closed     shut and ready
    opening    the flaps move to let one person through
    open       waiting for that person
    passed     the person went through; about to close
    closing    the flaps move back
    fault      the board reports a fault code
    fire_open  open by fire alarm, whatever else holds
    free_open  open without mains power (egress gates are fail-safe)

Rules: nobody passes but through an open gate; a gate closes by closing; fault, fire, loss of mains and loss of the line
come from anywhere; from offline, whatever is found is where it goes on, except "passed", which must have been seen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from enum import Enum
from typing import Final

from devices.errors import IllegalMove

__all__ = ["MOVES", "GateMachine", "GateState"]


class GateState(str, Enum):
    OFFLINE = "offline"
    CLOSED = "closed"
    OPENING = "opening"
    OPEN = "open"
    PASSED = "passed"
    CLOSING = "closing"
    FAULT = "fault"
    FIRE_OPEN = "fire_open"
    FREE_OPEN = "free_open"


_S = GateState
_WORKING = (_S.CLOSED, _S.OPENING, _S.OPEN, _S.CLOSING)
_ANYWHERE = (_S.OFFLINE, _S.FAULT, _S.FIRE_OPEN, _S.FREE_OPEN)

_TABLE: Mapping[GateState, tuple[GateState, ...]] = {
    _S.OFFLINE: _WORKING,
    _S.CLOSED: (_S.OPENING, _S.OPEN),
    _S.OPENING: (_S.OPEN, _S.CLOSING),
    _S.OPEN: (_S.PASSED, _S.CLOSING, _S.CLOSED),
    _S.PASSED: (_S.PASSED, _S.OPEN, _S.CLOSING, _S.CLOSED),
    _S.CLOSING: (_S.CLOSED, _S.OPENING, _S.OPEN),
    _S.FAULT: _WORKING,
    _S.FIRE_OPEN: _WORKING,
    _S.FREE_OPEN: _WORKING,
}
#: For each state the states that may follow it.
MOVES: Final[Mapping[GateState, frozenset[GateState]]] = {
    state: frozenset({*then, *_ANYWHERE} - ({state} if state is not _S.PASSED else set()))
    for state, then in _TABLE.items()
}


class GateMachine:
    """Where the gate is. `move` takes one legal step, `route` says which steps lead to a state."""

    def __init__(self) -> None:
        self.state = GateState.OFFLINE

    def move(self, to: GateState) -> None:
        """Raises `IllegalMove` if the table does not have it."""
        if to not in MOVES[self.state]:
            raise IllegalMove("gate", self.state.value, to.value)
        self.state = to

    def route(self, to: GateState) -> list[GateState]:
        """The shortest way to `to`: a reading every 20 ms, or after a gap, may have missed steps between."""
        queue: deque[list[GateState]] = deque([[]])
        seen = {self.state}
        while queue:
            steps = queue.popleft()
            here = steps[-1] if steps else self.state
            if to in MOVES[here]:
                return [*steps, to]
            for state in _WORKING:
                if state in MOVES[here] and state not in seen:
                    seen.add(state)
                    queue.append([*steps, state])
        raise IllegalMove("gate", self.state.value, to.value)
