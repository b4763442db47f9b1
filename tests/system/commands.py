"""Runs the command `instore` as a user does."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner

from instore.__main__ import app
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


def instore_here(*arguments: str, cwd: Path) -> Told:
    """The same command in the test's own process: a hundred times as fast, for whatever ends before it starts anything.

    That a process of its own does the same is shown by those tests that use `instore`.
    """
    with contextlib.chdir(cwd):
        result = CliRunner().invoke(app, list(arguments), prog_name="instore")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Told(result.exit_code, result.stdout, result.stderr)
