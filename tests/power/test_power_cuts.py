"""A share of the power cuts in every test run; all of them: `python -m tests.power.enumerate`.

In a process of its own, because it forks at every cut and a test run has threads.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.power.disk import KINDS, SECTOR, Disk, sectors

ROOT = Path(__file__).parents[2]


def enumerate_cuts(*arguments: str, fails: bool = False) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.power.enumerate", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == int(fails), done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.row("C1")
def test_nothing_that_was_acknowledged_is_lost_and_nothing_happens_twice() -> None:
    found = enumerate_cuts("--seeds", "1-2", "--every", "127", "--workers", "1")
    assert (found["disks_with_problems"], found["problems"]) == (0, 0)
    assert found["cut_points"] >= 40
    assert found["disks"] > 3 * found["cut_points"]
    assert set(found["by_kind"]) == {*KINDS, "twice"}


@pytest.mark.row("C1")
@pytest.mark.parametrize("name", ["synchronous=NORMAL instead of FULL", "acknowledged before the commit"])
def test_what_is_missing_is_noticed(name: str) -> None:
    found = enumerate_cuts("--seeds", "2-5", "--steps", "8", "--every", "11", "--until-noticed", "--without", name)[
        name
    ]
    assert found["disks_with_problems"] > 0


def test_a_problem_is_repeated_by_its_one_cut() -> None:
    without = ("--without", "a disk that lies about syncs", "--seeds", "2", "--steps", "8")
    name = without[1]
    many = enumerate_cuts(*without, "--every", "211", "--until-noticed")[name]
    one = enumerate_cuts(*without, "--operation", many["again"].split()[-1])[name]
    assert many["cut_points"] >= one["cut_points"] == 1
    assert one["disks_with_problems"] > 0


def test_what_a_disk_may_keep() -> None:
    disk, rng = Disk("d"), Random(1)
    file = disk.make("a")
    assert disk.after("dropped", rng) == {}
    disk.write("a", file, 0, b"x" * 100)
    disk.sync("a", file, folder=True)
    assert disk.settled
    disk.write("a", file, 1000, b"y" * 1000)
    disk.truncate("a", file, 1500)
    assert disk.after("kept", rng) == {"a": b"x" * 100 + bytes(900) + b"y" * 500}
    assert disk.after("dropped", rng) == {"a": b"x" * 100}
    seen = {disk.after("subset", rng)["a"] for _ in range(50)}
    assert len(seen) == 3  # nothing, the write, both; the truncation alone changes nothing
    assert all(len(data) in {100, 1500, 2000} for data in seen)
    disk.delete("a", folder=False)
    assert disk.after("dropped", rng) == {"a": b"x" * 100}
    assert disk.after("kept", rng) == {}


def test_a_write_is_torn_only_at_sectors() -> None:
    pieces = sectors((500, bytes(range(200)) * 10))
    assert [at for at, _ in pieces] == [500, 512, 1024, 1536, 2048]
    assert b"".join(data for _, data in pieces if data) == bytes(range(200)) * 10
    assert all(at % SECTOR == 0 for at, _ in pieces[1:])


def test_a_killed_program_leaves_what_the_system_will_still_write() -> None:
    disk = Disk("d")
    file = disk.make("a")
    disk.write("a", file, 0, b"x")
    left = disk.killed()
    disk.write("a", file, 0, b"later")
    assert left.after("kept", Random(1)) == {"a": b"x"}
    assert left.after("dropped", Random(1)) == {}
