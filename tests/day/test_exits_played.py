"""Small days of exits through real processes: one that balances, and one in which the store is broken and that must not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.system
BROKEN = """
import sys

if "hub" in sys.orig_argv:
    from hub.passages import Passages

    Passages.release = lambda self, tx, scan, passage, why, cause: None
"""
"""Nobody passed, and what was reserved stays so: row C3 is broken."""


def played(*arguments: str, path: Path | None = None) -> tuple[int, dict, str]:
    """Exit code, summary, and everything that was said."""
    environment = {**os.environ}
    if path is not None:  # every program of this day begins with what stands there
        environment["PYTHONPATH"] = os.pathsep.join([str(path), environment.get("PYTHONPATH", "")])
    told = subprocess.run(
        [sys.executable, "-m", "instore", "sim", "day", "--scenario", "exits", "--broker", "amqtt", "--json", *arguments],
        capture_output=True, text=True, timeout=280, check=False, env=environment,
    )  # fmt: skip
    return told.returncode, json.loads(told.stdout.splitlines()[-1]), told.stdout[-4000:] + told.stderr[-1000:]


@pytest.mark.row("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B9", "B11", "B12", "C1", "C2", "C3", "C4", "C9")
def test_a_small_day_with_faults_ends_with_everybody_out_and_books_that_balance():
    code, summary, said = played("--exits", "24", "--lanes", "2", "--faults", "--seed", "3", "--speed", "200")
    assert (code, summary["ok"]) == (0, True), said
    assert summary["type"] == "instore.sim.summary"
    assert set(summary["missing"].values()) == set(summary["extra"].values()) == {0}
    assert summary["paid"] == summary["out"] == summary["counted_by_gates"] == summary["expected"]["exits"] == 24
    assert summary["reserved"] == summary["committed"] + summary["released"]
    assert summary["committed"] == summary["granted"] == summary["expected"]["grants"] == 20
    assert summary["printed"] == summary["confirmed"] > 0
    assert 0 < summary["redeemed"] == summary["expected"]["redeemed"] <= summary["granted"]
    assert (summary["given_of_budget"], summary["letters"]) == (1, 2)
    assert set(summary["faults"]) == {"paper_out", "printer_power", "gate_stuck", "agent_killed", "hub_away"}


@pytest.mark.row("C3", "C9")
def test_a_store_that_releases_nothing_is_found_out(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(BROKEN)
    code, summary, said = played("--exits", "12", "--lanes", "2", "--seed", "1", "--patience-s", "12", path=tmp_path)
    assert (code, summary["ok"]) == (1, False), said
    assert summary["stepped_back"] > 0
    assert any("released 0" in broken for broken in summary["broken"]) or summary["trouble"], said
