"""One client's connection to the embedded broker: a gate between its socket and amqtt.

What amqtt does not enforce is enforced here: size of a packet, keep-alive, a time limit for writing, and no publishing on
`$` topics. amqtt sees whole packets only.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Protocol

import structlog
from amqtt.adapters import ReaderAdapter, WriterAdapter
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from broker import packets

log = structlog.get_logger()

WRITE_TIMEOUT_S = 10.0
"""A client that takes nothing for so long is cut off: amqtt would pile up its messages without a bound."""
_MAX_BACKLOG = 1000
"""Messages of one client inside amqtt; reading from its socket pauses above."""
_LAST_WORDS_S = 2.0
"""What amqtt has not handled so long after the line is gone it never will: its loop for this client may have ended."""
_STUCK_S = 10.0
_BACKLOG_POLL_S = 0.002


class Wire(Protocol):
    """A byte stream to a client."""

    @property
    def peer(self) -> tuple[str, int]: ...
    @property
    def socket(self) -> socket.socket | None: ...
    async def read(self) -> bytes:
        """Some bytes; none at the end."""

    async def write(self, data: bytes) -> None: ...
    def abort(self) -> None: ...
    async def close(self) -> None: ...


class TcpWire:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.peer: tuple[str, int] = (writer.get_extra_info("peername") or ("?", 0))[:2]
        self.socket: socket.socket | None = writer.get_extra_info("socket")

    async def read(self) -> bytes:
        try:
            return await self._reader.read(65536)
        except OSError:
            return b""

    async def write(self, data: bytes) -> None:
        if self._writer.is_closing():  # asyncio would ignore it, uvloop raises RuntimeError
            raise ConnectionResetError("the client is gone")
        self._writer.write(data)
        await self._writer.drain()

    def abort(self) -> None:
        self._writer.transport.abort()

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


class WebSocketWire:
    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        self.peer: tuple[str, int] = (connection.remote_address or ("?", 0))[:2]
        self.socket: socket.socket | None = connection.transport.get_extra_info("socket")

    async def read(self) -> bytes:
        try:
            data = await self._connection.recv()
        except ConnectionClosed:
            return b""
        return data.encode() if isinstance(data, str) else data

    async def write(self, data: bytes) -> None:
        try:
            await self._connection.send(data)
        except ConnectionClosed as error:
            raise ConnectionResetError(str(error)) from None

    def abort(self) -> None:
        self._connection.transport.abort()

    async def close(self) -> None:
        await self._connection.close()


class Connection:
    """A client before and after admission. `refused_publishes` counts what it may not send and amqtt must not see."""

    def __init__(self, wire: Wire, max_packet_bytes: int) -> None:
        self.wire = wire
        self.name = f"{wire.peer[0]}:{wire.peer[1]}"
        self.gone = asyncio.Event()
        self.refused_publishes = 0
        self._cutter = packets.PacketCutter(max_packet_bytes)
        self._silence_s: float | None = None
        self._deadline: float | None = None
        self._ended = False
        if wire.socket is not None:
            wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def watch_keepalive(self, keepalive_s: int) -> None:
        """Ends the connection after one and a half keep-alive intervals of silence (MQTT 3.1.1, 3.1.2.10); 0: never."""
        self._silence_s = keepalive_s * 1.5 if keepalive_s else None
        self._heard()

    def _heard(self) -> None:
        self._deadline = asyncio.get_running_loop().time() + self._silence_s if self._silence_s else None

    async def next_packet(self) -> bytes | None:
        """The next whole packet; None when the client is gone, silent for too long, or sends what is no MQTT."""
        packet = None
        try:
            while not self._ended and (packet := self._cutter.next()) is None:
                async with asyncio.timeout_at(self._deadline):
                    data = await self.wire.read()
                if not data:
                    self._end(None)
                    return None
                self._cutter.feed(data)
                self._heard()
        except TimeoutError:
            # An outer time-out (amqtt reads with one) is a cancellation, not this; here the client's own time is over.
            self._end(f"was silent for {self._silence_s:g} s, longer than its keep-alive allows")
        except packets.MalformedPacket as error:
            self._end(str(error))
        return None if self._ended else packet

    def end(self, reason: str | None) -> None:
        """Cuts the line; whoever reads sees the end. Without a reason it is nobody's fault, and not logged."""
        self._end(reason)

    def finish(self, reason: str) -> None:
        """Cuts the line, but what came over it before is still read."""
        log.warning("broker.client_cut_off", client=self.name, reason=reason)
        self.wire.abort()

    def _end(self, reason: str | None) -> None:
        if reason and not self._ended:
            log.warning("broker.client_cut_off", client=self.name, reason=reason)
        self._ended = True
        self.wire.abort()

    async def write(self, data: bytes) -> None:
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                await self.wire.write(data)
        except TimeoutError:
            self._end(f"took nothing for {WRITE_TIMEOUT_S:g} s")
            raise ConnectionResetError("the client takes nothing") from None

    async def close(self) -> None:
        try:
            async with asyncio.timeout(1.0):
                await self.wire.close()
        except TimeoutError:
            self.wire.abort()


class GateReader(ReaderAdapter):  # type: ignore[misc]  # amqtt's types are not followed
    """What amqtt reads: the CONNECT that was looked at already, then packet by packet.

    `backlog` says how many messages of this client amqtt holds. The end of the stream, or a DISCONNECT, is passed on when
    none is left, because amqtt forgets what it has not handled by then.
    """

    def __init__(self, connection: Connection, first: bytes, backlog: Callable[[], int]) -> None:
        self._connection = connection
        self._passed = bytearray(first)
        self._backlog = backlog

    async def read(self, n: int = -1) -> bytes:
        while len(self._passed) < n:
            packet = await self._next_allowed()
            if packet is None:
                await self._settle(0, _LAST_WORDS_S)
                return b""
            self._passed += packet
        size = n if n >= 0 else len(self._passed)
        data = bytes(self._passed[:size])
        del self._passed[:size]
        return data

    async def _next_allowed(self) -> bytes | None:
        while True:
            if not await self._settle(_MAX_BACKLOG, _STUCK_S):
                self._connection.end(f"amqtt has not handled its messages for {_STUCK_S:g} s")
                return None
            packet = await self._connection.next_packet()
            if packet is None:
                return None
            kind = packets.kind(packet)
            if kind == packets.DISCONNECT:
                await self._settle(0, _LAST_WORDS_S)
            if kind not in packets.FROM_A_CLIENT:
                self._connection.end(f"sent a packet of type {kind}, which no client sends here")
                return None
            if kind != packets.PUBLISH:
                return packet
            try:
                topic, qos, packet_id = packets.parse_publish_head(packet)
            except packets.MalformedPacket as error:
                self._connection.end(str(error))
                return None
            if not topic.startswith("$"):
                return packet
            # amqtt would stop listening to this client without closing it.
            self._connection.refused_publishes += 1
            if qos:
                await self._connection.write(packets.puback(packet_id))

    async def _settle(self, limit: int, patience_s: float) -> bool:
        """Wait until amqtt holds no more than `limit` messages of this client; False when it does not come to that."""
        await asyncio.sleep(0)  # amqtt handles each packet in a task of its own: let those begin
        end = asyncio.get_running_loop().time() + patience_s
        while self._backlog() > limit:  # amqtt tells nobody when it has handled a message
            if asyncio.get_running_loop().time() >= end:
                return False
            await asyncio.sleep(_BACKLOG_POLL_S)
        return True

    def feed_eof(self) -> None:
        self._connection.end(None)


class GateWriter(WriterAdapter):  # type: ignore[misc]
    """What amqtt writes to: collected until `drain`, so that a packet is one segment and one WebSocket message."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._collected = bytearray()

    def write(self, data: bytes) -> None:
        self._collected += data

    async def drain(self) -> None:
        data = bytes(self._collected)
        self._collected.clear()
        if data:
            await self._connection.write(data)

    def get_peer_info(self) -> tuple[str, int] | None:
        return self._connection.wire.peer

    def get_ssl_info(self) -> ssl.SSLObject | None:
        return None

    async def close(self) -> None:
        await self._connection.close()
