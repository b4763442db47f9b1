"""Where a push goes: an address that a browser has named, so that it may be anything. Checked before it is kept, and again when
it is used: https, a push service that the settings know, and an address of the public network."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

LENGTH_MAX = 1000
ANSWER_MAX_BYTES = 16 * 1024
Resolve = Callable[[str, int], Awaitable[list[str]]]
"""(host, port) to its addresses. Raises OSError."""


class EndpointRefused(ValueError):
    """To this address nothing is sent; the sentence says why and doesn't hold it."""


class PushTrouble(Exception):
    """The push service can't be reached now, or says no HTTP."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status of HTTP, and when to come again if the service says so (`Retry-After` in seconds)."""

    status: int
    retry_after_s: float | None = None


def checked(endpoint: str, services: Iterable[str], ports: Iterable[int] = (443,)) -> SplitResult:
    """The parts of an endpoint that may be used. Raises EndpointRefused."""
    if len(endpoint) > LENGTH_MAX or not endpoint.isascii() or not endpoint.isprintable() or " " in endpoint:
        raise EndpointRefused("the address is too long, or has signs that no address has")
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname or "", 443 if parts.port is None else parts.port
    except ValueError:
        raise EndpointRefused("is no address") from None
    if parts.scheme != "https" or "@" in parts.netloc or "\\" in endpoint:
        raise EndpointRefused("is no https address")
    if port not in ports:
        raise EndpointRefused(f"port {port} is none of a push service")
    if not any(host == name or (name.startswith("*.") and host.endswith(name[1:])) for name in services):
        raise EndpointRefused("its host is none of push.services")
    return parts


def is_public(address: str) -> bool:
    """Whether an IP address is of the public network, also where it is written within another."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        elif found.sixtofour is not None or found.teredo is not None or found in _NAT64:
            return False
    return found.is_global and not found.is_multicast


_NAT64 = ipaddress.ip_network("64:ff9b::/96")


async def resolved(host: str, port: int) -> list[str]:
    """By the system's resolver, in a thread of the loop's."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


@dataclass(frozen=True)
class Wire:
    """How pushes leave; the defaults are for the world, others for tests."""

    ports: tuple[int, ...] = (443,)
    resolve: Resolve = resolved
    allowed: Callable[[str], bool] = is_public
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    async def post(self, parts: SplitResult, headers: Mapping[str, str], body: bytes, timeout_s: float) -> Answer:
        """POST over HTTP/1.1, one call, one connection; a redirect is no answer and is not followed.

        The name is resolved once, all its addresses are looked at, and the connection goes to one that was looked at: a name
        that changes between two looks leads nowhere else. Raises PushTrouble.
        """
        host, port = parts.hostname or "", 443 if parts.port is None else parts.port
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = [f"POST {path} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Length: {len(body)}", "Connection: close",
                 *(f"{name}: {value}" for name, value in headers.items())]  # fmt: skip
        try:
            async with asyncio.timeout(timeout_s):
                addresses = await self.resolve(host, port)
                if not addresses or not all(self.allowed(each) for each in addresses):
                    raise PushTrouble(f"{host} leads into a network that is not public")
                reader, writer = await asyncio.open_connection(
                    addresses[0], port, ssl=self.tls, server_hostname=host, limit=ANSWER_MAX_BYTES
                )
                try:
                    writer.write("\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + body)
                    await writer.drain()
                    return _read(await reader.readuntil(b"\r\n\r\n"))
                finally:
                    writer.transport.abort()
                    with suppress(OSError, ssl.SSLError):
                        await writer.wait_closed()
        except TimeoutError:
            raise PushTrouble(f"{host} did not answer within {timeout_s:g} s") from None
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            raise PushTrouble(f"{host} broke off, or said no HTTP") from None
        except OSError as error:  # TLS faults are such too
            raise PushTrouble(f"{host}: {type(error).__name__}") from None


def _read(head: bytes) -> Answer:
    first, *rest = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) < 2 or not words[0].startswith("HTTP/1.") or not (words[1].isascii() and words[1].isdigit()):
        raise PushTrouble("the answer is no HTTP")
    named = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
    wait = named.get("retry-after", "")
    return Answer(int(words[1]), float(wait) if wait.isascii() and wait.isdigit() and len(wait) < 7 else None)
