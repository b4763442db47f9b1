"""amqtt as a broker for one machine: the demo, tests, trying things. A store uses Mosquitto (docs/brokers.md).

Our own listeners hand each connection to amqtt's public `external_connected`, behind a gate (`broker.connection`) and after
admission (`broker.admission`).
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import secrets
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import structlog
import websockets.asyncio.server as ws
from amqtt.contexts import BrokerConfig, ListenerConfig, ListenerType
from websockets.typing import Subprotocol

from broker import packets
from broker.admission import Refusal, admit
from broker.connection import Connection, GateReader, GateWriter, TcpWire, WebSocketWire, Wire
from broker.credentials import Credentials
from broker.errors import AddressRefused, CredentialsError, PortInUse
from broker.guarded import GuardedBroker
from contract.access import Principal
from contract.envelope import MAX_BYTES

log = structlog.get_logger()

MAX_PACKET_BYTES = MAX_BYTES + 16 * 1024
"""The contract's largest payload, its topic, and room for a CONNECT with a will."""
_CONNECT_TIMEOUT_S = 10.0
_TAKEOVER_TIMEOUT_S = 5.0
_WITHDRAWAL_POLL_S = 1.0
_SESSION_EXPIRY_S = 24 * 3600
_LISTENER = "default"


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """What the embedded broker needs to know. A port of 0 lets the system choose."""

    store: str
    credentials: Path
    host: str = "127.0.0.1"
    tcp_port: int = 1883
    ws_port: int = 9001
    max_connections: int = 200


def loopback_address(host: str) -> str:
    """The address to listen on. Raises AddressRefused for every address that others could reach."""
    if host == "localhost":
        return "127.0.0.1"
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host).is_loopback:
            return host
    raise AddressRefused(
        f"the embedded broker does not listen on {host}, only on this machine (127.0.0.1), because amqtt loses acknowledged"
        " messages when a connection breaks, forgets everything at a restart, and keeps its access control and keep-alive"
        " only through repairs of ours; for other machines use Mosquitto: `instore broker --mosquitto-config DIR` writes its"
        " configuration"
    )


class EmbeddedBroker:
    """The broker between `async with` and its end. `tcp_port` and `ws_port` are the ports in use."""

    def __init__(self, settings: BrokerSettings) -> None:
        """Raises AddressRefused, CredentialsError."""
        self._settings = settings
        self._host = loopback_address(settings.host)
        self.credentials = Credentials(settings.credentials)
        self.refused_connections = 0
        self.tcp_port = self.ws_port = 0
        self._open: dict[Connection, Principal | None] = {}
        self._held: dict[str, Connection] = {}
        self._stack = contextlib.AsyncExitStack()

    @property
    def connections(self) -> tuple[Connection, ...]:
        return tuple(self._open)

    async def __aenter__(self) -> EmbeddedBroker:
        """Listens on both ports when it returns. Raises PortInUse."""
        for name in ("amqtt", "transitions"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters of theirs is logged here, as a sentence
        self._amqtt = GuardedBroker(_amqtt_config(self._settings.store, self.credentials))
        await self._amqtt.start()
        self._stack.push_async_callback(self._amqtt.shutdown)
        try:
            await self._listen()
        except BaseException:
            await self._stack.aclose()
            raise
        watch = asyncio.create_task(self._watch_withdrawals(), name="broker-withdrawals")
        self._stack.push_async_callback(_cancel, watch)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _listen(self) -> None:
        settings = self._settings
        with _port_sentence(self._host, settings.tcp_port):
            tcp = await asyncio.start_server(self._tcp_connected, self._host, settings.tcp_port)
        self._stack.push_async_callback(self._stop_serving, tcp)
        with _port_sentence(self._host, settings.ws_port):
            web = await ws.serve(
                self._ws_connected, self._host, settings.ws_port, subprotocols=[Subprotocol("mqtt")],
                max_size=MAX_PACKET_BYTES, compression=None, ping_interval=None,
            )  # fmt: skip
        self._stack.push_async_callback(self._stop_serving, web)
        self.tcp_port = tcp.sockets[0].getsockname()[1]
        self.ws_port = next(iter(web.sockets)).getsockname()[1]

    async def _tcp_connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._serve(TcpWire(reader, writer))

    async def _ws_connected(self, connection: ws.ServerConnection) -> None:
        await self._serve(WebSocketWire(connection))

    async def _serve(self, wire: Wire) -> None:
        connection = Connection(wire, MAX_PACKET_BYTES)
        if len(self._open) >= self._settings.max_connections:
            self._refuse(connection, f"there are {len(self._open)} connections already")
            wire.abort()
            return
        self._open[connection] = None
        try:
            await self._admit(connection)
        except OSError as error:
            log.info("broker.line_lost", client=connection.name, reason=str(error))
        finally:
            await connection.close()
            del self._open[connection]
            connection.gone.set()

    async def _admit(self, connection: Connection) -> None:
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                first = await connection.next_packet()
        except TimeoutError:
            return self._refuse(connection, f"sent no CONNECT within {_CONNECT_TIMEOUT_S:g} s")
        if first is None:
            return None
        try:
            request = packets.parse_connect(first)
        except packets.MalformedPacket as error:
            return self._refuse(connection, str(error))
        self._reload()
        verdict = admit(request, self.credentials, self._settings.store)
        if isinstance(verdict, Refusal):
            self._refuse(connection, verdict.reason)
            return await connection.write(packets.connack(verdict.code))
        client_id = request.client_id
        if not client_id:
            client_id = verdict.client_id(f"auto-{secrets.token_hex(4)}")
            first = packets.with_client_id(first, client_id)
        connection.name = client_id
        connection.watch_keepalive(request.keepalive_s)
        self._open[connection] = verdict
        await self._take_over(client_id, connection)
        try:
            await self._hand_over(connection, client_id, first)
        finally:
            if self._held.get(client_id) is connection:
                del self._held[client_id]
        return None

    async def _hand_over(self, connection: Connection, client_id: str, first: bytes) -> None:
        reader = GateReader(connection, first, lambda: self._amqtt.backlog(client_id))
        try:
            await self._amqtt.external_connected(reader, GateWriter(connection), _LISTENER)
        finally:
            self._amqtt.forget_backlog(client_id)

    async def _take_over(self, client_id: str, connection: Connection) -> None:
        """The old connection of a client ID ends, wholly, before amqtt sees the new one: two at once confuse it."""
        while (old := self._held.get(client_id)) is not None:
            old.finish("the same client connected again")
            async with asyncio.timeout(_TAKEOVER_TIMEOUT_S):
                await old.gone.wait()
        self._held[client_id] = connection

    def _refuse(self, connection: Connection, reason: str) -> None:
        self.refused_connections += 1
        log.warning("broker.refused", client=connection.name, reason=reason)

    async def _watch_withdrawals(self) -> None:
        while True:
            await asyncio.sleep(_WITHDRAWAL_POLL_S)
            self._reload()

    def _reload(self) -> None:
        """Takes over a changed file of users; who is not in it any more, or has a new password, must connect anew."""
        before = {principal: self.credentials.stored(principal) for principal in self.credentials.principals}
        try:
            changed = self.credentials.reload_if_changed()
        except CredentialsError as error:
            log.error("broker.credentials", problem=str(error))
            return
        for connection, principal in list(self._open.items()) if changed else ():
            if principal and (
                principal not in self.credentials or before.get(principal) != self.credentials.stored(principal)
            ):
                connection.end(f"the password of {principal.username} was withdrawn or changed")

    async def _stop_serving(self, server: asyncio.Server | ws.Server) -> None:
        """Takes nobody new, then lets everybody go: a server is closed when its last connection is."""
        server.close()
        waiting = list(self._open)
        for connection in waiting:
            connection.end(None)
        if waiting:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TAKEOVER_TIMEOUT_S):
                    await asyncio.gather(*(connection.gone.wait() for connection in waiting))
        await server.wait_closed()


def _amqtt_config(store: str, credentials: Credentials) -> BrokerConfig:
    return BrokerConfig(
        listeners={_LISTENER: ListenerConfig(type=ListenerType.EXTERNAL)},
        session_expiry_interval=_SESSION_EXPIRY_S,
        plugins={
            "broker.plugins.PasswordPlugin": {"credentials": credentials},
            "broker.plugins.ContractPlugin": {"store": store},
        },
    )


@contextlib.contextmanager
def _port_sentence(host: str, port: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PortInUse.sentence(host, port, error) from None


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def tell_in_a_line(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """amqtt sends in tasks that nobody waits for; a client that acknowledges nothing for 5 s is no fault of the broker's."""
    if isinstance(error := context.get("exception"), TimeoutError):
        log.warning("broker.client_does_not_acknowledge", reason=str(error))
    else:
        loop.default_exception_handler(context)


async def run_broker(settings: BrokerSettings) -> None:
    """Serves until SIGTERM, SIGINT or cancellation. Raises AddressRefused, PortInUse, CredentialsError."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(tell_in_a_line)
    async with EmbeddedBroker(settings) as broker:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        try:
            log.info("broker.listening", host=settings.host, tcp_port=broker.tcp_port, ws_port=broker.ws_port)
            await stop.wait()
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
