"""A small HTTP port in the agent's own loop, where the values are: a Pi needs no web framework for a handful of pages.

Requests without a body, one a connection; nothing can be sent to it. What is asked is bounded in size, time and number.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

REQUEST_MAX_BYTES = 8192
REQUEST_S = 5.0


@dataclass(frozen=True, slots=True)
class Request:
    """`head` is all of it as it came; `path` is without its query."""

    method: str
    path: str
    head: bytes


def response(request: Request, status: str, kind: str, body: bytes, headers: str = "") -> bytes:
    """The whole answer; of HEAD without its body. `headers`: more of them, each with CRLF."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{headers}\r\n"
    return head.encode() + (b"" if request.method == "HEAD" else body)


class SmallHttp:
    """`await open(host, port)` listens; `port` is then the real one. `answer` gives the bytes; `stream` may write by itself for as
    long as it likes, and says whether it did. More than `most` connections at once are cut and `refused` is called."""

    def __init__(self, name: str, answer: Callable[[Request], bytes], *, most: int, refused: Callable[[], None],
                 stream: Callable[[Request, asyncio.StreamWriter], Awaitable[bool]] | None = None) -> None:  # fmt: skip
        self._name, self._answer, self._most, self._refused, self._stream = name, answer, most, refused, stream
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    @property
    def connections(self) -> int:
        """How many there are now."""
        return len(self._open)

    async def open(self, host: str, port: int) -> int:
        """The port. Raises OSError."""
        self._server = await asyncio.start_server(self._accept, host, port, limit=REQUEST_MAX_BYTES)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Also what is open."""
        assert self._server is not None
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= self._most:
            self._refused()
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer), name=f"{self._name} request")
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_S):
                request = _read(await reader.readuntil(b"\r\n\r\n"))
            if self._stream is not None and await self._stream(request, writer):
                return
            async with asyncio.timeout(REQUEST_S):
                writer.write(self._answer(request))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asks like that gets no answer
        finally:
            with suppress(OSError):
                writer.transport.abort()


def _read(head: bytes) -> Request:
    method, _, rest = head.partition(b" ")
    path = rest.partition(b" ")[0].partition(b"?")[0]
    return Request(method.decode("latin-1"), path.decode("latin-1"), head)
