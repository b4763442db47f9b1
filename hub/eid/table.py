"""Identifiers of all rotating beacons around now, computed ahead: whom an identifier belongs to is one look-up (row C5).

Pure: times are seconds of UNIX time, given by the caller. At the time `s` a beacon's counter shows `s - zero_s + drift`; the drift
is `low_s` or up to a quantum more. A sighting may raise `low_s`, and each second lowers it by 150 ppm, as far as a clock may go.

    past, as long as `back_s`  |  q-1 … q … q+1  |  one more, ahead of time
                                  what can be, and so resolves

A beacon that says the identifier of quantum m has a counter of at least the start of m; it may be later, since it may switch late
within its quantum, as the specification recommends, and since somebody may have recorded and replayed it. So what is heard
can only say how far a clock is at least, and a replay says nothing new. What can't be resolves to nobody: a replay from outside
the window. Work comes in portions: `work` computes a bounded number, so that the loop it runs in is never held up.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from hub.eid.computing import COUNTER_MASK, DRIFT_PPM, eids, temporary_key

LATE = 1
"""By how many quanta a beacon may be late with its switch."""
AHEAD = 1
"""Quanta that are computed before they can resolve."""
SLACK_S = 2.0
"""How exactly the time of an advertisement is known: clocks of agents, and the way through the radio's queue."""
PAST_AFTER_S = 1.0
"""What late news may need is computed after what resolves now, of all beacons."""
PAST_MAX = 64
"""Quanta of the past that are kept at most: beacons that change every few seconds would else have thousands."""
AGAIN_S = 0.1
"""No beacon is looked at more often."""
_QUANTUM_BITS = 33


@dataclass(frozen=True, slots=True)
class EidKey:
    """A rotating beacon. `zero_s`: when its counter was 0; since then, or as it was heard last at `seen_s`, it was ahead of the
    hub's clock by `drift_s` at least, and by less than a quantum more."""

    name: str
    identity_key: bytes
    exponent: int
    zero_s: float
    drift_s: float
    seen_s: float


@dataclass(frozen=True, slots=True)
class Match:
    """Whose identifier it is. `drift_s`: what is now known of the beacon's clock; `saved_…`: what was told to be on disk."""

    name: str
    drift_s: float
    saved_drift_s: float
    saved_s: float


class _Beacon:
    """A key and what is computed of it: the quanta from `first` on, one entry of `said` each."""

    __slots__ = ("first", "index", "key", "low_s", "said", "saved", "seen_s", "temporary")

    def __init__(self, key: EidKey, index: int) -> None:
        self.key, self.index = key, index
        self.low_s, self.seen_s = self.saved = key.drift_s, key.seen_s
        self.first = 0
        self.said: list[int] = []
        self.temporary: tuple[int, bytes] = (-1, b"")

    def window(self, at_s: float) -> tuple[int, int]:
        """The first and the last quantum whose identifier may be heard at this time."""
        shown = at_s - self.key.zero_s
        loose = self._loose_s(at_s) + SLACK_S
        first = int(shown + self.low_s - loose) >> self.key.exponent
        return first - LATE, (int(shown + self.low_s + loose) >> self.key.exponent) + 1

    def follow(self, quantum: int, at_s: float) -> None:
        """It was heard to say this."""
        start = (quantum << self.key.exponent) - (at_s - self.key.zero_s)
        self.low_s = max(self.low_s - self._loose_s(at_s), start - SLACK_S)
        self.seen_s = at_s

    def next_change_s(self, at_s: float) -> float:
        """When the expected quantum ends."""
        shown = int(at_s - self.key.zero_s + self.low_s)
        return (((shown >> self.key.exponent) + 1) << self.key.exponent) + self.key.zero_s - self.low_s

    def _loose_s(self, at_s: float) -> float:
        return DRIFT_PPM * 1e-6 * abs(at_s - self.seen_s)


class EidTable:
    """`counters`: computed, collisions. `back_s`: how late news may come and still be resolved."""

    def __init__(self, back_s: float = 3600.0) -> None:
        self._back_s = back_s
        self._index: dict[int, int] = {}
        self._beacons: list[_Beacon | None] = []
        self._names: dict[str, _Beacon] = {}
        self._free: list[int] = []
        self._due: list[tuple[float, int, str]] = []
        self.counters = dict.fromkeys(("computed", "collisions"), 0)

    def __len__(self) -> int:
        return len(self._names)

    @property
    def entries(self) -> int:
        """Identifiers that are kept."""
        return len(self._index)

    def names(self) -> Iterable[str]:
        return self._names.keys()

    def put(self, key: EidKey) -> None:
        """A new beacon, or new facts about one. Its identifiers are computed by `work`."""
        self.drop(key.name)
        index = self._free.pop() if self._free else len(self._beacons)
        beacon = _Beacon(key, index)
        if index == len(self._beacons):
            self._beacons.append(beacon)
        else:
            self._beacons[index] = beacon
        self._names[key.name] = beacon
        heapq.heappush(self._due, (0.0, index, key.name))

    def drop(self, name: str) -> None:
        """Forget a beacon and all of its identifiers."""
        beacon = self._names.pop(name, None)
        if beacon is not None:
            self._forget(beacon, len(beacon.said))
            self._beacons[beacon.index] = None
            self._free.append(beacon.index)

    def due_s(self) -> float | None:
        """When there is work; None without beacons."""
        return self._due[0][0] if self._due else None

    def work(self, now_s: float, limit: int) -> int:
        """Look after beacons that are due, until about `limit` identifiers are computed; returns how many beacons. 0: none is due."""
        looked = computed = 0
        while max(looked, computed) < limit and self._due and self._due[0][0] <= now_s:
            _, index, name = self._due[0]
            beacon = self._beacons[index]
            if beacon is None or beacon.key.name != name:
                heapq.heappop(self._due)  # of one that was dropped
                continue
            more, due_s = self._refresh(beacon, now_s)
            heapq.heapreplace(self._due, (due_s, index, name))
            computed += more
            looked += 1
        self.counters["computed"] += computed
        return looked

    def resolve(self, said: bytes, heard_s: float) -> Match | None:
        """Whose identifier this was when it was heard. None: nobody's, or not at that time (a replay from outside the window)."""
        found = self._index.get(int.from_bytes(said, "big"))
        if found is None:
            return None
        beacon = self._beacons[found >> _QUANTUM_BITS]
        if beacon is None:
            return None
        quantum = found & ((1 << _QUANTUM_BITS) - 1)
        first, last = beacon.window(heard_s)
        if not first <= quantum <= last:
            return None
        if heard_s > beacon.seen_s:
            beacon.follow(quantum, heard_s)
        return Match(beacon.key.name, beacon.low_s, *beacon.saved)

    def saved(self, name: str, drift_s: float, seen_s: float) -> None:
        """This is on disk."""
        if (beacon := self._names.get(name)) is not None:
            beacon.saved = drift_s, seen_s

    def _refresh(self, beacon: _Beacon, now_s: float) -> tuple[int, float]:
        """Bring one beacon up to date; how many were computed, and when it is due again."""
        begin, end = beacon.window(now_s)
        begin = max(0, begin)
        first = max(0, begin - PAST_MAX, min(begin, beacon.window(now_s - self._back_s)[0]))
        last = min(end + AHEAD, COUNTER_MASK >> beacon.key.exponent)
        if (
            not beacon.said or beacon.first + len(beacon.said) < first
        ):  # new, or the machine slept: now comes first, then the past
            self._forget(beacon, len(beacon.said))
            beacon.first = begin
            return self._add(beacon, range(begin, last + 1)), now_s + PAST_AFTER_S
        self._forget(beacon, first - beacon.first)
        computed = self._add(beacon, range(beacon.first + len(beacon.said), last + 1))
        computed += self._add(beacon, range(first, beacon.first), in_front=True)
        return computed, max(beacon.next_change_s(now_s), now_s + AGAIN_S)

    def _add(self, beacon: _Beacon, quanta: range, *, in_front: bool = False) -> int:
        said = [int.from_bytes(each, "big") for each in _said(beacon, quanta)]
        for quantum, number in zip(quanta, said, strict=True):
            self.counters["collisions"] += number in self._index
            self._index[number] = beacon.index << _QUANTUM_BITS | quantum
        if in_front:
            beacon.first -= len(said)
            beacon.said = said + beacon.said
        else:
            beacon.said += said
        return len(said)

    def _forget(self, beacon: _Beacon, count: int) -> None:
        if count <= 0:
            return
        for number in beacon.said[:count]:
            if self._index.get(number, -1) >> _QUANTUM_BITS == beacon.index:
                del self._index[number]
        del beacon.said[:count]
        beacon.first += count


def _said(beacon: _Beacon, quanta: Iterable[int]) -> Iterator[bytes]:
    key = beacon.key
    for top, some in groupby(quanta, lambda quantum: quantum << key.exponent >> 16):
        if beacon.temporary[0] != top:
            beacon.temporary = top, temporary_key(key.identity_key, top << 16)
        yield from eids(beacon.temporary[1], key.exponent, some)
