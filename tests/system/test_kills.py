"""`kill -9` in the middle of a visit: it still ends with one of each effect, on paper and at the gate too (row C11).

A few that stand for all run here; the busy hours of `test_busy_hour.py` kill every program too. `INSTORE_KILL_MATRIX=all` runs
every program at every moment on both brokers (20 minutes; also `python -m tests.system.kill_matrix`). `INSTORE_SEED` repeats a
random one.
"""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest

from tests.system import kill_matrix
from tests.system.effects import ONE_OF_EACH, WITHOUT_PAPER
from tests.system.kill_matrix import BROKERS, MOMENTS, one, wrong
from tests.system.playing import PROGRAMS, Kill, Played, play

pytestmark = [pytest.mark.system, pytest.mark.row("C11")]

FEW = [
    ("amqtt", "hub", "scan"),
    ("amqtt", "sim-gate", "opened"),
    ("mosquitto", "broker", "answer"),
    ("mosquitto", "edge-exit", "decision"),
]
ALL = [(broker, program, moment) for broker in BROKERS for program in PROGRAMS for moment in MOMENTS]
VISIT_S = 1.2
"""From the sighting to the commit, about, when nobody is killed."""


@pytest.mark.parametrize(
    ("broker", "program", "moment"), ALL if os.environ.get("INSTORE_KILL_MATRIX") == "all" else FEW
)
async def test_killed_at_a_moment(tmp_path: Path, broker: str, program: str, moment: str) -> None:
    assert await one(tmp_path, broker, program, moment) == ""


@pytest.mark.parametrize(
    ("broker", "programs", "moment"),
    [
        ("mosquitto", ("broker", "hub"), "scan"),
        ("amqtt", ("edge-exit", "sim-printer"), "decision"),
    ],
)
async def test_two_killed_at_once(tmp_path: Path, broker: str, programs: tuple[str, ...], moment: str) -> None:
    played = await play(tmp_path, "--broker", broker, kills=[Kill(programs, MOMENTS[moment])])
    assert wrong(played) == ""
    assert sorted(played.killed) == sorted(programs)


@pytest.mark.parametrize(
    ("killed", "found", "missing", "fine"),
    [
        ("sim-printer", WITHOUT_PAPER, ("coupons_printed", "receipts"), True),
        ("sim-printer", WITHOUT_PAPER, ("coupons_printed", "receipts", "commits"), False),
        ("sim-printer", {**WITHOUT_PAPER, "coupons instead of paper": 0}, ("coupons_printed", "receipts"), False),
        ("hub", WITHOUT_PAPER, ("coupons_printed", "receipts"), False),
        ("hub", ONE_OF_EACH, (), True),
    ],
)
def test_what_counts_as_well(killed: str, found: dict[str, int], missing: tuple[str, ...], fine: bool, tmp_path: Path,
                             monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """Whom the printer failed has her coupon electronically, and nothing else may be missing."""
    monkeypatch.setattr(kill_matrix, "effects", lambda _folder: found)
    counts = dict.fromkeys(("coupons_printed", "receipts", "commits", "persons"), 1) | dict.fromkeys(missing, 0)
    line = {"type": "instore.demo.summary", "message": {"counts": counts}}
    assert (wrong(Played(tmp_path, [line], int(bool(missing)), killed=[killed])) == "") is fine


async def test_killed_at_random(tmp_path: Path) -> None:
    seed = os.environ.get("INSTORE_SEED") or os.urandom(4).hex()
    rng = Random(seed)
    broker = rng.choice(BROKERS)
    kill = Kill((rng.choice(PROGRAMS),), MOMENTS["sighting"], rng.uniform(0.0, VISIT_S))
    told = f"INSTORE_SEED={seed}: {broker}, {kill}"
    print(told)
    played = await play(tmp_path, "--broker", broker, kills=[kill])
    if played.killed:
        assert wrong(played) == "", told
    else:  # the moment came after the visit's end, on a machine that was quick: then nothing was disturbed
        assert played.code == 0, told
