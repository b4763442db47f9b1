"""Where in the store: what people call the place of an agent, and where a customer was heard last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from sqlite3 import Connection

from config.words import Words
from hub.database import visits

TERMINAL = "terminal"
"""Stands for the agent in a visit that the customer's own terminal told of: it knows the store, not the floor."""
_TERMINAL_WORDS = Words(ja="店内", en="in the store")


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a customer is, or was heard last. `at`: RFC 3339, UTC."""

    agent: str
    place: Words
    at: str
    here: bool
    """An agent hears her now."""


class Places:
    """`[places]` of the hub's settings."""

    def __init__(self, words: Mapping[str, Words]) -> None:
        self._words = words

    def place(self, agent: str) -> Words:
        """What people call the place where this agent stands; its name if the settings say nothing."""
        found = self._words.get(agent)
        if found is None:
            return _TERMINAL_WORDS if agent == TERMINAL else Words.model_construct(ja=agent, en=agent)
        return found

    def where(self, db: Connection, visit: str) -> Whereabouts | None:
        """Where the customer of this visit is; None for a visit that is not there."""
        found = visits.where(db, visit)
        if found is None:
            return None
        agent, at, here = found
        return Whereabouts(agent, self.place(agent), at, here)
