"""Figures of a run: percentiles, and what machine they were taken on."""

from __future__ import annotations

import logging
import math
import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import structlog
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

BAR_FROM_S = 2.0
PAGE_BYTES = 4096


def quiet() -> None:
    """Only warnings, and those on standard error: standard output is for figures."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
                        logger_factory=structlog.PrintLoggerFactory(sys.stderr), cache_logger_on_first_use=False)  # fmt: skip


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile, `share` 0 to 1: a value that was measured. NaN of nothing."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def summary(seconds: Sequence[float]) -> dict[str, float | int]:
    """p50, p99 and the longest, in milliseconds, and how many."""
    return {
        "p50_ms": round(percentile(seconds, 0.50) * 1000, 3),
        "p99_ms": round(percentile(seconds, 0.99) * 1000, 3),
        "max_ms": round(max(seconds, default=math.nan) * 1000, 3),
        "n": len(seconds),
    }


def machine(folder: Path) -> dict[str, Any]:
    """What the figures depend on: processors, what else ran at the start, Python, the file system under the databases."""
    return {
        "processors": len(os.sched_getaffinity(0)),
        "load_1min_at_start": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "file_system": _file_system(folder),
    }


def _file_system(folder: Path) -> str:
    """Its type by the longest mount point above `folder`; a store's own disk is no `tmpfs`."""
    found = ("", "unknown")
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _, point, kind, *_ = line.split()
        if folder.resolve().is_relative_to(point) and len(point) >= len(found[0]):
            found = (point, kind)
    return found[1]


class SyncProbe:
    """What no commit can be faster than: one page of an existing file made durable, as SQLite's log does when it is reused."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "sync-probe"
        self._handle = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
        os.write(self._handle, bytes(PAGE_BYTES))
        os.fsync(self._handle)

    def seconds(self) -> float:
        """How long it takes now."""
        began = time.monotonic()
        os.pwrite(self._handle, bytes(PAGE_BYTES), 0)
        os.fdatasync(self._handle)
        return time.monotonic() - began

    def close(self) -> None:
        os.close(self._handle)
        self._path.unlink()


def progress(seconds: float, *, shown: bool = True) -> Progress:
    """A bar on standard error; none when it is over soon anyway or nobody watches."""
    console = Console(stderr=True)
    return Progress(TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=console,
                    disable=not shown or seconds <= BAR_FROM_S or not console.is_terminal, transient=True)  # fmt: skip
