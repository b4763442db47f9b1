"""One connection of paho-mqtt 2 inside asyncio, with what was measured about it taken care of.

paho does not set TCP_NODELAY (44 ms a round trip), an exception in a callback ends its reading for good, and it delivers
from memory what was published while it was away. So: the option is set on each socket, callbacks only put into a bounded
queue, and every connection is a client of its own that dies with it. No thread but the one that opens the socket.

LinkError
├── Refused    the broker does not know this user name with this password
├── Forbidden  the broker does not let this user read its own topics
└── Away       nobody answers there
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

QUEUE = 1000
"""Messages that may wait for us. A clerk has a handful of alerts; more is a fault, is dropped and counted."""
_REFUSED = {"Bad user name or password", "Not authorized"}


class LinkError(Exception):
    """There is no connection. `detail` says in the broker's or the system's words why."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Refused(LinkError):
    """Wrong password, or no such user name."""


class Forbidden(LinkError):
    """Connected, but may not subscribe: another store, or an ID that is not this user's."""


class Away(LinkError):
    """No broker answers at this address, or it closed the connection."""


@dataclass(frozen=True, slots=True)
class Packet:
    topic: str
    payload: bytes
    retain: bool = False


@dataclass(frozen=True, slots=True)
class Address:
    """Where the broker is and as whom. `keepalive_s` bounds how late a silent loss is seen (about 1.5 times of it)."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    client_id: str
    keepalive_s: int = 10
    timeout_s: float = 5.0


@dataclass(slots=True)
class Session:
    """One established connection."""

    client: paho.Client
    messages: asyncio.Queue[Packet]
    ended: asyncio.Future[str]
    """Set when the connection is over, with the reason."""
    unsent: dict[int, asyncio.Event] = field(default_factory=dict)
    dropped: int = 0

    def publish(self, packet: Packet) -> asyncio.Event:
        """Sends at QoS 1. The event is set when the broker has it."""
        done = asyncio.Event()
        sent = self.client.publish(packet.topic, packet.payload, qos=1, retain=packet.retain)
        if sent.rc == paho.MQTT_ERR_SUCCESS:
            self.unsent[sent.mid] = done
        return done


@asynccontextmanager
async def connect(address: Address, will: Packet, filters: Mapping[str, int]) -> AsyncIterator[Session]:
    """A connection on which all `filters` are subscribed. Raises Refused, Forbidden or Away; closed on exit."""
    loop = asyncio.get_running_loop()
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id=address.client_id,
        protocol=paho.MQTTv311,
        reconnect_on_failure=False,
    )
    client.username_pw_set(address.username, address.password)
    client.will_set(will.topic, will.payload, qos=1, retain=will.retain)
    client.connect_timeout = address.timeout_s
    session = Session(client, asyncio.Queue(QUEUE), loop.create_future())
    greeted: asyncio.Future[str] = loop.create_future()
    subscribed: asyncio.Future[list[ReasonCode]] = loop.create_future()
    _listen(session, greeted, subscribed)
    try:
        await _open(client, address)
        pump = loop.create_task(_attach(client, loop), name="handheld-mqtt-keepalive")
    except BaseException:
        session.ended.cancel()
        raise
    try:
        await _greet(session, greeted, address)
        await _subscribe(session, subscribed, filters, address)
        yield session
    finally:
        pump.cancel()
        _close(client, loop)
        if not session.ended.done():
            session.ended.set_result("closed by us")


def _listen(session: Session, greeted: asyncio.Future[str], subscribed: asyncio.Future[list[ReasonCode]]) -> None:
    """Callbacks that can't raise: each sets a future once or puts into a bounded queue."""
    client = session.client

    def on_connect(_c: Any, _u: Any, _f: Any, reason: ReasonCode, _p: Any) -> None:
        if not greeted.done():
            greeted.set_result(reason.getName() if reason.is_failure else "")

    def on_subscribe(_c: Any, _u: Any, _mid: int, reasons: list[ReasonCode], _p: Any) -> None:
        if not subscribed.done():
            subscribed.set_result(reasons)

    def on_message(_c: Any, _u: Any, message: paho.MQTTMessage) -> None:
        try:
            session.messages.put_nowait(Packet(message.topic, bytes(message.payload), message.retain))
        except (asyncio.QueueFull, UnicodeDecodeError):
            session.dropped += 1

    def on_publish(_c: Any, _u: Any, mid: int, _r: Any, _p: Any) -> None:
        if done := session.unsent.pop(mid, None):
            done.set()

    def on_disconnect(_c: Any, _u: Any, _f: Any, reason: ReasonCode, _p: Any) -> None:
        if not session.ended.done():
            session.ended.set_result(reason.getName())

    client.on_connect = on_connect
    client.on_subscribe = on_subscribe
    client.on_message = on_message
    client.on_publish = on_publish
    client.on_disconnect = on_disconnect
    client.on_socket_open = _no_delay


def _no_delay(_client: Any, _userdata: Any, sock: Any) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


async def _open(client: paho.Client, address: Address) -> None:
    # paho opens its socket blocking; in a thread, so that the screen goes on.
    opening = asyncio.ensure_future(
        asyncio.to_thread(client.connect, address.host, address.port, address.keepalive_s)
    )  # fmt: skip
    try:
        await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(lambda done: done.exception() or client.disconnect())
        raise
    except (OSError, ValueError) as error:
        raise Away(getattr(error, "strerror", None) or str(error)) from None


async def _attach(client: paho.Client, loop: asyncio.AbstractEventLoop) -> None:
    """Reads and writes when the socket can, and keeps the connection alive until cancelled."""
    sock: Any = client.socket()
    if sock is None:
        return

    def want_write(_c: Any, _u: Any, s: Any) -> None:
        loop.add_writer(s, client.loop_write)

    def wrote(_c: Any, _u: Any, s: Any) -> None:
        loop.remove_writer(s)

    def closing(_c: Any, _u: Any, s: Any) -> None:
        loop.remove_reader(s)

    client.on_socket_close = closing
    client.on_socket_register_write = want_write
    client.on_socket_unregister_write = wrote
    loop.add_reader(sock, client.loop_read)
    while client.socket() is not None:
        client.loop_misc()
        await asyncio.sleep(0.5)


async def _first(one: asyncio.Future[Any], other: asyncio.Future[Any], timeout_s: float) -> None:
    await asyncio.wait([one, other], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)


async def _greet(session: Session, greeted: asyncio.Future[str], address: Address) -> None:
    await _first(greeted, session.ended, address.timeout_s)
    if not greeted.done():
        greeted.cancel()
        raise Away("the connection was closed" if session.ended.done() else "no answer to the connection request")
    if refused := greeted.result():
        raise Refused(refused) if refused in _REFUSED else Away(refused)


async def _subscribe(
    session: Session, subscribed: asyncio.Future[list[ReasonCode]], filters: Mapping[str, int], address: Address
) -> None:
    session.client.subscribe(list(filters.items()))
    await _first(subscribed, session.ended, address.timeout_s)
    if not subscribed.done():
        subscribed.cancel()
        raise Away("the connection was closed" if session.ended.done() else "no answer to the subscription")
    for where, reason in zip(filters, subscribed.result(), strict=False):
        if reason.is_failure:
            raise Forbidden(where)


def _close(client: paho.Client, loop: asyncio.AbstractEventLoop) -> None:
    sock: Any = client.socket()
    if sock is None:
        return
    loop.remove_reader(sock)
    loop.remove_writer(sock)
    # Without these two paho writes its DISCONNECT at once and closes the socket itself.
    client.on_socket_register_write = None
    client.on_socket_unregister_write = None
    client.disconnect()
    if (left := client.socket()) is not None:
        left.close()
