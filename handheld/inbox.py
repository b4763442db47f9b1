"""From bytes on a topic to the book: decoded, checked to be for this clerk (row A12), counted when it breaks the contract."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from contract import topics
from contract.envelope import decode
from contract.errors import ContractError
from contract.messages import BY_NAME
from contract.payloads import Alert, ClientState, HubStatus
from handheld.alert_book import AlertBook, Heard


@dataclass(frozen=True, slots=True)
class AlertNews:
    """A copy of an alert reached the book."""

    alert: str
    heard: Heard


@dataclass(frozen=True, slots=True)
class HubNews:
    """The hub is there, or is not."""

    ready: bool
    before: bool | None
    """What was known before; None at first."""


@dataclass(frozen=True, slots=True)
class BadNews:
    """A message that was not used. `reason` is a short word for counters, `detail` a sentence."""

    topic: str
    reason: str
    detail: str


News = AlertNews | HubNews | BadNews


def subscriptions(store: str, clerk: str) -> dict[str, Literal[0, 1]]:
    """Filters to subscribe to, with QoS: this clerk's alerts, and whether the hub is there."""
    rows = (BY_NAME["alert"], BY_NAME["hub_status"])
    return {topics.pattern(row, store, clerk=clerk): row.qos for row in rows}


class Inbox:
    """Takes every message of one clerk's connection. Never raises."""

    def __init__(self, store: str, clerk: str, book: AlertBook) -> None:
        self.store = store
        self.clerk = clerk
        self.book = book
        self.hub_ready: bool | None = None
        self.refused: dict[str, int] = {}
        """Messages not used, by reason. The reasons are a fixed set of words."""

    def take(self, topic: str, payload: bytes, now: float, wall: datetime) -> News:
        """`now` in seconds, monotonic; `wall` is the time of day, used only for messages that carry no time."""
        try:
            message = decode(topic, payload)
        except ContractError as error:
            return self._refuse(topic, error.reason, error.detail)
        if message.store != self.store or message.ids.get("clerk", self.clerk) != self.clerk:
            return self._refuse(topic, "not_mine", f"this is for somebody else than clerk {self.clerk} of {self.store}")
        if isinstance(message.data, Alert):
            waited_s = ((message.time or wall) - message.data.raised).total_seconds()
            return AlertNews(message.data.alert, self.book.hear(message.data, message.id, waited_s, now))
        if isinstance(message.data, HubStatus):
            return self._hub(message.data.state is ClientState.READY, now)
        return self._refuse(topic, "not_mine", "a handheld has no use for this message")

    def _hub(self, ready: bool, now: float) -> HubNews:
        before, self.hub_ready = self.hub_ready, ready
        if not ready:
            self.book.hub_away()
        elif before is False:
            self.book.connected(now)
        return HubNews(ready, before)

    def _refuse(self, topic: str, reason: str, detail: str) -> BadNews:
        self.refused[reason] = self.refused.get(reason, 0) + 1
        return BadNews(topic[:200], reason, detail)
