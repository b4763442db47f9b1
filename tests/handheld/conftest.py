from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.handheld.far_end import HubVoice, Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    running = Store(tmp_path)
    running.start()
    yield running
    running.kill()


@pytest.fixture
async def hub(store: Store) -> AsyncIterator[HubVoice]:
    async with HubVoice(store) as voice:
        yield voice
