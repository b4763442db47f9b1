"""What stands in the log: our sentence for a trouble, not a library's dump of it besides."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

import devices.gate_bus  # noqa: F401  # silences its library
from instore.logs import configure


@pytest.fixture(autouse=True)
def _levels_put_back() -> Iterator[None]:
    known = {
        name: one.level for name, one in logging.root.manager.loggerDict.items() if isinstance(one, logging.Logger)
    }
    yield
    for name, level in known.items():
        logging.getLogger(name).setLevel(level)


def test_a_gate_that_vanishes_does_not_bring_the_frames_before_it() -> None:
    configure()
    assert not logging.getLogger("pymodbus.logging").isEnabledFor(logging.ERROR)


def test_a_third_party_s_warnings_are_heard() -> None:
    configure()
    assert logging.getLogger("a.library").isEnabledFor(logging.WARNING)
