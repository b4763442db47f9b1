"""Runs `instore demo --once --json` and, if asked, kills programs of it with SIGKILL at chosen moments."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

INSTORE = (str(Path(sys.executable).with_name("instore")),)
TIMEOUT_S = 150.0
"""The demo ends by itself within 130 s, whatever happens: 60 s for its programs to get ready, 60 s for the visit."""
PROGRAMS = ("broker", "hub", "edge-entrance", "edge-exit", "handheld", "sim-beacons", "sim-reader", "sim-printer",
            "sim-gate")  # fmt: skip


@dataclass(frozen=True)
class Kill:
    """`kill -9` of `programs`, `after_s` after the first line of type `type`."""

    programs: tuple[str, ...]
    type: str
    after_s: float = 0.0


@dataclass
class Played:
    """What the demo printed, and how it ended."""

    folder: Path
    lines: list[dict[str, Any]] = field(default_factory=list)
    code: int = -1
    errors: str = ""
    killed: list[str] = field(default_factory=list)

    @property
    def summary(self) -> dict[str, Any]:
        """The message of the last line."""
        assert self.lines, self.errors
        assert self.lines[-1]["type"] == "instore.demo.summary", self.lines[-1]
        return dict(self.lines[-1]["message"])

    def types(self) -> list[str]:
        return [line["type"] for line in self.lines]

    def line(self, type_: str) -> dict[str, Any]:
        """The first line of a type."""
        return next(line for line in self.lines if line["type"] == type_)

    def story(self) -> str:
        """For the message of an assertion: how far it came, and where everything lies."""
        last = json.dumps(self.lines[-1], ensure_ascii=False)[:1500] if self.lines else "it printed nothing"
        return f"code {self.code}, killed {self.killed}, files in {self.folder}\n{last}\n{self.errors[-1500:]}"


async def play(folder: Path, *options: str, kills: Sequence[Kill] = ()) -> Played:
    """Play a visit in `folder`/demo, with `folder` as the working directory. Nothing of it runs when this returns."""
    demo = folder / "demo"
    process = await asyncio.create_subprocess_exec(
        *INSTORE, "demo", "--once", "--json", "--dir", str(demo), *options,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=folder,
        limit=1 << 20,
    )  # fmt: skip
    played, killer = Played(demo), _Killer(kills)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            errors = asyncio.create_task(_read_all(process.stderr))
            await _listen(process.stdout, played, killer)
            played.errors = await errors
            played.code = await process.wait()
    finally:
        killer.cancel()
        if process.returncode is None:
            process.kill()
            await process.wait()
    played.killed = killer.killed
    return played


async def _listen(stdout: asyncio.StreamReader | None, played: Played, killer: _Killer) -> None:
    assert stdout is not None
    while text := await stdout.readline():
        line = json.loads(text)
        assert set(line) >= {"t_ms", "type", "message"}, line
        played.lines.append(line)
        killer.take(line)


async def _read_all(stderr: asyncio.StreamReader | None) -> str:
    assert stderr is not None
    return (await stderr.read()).decode(errors="replace")


class _Killer:
    """Knows the programs' process IDs from the demo's lines."""

    def __init__(self, kills: Sequence[Kill]) -> None:
        self._waiting = list(kills)
        self._pids: dict[str, int] = {}
        self._timers: list[asyncio.TimerHandle] = []
        self.killed: list[str] = []

    def take(self, line: dict[str, Any]) -> None:
        if line["type"] == "instore.demo.process":
            name, state = line["message"]["name"], line["message"]["state"]
            self._pids.pop(name, None)
            if state == "started":
                self._pids[name] = line["message"]["pid"]
        for kill in [kill for kill in self._waiting if kill.type == line["type"]]:
            self._waiting.remove(kill)
            if kill.after_s:
                self._timers.append(asyncio.get_running_loop().call_later(kill.after_s, self._kill, kill))
            else:
                self._kill(kill)

    def _kill(self, kill: Kill) -> None:
        for name in kill.programs:
            if name in self._pids:  # else it is just starting again after an earlier death
                os.kill(self._pids.pop(name), signal.SIGKILL)
                self.killed.append(name)

    def cancel(self) -> None:
        for timer in self._timers:
            timer.cancel()


def leftovers(folder: Path) -> list[str]:
    """Command lines of processes that still have to do with this folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            about = command + (entry / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue  # it ended, or belongs to somebody else
        if str(folder) in about and int(entry.name) != os.getpid():
            found.append(f"{entry.name}: {command}")
    return found
