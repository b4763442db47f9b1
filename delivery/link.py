"""The one file that knows the MQTT client library (gmqtt 0.8).

What was measured of it decides the shape (docs/decisions): it loses its queue and leaks packet identifiers when a session is
lost, reconnects without jitter, has no time limit for the first connection. So every connection is a new client object
without a session; reconnecting, with jitter and a cap, is ours; and nothing that matters is left to its queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import gmqtt
import structlog
from gmqtt.mqtt.constants import MQTTv50, MQTTv311
from gmqtt.mqtt.handler import MQTTError

from delivery.engine import Publication
from delivery.inbox import Inbox, Item

log = structlog.get_logger()

# What the library says of a refusal ("CONNACK: 0x5") is a sentence of ours below.
logging.getLogger("gmqtt.mqtt.handler").addFilter(lambda record: "CONNACK" not in str(record.msg))

RECONNECT_FIRST_S, RECONNECT_MAX_S = 0.2, 5.0
"""A wait is anything between nothing and this (full jitter): after a long absence of the broker a lane stands still for 2.5 s
on average, and a hundred agents come back over 5 s, twenty a second."""
STEADY_S = 5.0
"""A connection that held so long was a good one: after its loss reconnecting begins with short waits again."""
_REFUSED = {
    4: "the broker refuses this user name or password; check [mqtt] username and password in the settings",
    5: "the broker refuses this user; issue credentials for it (instore credentials issue) or check the password",
    134: "the broker refuses this user name or password; check [mqtt] username and password in the settings",
    135: "the broker refuses this user; issue credentials for it (instore credentials issue) or check the password",
}


def _reason(error: OSError) -> str:
    """Why a connection was not made, in words; event loops put addresses and class names into theirs."""
    if isinstance(error, socket.gaierror):
        return f"this name is not known: {error.strerror}"
    if isinstance(error, ssl.SSLError):
        return getattr(error, "verify_message", "") or "the TLS handshake failed"
    if error.errno is not None:
        return os.strerror(error.errno)
    return "none of its addresses answers" if "Multiple exceptions" in str(error) else str(error)


class LinkError(ConnectionError):
    """The broker can't be reached or refuses us; the sentence says which and what to do."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the broker is and who we are there. `version` is "3.1.1" or "5"; no property of 5 carries meaning."""

    host: str
    port: int
    username: str
    password: str
    tls: bool = False
    connect_timeout_s: float = 5.0
    keepalive_s: int = 10
    version: str = "3.1.1"
    client_id: str = ""
    """Who we are among the broker's clients; the user name unless given (several programs may share one user)."""
    shared_user: bool = False
    """Nothing but the client ID keeps the programs of a store apart at this broker."""
    others: tuple[tuple[str, int], ...] = ()
    """(host, port) of the other nodes of a cluster: where to go, one after the other, when this one can't be had (row C13)."""

    @property
    def identifier(self) -> str:
        """The client ID as the broker gets it. A user of our own is a part of it; where there is none, it has no dot either, which
        some brokers refuse (NATS), and no name of ours has a tilde."""
        own = self.client_id or self.username
        return own.replace(".", "~") if self.shared_user else own

    @property
    def nodes(self) -> tuple[Address, ...]:
        """This one, and as it is at each of the others."""
        return (self, *(replace(self, host=host, port=port) for host, port in self.others))


class _Client(gmqtt.Client):  # type: ignore[misc]
    def _allow_reconnect(self) -> bool:
        return False  # a connection that ends is replaced by a new client, which carries no stale packet identifiers

    def publish(self, topic: str, payload: bytes, qos: int = 0, retain: bool = False, **properties: Any) -> None:
        """As the library's; a message without properties goes out without its detours.

        At QoS 1 the library keeps a copy to send again in the same session: we have none (see above). It takes the packet
        identifier back when the broker has acknowledged it.
        """
        if qos > 1 or properties:
            super().publish(topic, payload, qos, retain, **properties)
            return
        protocol = self._connection._protocol
        mid = protocol.id_generator.next_id() if qos else 0
        protocol.write_data(_packet(topic, payload, retain, mid))


def _packet(topic: str, payload: bytes, retain: bool, mid: int = 0) -> bytes:
    """PUBLISH of MQTT 3.1.1 (section 3.3): at QoS 1 with a packet identifier, at QoS 0 without."""
    name = topic.encode()
    head = bytearray(((0x32 if mid else 0x30) | retain,))
    own = mid.to_bytes(2, "big") if mid else b""
    left = 2 + len(name) + len(own) + len(payload)
    while left > 0x7F:
        head.append(left & 0x7F | 0x80)
        left >>= 7
    head.append(left)
    return b"".join((head, len(name).to_bytes(2, "big"), name, own, payload))


class Link:
    """Keeps one connection to the broker. `inbox` holds what arrived as (topic, payload); `on_wake` says it did.

    `on_up` is called when all subscriptions are confirmed, `on_down` with a sentence when the connection is gone. `goodbye`
    is published before we disconnect on purpose: the broker then forgets the will.
    """

    def __init__(self, address: Address, subscriptions: Sequence[tuple[str, int]], *, will: Publication | None,
                 goodbye: Publication | None = None, on_up: Callable[[], None], on_down: Callable[[str], None],
                 on_wake: Callable[[], None], rng: Random | None = None) -> None:  # fmt: skip
        self._nodes = itertools.cycle(address.nodes)
        self.address = next(self._nodes)
        """Of the node that we are at, or try next."""
        self.inbox = Inbox()
        self.take: Callable[[Item], bool] = self.inbox.append
        """What is done with an arrival; whether there was room for it."""
        self.unsent = 0
        """Publications that the library refused: numbered ones are sent again."""
        self.connects = 0
        self.up = False
        self.trouble = "not connected yet"
        """The last reason for not being connected, as a sentence; "" while connected."""
        self._subscriptions = tuple(subscriptions)
        self._will, self._goodbye = will, goodbye
        self._on_up, self._on_down, self._on_wake = on_up, on_down, on_wake
        self._rng = rng or Random()
        self._client: _Client | None = None
        self._lost: asyncio.Event | None = None
        self._five = address.version == "5"

    @property
    def dropped(self) -> int:
        """Arrivals for which there was no room."""
        return self.inbox.dropped

    async def run(self) -> None:
        """Connect, stay connected, reconnect; until cancelled. Then say good-bye to the broker."""
        delay_s, told = RECONNECT_FIRST_S, ""
        loop = asyncio.get_running_loop()
        while True:
            began, connects = loop.time(), self.connects
            try:
                await self._one_connection()
            except LinkError as error:
                self.trouble = str(error)
                if told != self.trouble:  # once per kind of trouble, not once per try
                    log.warning("no connection to the broker", reason=self.trouble)
                    told = self.trouble
                    self._on_down(self.trouble)
            self.address = next(self._nodes)
            if self.connects > connects:
                told = ""
                if loop.time() - began >= STEADY_S:
                    delay_s = RECONNECT_FIRST_S
            await asyncio.sleep(delay_s * self._rng.random())
            delay_s = min(delay_s * 2, RECONNECT_MAX_S)

    def renew(self, why: str) -> None:
        """Give this connection up and make a new one."""
        if self.up and self._lost is not None:
            log.warning("connection to the broker given up", reason=why)
            self._lost.set()

    async def _one_connection(self) -> None:
        lost = self._lost = asyncio.Event()
        client = self._new_client(lost)
        try:
            await self._connect(client)
            await self._subscribe(client, lost)
            self._client, self.up, self.trouble = client, True, ""
            self.connects += 1
            log.info("connected to the broker", host=self.address.host, port=self.address.port)
            self._on_up()
            self._on_wake()
            await lost.wait()
            self._go_down()
        finally:
            if self._client is not None and self._goodbye is not None:
                self.publish(self._goodbye)
            self._client, self.up = None, False
            await self._close(client)

    def _go_down(self) -> None:
        self._client, self.up = None, False
        self.trouble = f"the connection to the broker at {self.address.host}:{self.address.port} was lost; trying again"
        log.warning("connection to the broker lost", host=self.address.host, port=self.address.port)
        self._on_down(self.trouble)

    def _new_client(self, lost: asyncio.Event) -> _Client:
        will = self._will and gmqtt.Message(
            self._will.topic, self._will.payload, qos=self._will.qos, retain=self._will.retain
        )
        client = _Client(self.address.identifier, clean_session=True, will_message=will)
        client.set_auth_credentials(self.address.username, self.address.password)
        client.on_message = self._on_message
        client.on_disconnect = lambda *_: lost.set()
        return client

    async def _connect(self, client: _Client) -> None:
        where = f"{self.address.host}:{self.address.port}"
        context = ssl.create_default_context() if self.address.tls else False
        try:
            async with asyncio.timeout(self.address.connect_timeout_s):
                await client.connect(
                    self.address.host,
                    self.address.port,
                    ssl=context,
                    keepalive=self.address.keepalive_s,
                    version=MQTTv50 if self._five else MQTTv311,
                )
        except TimeoutError:
            raise LinkError(
                f"the broker at {where} does not answer within {self.address.connect_timeout_s:g} s"
            ) from None
        except MQTTError as error:
            code = getattr(error, "_code", None)
            raise LinkError(
                f"{where}: {_REFUSED.get(code or 0, str(error))} (user {self.address.username!r})"
            ) from None
        except ssl.SSLCertVerificationError as error:
            raise LinkError(
                f"this machine does not trust the certificate of the broker at {where} ({error.verify_message}); install it here"
                " (docs/installing.md)"
            ) from None
        except OSError as error:
            raise LinkError(f"no broker at {where} ({_reason(error)}); is it running?") from None
        except Exception as error:
            # Whatever else a library finds wrong with an address or an answer must not end the program.
            raise LinkError(f"{where}: no connection to this broker is possible ({error!r}); check [mqtt]") from error
        connection = client._connection
        if connection is not None and (sock := connection._transport.get_extra_info("socket")) is not None:
            # asyncio sets this itself; saying it here keeps it true for any event loop (44 ms a round trip without).
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def _subscribe(self, client: _Client, lost: asyncio.Event) -> None:
        granted: asyncio.Future[Sequence[int]] = asyncio.get_running_loop().create_future()

        def on_subscribe(_client: Any, _mid: int, codes: Sequence[int], _properties: Any) -> None:
            if not granted.done():
                granted.set_result(codes)

        client.on_subscribe = on_subscribe
        client.subscribe([gmqtt.Subscription(topic, qos=qos) for topic, qos in self._subscriptions])
        gone: asyncio.Future[Any] = asyncio.ensure_future(lost.wait())
        try:
            await asyncio.wait(
                {granted, gone}, timeout=self.address.connect_timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            gone.cancel()
        if not granted.done():
            granted.cancel()
            raise LinkError(f"the broker at {self.address.host}:{self.address.port} does not confirm the subscriptions")
        refused = [t for (t, _), code in zip(self._subscriptions, granted.result(), strict=False) if code >= 0x80]
        if refused:
            why = "its access control is older than this program: write it again from the contract"
            if self.address.shared_user:
                why = "this user may not, or a cluster can't take it at the moment"
            raise LinkError(
                f"the broker does not let {self.address.username!r} subscribe to {', '.join(refused)}; {why}"
            )

    def _on_message(self, _client: Any, topic: str, payload: bytes, _qos: int, _properties: Any) -> int:
        # A plain function: async handlers of this library run side by side and finish out of order.
        if self.take((topic, payload)):
            self._on_wake()
        return 0

    def publish(self, publication: Publication) -> None:
        """Hand one message to the library. While there is no connection this does nothing: see `delivery.engine`."""
        client = self._client
        if client is None:
            return
        extra: dict[str, Any] = {}
        if self._five:
            extra = {"content_type": "application/cloudevents+json"}
            if publication.expiry_s is not None:
                extra["message_expiry_interval"] = publication.expiry_s
        try:
            client.publish(publication.topic, publication.payload, publication.qos, publication.retain, **extra)
        except Exception as error:
            # Of this library: no packet identifier left, a transport that is just going. The caller's work is done already.
            self.unsent += 1
            if self.unsent == 1:
                log.error("the MQTT library refused a message", topic=publication.topic, error=repr(error))

    async def _close(self, client: _Client) -> None:
        # The library leaves its connection open when it is refused; and closing may fail in any way.
        with contextlib.suppress(Exception):
            async with asyncio.timeout(1.0):
                await client.disconnect()
        with contextlib.suppress(Exception):
            client._connection._transport.abort()  # a peer that takes no bytes would keep the socket open
