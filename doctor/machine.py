"""The machine itself: its clock and its disk."""

from __future__ import annotations

import ctypes
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from doctor.finding import Finding, Level

DISK_MIN_MB = 512
"""An agent that is cut off for days may need 256 MB for what it has to tell (docs/reliability.md, "Long absence")."""
SYNC_SLOW_MS = 50.0
"""A scan waits for two or three synced commits; with slower ones the gate is no longer opened within 200 ms."""
SYNCS = 10
_TIME_ERROR = 5
"""adjtimex(2): the clock is not synchronised."""
_TIMEX_BYTES = 512
"""More than `struct timex` has on any Linux; all zeros is a question that changes nothing."""


def clock() -> Finding:
    """Whether somebody keeps the clock right, as the kernel knows it."""
    try:
        answer = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):  # no Linux
        answer = -1
    if answer < 0:
        return Finding("clock", Level.SKIPPED, "clock_unknown")
    return (
        Finding("clock", Level.WARNING, "clock_bad")
        if answer == _TIME_ERROR
        else Finding("clock", Level.OK, "clock_good")
    )


def disk(folder: Path) -> Finding:
    """Room and speed where the agent's database is, or will be made: the slowest but one of ten synced writes (ms)."""
    folder = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    try:
        free_mb = shutil.disk_usage(folder).free // 1_000_000
        ms = sorted(_synced_writes(folder))[-2]
    except OSError as error:
        return Finding("disk", Level.ERROR, "disk_bad", {"folder": str(folder), "why": error.strerror or str(error)})
    values = {"free_mb": free_mb, "ms": ms}
    if free_mb < DISK_MIN_MB:
        return Finding("disk", Level.WARNING, "disk_small", values)
    slow = ms > SYNC_SLOW_MS
    return Finding("disk", Level.WARNING if slow else Level.OK, "disk_slow" if slow else "disk_good", values)


def _synced_writes(folder: Path) -> Iterator[float]:
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
        for _ in range(SYNCS):
            began = time.monotonic()
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
            yield 1000 * (time.monotonic() - began)
