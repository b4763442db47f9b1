"""Where the programs get chance from while a simulation runs: all of it from the seed."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import delivery.engine


@contextmanager
def from_seed(rng: random.Random) -> Iterator[None]:
    """One-time IDs, epochs and jitter come from `rng` inside this block, in this process (one simulation at a time)."""
    token_hex, jitter = secrets.token_hex, delivery.engine.Random

    def hexadecimal(count: int | None = None) -> str:
        return rng.randbytes(count or 32).hex()

    def seeded() -> random.Random:
        return random.Random(rng.getrandbits(64))

    secrets.token_hex = hexadecimal
    delivery.engine.Random = seeded  # type: ignore[assignment,misc]
    try:
        yield
    finally:
        secrets.token_hex, delivery.engine.Random = token_hex, jitter  # type: ignore[misc]
