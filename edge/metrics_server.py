"""The agent's HTTP port: `/metrics` for Prometheus, `/healthz` for a person. Nothing else, and nothing can be sent to it.

Written out because it runs in the agent's own loop, where the values are, and a Pi needs no web framework for two pages.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import structlog

log = structlog.get_logger()

REQUEST_MAX_BYTES = 8192
REQUEST_S = 5.0
CONNECTIONS_MAX = 16


class MetricsServer:
    """`async with` listens. `metrics()` is the text of Prometheus; `health()` gives (well, page)."""

    def __init__(self, host: str, port: int, metrics: Callable[[], bytes],
                 health: Callable[[], tuple[bool, Mapping[str, Any]]]) -> None:  # fmt: skip
        self.host, self.port = host, port
        self._metrics, self._health = metrics, health
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self.refused = 0

    async def __aenter__(self) -> MetricsServer:
        """Raises OSError with what to do when the port can't be used."""
        try:
            self._server = await asyncio.start_server(self._accept, self.host, self.port, limit=REQUEST_MAX_BYTES)
        except OSError as error:
            raise OSError(f"[metrics] {self.host}:{self.port} can't be used: {error.strerror}; is another agent there? "
                          "give it another port, or leave [metrics] out") from None  # fmt: skip
        self.port = self._server.sockets[0].getsockname()[1]
        log.info("metrics", url=f"http://{self.host}:{self.port}/metrics")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= CONNECTIONS_MAX:
            self.refused += 1
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer), name="metrics request")
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(head))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asks like that gets no answer
        finally:
            with suppress(OSError):
                writer.transport.abort()

    def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if method not in (b"GET", b"HEAD"):
            return _response("405 Method Not Allowed", "text/plain", b"only GET\n", method)
        if path == b"/metrics":
            return _response("200 OK", "text/plain; version=0.0.4; charset=utf-8", self._metrics(), method)
        if path == b"/healthz":
            well, page = self._health()
            body = json.dumps(page, ensure_ascii=False, indent=1).encode() + b"\n"
            return _response("200 OK" if well else "503 Service Unavailable", "application/json", body, method)
        return _response("404 Not Found", "text/plain", b"/metrics and /healthz are here\n", method)


def _response(status: str, kind: str, body: bytes, method: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + (b"" if method == b"HEAD" else body)
