"""How often, how long, and what damaged input looks like."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

TIMES = int(os.environ.get("INSTORE_FUZZ", "1"))


def often(examples: int) -> settings:
    """So many examples, times INSTORE_FUZZ. Hypothesis prints how to repeat what failed."""
    return settings(max_examples=examples * TIMES, deadline=None, database=None,
                    suppress_health_check=list(HealthCheck))  # fmt: skip


@contextmanager
def soon(seconds: float = 1.0) -> Iterator[None]:
    """CPU time, so that other programs on the machine do not matter."""
    began = time.process_time()
    yield
    took = time.process_time() - began
    assert took < seconds, f"one input took {took:.1f} s"


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Something valid that a wire or an attacker has worked on: bytes changed, cut out, doubled, put in, cut off."""
    data = bytearray(draw(whole))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(data)))
        size = draw(st.integers(0, 12))
        match draw(st.integers(0, 5)):
            case 0:
                data[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case 1:
                del data[at : at + size]
            case 2:
                data[at:at] = data[at : at + size]
            case 3:
                data[at:at] = draw(st.binary(max_size=12))
            case 4:
                del data[at:]
            case _:
                data[at:at] = draw(
                    st.sampled_from([b"\x00", b"\xff", b"\n", b"[" * 2000, b"9" * 5000, b"\\ud800", b'"', b"{" * 1200])
                )
    return bytes(data)


def chunked(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    """The same bytes in pieces, as a serial line delivers them."""
    at = turn = 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        yield data[at : at + size]
        at += size
        turn += 1


SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=4)
