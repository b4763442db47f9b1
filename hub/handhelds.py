"""Which handhelds were away when, as far as the hub has seen it: what one has never shown, it need not be told the end of."""

from __future__ import annotations

from datetime import datetime

from contract.payloads import ClientState
from hub.database import times

REMEMBERED_MAX = 10_000


class Handhelds:
    """In memory only: of a handheld that it knows nothing about it assumes that it has shown everything."""

    def __init__(self) -> None:
        self._away: dict[str, tuple[str, str | None]] = {}
        """By clerk: since when, until when (None: still)."""

    def is_back(self, clerk: str, state: ClientState, now: datetime) -> bool:
        """A handheld's state was heard; True when it wants to be told what is open."""
        at = times.text(now)
        went = self._away.get(clerk)
        if state is ClientState.READY:
            if went is not None and went[1] is None:  # else it says it again, after a loss that the hub did not see
                self._away[clerk] = went[0], at
            return True
        if (went is None or went[1] is not None) and (clerk in self._away or len(self._away) < REMEMBERED_MAX):
            self._away[clerk] = at, None
        return False

    def away_since(self, clerk: str) -> str | None:
        """Since when it is away: all that ends meanwhile is news to it. None: it is there, or the hub did not see it go."""
        went, came = self._away.get(clerk, (None, None))
        return went if came is None else None

    def never_saw(self, clerk: str, raised: str, ended: str) -> bool:
        """Whether this clerk's handheld was away for the whole life of an alert."""
        went, came = self._away.get(clerk, ("", None))
        return bool(went) and went < raised and (came is None or ended <= came)
