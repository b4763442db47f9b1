"""One beacon over time: its smoothed level and its usual gap between advertisements. Pure.

Level: median of the last few advertisements, then an exponential average in dB with a time constant. Fading indoors is
one-sided (dips of 10 to 20 dB for one advertisement, hardly ever peaks); a median drops a dip altogether where an average
or a Kalman filter only dilutes it, and the average after it takes out the 4 dB of scatter that the median leaves.

Gap: the length-weighted mean, sum(g²)/sum(g), over the last dozen or so. It answers "how long is the silence in which a
random moment falls": for a steady beacon its interval, for a tag that sends three in a burst every 30 s still 30 s.
"""

from __future__ import annotations

import math
from collections import deque
from statistics import median

from edge.presence_settings import PresenceSettings

__all__ = ["Track"]

#: Weight that an older gap keeps with each new one: half after 7.
GAP_MEMORY = 0.9
#: Advertisement and scan response of one event come milliseconds apart: one event, not a beacon of 200 a second.
SAME_EVENT_S = 0.01
#: A stated power further off than this is a mis-set tag (or somebody shouting his way in), and is cut to it.
POWER_CORRECTION_LIMIT_DB = 20


class Track:
    """`level_dbm` is None until the first `hear`."""

    __slots__ = (
        "above_count",
        "above_since",
        "faint_since",
        "first_seen",
        "gaps",
        "last_seen",
        "level_dbm",
        "moved_at",
        "queued_until",
        "seen_count",
        "strong",
        "sum_gap",
        "sum_gap2",
        "window",
        "zone",
    )

    def __init__(self, settings: PresenceSettings) -> None:
        self.window: deque[float] = deque(maxlen=settings.median_adverts)
        self.level_dbm: float | None = None
        self.gaps = 0
        self.sum_gap = self.sum_gap2 = 0.0
        self.first_seen = self.last_seen = -math.inf
        self.seen_count = 0
        self.zone = ""
        self.moved_at = -math.inf
        self.above_since: float | None = None
        self.above_count = 0
        self.strong = False
        self.faint_since: float | None = None
        self.queued_until = math.inf

    def restart(self) -> None:
        """Forget the level, keep what is known of the interval: it belongs to the tag."""
        self.window.clear()
        self.level_dbm = None
        self.seen_count = 0
        self.zone = ""
        self.moved_at = self.first_seen = -math.inf
        self.above_since = self.faint_since = None
        self.above_count = 0
        self.strong = False

    def inherit(self, before: Track) -> None:
        """What is known of the interval of the same tag under its last name."""
        self.gaps, self.sum_gap, self.sum_gap2 = before.gaps, before.sum_gap, before.sum_gap2

    def hear(self, settings: PresenceSettings, reference_rssi_dbm: float, now: float) -> None:
        """Take one advertisement, at a level already shifted to the reference power."""
        gap = max(0.0, now - self.last_seen)
        if self.seen_count == 0:
            self.first_seen = now
        if SAME_EVENT_S < gap <= settings.silence_unknown_s:
            self.gaps += 1
            self.sum_gap = GAP_MEMORY * self.sum_gap + gap
            self.sum_gap2 = GAP_MEMORY * self.sum_gap2 + gap * gap
        self.seen_count += 1
        self.last_seen = max(self.last_seen, now)
        self._smooth(settings, reference_rssi_dbm, gap)

    def _smooth(self, settings: PresenceSettings, rssi_dbm: float, gap_s: float) -> None:
        self.window.append(rssi_dbm)
        middle = median(self.window)
        if self.level_dbm is None:
            self.level_dbm = middle
        else:
            constant_s = max(settings.smoothing_s, settings.smoothing_gaps * self.usual_gap_s)
            self.level_dbm += (1.0 - math.exp(-gap_s / constant_s)) * (middle - self.level_dbm)

    @property
    def usual_gap_s(self) -> float:
        """0 while nothing is known."""
        return self.sum_gap2 / self.sum_gap if self.sum_gap > 0 else 0.0

    def silence_s(self, settings: PresenceSettings) -> float:
        """How long this beacon may be silent before it has left."""
        own = max(settings.silence_min_s, settings.silence_factor * self.usual_gap_s)
        if self.gaps < settings.trusted_gaps:
            own = max(own, settings.silence_unknown_s)
        return min(own, settings.silence_max_s)

    def deadline(self, settings: PresenceSettings) -> float:
        """When it has left unless something is heard before."""
        silent = self.last_seen + self.silence_s(settings)
        return silent if self.faint_since is None else min(silent, self.faint_since + settings.exit_persist_s)
