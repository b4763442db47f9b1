"""amqtt's broker with those of its faults mended that can be mended from a subclass (measured on 0.12.1; docs/brokers.md).

The methods with a leading underscore are amqtt's own and may change with a new version: tests/broker shows each of them
working, so that an update that breaks one is seen.
"""

from __future__ import annotations

from typing import Any

import structlog
from amqtt.broker import Broker
from amqtt.contexts import Action
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.session import Session

from broker.plugins import ContractPlugin

log = structlog.get_logger()

MAX_OFFLINE_MESSAGES = 10_000
"""What is kept for a client that is away; amqtt itself has no bound."""


class GuardedBroker(Broker):  # type: ignore[misc]  # amqtt's types are not followed
    """Access control without gaps in time, retained messages to subscribers only, bounded queues."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self._contract: ContractPlugin = self.plugins_manager.get_plugin("ContractPlugin")
        self._serving: set[int] = set()
        self.dropped_offline = 0

    def backlog(self, client_id: str) -> int:
        """Messages that came from this client, or wait to be given out, and are not handled yet."""
        session = self._sessions.get(client_id, (None, None))[0]
        waiting: int = session.delivered_message_queue.qsize() if session else 0
        to_give_out: int = self._broadcast_queue.qsize()
        return waiting + to_give_out

    def forget_backlog(self, client_id: str) -> None:
        """The client's connection is over: what amqtt took from it and did not handle would hold up its next one."""
        session = self._sessions.get(client_id, (None, None))[0]
        while session is not None and not session.delivered_message_queue.empty():
            session.delivered_message_queue.get_nowait()

    async def _topic_filtering(self, session: Session, topic: str, action: Action) -> bool:
        # amqtt asks its plugins in tasks, and gives out each message in a loop over a dictionary: a client that subscribes
        # in between ends that loop and the message is lost. Asked like this, nothing comes in between.
        return await self._contract.topic_filtering(session=session, topic=topic, action=action)

    async def _client_message_loop(self, client_session: Session, handler: BrokerProtocolHandler) -> None:
        self._serving.add(id(client_session))
        try:
            await super()._client_message_loop(client_session, handler)
        finally:
            self._serving.discard(id(client_session))

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        # Before its message loop amqtt sends a new client the retained messages of everybody's subscriptions. Only those
        # of a SUBSCRIBE, which passed the access control, are its own (MQTT 3.1.1, 3.3.1.3).
        if id(session) in self._serving:
            await super()._publish_retained_messages_for_subscription(subscription, session)

    async def _retain_broadcast_message(self, broadcast: dict[str, Any], qos: int, target_session: Session) -> None:
        if target_session.retained_messages.qsize() < MAX_OFFLINE_MESSAGES:
            await super()._retain_broadcast_message(broadcast, qos, target_session)
            return
        if not self.dropped_offline:
            log.warning("broker.offline_queue_full", client=target_session.client_id, at_most=MAX_OFFLINE_MESSAGES)
        self.dropped_offline += 1
