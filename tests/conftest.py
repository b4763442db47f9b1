"""What holds for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """A program that a test runs in its own process sets up logging for itself; the tests after it have theirs."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)
