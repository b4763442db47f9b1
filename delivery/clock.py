"""Time as an argument: the two clocks that a program needs, so that a simulation can bring its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Clock:
    """`monotonic` counts seconds and never jumps: for time-outs. `utc` is the wall's time, aware: for records."""

    monotonic: Callable[[], float] = time.monotonic
    utc: Callable[[], datetime] = lambda: datetime.now(UTC)
