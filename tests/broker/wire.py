"""A bare MQTT 3.1.1 client for tests: it hides nothing, and sends what a proper client library would refuse to send."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

_marks = itertools.count(1)


def mqtt_string(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


def packet(first: int, body: bytes) -> bytes:
    length, out = len(body), bytearray([first])
    while True:
        length, byte = divmod(length, 128)
        out.append(byte | (128 if length else 0))
        if not length:
            return bytes(out) + body


@dataclass(frozen=True)
class Will:
    topic: str
    payload: bytes
    retain: bool = False
    qos: int = 0


def connect_packet(client_id: str, username: str | None = None, password: str | None = None, *, clean: bool = True,
                   keepalive_s: int = 60, will: Will | None = None, level: int = 4) -> bytes:  # fmt: skip
    flags = 2 * clean
    body = mqtt_string(client_id)
    if will:
        flags |= 4 | will.qos << 3 | 32 * will.retain
        body += mqtt_string(will.topic) + len(will.payload).to_bytes(2, "big") + will.payload
    if username is not None:
        flags |= 128
        body += mqtt_string(username)
    if password is not None:
        flags |= 64
        body += mqtt_string(password)
    return packet(0x10, mqtt_string("MQTT") + bytes([level, flags]) + keepalive_s.to_bytes(2, "big") + body)


def publish_packet(topic: str, payload: bytes, *, retain: bool = False, qos: int = 0, packet_id: int = 1) -> bytes:
    identity = packet_id.to_bytes(2, "big") if qos else b""
    return packet(0x30 | qos << 1 | retain, mqtt_string(topic) + identity + payload)


@dataclass
class Client:
    """One connection. `messages` are the (topic, payload, retain flag) that came, in order."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    messages: list[tuple[str, bytes, bool]] = field(default_factory=list)
    granted: dict[int, list[int]] = field(default_factory=dict)
    acknowledged: set[int] = field(default_factory=set)
    pongs: int = 0
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)
    _reading: asyncio.Task[None] | None = None
    _next_id: int = 0
    closed: bool = False

    async def read_packet(self) -> tuple[int, bytes]:
        first = (await self.reader.readexactly(1))[0]
        length = shift = 0
        while True:
            byte = (await self.reader.readexactly(1))[0]
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return first, await self.reader.readexactly(length)

    async def _read(self) -> None:
        try:
            while True:
                first, body = await self.read_packet()
                async with self._news:
                    self._take(first, body)
                    self._news.notify_all()
        except (asyncio.IncompleteReadError, ConnectionError):
            async with self._news:
                self.closed = True
                self._news.notify_all()

    def _take(self, first: int, body: bytes) -> None:
        if first >> 4 == 3:
            size = int.from_bytes(body[:2], "big")
            topic, rest = body[2 : 2 + size].decode(), body[2 + size :]
            if first & 6:
                self.writer.write(packet(0x40, rest[:2]))
                rest = rest[2:]
            self.messages.append((topic, rest, bool(first & 1)))
        elif first >> 4 == 9:
            self.granted[int.from_bytes(body[:2], "big")] = list(body[2:])
        elif first >> 4 == 4:
            self.acknowledged.add(int.from_bytes(body, "big"))
        elif first >> 4 == 13:
            self.pongs += 1

    async def until(self, condition, timeout_s: float = 30.0) -> None:  # type: ignore[no-untyped-def]
        """Waits until `condition()` holds or the connection is closed."""
        async with asyncio.timeout(timeout_s), self._news:
            await self._news.wait_for(lambda: condition() or self.closed)

    def publish(self, topic: str, payload: bytes = b"x", *, retain: bool = False, qos: int = 0) -> int:
        self._next_id += 1
        self.writer.write(publish_packet(topic, payload, retain=retain, qos=qos, packet_id=self._next_id))
        return self._next_id

    async def subscribe(self, filters: Iterable[str], qos: int = 0) -> dict[str, bool]:
        """Which of the filters the broker granted. One SUBSCRIBE each, all sent at once."""
        ids = {}
        for wanted in filters:
            self._next_id += 1
            ids[wanted] = self._next_id
            self.writer.write(packet(0x82, self._next_id.to_bytes(2, "big") + mqtt_string(wanted) + bytes([qos])))
        await self.until(lambda: all(number in self.granted for number in ids.values()))
        return {wanted: self.granted[number] != [0x80] for wanted, number in ids.items()}

    async def ping(self) -> None:
        """Returns when the broker has read everything sent before."""
        expected = self.pongs + 1
        self.writer.write(b"\xc0\x00")
        await self.until(lambda: self.pongs >= expected)

    def drop(self) -> None:
        """Cuts the line without a DISCONNECT: the broker sends the will."""
        self.writer.transport.abort()

    async def close(self) -> None:
        if self._reading:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        if not self.writer.is_closing():
            self.writer.write(b"\xe0\x00")
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


async def open_client(port: int, first: bytes, timeout_s: float = 30.0) -> tuple[Client, int | None]:
    """A connection after its CONNECT, and the broker's answer: 0, a refusal, or None when it closed without one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    client = Client(reader, writer)
    writer.write(first)
    try:
        async with asyncio.timeout(timeout_s):
            kind, body = await client.read_packet()
    except (asyncio.IncompleteReadError, ConnectionError):
        return client, None
    assert kind == 0x20
    if body[1] == 0:
        client._reading = asyncio.create_task(client._read())
    return client, body[1]


@contextlib.asynccontextmanager
async def connected(port: int, username: str, password: str, client_id: str | None = None, **options) -> AsyncIterator[Client]:  # type: ignore[no-untyped-def]  # fmt: skip
    client, answer = await open_client(port, connect_packet(client_id or username, username, password, **options))
    try:
        assert answer == 0, f"{username} was refused: {answer}"
        yield client
    finally:
        await client.close()


def mark() -> bytes:
    """A payload that no other message has."""
    return b"mark-%d" % next(_marks)
