"""docs/lane.md shows the lane as it is."""

from __future__ import annotations

from tests.edge.lane_table import PAGE, page


def test_the_table_in_the_documentation_is_the_code() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, "write it anew: python -m tests.edge.lane_table"
