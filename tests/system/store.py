"""A whole store for one test: the demo's stage (real programs, simulated hardware), or single programs of it."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from instore.demo.layout import Layout, broker_place, make_layout
from instore.demo.record import Happening, Record
from instore.demo.stage import Stage
from tests.system.playing import INSTORE

SOON_S = 15.0


def layout_in(folder: Path, broker: str = "mosquitto") -> Layout:
    """Settings, users and ports of a fresh store in `folder`/store."""
    here = Path.cwd()
    os.chdir(folder)  # the layout notes the newest demo in the working directory
    try:
        return make_layout(folder / "store", broker_place(broker))
    finally:
        os.chdir(here)


@contextlib.asynccontextmanager
async def running(layout: Layout, *, wait_for_all: bool = True) -> AsyncIterator[Stage]:
    """Every program of the store, ready."""
    stage = Stage(layout, Record(lambda _: None))
    try:
        await stage.start()
        missing = await stage.ready(60.0 if wait_for_all else 0.0)
        assert not missing or not wait_for_all, missing
        yield stage
    finally:
        await stage.stop()


async def happens(stage: Stage, wanted: Callable[[Happening], bool], what: str) -> Happening:
    """The first happening that is wanted, or will be soon."""
    found = await stage.record.wait(wanted, SOON_S)
    assert found is not None, f"{what}; last: {[h.type for h in stage.record.all][-10:]}"
    return found


class Running:
    """One program by itself. `said` is everything that it has said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said = ""
        self._more = asyncio.Event()
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while text := await self.process.stdout.readline():
            self.said += text.decode(errors="replace")
            self._more.set()

    async def says(self, *words: str, within_s: float = SOON_S) -> None:
        """Wait until all these words were said."""
        try:
            async with asyncio.timeout(within_s):
                while not all(word in self.said for word in words):
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            raise AssertionError(f"{words} not in: {self.said}") from None

    @property
    def runs(self) -> bool:
        return self.process.returncode is None

    async def end(self) -> int:
        if self.runs:
            self.process.terminate()
        code = await self.process.wait()
        await self._task
        return code


@contextlib.asynccontextmanager
async def program(*arguments: str, cwd: Path, environment: dict[str, str] | None = None) -> AsyncIterator[Running]:
    """`instore …` in the background, until the block ends."""
    process = await asyncio.create_subprocess_exec(
        *INSTORE, *arguments, cwd=cwd, env={**os.environ, **(environment or {})}, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)  # fmt: skip
    running = Running(process)
    try:
        yield running
    finally:
        await running.end()


async def ask(url: str, *, body: dict[str, Any] | None = None, key: str = "") -> tuple[int, dict[str, Any]]:
    """Status and JSON of an answer; status 0 when nobody answers, or whoever did was killed in the middle of it."""

    def asked() -> tuple[int, dict[str, Any]]:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
        data = None if body is None else json.dumps(body).encode()
        try:
            try:
                with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=5) as answer:
                    return answer.status, json.load(answer)
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, json.load(error)
        except (OSError, http.client.HTTPException):
            return 0, {}

    return await asyncio.to_thread(asked)


async def answers(url: str, wanted: Callable[[int, dict[str, Any]], bool], within_s: float = SOON_S) -> dict[str, Any]:
    """Ask until the answer is as wanted."""
    status, answer = 0, {}
    for _ in range(int(within_s / 0.1)):
        status, answer = await ask(url)
        if wanted(status, answer):
            return answer
        await asyncio.sleep(0.1)
    raise AssertionError(f"{url}: {status} {answer}")
