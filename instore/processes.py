"""A store's programs as child processes: started in order, started again when they die, ended together."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

RESTART_S = 0.3
STOP_S = 5.0
FAST_S, FAST_DEATHS = 5.0, 5


@dataclass(frozen=True, slots=True)
class Restart:
    """How programs are started again: soon, and later and later (twice as long each time) while they die young.

    `give_up`: so many ends with an error, each within `FAST_S` of the start, in a row, and a program is given up: its log says
    why. None: never.
    """

    first_s: float = RESTART_S
    longest_s: float = RESTART_S
    give_up: int | None = FAST_DEATHS

    def wait_s(self, young_deaths: int) -> float:
        """How long to wait after so many young deaths in a row."""
        return min(self.longest_s, self.first_s * 2.0 ** min(young_deaths, 16))


@dataclass(slots=True)
class Program:
    """One child: its command line after `instore`, its environment, its log."""

    name: str
    arguments: Sequence[str]
    log: Path | None
    """Takes what it says on standard error, and on standard output if `on_line` does not. None: `on_line` takes both."""
    environment: Mapping[str, str] = field(default_factory=dict)
    on_line: Callable[[str], None] | None = None
    """Takes its standard output, line by line."""
    restart: bool = True
    command: Sequence[str] | None = None
    """Instead of `instore`: another program."""


class Processes:
    """`on_change(name, state, pid)` with state `started`, `died`, `gave up` or `stopped`."""

    def __init__(
        self, on_change: Callable[[str, str, int | None], None], restart: Restart = Restart()
    ) -> None:  # frozen
        self._on_change, self._restart = on_change, restart
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._running: dict[str, asyncio.subprocess.Process] = {}

    def start(self, program: Program) -> None:
        """Start and keep it running."""
        self._tasks[program.name] = asyncio.create_task(self._keep(program), name=program.name)

    def pids(self) -> dict[str, int]:
        return {name: process.pid for name, process in self._running.items()}

    def kill(self, name: str) -> bool:
        """End it at once, as a loss of power does; it is started again. False: it does not run now."""
        process = self._running.get(name)
        if process is None or process.returncode is not None:
            return False
        process.kill()
        return True

    async def hold(self, name: str) -> None:
        """End it at once and keep it down until `start`."""
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        process = self._running.pop(name, None)
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            self._on_change(name, "stopped", None)

    async def stop_one(self, name: str) -> None:
        """End it, politely, and keep it down until `start`."""
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        process = self._running.pop(name, None)
        if process is not None:
            await self._end([process])
            self._on_change(name, "stopped", None)

    async def _keep(self, program: Program) -> None:
        loop = asyncio.get_running_loop()
        young = failed = 0
        while True:
            began = loop.time()
            code = await self._one_life(program)
            if not program.restart:
                return
            died_young = loop.time() - began < FAST_S
            young = young + 1 if died_young else 0
            failed = failed + 1 if died_young and (code or 0) > 0 else 0
            if self._restart.give_up is not None and failed >= self._restart.give_up:
                self._on_change(program.name, "gave up", code)
                return
            self._on_change(program.name, "died", code)
            await asyncio.sleep(self._restart.wait_s(max(0, young - 1)))

    async def _one_life(self, program: Program) -> int | None:
        command = program.command or (sys.executable, "-m", "instore", *program.arguments)
        with program.log.open("ab") if program.log is not None else contextlib.nullcontext() as log:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if program.on_line else log,
                stderr=log if log is not None or program.on_line is None else asyncio.subprocess.STDOUT,
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

    async def stop(self, last: Collection[str] = ()) -> None:
        """End all: politely, then, after a while, not. Those of `last` when the others have ended: they say good-bye there."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await self._end([process for name, process in self._running.items() if name not in last])
        await self._end([process for name, process in self._running.items() if name in last])
        self._running.clear()

    @staticmethod
    async def _end(running: list[asyncio.subprocess.Process]) -> None:
        for process in running:
            _signal(process, signal.SIGTERM)
        waits = [asyncio.create_task(process.wait()) for process in running]
        if waits:
            _, late = await asyncio.wait(waits, timeout=STOP_S)
            for process in running:
                _signal(process, signal.SIGKILL)
            await asyncio.gather(*late)


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """`Popen.send_signal` would look whether it has ended, and take its exit code away from asyncio, which complains of that."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


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
