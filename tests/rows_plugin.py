"""Collects `@pytest.mark.row("A5")` and the outcome of each test that carries it, for `make rows`.

With `--rows-report FILE` the outcomes go to FILE as JSON: `{"A5": [["tests/…::test_x", "passed"], …], …}`.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

_REPORT: dict[str, dict[str, str]] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rows-report", default=None, help="write the outcome of every test of a mission row to this JSON file"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        rows = sorted({str(name) for mark in item.iter_markers("row") for name in mark.args})
        item.user_properties.append(("rows", rows))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    rows = next((value for key, value in report.user_properties if key == "rows"), [])
    for row in rows:
        outcomes = _REPORT.setdefault(str(row), {})
        # A test counts as passed only if its call passed and neither set-up nor tear-down failed.
        if report.when == "call" or report.outcome != "passed":
            outcomes[report.nodeid] = (
                report.outcome if outcomes.get(report.nodeid) in (None, "passed") else outcomes[report.nodeid]
            )


def pytest_sessionfinish(session: pytest.Session) -> None:
    target = session.config.getoption("--rows-report")
    if target and not hasattr(session.config, "workerinput"):
        rows = {row: sorted(outcomes.items()) for row, outcomes in sorted(_REPORT.items())}
        Path(str(target)).write_text(json.dumps(rows, indent=1))
