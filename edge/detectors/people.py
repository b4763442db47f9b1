"""An infrared counter at a door: people who pass, without an identity (row A13).

The counter's own display only grows; what it showed when the hub was told last is kept with the message (`edge.store`), so that
people who passed while this agent was off are counted when it is back, and nobody twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from config.edge_settings import PeopleCounter as Settings
from devices.people_counter import CounterSettings, PeopleCounter
from devices.people_counter_frames import advance
from edge.detectors.detector import Category, Counted, Tell

AT_ONCE_MAX = 10_000
"""More between two readings were not people: another module was put in its place."""


class People:
    """`told`: what the counters showed when the hub was told last, or None if it never was."""

    category: Category = "counter"

    def __init__(self, settings: Settings, told: tuple[int, int] | None) -> None:
        self.name = settings.id
        self._settings = settings
        self._told = told
        self._now: tuple[int, int] | None = None
        self._since: float | None = None
        self._at = 0.0
        self._said_at = float("-inf")
        self._counters = Counter({"entered": 0, "left": 0, "counter_restarts": 0, "implausible": 0})
        self._wake: Callable[[], None] = lambda: None

    def driver(self, wake: Callable[[], None], tell: Tell) -> PeopleCounter:
        self._wake = wake
        settings = CounterSettings(self._settings.baud, self._settings.address, self._settings.poll_s)
        return PeopleCounter(self._settings.port, settings, self.on_totals, tell)

    def on_totals(self, entered: int, left: int, t: float) -> None:
        """From the counter: what it shows."""
        if self._told is None:
            self._told = entered, left  # its whole past is not today's business
        if self._since is None:
            self._since = t
        self._now, self._at = (entered, left), t
        if self._now != self._told:
            self._wake()

    def step(self, now: float) -> Iterable[Counted]:
        due = self.due()
        if due is None or due > now or self._now is None or self._told is None or self._since is None:
            return ()
        (entered, again), (left, too) = map(advance, self._told, self._now)
        self._counters["counter_restarts"] += again or too
        event = Counted(self.name, entered, left, self._since, self._at, self._now)
        self._told, self._since, self._said_at = self._now, self._at, now
        if max(entered, left) > AT_ONCE_MAX:
            self._counters["implausible"] += 1
            return ()
        self._counters["entered"] += entered
        self._counters["left"] += left
        return (event,)

    def due(self) -> float | None:
        """The first person is told at once, those behind her together."""
        return (
            self._said_at + self._settings.tell_every_s if self._now != self._told and self._now is not None else None
        )

    def counted(self) -> Mapping[str, int]:
        return dict(self._counters)
