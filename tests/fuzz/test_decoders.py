"""What `tests.fuzz.guided` feeds to each decoder, here as chance will have it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import decoders
from tests.fuzz.decoders import DECODERS
from tests.fuzz.limits import damaged, often, soon

pytestmark = pytest.mark.row("C1")


@pytest.fixture(scope="module", autouse=True)
def _closed() -> Iterator[None]:
    yield
    decoders.customers.close()


@pytest.mark.parametrize("name", DECODERS)
def test_any_bytes_are_decoded_or_refused(name: str) -> None:
    decoder = DECODERS[name]

    @often(40)
    @given(st.binary(max_size=300) | damaged(st.sampled_from(decoder.seeds)))
    def run(data: bytes) -> None:
        with soon(3.0):
            decoder.run(data)

    for seed in decoder.seeds:
        decoder.run(seed)
    run()
