"""The measuring program on a made-up recording whose truth is known, and on none."""

import json
import math
import random
from pathlib import Path

import pytest

from bench.presence_tracks import main


def test_without_recordings_it_says_so_and_succeeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main([str(tmp_path / "absent")]) == 0
    assert capsys.readouterr().out.startswith("skipped: no recordings at ")


def test_a_walk_past_one_beacon_is_fitted_and_played(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    rng, lines = random.Random(1), []
    for n in range(300):
        x, y = 0.1 * n, 2.0 + 3.0 * math.sin(n / 20)
        distance = math.dist((15, 3, 2.5), (x, y, 1.5))
        rssi = round(-55 - 20 * math.log10(distance) + rng.gauss(0, 2))
        lines.append(f"{1000 + 0.2 * n},beacon,receiver,{rssi},{x},{y},1.5,0,0")
    (tmp_path / "walk.mbd").write_text("\n".join(lines))
    assert main([str(tmp_path)]) == 0
    *fits, result = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {fit["fit"]: fit["min"] for fit in fits}["exponent"] == pytest.approx(2.0, abs=0.3)
    assert (result["came_near"], result["arrived_of_them"], result["flaps"]) == (1, 1, 0)
    assert result["zone_error"] < 0.5


def test_a_broken_line_is_named(tmp_path: Path):
    (tmp_path / "bad.mbd").write_text("1,beacon,receiver,-60,1,2,3\n2,beacon,receiver,loud,1,2,3\n")
    with pytest.raises(ValueError, match=r"bad.mbd line 2: not time, beacon, receiver, RSSI"):
        main([str(tmp_path)])
