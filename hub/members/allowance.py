"""How often somebody may do something: so many at once, then so many a second. Pure; the oldest that are full are forgotten."""

from __future__ import annotations

from collections import OrderedDict

KEYS_MAX = 10_000


class Allowance:
    """`may(key, now)` takes one of `key`'s, if any is left. `now` in monotonic seconds."""

    def __init__(self, burst: float, per_s: float) -> None:
        self._burst, self._per_s = burst, per_s
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def may(self, key: str, now: float) -> bool:
        left, at = self._left.pop(key, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._per_s)
        allowed = left >= 1.0
        self._left[key] = (left - 1.0 if allowed else left, now)
        if len(self._left) > KEYS_MAX:
            self._left.popitem(last=False)
        return allowed
