"""The way to the hub's pages from outside: takes browsers' connections, with HTTPS if it has a certificate, and passes them on.

One request a connection, so that nothing of one can be taken for the next. The hub learns who asks (X-Forwarded-For) and that
the way was encrypted (X-Forwarded-Proto), and believes it only from this machine (FORWARDED_ALLOW_IPS). WebSockets stay open:
members' terminals to the hub, clerks' pages at /mqtt to the broker.
"""

from __future__ import annotations

import asyncio
import signal
import ssl
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

log = structlog.get_logger()

HEAD_MAX_BYTES = 32 * 1024
HEAD_S = 10.0
REACH_S = 5.0
SILENT_S = 75.0
"""A plain request in which nothing moves for so long is given up; a WebSocket has pings of its own."""
CONNECTIONS_MAX = 2000
CHUNK_BYTES = 64 * 1024
MQTT_PATH = "/mqtt"
_OURS = frozenset({"connection", "keep-alive", "upgrade", "forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host",
                   "x-real-ip", "proxy-connection", "te", "trailer"})  # fmt: skip
_AWAY = "しばらくしてからもう一度お試しください。 / Please try again in a while."


class BadRequest(ValueError):
    """No HTTP/1.1 request; nothing of it is passed on."""


@dataclass(frozen=True, slots=True)
class Head:
    """A request's head as it is passed on. `mqtt`: to the broker, else to the hub."""

    raw: bytes
    mqtt: bool
    stays_open: bool


@dataclass(frozen=True, slots=True)
class FrontSettings:
    """Where it listens, and where the hub and the broker's WebSocket are. A port of 0 lets the system choose."""

    host: str
    port: int
    hub: tuple[str, int]
    broker: tuple[str, int] | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None


def passed_on(raw: bytes, peer: str, scheme: str) -> Head:
    """The head of a request as the hub gets it. Raises BadRequest."""
    lines = raw.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    try:
        method, target, version = lines[0].split(" ")
    except ValueError:
        raise BadRequest("no request line") from None
    if version not in ("HTTP/1.1", "HTTP/1.0") or not method.isalpha() or not target.startswith("/"):
        raise BadRequest("no request line")
    kept, upgrade = [], False
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip() or any(sign in line for sign in "\r\n\0"):
            raise BadRequest("a header can't be read")
        if name.lower() == "upgrade" and value.strip().lower() == "websocket":
            upgrade = True
        if name.lower() not in _OURS:
            kept.append(line)
    mqtt = target.partition("?")[0] == MQTT_PATH
    first = f"{method} {'/' if mqtt else target} HTTP/1.1"
    added = [f"X-Forwarded-For: {peer}", f"X-Forwarded-Proto: {scheme}"]
    added += ["Connection: Upgrade", "Upgrade: websocket"] if upgrade else ["Connection: close"]
    return Head("\r\n".join([first, *kept, *added, "", ""]).encode("latin-1"), mqtt, upgrade)


class Front:
    """Between `async with` and its end it passes on; `port` is the one in use."""

    def __init__(self, settings: FrontSettings) -> None:
        self._settings = settings
        self.counters: Counter[str] = Counter()
        self.port = 0
        self._open: set[asyncio.Task[None]] = set()
        self._scheme = "http" if settings.tls_cert is None else "https"

    async def __aenter__(self) -> Front:
        """Raises OSError with a sentence: the port, or the certificate, can't be used."""
        given = self._settings
        tls = None
        if given.tls_cert is not None:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            try:
                tls.load_cert_chain(given.tls_cert, given.tls_key)
            except OSError as error:  # ssl.SSLError is one
                raise OSError(f"web.tls_cert {given.tls_cert}, tls_key {given.tls_key}: {error.strerror or error}") from None  # fmt: skip
        try:
            self._server = await asyncio.start_server(
                self._serve, given.host, given.port, ssl=tls, limit=HEAD_MAX_BYTES
            )
        except OSError as error:
            raise OSError(f"web: {given.host}:{given.port} can't be used: {error.strerror}; choose another web.port") from None  # fmt: skip
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            if len(self._open) > CONNECTIONS_MAX:
                self.counters["too_many"] += 1
                return
            await self._one(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            self.counters["broken"] += 1
        except asyncio.CancelledError:
            pass  # we close, and this is the connection's own task
        finally:
            self._open.discard(task)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(HEAD_S):
            raw = await reader.readuntil(b"\r\n\r\n")
        try:
            head = passed_on(raw, str(writer.get_extra_info("peername")[0]), self._scheme)
        except BadRequest as error:
            self.counters["bad_requests"] += 1
            await _answer(writer, "400 Bad Request", str(error))
            return
        to = self._settings.broker if head.mqtt else self._settings.hub
        if to is None or (head.mqtt and not head.stays_open):
            await _answer(writer, "404 Not Found", "there is nothing here")
            return
        try:
            async with asyncio.timeout(REACH_S):
                back, forth = await asyncio.open_connection(*to)
        except (OSError, TimeoutError):
            self.counters["away"] += 1
            await _answer(writer, "502 Bad Gateway", _AWAY)
            return
        self.counters["passed_on"] += 1
        try:
            forth.write(head.raw)
            limit_s = None if head.stays_open else SILENT_S
            await _both_ways((reader, forth), (back, writer), limit_s)
        finally:
            forth.close()
            with suppress(OSError):
                await forth.wait_closed()


async def _both_ways(up: tuple[asyncio.StreamReader, asyncio.StreamWriter],
                     down: tuple[asyncio.StreamReader, asyncio.StreamWriter], limit_s: float | None) -> None:  # fmt: skip
    """Until the hub has said all, or either side is gone."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError):
            while True:
                async with asyncio.timeout(limit_s):
                    chunk = await reader.read(CHUNK_BYTES)
                if not chunk:
                    return
                writer.write(chunk)
                await writer.drain()

    tasks = [asyncio.create_task(copy(*up)), asyncio.create_task(copy(*down))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if tasks[0].done() and not tasks[1].done():  # the browser said all it had to: the answer may still be under way
            with suppress(TimeoutError):
                async with asyncio.timeout(REACH_S):
                    await tasks[1]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _answer(writer: asyncio.StreamWriter, status: str, text: str) -> None:
    body = f"{text}\n".encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


async def run_front(settings: FrontSettings) -> None:
    """Until SIGTERM or SIGINT. Raises OSError."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with Front(settings) as front:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        scheme = "http" if settings.tls_cert is None else "https"
        log.info("web listening", url=f"{scheme}://{settings.host}:{front.port}", hub="{}:{}".format(*settings.hub))
        await stop.wait()
