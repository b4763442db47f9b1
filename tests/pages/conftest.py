from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, expect

from tests.handheld.far_end import STORE, HubVoice, Store
from tests.pages.shop_window import chromium, phone, served

expect.set_options(timeout=20_000)
"""A machine that does other things too is slow, and not wrong; who finds what it waits for goes on at once."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    running = Store(tmp_path)
    running.start()
    yield running
    running.kill()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def hub(store: Store) -> AsyncIterator[HubVoice]:
    async with HubVoice(store) as voice:
        yield voice


@pytest.fixture
def address(store: Store) -> Iterator[str]:
    """Of the handheld page, which finds the store's broker."""
    with served({"store": STORE, "ws_port": store.ws_port}) as url:
        yield url


@pytest_asyncio.fixture(loop_scope="session")
async def handset(browser: Browser) -> AsyncIterator[BrowserContext]:
    async with phone(browser) as context:
        yield context
