"""The displays' HTTP port, on loopback: each lane's page, the page's files, and a stream of views (Server-Sent Events).

Nothing can be sent to it. A request must name this machine as its host: otherwise a page from elsewhere, opened here, could
read a customer's name through a name of its own that leads to 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from pathlib import Path

import structlog

from edge.display.board import Board, TooMany
from edge.small_http import Request, SmallHttp, response

log = structlog.get_logger()

HOST = "127.0.0.1"
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
        self._http = SmallHttp(
            "display", self._answer, most=CONNECTIONS_MAX, refused=self._refused, stream=self._stream
        )

    async def __aenter__(self) -> DisplayServer:
        """Raises OSError with what to do when the port can't be used."""
        try:
            self.port = await self._http.open(HOST, self.port)
        except OSError as error:
            raise OSError(f"[display] port {self.port} can't be used: {error.strerror}; is another agent there? give it "
                          "another port, or leave [display] out") from None  # fmt: skip
        log.info("displays", urls=[f"http://{HOST}:{self.port}/lane/{lane}" for lane in self.board.lanes])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def run(self) -> None:
        """Serve until cancelled."""
        async with self:
            await asyncio.Event().wait()

    def _refused(self) -> None:
        self.board.counters["connections_refused"] += 1

    # --- pages

    def _answer(self, request: Request) -> bytes:
        path = request.path
        if not _HOSTS.search(request.head):
            return response(request, "421 Misdirected Request", "text/plain", b"ask 127.0.0.1\n", _ALWAYS)
        if request.method not in ("GET", "HEAD"):
            return response(request, "405 Method Not Allowed", "text/plain", b"only GET\n", _ALWAYS)
        found = _LANE.fullmatch(path)
        if found and found[1] in self.board.lanes:
            return response(request, "200 OK", *self._files["index.html"], _ALWAYS)
        if path == "/":
            links = "".join(f'<li><a href="/lane/{lane}">{lane}</a>' for lane in self.board.lanes)
            page = f"<!doctype html><meta charset=utf-8><title>Lanes</title><ul>{links}</ul>".encode()
            return response(request, "200 OK", KINDS[".html"], page, _ALWAYS)
        name = path.removeprefix("/page/") if path.startswith("/page/") else path[1:] if path == "/sw.js" else ""
        if name in self._files:
            return response(request, "200 OK", *self._files[name], _ALWAYS)
        lanes = ", ".join(f"/lane/{lane}" for lane in self.board.lanes)
        return response(request, "404 Not Found", "text/plain", f"here are {lanes}\n".encode(), _ALWAYS)

    # --- the stream of views

    def _watched(self, request: Request) -> str | None:
        """The lane whose stream is asked for."""
        found = _LANE.fullmatch(request.path)
        right = request.method == "GET" and found and found[2] and _HOSTS.search(request.head)
        return found[1] if found and right and found[1] in self.board.lanes else None

    async def _stream(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Until the page has gone; whether a stream was asked for."""
        lane = self._watched(request)
        if lane is None:
            return False
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
                        break
        except TooMany:
            writer.write(response(request, "503 Service Unavailable", "text/plain", b"too many displays\n", _ALWAYS))
        return True


def _version(files: dict[str, tuple[str, bytes]]) -> str:
    everything = hashlib.sha256()
    for name, (_, content) in sorted(files.items()):
        everything.update(name.encode() + b"\0" + content)
    return everything.hexdigest()[:16]
