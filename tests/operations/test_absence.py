"""Long absence, as long as a test may take; all of it: `python -m tests.operations.absence` (docs/reliability.md)."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.measure import percentile
from delivery import outgoing, streams
from tests.operations import absence_agents, absence_drain, absence_spool


@pytest.mark.row("C1")
@pytest.mark.parametrize(("per_s", "hours", "most"), [(0.36, 1.0, 20_000), (40.0, 0.1, 3000)])
def test_what_an_absence_leaves_is_bounded_and_the_rest_comes_in_order(
    per_s: float, hours: float, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "SIGHTINGS_MAX", most)
    monkeypatch.setattr(streams, "DEEP", 500)
    played = absence_spool.run(tmp_path, per_s, hours, (hours / 3, hours * 2 / 3))
    assert played.faults == []
    assert played.restarts == 2
    assert played.waiting <= most + played.critical
    assert played.received == played.sightings - played.dropped - played.unsynced
    assert played.file_bytes_max < 20_000_000
    assert (played.dropped > 0) is (per_s > 1)
    assert played.critical_received == played.critical > 0


@pytest.mark.row("C1")
async def test_a_lane_goes_on_while_its_agent_drains(tmp_path: Path) -> None:
    """Times are generous: other tests run beside this one."""
    found = await absence_drain.run(tmp_path, 6000, 1.0, left=50)
    assert found.left_over < 20
    assert found.hub["received"] >= 6000 + 3 * 50
    assert found.hub["declared_lost"] == 0
    scans = found.scans(first=False)
    assert len(scans) >= 4
    crowded_ms = 10 * percentile(found.quiet_ms, 0.5)
    assert percentile(scans, 0.5) < 500 + crowded_ms
    assert max(scans) < 2500 + crowded_ms  # nobody waits for longer than for a hub that is away
    assert found.live_ms[absence_drain.DOOR]
    assert percentile(found.live_ms[absence_drain.DOOR], 0.5) < 1000


@pytest.mark.row("C1")
async def test_agents_that_come_back_at_once_are_spread(tmp_path: Path) -> None:
    found = await absence_agents.run(tmp_path, agents=12, backlog=200, cut_s=2.0)
    assert found.attempts >= 12
    assert found.drained_s < 60
    assert found.duplicates <= 0.1 * found.messages + 100
    assert found.hub_rss_kb < 256 * 1024
