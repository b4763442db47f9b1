"""One HTTP call of ours to a server of the store's, with a bound on time and size."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

ANSWER_MAX_BYTES = 64 * 1024


class CallFailed(Exception):
    """The server can't be reached, or says no HTTP; the sentence says why."""


async def post(url: str, body: bytes, headers: Mapping[str, str], timeout_s: float) -> tuple[int, bytes]:
    """POST a JSON body; status and body of the answer. HTTP/1.0: one call, one connection, no chunks. Raises CallFailed."""
    parts = urlsplit(url)
    secure, host = parts.scheme == "https", parts.hostname or ""
    port = parts.port or (443 if secure else 80)
    lines = [
        f"POST {parts.path or '/'} HTTP/1.0",
        f"Host: {parts.netloc.rpartition('@')[2]}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(
                host, port, ssl=ssl.create_default_context() if secure else None, limit=ANSWER_MAX_BYTES
            )
            try:
                writer.write("\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + body)
                await writer.drain()
                return _read(await _all(reader))
            finally:
                writer.close()
                with suppress(OSError, ssl.SSLError):
                    await writer.wait_closed()
    except TimeoutError:
        raise CallFailed(f"{host}:{port} did not answer within {timeout_s:g} s") from None
    except (OSError, ssl.SSLError) as error:
        raise CallFailed(f"{host}:{port}: {error}") from None


async def _all(reader: asyncio.StreamReader) -> bytes:
    found = b""
    while chunk := await reader.read(ANSWER_MAX_BYTES):
        found += chunk
        if len(found) > ANSWER_MAX_BYTES:
            raise CallFailed(f"the answer is larger than {ANSWER_MAX_BYTES} bytes")
    return found


def _read(answer: bytes) -> tuple[int, bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b"\r\n")[0].split(b" ")
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise CallFailed("the answer is no HTTP")
    return int(words[1]), body
