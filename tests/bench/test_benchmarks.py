"""Both benchmarks, end to end with real processes, for an instant: what they print and that it can be true."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from bench import latency, throughput
from bench.measure import percentile, summary
from bench.store import HUB, BenchError, BenchStore, beacon, bench_store
from config.hub_settings import load_hub


@pytest.mark.system
def test_latency(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert latency.main(as_json=True, seconds=0.5, folder=tmp_path) == 0
    figures = _only_json(capsys)
    for name in ("bare_round_trip", "sighting_to_handheld", "scan_to_gate", "disk_sync"):
        one = figures[name]
        assert one["n"] >= 1
        assert 0 < one["p50_ms"] <= one["p99_ms"] <= one["max_ms"] < 10_000
    # A sighting passes the broker twice as a bare round trip does, and waits for a disk.
    assert figures["sighting_to_handheld"]["p50_ms"] > figures["bare_round_trip"]["p50_ms"] / 2
    ratios = {f"{name}_{share}" for name in ("sighting_to_handheld", "scan_to_gate") for share in ("p50", "p99")}
    assert set(figures["ratios"]) == {*ratios, latency.FLOOR}
    assert all(0 < ratio < 10_000 for ratio in figures["ratios"].values())
    assert {"processors", "load_1min_at_start", "python", "file_system", "broker", "seconds"} <= set(figures)
    assert not list(tmp_path.iterdir()), "the store's folder is gone"
    latency._show(figures)
    assert "sighting_to" in capsys.readouterr().out


@pytest.mark.system
def test_throughput(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert throughput.main(as_json=True, seconds=0.4, folder=tmp_path) == 0
    figures = _only_json(capsys)
    for name in ("bare_broker_per_s", "hub_events_per_s", "hub_critical_events_per_s"):
        assert 10 < figures[name] < 10_000_000
    for name in ("hub_events", "hub_critical_events"):
        assert 0 < figures[f"{name}_acknowledged_p50_ms"] <= figures[f"{name}_acknowledged_p99_ms"]
        assert figures["ratios"][f"{name}_per_bare"] > 0
    assert figures["backlog_max"] == throughput.BACKLOG * len(throughput.AGENTS)
    assert not list(tmp_path.iterdir()), "the store's folder is gone"
    throughput._show(figures)
    assert "hub_crit" in capsys.readouterr().out


def _only_json(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1, "one object, one line, and nothing beside it"
    found: dict[str, Any] = json.loads(printed)
    return found


@pytest.mark.parametrize(("share", "value"), [(0.0, 1.0), (0.5, 50.0), (0.99, 99.0), (1.0, 100.0)])
def test_a_percentile_is_a_value_that_was_measured(share: float, value: float) -> None:
    assert percentile([float(n) for n in range(100, 0, -1)], share) == value


def test_figures_of_nothing_are_no_numbers() -> None:
    assert math.isnan(percentile([], 0.5))
    assert summary([])["n"] == 0


def test_the_store_has_settings_that_the_hub_takes(tmp_path: Path) -> None:
    with bench_store(("exit-1",), 3, tmp_path) as store:
        settings = load_hub(store.path("hub.toml"))
        assert settings.id == HUB
        assert "print" not in store.path("incentives.toml").read_text(encoding="utf-8").partition("give = ")[2][:8]
        customers = store.path("customers.csv").read_text(encoding="utf-8").splitlines()
        assert len(customers) == 4
        assert customers[3].endswith(beacon(2))


def test_a_program_that_ended_is_quoted(tmp_path: Path) -> None:
    with bench_store((), 1, tmp_path) as store:
        assert _ended(store).wait(20) != 0
        assert "no-such-file.toml" in store.said("hub")
        with pytest.raises(BenchError, match=r"the hub does not answer.*no-such-file\.toml"):
            store.exit_codes(0, 1)


def _ended(store: BenchStore) -> Any:
    return store.start("hub", "-m", "instore", "hub", "--config", str(store.path("no-such-file.toml")))
