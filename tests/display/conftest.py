from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from edge import lane_work
from edge.display import board as board_module
from edge.display import server as server_module
from tests.display.rig import Kiosk, Rig, chromium, kiosk


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    monkeypatch.setattr(board_module, "TICK_S", 0.05)
    monkeypatch.setattr(server_module, "BEAT_S", 0.3)
    monkeypatch.setattr(lane_work, "AGAIN_S", 0.01)
    async with Rig(tmp_path) as own:
        yield own


@pytest_asyncio.fixture(loop_scope="session")
async def own(browser: Browser, rig: Rig) -> AsyncIterator[Kiosk]:
    async with kiosk(browser, rig.url) as page:
        await page.shows("waiting")
        yield page
        await page.clean(rig)
