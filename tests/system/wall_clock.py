"""The wall clock of one real process set while it runs, with libfaketime (Debian package `faketime`).

Only CLOCK_REALTIME moves, for Python and for SQLite in that process; the monotonic clock is the machine's. A time namespace
cannot do this (it shifts the monotonic clocks only), and setting the machine's own clock would set everybody's.
"""

from __future__ import annotations

import os
from pathlib import Path

PLACES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib/faketime/libfaketimeMT.so.1")
MEMORY = Path("/dev/shm")
LOOKS_EVERY_S = 1
"""How often libfaketime looks at the file."""


class WallClock:
    """`environment` for the program whose clock this is; `set` moves it, also while the program runs."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.off_s = 0
        self.set(0)

    def set(self, off_s: int) -> None:
        """So many seconds away from the machine's clock, less is back."""
        self.off_s = off_s
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{off_s:+d}\n")
        os.replace(fresh, self._file)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": str(LOOKS_EVERY_S),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }


def sweep() -> None:
    """Take away what libfaketime left in memory: it shares a page and a semaphore with each program's children, under the
    number of the program, and a program that was killed takes neither with it."""
    for file in (*MEMORY.glob("faketime_shm_*"), *MEMORY.glob("sem.faketime_sem_*")):
        number = file.name.rpartition("_")[2]
        if number.isdigit() and not Path("/proc", number).exists():
            file.unlink(missing_ok=True)


def library() -> Path:
    """Raises FileNotFoundError, with the line to type."""
    for pattern in PLACES:
        for found in Path("/").glob(pattern[1:]):
            return found
    raise FileNotFoundError("libfaketime is missing: apt install faketime")
