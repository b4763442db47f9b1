"""Signs of life of a driver's loops, for whoever watches over it. Counts only: no clock, no I/O."""

from __future__ import annotations

__all__ = ["Pulse"]


class Pulse:
    """Each loop of a driver says `beat` in every round, and `rest` before a wait that may rightly last for ever.

    A loop that does neither for long hangs: in a lock that nobody gives back, in a library that never answers.
    """

    def __init__(self) -> None:
        self.rounds: dict[str, int] = {}
        """Rounds by loop, in this life. They only grow."""
        self._resting: set[str] = set()

    def begin(self) -> None:
        """A new life: no loop goes round yet."""
        self.rounds.clear()
        self._resting.clear()

    def beat(self, loop: str) -> None:
        self.rounds[loop] = self.rounds.get(loop, 0) + 1
        self._resting.discard(loop)

    def rest(self, loop: str) -> None:
        self.rounds[loop] = self.rounds.get(loop, 0) + 1
        self._resting.add(loop)

    def touch(self, loop: str) -> None:
        """Somebody works while that loop waits for its turn: it does not hang. One that rests goes on resting."""
        if loop in self.rounds:
            self.rounds[loop] += 1

    def working(self) -> dict[str, int]:
        """Rounds of the loops that ought to go on."""
        return {loop: count for loop, count in self.rounds.items() if loop not in self._resting}
