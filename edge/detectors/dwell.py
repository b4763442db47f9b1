"""What was noticed at one moment is here until it was not noticed for a set time. Pure: `now` is an argument, monotonic s.

For detectors that see a customer once and not when she leaves: a code held before a reader, a face at a camera.
"""

from __future__ import annotations

from collections import OrderedDict

from contract.payloads import Detector, SightingKind
from edge.detectors.detector import Noticed

PRESENT_MAX = 2000
"""More are not remembered: the one noticed longest ago has then left."""


class Dwell:
    """`stay_s`: how long somebody is taken to be here after the last time she was noticed."""

    def __init__(self, by: Detector, stay_s: float) -> None:
        self._by, self._stay_s = by, stay_s
        self._last: OrderedDict[str, float] = OrderedDict()

    def notice(self, what: str, now: float) -> list[Noticed]:
        """It is here now."""
        events = self.tick(now)
        if what not in self._last:
            events.append(Noticed(what, SightingKind.ARRIVED, self._by, now))
        self._last[what] = max(now, self._last.get(what, now))
        self._last.move_to_end(what)
        if len(self._last) > PRESENT_MAX:
            events.append(self._left(*self._last.popitem(last=False)))
        return events

    def tick(self, now: float) -> list[Noticed]:
        """Who has left by now."""
        events = []
        while self._last and next(iter(self._last.values())) + self._stay_s <= now:
            events.append(self._left(*self._last.popitem(last=False)))
        return events

    def due(self) -> float | None:
        """When somebody leaves next."""
        return next(iter(self._last.values())) + self._stay_s if self._last else None

    @property
    def present(self) -> int:
        return len(self._last)

    def _left(self, what: str, last: float) -> Noticed:
        return Noticed(what, SightingKind.LEFT, self._by, last)
