"""What a program tells the service manager that started it: sd_notify(3) of systemd, in datagrams, without its library.

Without `NOTIFY_SOCKET` (started by hand, another service manager) nothing is sent, and nothing changes.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

import structlog

log = structlog.get_logger()

STATUS_MAX = 200
"""Characters of a status line: `systemctl status` shows one line."""


class Notifier:
    """`environment` is the process's, with NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID as systemd sets them.

    Never raises for what the service manager does: a program works without being watched.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        given = os.environ if environment is None else environment
        address = given.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address  # @: Linux's abstract sockets
        self.watchdog_s = _watchdog_s(given) if address else None
        """Within this time the service manager wants to hear that we are alive; None: it does not watch."""
        self._failed = False

    @property
    def active(self) -> bool:
        """Whether anybody listens."""
        return bool(self._address)

    def ready(self, status: str = "") -> None:
        """The program serves."""
        self._send("READY=1", status)

    def alive(self, status: str = "") -> None:
        """The program does its work; say so at least every half `watchdog_s`."""
        self._send("WATCHDOG=1", status)

    def status(self, status: str) -> None:
        """One line for `systemctl status`, and no word about being alive."""
        self._send("", status)

    def stopping(self) -> None:
        """The program ends on purpose."""
        self._send("STOPPING=1", "")

    def _send(self, word: str, status: str) -> None:
        if not self._address:
            return
        lines = [word] if word else []
        if status:
            lines.append("STATUS=" + " ".join(status.split())[:STATUS_MAX])
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.setblocking(False)  # a service manager that does not read must not stop a store
                sock.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            if not self._failed:
                log.warning("the service manager can't be told", socket=self._address, error=str(error))
            self._failed = True


def _watchdog_s(given: Mapping[str, str]) -> float | None:
    """WATCHDOG_PID names the process that is meant: children inherit the environment."""
    try:
        microseconds, pid = int(given.get("WATCHDOG_USEC", "0")), int(given.get("WATCHDOG_PID", os.getpid()))
    except ValueError:
        return None
    return microseconds / 1e6 if microseconds > 0 and pid == os.getpid() else None
