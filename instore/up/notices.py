"""What children say of themselves by sd_notify(3): that they serve, that they are alive, a line on how they are.

Programs tell a service manager; here we are it. One that has said it is alive and then falls silent hangs, and is ended.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass

DATAGRAM_MAX = 4096


@dataclass(slots=True)
class Notice:
    """Of one program: `status` is its own line; `alive` (s, monotonic) when it was heard last, None before its first word."""

    ready: bool = False
    status: str = ""
    alive: float | None = None


class Notices:
    """Listens for the children of this process. `on_change(name)` when one is ready, or says something new of itself."""

    def __init__(self, watchdog_s: float, on_change: Callable[[str], None]) -> None:
        self._watchdog_s, self._on_change = watchdog_s, on_change
        self._sockets: dict[str, socket.socket] = {}
        self.known: dict[str, Notice] = {}

    def environment(self, name: str) -> dict[str, str]:
        """What a child needs to be heard."""
        if name not in self._sockets:
            address = f"instore-up-{os.getpid()}-{secrets.token_hex(8)}"
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
            listener.bind(f"\0{address}")  # Linux's abstract names: no file is left over
            self._sockets[name] = listener
            self.known[name] = Notice()
            asyncio.get_running_loop().add_reader(listener, self._hear, name, listener)
        given = self._sockets[name].getsockname()
        text = given.decode() if isinstance(given, bytes) else str(given)
        return {"NOTIFY_SOCKET": "@" + text[1:], "WATCHDOG_USEC": str(int(self._watchdog_s * 1e6))}

    def begins(self, name: str) -> None:
        """A new process of this program: what was said of the former is over."""
        self.known[name] = Notice()

    def hung(self, now: float) -> list[str]:
        """Who was alive and is silent for longer than allowed."""
        return [name for name, notice in self.known.items()
                if notice.alive is not None and now - notice.alive > self._watchdog_s]  # fmt: skip

    def close(self) -> None:
        for listener in self._sockets.values():
            asyncio.get_running_loop().remove_reader(listener)
            listener.close()
        self._sockets.clear()

    def _hear(self, name: str, listener: socket.socket) -> None:
        try:
            text = listener.recv(DATAGRAM_MAX).decode("utf-8", errors="replace")
        except OSError:
            return
        notice = self.known[name]
        before = notice.ready, notice.status
        for key, _, value in (line.partition("=") for line in text.splitlines()):
            if key == "READY":
                notice.ready = True
            elif key == "STATUS":
                notice.status = value
            if key in ("READY", "WATCHDOG"):
                notice.alive = asyncio.get_running_loop().time()
            elif key == "STOPPING":
                notice.alive = None  # it ends on purpose
        if (notice.ready, notice.status) != before:
            self._on_change(name)
