"""Who is let in when there is no room: beacons that were heard before. Pure.

A flood of made-up beacons would else push everybody out of a full table before they are heard a second time. A customer's tag says
the same name again and again; who makes up names says each once (or has few of them, and few need little room).
"""

from __future__ import annotations

AGAIN_S = 0.05
"""Advertisement and scan response of one event come milliseconds apart: they are one."""
REMEMBERED = 20_000
"""Names in each of two generations, 6 MB in all: of 10,000 new ones a second the last two to four seconds, of what a radio can
really receive ten times as long."""


class Door:
    """`heard_before(beacon, now)`; `now` in monotonic seconds."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._young: dict[str, float] = {}
        self._old: dict[str, float] = {}

    def heard_before(self, beacon_id: str, now: float) -> bool:
        """Whether it was heard a moment ago or earlier. Remembers it."""
        first = self._young.get(beacon_id)
        if first is None:
            first = self._young[beacon_id] = self._old.get(beacon_id, now)
            if len(self._young) > self._remembered:
                self._old, self._young = self._young, {}
        return now - first >= AGAIN_S
