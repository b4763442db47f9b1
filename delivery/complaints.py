"""How often it is worth a line in the log and a row in the database that a client sends what does not fit. Pure."""

from __future__ import annotations

BURST, PER_S = 200.0, 1.0
"""Of each client, then one a second: who sends nonsense without end is counted, and must fill neither disk nor log."""
CLIENTS_MAX = 1000


class Complaints:
    """`may(topic, now)`: whether this one is to be written down. `now` in monotonic seconds."""

    def __init__(self) -> None:
        self._left: dict[str, tuple[float, float]] = {}

    def may(self, topic: str, now: float) -> bool:
        who = "/".join(topic.split("/", 4)[2:4])[:200]
        if who not in self._left and len(self._left) >= CLIENTS_MAX:
            self._left.clear()
        left, at = self._left.get(who, (BURST, now))
        left = min(BURST, left + (now - at) * PER_S)
        if left < 1.0:
            return False  # the time since the last one that was written down counts on
        self._left[who] = (left - 1.0, now)
        return True
