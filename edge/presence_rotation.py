"""A rotating beacon changes its identifier: which one that is heard now goes on where which one fell silent? Pure.

An agent can't know (only the hub has the keys), and need not: both identifiers are told, and the hub joins them. But a customer in
a far corner is kept by the hysteresis of her level, and her new identifier would have to come in as if from the street. So
one that begins when another falls silent, at about the same level, is let in at the level at which that one was kept.
Mistaken, it lets in a passer-by whose identifier happens to change at that moment.
"""

from __future__ import annotations

from collections.abc import Mapping

from edge.presence_settings import PresenceSettings
from edge.presence_track import Track

__all__ = ["ROTATING", "predecessor"]

ROTATING = "eddystone-eid:"
LOOKS = (3, 5, 8)
"""After so many advertisements of the new one it is looked for: its level is then known to some 3 dB."""
GAP_MIN_S, GAP_FACTOR = 2.0, 4.0
"""Between the last advertisement of the old and the first of the new: some of each are missed."""
LEVEL_DB = 8.0
"""Two deviations of a level that is the median of a few."""


def predecessor(present: Mapping[str, Track], beacon_id: str, new: Track, settings: PresenceSettings) -> str | None:
    """The identifier that `new` takes the place of. `present` is in order of the last advertisement, oldest first."""
    if not beacon_id.startswith(ROTATING) or new.seen_count not in LOOKS or new.level_dbm is None:
        return None
    if new.level_dbm < settings.exit_rssi_dbm:
        return None
    best, off_db = None, LEVEL_DB
    for name, old in present.items():
        if old.last_seen >= new.first_seen:
            break  # this one and all behind it were heard since: they have not changed
        gap_s = max(GAP_MIN_S, GAP_FACTOR * old.usual_gap_s)
        if name.startswith(ROTATING) and old.level_dbm is not None and new.first_seen - old.last_seen <= gap_s:
            apart_db = abs(new.level_dbm - old.level_dbm)
            if apart_db <= off_db:
                best, off_db = name, apart_db
    return best
