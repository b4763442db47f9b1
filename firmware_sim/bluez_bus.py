"""A private D-Bus at a UNIX socket: `dbus-daemon` as a child that cannot outlive us. No root, no system bus touched.

Debian package `dbus-daemon`. A real daemon, because what an agent must survive is a real daemon's behaviour: match rules,
names that lose their owner, connections that end.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["BusUnavailable", "PrivateBus"]

START_TIMEOUT_S = 5.0
STOP_TIMEOUT_S = 2.0
#: sun_path of a UNIX socket has 108 bytes with the final zero.
SOCKET_PATH_LIMIT = 107
PR_SET_PDEATHSIG = 1

CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>custom</type>
  <listen>unix:path={path}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


class BusUnavailable(Exception):
    """The private bus could not be started; the sentence says why and what to do."""


class PrivateBus:
    """`async with PrivateBus(socket)`: the bus lives inside, at `address`. `stop` and `start` again as a fault."""

    def __init__(self, socket: Path) -> None:
        self.socket = Path(socket)
        self._child: asyncio.subprocess.Process | None = None

    @property
    def address(self) -> str:
        return f"unix:path={self.socket}"

    async def start(self) -> None:
        """Raises `BusUnavailable`. A socket left by a killed process is replaced."""
        program = shutil.which("dbus-daemon")
        if program is None:
            raise BusUnavailable("dbus-daemon is not installed: sudo apt install dbus-daemon")
        if len(os.fsencode(self.socket)) > SOCKET_PATH_LIMIT or any(c in "<&," for c in str(self.socket)):
            raise BusUnavailable(f"{self.socket}: a socket path has at most {SOCKET_PATH_LIMIT} bytes and no < & or ,")
        try:
            self.socket.parent.mkdir(parents=True, exist_ok=True)
            self.socket.unlink(missing_ok=True)
        except OSError as error:
            raise BusUnavailable(f"{self.socket}: no place for the bus's socket ({error})") from error
        parent = os.getpid()
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as config:
            config.write(CONFIG.format(path=self.socket))
            config.flush()
            self._child = await asyncio.create_subprocess_exec(
                program,
                "--nofork",
                "--nopidfile",
                "--print-address",
                f"--config-file={config.name}",
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                preexec_fn=lambda: _die_with(parent),
            )
            await self._ready()

    async def _ready(self) -> None:
        assert self._child is not None
        assert self._child.stdout is not None
        line = b""
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                line = await self._child.stdout.readline()
        except TimeoutError:
            pass  # told below
        if not line:
            said = await self.stop()
            raise BusUnavailable(f"dbus-daemon does not start at {self.socket}: {said or 'no word from it'}")

    async def stop(self) -> str:
        """End the daemon; every connection to it ends. Returns what it said on standard error."""
        child, self._child = self._child, None
        if child is None:
            return ""
        if child.returncode is None:
            child.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                _, said = await child.communicate()
        except TimeoutError:
            child.kill()
            _, said = await child.communicate()
        self.socket.unlink(missing_ok=True)
        return said.decode(errors="replace").strip()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


def _die_with(parent: int) -> None:
    """In the child, before it becomes dbus-daemon: the kernel ends it when we end, even by SIGKILL."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
