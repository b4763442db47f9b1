"""The demo's programs as child processes: started in order, started again when they die, ended together."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

RESTART_S = 0.3
STOP_S = 5.0
FAST_S, FAST_DEATHS = 5.0, 5
"""So many ends with an error, each so soon after the start, in a row, and a program is given up: its log says why."""


@dataclass(slots=True)
class Program:
    """One child: its command line after `instore`, its environment, its log."""

    name: str
    arguments: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    on_line: Callable[[str], None] | None = None
    """Takes its standard output, line by line."""
    restart: bool = True
    command: Sequence[str] | None = None
    """Instead of `instore`: another program."""


class Processes:
    """`on_change(name, state, pid)` with state `started`, `died`, `gave up` or `stopped`."""

    def __init__(self, on_change: Callable[[str, str, int | None], None]) -> None:
        self._on_change = on_change
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._running: dict[str, asyncio.subprocess.Process] = {}

    def start(self, program: Program) -> None:
        """Start and keep it running."""
        self._tasks[program.name] = asyncio.create_task(self._keep(program), name=program.name)

    def pids(self) -> dict[str, int]:
        return {name: process.pid for name, process in self._running.items()}

    async def _keep(self, program: Program) -> None:
        loop = asyncio.get_running_loop()
        fast = 0
        while True:
            began = loop.time()
            code = await self._one_life(program)
            if not program.restart:
                return
            fast = fast + 1 if (code or 0) > 0 and loop.time() - began < FAST_S else 0
            if fast >= FAST_DEATHS:
                self._on_change(program.name, "gave up", None)
                return
            self._on_change(program.name, "died", code)
            await asyncio.sleep(RESTART_S)

    async def _one_life(self, program: Program) -> int | None:
        command = program.command or (sys.executable, "-m", "instore", *program.arguments)
        with program.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if program.on_line else log,
                stderr=log,
                env={**os.environ, **program.environment},
                preexec_fn=_die_with(os.getpid()),
                limit=1 << 20,
            )
        self._running[program.name] = process
        self._on_change(program.name, "started", process.pid)
        try:
            if program.on_line is not None:
                await self._lines(process, program.on_line)
            return await process.wait()
        finally:
            if self._running.get(program.name) is process and process.returncode is not None:
                del self._running[program.name]

    @staticmethod
    async def _lines(process: asyncio.subprocess.Process, on_line: Callable[[str], None]) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            on_line(line.decode("utf-8", errors="replace"))

    async def stop(self) -> None:
        """End all: politely, then, after a while, not."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        running = list(self._running.values())
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        waits = [asyncio.create_task(process.wait()) for process in running]
        if waits:
            _, late = await asyncio.wait(waits, timeout=STOP_S)
            for process in running:
                if process.returncode is None:
                    with contextlib.suppress(ProcessLookupError):
                        process.kill()
            await asyncio.gather(*late)
        self._running.clear()


async def listening(host: str, port: int, timeout_s: float = 10.0) -> None:
    """Wait until somebody listens there, or the time is over: it saves everybody's first back-off."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            while True:
                try:
                    _, writer = await asyncio.open_connection(host, port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    await writer.wait_closed()
                    return


def _die_with(parent: int) -> Callable[[], None]:
    """In the child: end when the demo ends, however it ends (prctl PR_SET_PDEATHSIG, Linux)."""
    prctl = ctypes.CDLL(None).prctl

    def in_child() -> None:
        prctl(1, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return in_child
