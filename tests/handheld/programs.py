"""The handheld of a terminal as a program of its own, which ends with its test."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.handheld.far_end import Store

PROGRAM = (
    "import sys; from handheld.terminal import run; "
    "sys.exit(run('c01', '127.0.0.1', int(sys.argv[1]), sys.argv[2], 'ginza', json=sys.argv[3] == 'json', "
    "auto_accept_ms=int(sys.argv[4]) if sys.argv[4:] else None))"
)


_started: list[asyncio.subprocess.Process] = []


@pytest.fixture(autouse=True)
async def nobody_stays() -> AsyncIterator[None]:
    """Also when a test failed in the middle."""
    yield
    while _started:
        process = _started.pop()
        if process.returncode is None:
            process.kill()
            await process.wait()


async def start(store: Store, *arguments: str, **streams: Any) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, str(store.tcp_port), store.passwords["clerk-c01"], *arguments, **streams
    )
    _started.append(process)
    return process


async def lines_until(process: asyncio.subprocess.Process, kind: str, **fields: Any) -> dict[str, Any]:
    assert process.stdout is not None
    while True:
        line = await asyncio.wait_for(process.stdout.readline(), 30)
        assert line, "the program ended"
        read: dict[str, Any] = json.loads(line)
        if read["type"] == f"handheld.{kind}" and all(read[name] == value for name, value in fields.items()):
            return read
