"""The displays' HTTP port, on loopback: each lane's page, the page's files, and a stream of views (Server-Sent Events).

Written out as `edge.metrics_server` is, because it runs in the agent's own loop and a Pi needs no web framework for this.
Nothing can be sent to it. A request must name this machine as its host: otherwise a page from elsewhere, opened here, could
read a customer's name through a name of its own that leads to 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from contextlib import suppress
from pathlib import Path

import structlog

from edge.display.board import Board, TooMany

log = structlog.get_logger()

HOST = "127.0.0.1"
REQUEST_MAX_BYTES = 8192
REQUEST_S = 5.0
CONNECTIONS_MAX = 48
"""Pages, their streams, and what a browser opens ahead of need."""
BEAT_S = 1.0
"""A page that hears nothing for four of these says that its connection is lost."""
BUFFER_MAX_BYTES = 65_536
"""A page that lets so much wait is dropped: it comes back by itself, if it still lives."""
PAGE = Path(__file__).parent / "page"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_HOSTS = re.compile(rb"\r\nhost:[ \t]*(127\.0\.0\.1|localhost|\[::1\])(:\d+)?[ \t]*\r\n", re.IGNORECASE)
_LANE = re.compile(r"/lane/([A-Za-z0-9_.-]{1,64})(/events)?")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self' http://127.0.0.1:* http://localhost:*"
)
_ALWAYS = (
    f"Content-Security-Policy: {_POLICY}\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"
    "Permissions-Policy: camera=(), microphone=(), geolocation=()\r\nCache-Control: no-cache\r\n"
)


class DisplayServer:
    """`async with` listens; `port` is then the real one."""

    def __init__(self, board: Board) -> None:
        self.board, self.port = board, board.settings.port
        self._files = {path.name: (KINDS[path.suffix], path.read_bytes()) for path in PAGE.iterdir() if path.is_file()}
        self.version = _version(self._files)
        """Of the page's files: a page that was loaded from others loads itself anew."""
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> DisplayServer:
        """Raises OSError with what to do when the port can't be used."""
        try:
            self._server = await asyncio.start_server(self._accept, HOST, self.port, limit=REQUEST_MAX_BYTES)
        except OSError as error:
            raise OSError(f"[display] port {self.port} can't be used: {error.strerror}; is another agent there? give it "
                          "another port, or leave [display] out") from None  # fmt: skip
        self.port = self._server.sockets[0].getsockname()[1]
        log.info("displays", urls=[f"http://{HOST}:{self.port}/lane/{lane}" for lane in self.board.lanes])
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def run(self) -> None:
        """Serve until cancelled."""
        async with self:
            await asyncio.Event().wait()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= CONNECTIONS_MAX:
            self.board.counters["connections_refused"] += 1
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer), name="display request")
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_S):
                head = await reader.readuntil(b"\r\n\r\n")
            lane = self._watched(head)
            if lane is not None:
                await self._stream(lane, writer)
                return
            async with asyncio.timeout(REQUEST_S):
                writer.write(self._answer(head))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asks like that gets no answer
        finally:
            with suppress(OSError):
                writer.transport.abort()

    # --- pages

    def _answer(self, head: bytes) -> bytes:
        method, path = _request(head)
        if not _HOSTS.search(head):
            return _response("421 Misdirected Request", "text/plain", b"ask 127.0.0.1\n", method)
        if method not in ("GET", "HEAD"):
            return _response("405 Method Not Allowed", "text/plain", b"only GET\n", method)
        found = _LANE.fullmatch(path)
        if found and found[1] in self.board.lanes:
            return _response("200 OK", *self._files["index.html"], method)
        if path == "/":
            links = "".join(f'<li><a href="/lane/{lane}">{lane}</a>' for lane in self.board.lanes)
            page = f"<!doctype html><meta charset=utf-8><title>Lanes</title><ul>{links}</ul>".encode()
            return _response("200 OK", KINDS[".html"], page, method)
        name = path.removeprefix("/page/") if path.startswith("/page/") else path[1:] if path == "/sw.js" else ""
        if name in self._files:
            return _response("200 OK", *self._files[name], method)
        lanes = ", ".join(f"/lane/{lane}" for lane in self.board.lanes)
        return _response("404 Not Found", "text/plain", f"here are {lanes}\n".encode(), method)

    # --- the stream of views

    def _watched(self, head: bytes) -> str | None:
        """The lane whose stream is asked for."""
        method, path = _request(head)
        found = _LANE.fullmatch(path)
        right = method == "GET" and found and found[2] and _HOSTS.search(head) and found[1] in self.board.lanes
        return found[1] if found and right else None

    async def _stream(self, lane: str, writer: asyncio.StreamWriter) -> None:
        try:
            with self.board.watching(lane) as watcher:
                writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n{_ALWAYS}\r\n"
                             f"retry: 500\nevent: hello\ndata: {self.version}\n\n".encode())  # fmt: skip
                while not writer.is_closing():
                    text = await watcher.newest(BEAT_S)
                    writer.write(f"data: {text}\n\n".encode() if text is not None else b"event: beat\ndata:\n\n")
                    if writer.transport.get_write_buffer_size() > BUFFER_MAX_BYTES:
                        self.board.counters["watchers_dropped"] += 1
                        log.warning("a display does not read and is dropped", lane=lane)
                        return
        except TooMany:
            writer.write(_response("503 Service Unavailable", "text/plain", b"too many displays\n", "GET"))


def _request(head: bytes) -> tuple[str, str]:
    method, _, rest = head.partition(b" ")
    path = rest.partition(b" ")[0].partition(b"?")[0]
    return method.decode("latin-1"), path.decode("latin-1")


def _response(status: str, kind: str, body: bytes, method: str) -> bytes:
    head = (f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
            f"{_ALWAYS}\r\n")  # fmt: skip
    return head.encode() + (b"" if method == "HEAD" else body)


def _version(files: dict[str, tuple[str, bytes]]) -> str:
    everything = hashlib.sha256()
    for name, (_, content) in sorted(files.items()):
        everything.update(name.encode() + b"\0" + content)
    return everything.hexdigest()[:16]
