"""Where a message goes: topic, source and stream, worked out once for each receiver.

The checks of a topic cost as much as the encoding of a message, and a store has some hundred topics.
"""

from __future__ import annotations

from dataclasses import dataclass

from contract import topics
from contract.access import Principal
from contract.envelope import source_of
from contract.messages import BY_NAME, Channel, Role

ROUTES_MAX = 4096
"""Remembered at once. Beyond, all are worked out anew."""


@dataclass(frozen=True, slots=True)
class Route:
    """`key` is the peer and the stream, None for a row without numbers. Do not change `ids`."""

    channel: Channel
    ids: dict[str, str]
    topic: str
    source: str
    key: tuple[str, str] | None


class Routes:
    """The routes of one speaker, `me`."""

    def __init__(self, me: Principal, store: str) -> None:
        self._me, self._store = me, store
        self._known: dict[tuple[str, tuple[tuple[str, str], ...]], Route] = {}

    def find(self, name: str, ids: dict[str, str]) -> Route:
        """`name` is a row of `contract.messages`, `ids` the levels of its topic other than our own.

        Raises KeyError for a name that is no row, ValueError for IDs that do not fit it.
        """
        asked = (name, tuple(ids.items()))
        route = self._known.get(asked)
        if route is None:
            if len(self._known) >= ROUTES_MAX:
                self._known.clear()
            route = self._known[asked] = self._make(name, ids)
        return route

    def _make(self, name: str, ids: dict[str, str]) -> Route:
        channel = BY_NAME[name]
        own = self._me.role.value
        if own in topics.fields(channel) and own not in ids:
            ids = {own: self._me.id, **ids}
        key = None
        if channel.stream is not None:
            peer = "hub" if self._me.role is not Role.HUB else f"agent/{ids['agent']}"
            key = (peer, channel.stream.value)
        return Route(channel, ids, topics.topic(channel, self._store, **ids), source_of(channel, ids), key)
