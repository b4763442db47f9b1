"""Runs the command `instore` as a user does."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.system.playing import INSTORE


@dataclass(frozen=True)
class Told:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str


async def instore(*arguments: str, cwd: Path, timeout_s: float = 30.0, stdin: bytes = b"",
                  environment: Mapping[str, str] | None = None) -> Told:  # fmt: skip
    """Run to its end. Raises TimeoutError; then it is killed."""
    process = await asyncio.create_subprocess_exec(
        *INSTORE, *arguments, cwd=cwd, env={**os.environ, **(environment or {})}, stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)  # fmt: skip
    try:
        async with asyncio.timeout(timeout_s):
            out, err = await process.communicate(stdin)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return Told(process.returncode, out.decode(), err.decode())
