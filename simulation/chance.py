"""Where the programs get chance from while a simulation runs: all of it from the seed. And what they do less often there."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from hub.service import TICK_S

LOOK_EVERY_S, HANGS_AFTER_S = 60.0, 400.0
"""The watch over hanging workers looks less often than in a store (1.5 and 10 s): it would be half of all simulated steps."""


LONG_TICK_S = 5.0
"""In a run of more than an hour the hub looks less often what time has brought (in a store each second): else half of a day's
simulated steps would be that."""


@contextmanager
def from_seed(rng: random.Random, *, is_long: bool = False) -> Iterator[None]:
    """One-time IDs, epochs and jitter come from `rng` inside this block, in this process (one simulation at a time)."""

    def token_hex(count: int | None = None) -> str:
        return rng.randbytes(count or 32).hex()

    def seeded() -> random.Random:
        return random.Random(rng.getrandbits(64))

    with (
        patch.object(secrets, "token_hex", token_hex),
        patch("delivery.engine.Random", seeded),
        patch("edge.health.LOOK_EVERY_S", LOOK_EVERY_S),
        patch("edge.health.HANGS_AFTER_S", HANGS_AFTER_S),
        patch("hub.service.TICK_S", LONG_TICK_S if is_long else TICK_S),
    ):
        yield
