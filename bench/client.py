"""The bare MQTT client of the measurements: gmqtt as it is, the library that hub and edge use, without anything of ours."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import gmqtt
from gmqtt.mqtt.constants import MQTTv311

from bench.store import BenchError
from delivery.link import Address

CONNECT_S = 10.0


class BareClient:
    """`on_message(topic, payload)` is called in the event loop, at once."""

    def __init__(self, address: Address, on_message: Callable[[str, bytes], None]) -> None:
        self._address, self._on_message = address, on_message
        self._client = gmqtt.Client(address.client_id or address.username, clean_session=True)
        self._client.set_auth_credentials(address.username, address.password)
        self._client.on_message = self._arrived

    async def open(self, *subscriptions: tuple[str, int]) -> None:
        """Connect and subscribe (filter, QoS). Raises BenchError."""
        granted: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()

        def on_subscribe(_client: Any, _mid: int, codes: Sequence[int], _properties: Any) -> None:
            if not granted.done():
                granted.set_result(list(codes))

        self._client.on_subscribe = on_subscribe
        try:
            async with asyncio.timeout(CONNECT_S):
                await self._client.connect(self._address.host, self._address.port, version=MQTTv311, keepalive=60)
                if subscriptions:
                    self._client.subscribe([gmqtt.Subscription(topic, qos=qos) for topic, qos in subscriptions])
                    if any(code >= 0x80 for code in await granted):
                        raise BenchError(f"the broker does not let {self._address.username} subscribe")
        except (OSError, TimeoutError) as error:
            raise BenchError(f"no connection to the broker as {self._address.username}: {error!r}") from error

    def _arrived(self, _client: Any, topic: str, payload: bytes, _qos: int, _properties: Any) -> int:
        self._on_message(topic, payload)
        return 0

    def publish(self, topic: str, payload: bytes, qos: int = 0) -> None:
        """Hand one message to the library."""
        self._client.publish(topic, payload, qos)

    async def close(self) -> None:
        with contextlib.suppress(Exception):  # it is over, whatever the library says about it
            async with asyncio.timeout(1.0):
                await self._client.disconnect()
