"""docs/lane.md shows the lane as it is."""

from __future__ import annotations

import pytest

from tests.edge.lane_table import PAGE, diagram, page


@pytest.mark.row("B12")
def test_the_diagram_and_the_table_in_the_documentation_are_the_code() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, "write it anew: make lane-page"


def test_every_phase_is_reached_and_left_in_the_diagram() -> None:
    drawn = diagram()
    for phase in ("deciding", "printing", "showing", "opening", "open"):
        assert f"--> {phase}:" in drawn
        assert f"    {phase} --> idle:" in drawn
