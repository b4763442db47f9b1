"""The little of HTTP that a simulated phone needs: one request a connection, JSON both ways, cookies (RFC 9112, RFC 6265)."""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlsplit

__all__ = ["Answer", "HttpFailed", "Site"]

ANSWER_MAX_BYTES = 1 << 20


class HttpFailed(Exception):
    """Nobody answered, or what came is no HTTP."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is the JSON value, or the text if it is none."""

    status: int
    body: Any
    cookies: dict[str, str]


class Site:
    """The hub's address as a browser has it: `http://127.0.0.1:8080`."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no address of a hub, such as http://127.0.0.1:8080")
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._host, self._port = parts.hostname, parts.port or (443 if self._tls else 80)
        self.netloc, self.origin = parts.netloc, f"{parts.scheme}://{parts.netloc}"
        self.websocket = f"{'wss' if self._tls else 'ws'}://{parts.netloc}/member/ws"

    async def ask(self, method: str, path: str, body: Any = None, cookies: dict[str, str] | None = None,
                  timeout_s: float = 10.0) -> Answer:  # fmt: skip
        """One request under /member/api. Raises HttpFailed."""
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await asyncio.open_connection(
                    self._host, self._port, ssl=self._tls, limit=ANSWER_MAX_BYTES
                )
                try:
                    writer.write(self._request(method, path, body, cookies or {}))
                    await writer.drain()
                    return _answer(*(await _read(reader)))
                finally:
                    writer.close()
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError) as error:
            raise HttpFailed(f"{self.origin}/member/api/{path}: {error or type(error).__name__}") from error

    def _request(self, method: str, path: str, body: Any, cookies: dict[str, str]) -> bytes:
        content = b"" if body is None else json.dumps(body).encode()
        lines = [
            f"{method} /member/api/{path} HTTP/1.1", f"Host: {self.netloc}", f"Origin: {self.origin}", "Connection: close",
            "Content-Type: application/json", f"Content-Length: {len(content)}",
        ]  # fmt: skip
        if cookies:
            lines.append("Cookie: " + "; ".join(f"{name}={value}" for name, value in cookies.items()))
        return "\r\n".join([*lines, "", ""]).encode() + content


async def _read(reader: asyncio.StreamReader) -> tuple[list[str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    length = next((int(line[15:]) for line in head if line.lower().startswith("content-length:")), 0)
    if length > ANSWER_MAX_BYTES:
        raise ValueError(f"an answer of {length} bytes")
    return head, await reader.readexactly(length)


def _answer(head: list[str], body: bytes) -> Answer:
    cookies: dict[str, str] = {}
    for line in head:
        if line.lower().startswith("set-cookie:"):
            cookies |= {name: crumb.value for name, crumb in SimpleCookie(line[11:].strip()).items()}
    try:
        value = json.loads(body) if body else None
    except ValueError:
        value = body.decode(errors="replace")
    return Answer(int(head[0].split()[1]), value, cookies)
