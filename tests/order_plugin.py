"""How a whole test run stays short: files of tests in memory, slow tests first.

Almost every test has a database of its own, each of whose commits is synced. On a disk that others use too, three quarters of
a run were spent waiting for it; in memory a sync costs nothing, and what a sync is worth is shown by `tests/power`, which has a
disk of its own making. `--basetemp` or `PYTEST_DEBUG_TEMPROOT` put the files elsewhere.

What waits for real programs begins first, so that in the end no worker is left with a minute of it alone.

The collector of garbage does not look again and again at what five thousand collected tests are made of: an eighth of the
processor time of those that start no program.
"""

from __future__ import annotations

import gc
import os
import shutil
from pathlib import Path

import pytest

MEMORY, ROOM_BYTES = Path("/dev/shm"), 256 << 20
SLOW = (
    "system",
    "day",
    "up",
    "power",
    "operations",
    "simulation",
    "display",
    "pages",
    "giving",
    "bench",
    "instore",
    "broker",
    "edge",
)
"""Rooms by how long their longest tests take. Those of all others take less than a second."""


def pytest_configure() -> None:
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM_BYTES:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {room: number for number, room in enumerate(SLOW)}
    items.sort(key=lambda item: rank.get(item.path.parent.name, len(SLOW)))


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
