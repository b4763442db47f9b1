"""amqtt's two questions, "who is it?" and "may it?", answered from the credentials and the contract.

These are ordinary amqtt plugins; `broker.embedded` loads them by their dotted names. amqtt asks the second question for
publishing, for subscribing, and again for each message that a subscriber would receive.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from amqtt.contexts import Action, BaseContext
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session

from broker.credentials import Credentials
from contract.access import Principal, allowed


class PasswordPlugin(BaseAuthPlugin):  # type: ignore[misc]  # amqtt's types are not followed
    """User name, password, and a client ID that belongs to the user name."""

    @dataclass
    class Config:
        credentials: Credentials

    config: Config

    async def authenticate(self, *, session: Session) -> bool:
        principal = self.config.credentials.verify(session.username or "", session.password or "")
        return principal is not None and principal.owns_client_id(session.client_id or "")


class ContractPlugin(BaseTopicPlugin):  # type: ignore[misc]
    """The table's access control. Who may not subscribe to a topic does not receive from it either."""

    @dataclass
    class Config:
        store: str

    config: Config

    def __init__(self, context: BaseContext) -> None:
        super().__init__(context)
        self._allowed = lru_cache(maxsize=8192)(self._ask)

    async def topic_filtering(
        self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None
    ) -> bool:
        if session is None or session.username is None or topic is None:
            return False
        return self._allowed(session.username, topic, action)

    def _ask(self, username: str, topic: str, action: Any) -> bool:
        try:
            principal = Principal.of_username(username)
        except ValueError:
            return False
        return allowed(principal, self.config.store, "publish" if action is Action.PUBLISH else "subscribe", topic)
