"""Beacons that nobody has, told in the log for whoever installs the store: few lines, however many pass by. Pure."""

from __future__ import annotations

from collections.abc import Sequence

EVERY_S = 60.0
"""Between two lines. The first beacon is told at once: an installer holds one in the hand and looks."""
SHOWN = 5
REMEMBERED_MAX = 1000
"""Beacons told or waiting to be told. Beyond, new ones are only counted."""


class Strangers:
    """`hear` gives the beacons of a line that is due: at most a handful, and how many are new since the last line."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._new: list[str] = []
        self._next = float("-inf")

    def hear(self, beacon: str, now: float) -> tuple[Sequence[str], int] | None:
        """One sighting of a beacon that nobody has, `now` in monotonic seconds. None: nothing to say."""
        if beacon not in self._known and len(self._known) < REMEMBERED_MAX:
            self._known.add(beacon)
            self._new.append(beacon)
        if not self._new or now < self._next:
            return None
        self._next = now + EVERY_S
        new, self._new = self._new, []
        return new[:SHOWN], len(new)
