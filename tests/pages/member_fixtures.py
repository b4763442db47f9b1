"""What the tests of the member's page begin with: a hub, its address, a phone, and a page that must break no rule.

A module imports what it wants of it, and makes its own where they differ by more than these words of a module:
`SETTINGS`, what stands in its hub's settings, and `PHONE`, what its phone allows.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page

from tests.hub.conftest import Store
from tests.members.conftest import serving
from tests.pages.member_terminal import SIMULATED, store_in
from tests.pages.shop_window import phone, spied


@pytest.fixture
def hub(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store; unless the module says otherwise, it is paid in by pressing a button."""
    made = store_in(tmp_path, getattr(request.module, "SETTINGS", SIMULATED))
    yield made
    made.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def address(hub: Store) -> AsyncIterator[str]:
    """Of the member's page."""
    async with serving(hub) as running:
        yield f"{running}/member/"


@pytest_asyncio.fixture(loop_scope="session")
async def context(request: pytest.FixtureRequest, browser: Browser) -> AsyncIterator[BrowserContext]:
    async with phone(browser, **getattr(request.module, "PHONE", {})) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def own(context: BrowserContext, address: str) -> AsyncIterator[Page]:
    """An empty page; whatever is done on it, in the end, with the hub still there, it has broken no policy and raised no error."""
    page = await context.new_page()
    yield page
    assert await spied(page, "violations") == []
    assert await spied(page, "errors") == []
