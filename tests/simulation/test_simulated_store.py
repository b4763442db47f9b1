"""A small share of the seeds, on every change; thousands by `instore sim store --seeds 1-1000 --json`."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from instore.sim_cli import app
from simulation.campaign import Summary, line, replay, run_one
from simulation.plan import FAULTS, Plan, Size
from simulation.run import Result, simulate
from simulation.safeguards.known import SAFEGUARDS
from simulation.shrink import shrink

BUSY = Size(customers=15, hours=0.1, faults=150)


@pytest.mark.row("C1")
@pytest.mark.row("C9")
@pytest.mark.parametrize("seed", [2, 3, 22, 219, 438])
def test_every_rule_holds_under_faults(seed):
    result = simulate(Plan(seed, BUSY))
    assert result.ok, f"{result.broken[0]}; {replay(Plan(seed, BUSY))}"
    assert result.counts["left"] == BUSY.customers
    assert result.counts["messages"] > 50


@pytest.mark.row("C1")
def test_a_store_without_faults_prints_opens_and_counts_once_for_each_shopper():
    size = Size(customers=20, hours=0.1, faults=0)
    result = simulate(Plan(1, size), keep_trace=True)
    assert result.ok, result.broken
    assert result.counts["left"] == size.customers
    assert result.counts["gate_pulse"] >= result.counts["gate_passage"] >= size.customers
    assert any(" slip K" in text for text in result.trace)


_TWICE = """
from simulation.plan import Plan, Size
from simulation.run import simulate
result = simulate(Plan(5, Size(customers=10, hours=0.08, faults=200)), keep_trace=True)
print("\\n".join(result.trace))
print(result.digest, result.ok)
"""


@pytest.mark.row("C9")
def test_the_same_seed_gives_the_same_trace_to_the_byte_in_every_process():
    traces = {
        subprocess.run(
            [sys.executable, "-c", _TWICE],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.getcwd()},
            check=True,
            capture_output=True,
            timeout=120,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(traces) == 1
    trace = traces.pop().decode()
    assert trace.count("\n") > 500
    digest = trace.split()[-2]
    later = Plan(5, Size(customers=10, hours=0.08, faults=200))  # after other runs, in a process that has done more
    assert [simulate(later).digest for _ in range(2)] == [digest, digest]


def test_faults_can_be_left_out_without_another_one_changing():
    plan = Plan(11, Size(faults=200))
    some = {fault.number for fault in plan.faults[::3]}
    assert replace(plan, keep=frozenset(some)).faults == [fault for fault in plan.faults if fault.number in some]
    kinds = {fault.kind for seed in range(60) for fault in Plan(seed).faults}
    assert kinds == set(FAULTS)


def test_shrinking_keeps_the_few_faults_that_matter():
    plan = Plan(3, Size(faults=200))
    numbers = [fault.number for fault in plan.faults]
    matter = {numbers[4], numbers[-2]}
    runs = 0

    def run(tried: Plan) -> Result:
        nonlocal runs
        runs += 1
        there = {fault.number for fault in tried.faults}
        return Result(tried.seed, ("a rule: is broken",) if matter <= there else (), "", 0, 0, {})

    small, result = shrink(plan, run=run)
    assert small.keep == matter
    assert not result.ok
    assert runs < 120
    assert replay(small) == f"instore sim store --seed 3 --faults 200 --keep {','.join(map(str, sorted(matter)))}"
    with pytest.raises(ValueError, match="breaks no rule"):
        shrink(replace(plan, keep=frozenset()), run=run)


@pytest.mark.row("C9")
def test_a_failing_seed_tells_how_to_replay_it_and_is_cut_down_to_the_fault_that_matters():
    """Something has to be broken for that: an agent that forgets at a restart what its lane was doing."""
    safeguard = next(guard for guard in SAFEGUARDS if guard.name == "lane state on disk")
    size = ["--customers", "6", "--hours", "0.08", "--faults", "150"]
    with safeguard.out():
        many = CliRunner().invoke(app, ["store", "--seeds", "9-11", "--workers", "1", *size])
        assert many.exit_code == 1
        command = next(line for line in many.stdout.splitlines() if line.startswith("  instore sim store"))
        few = CliRunner().invoke(app, [*command.split()[2:], "--shrink", "--no-trace"])
        assert few.exit_code == 1
        replayed = few.stdout.splitlines()[-1].removeprefix("replay: ").split()
        assert 1 <= len(replayed[replayed.index("--keep") + 1].split(",")) <= 3
        again = CliRunner().invoke(app, [*replayed[2:], "--json"])
    assert again.exit_code == 1
    assert json.loads(again.stdout)["broken"][0] in few.stdout


def test_a_campaign_sums_up():
    summary = Summary()
    for result in (run_one(1, replace(BUSY, customers=3)), Result(9, ("x: y",), "", 0.5, 1.0, {"messages": 4})):
        summary.add(result)
    assert (summary.seeds, summary.failed) == (2, [9])
    assert line(Result(9, ("x: y",), "", 0.5, 1.0, {}), Size())["replay"] == "instore sim store --seed 9"


def test_on_the_command_line():
    done = CliRunner().invoke(
        app, ["store", "--seeds", "1-2", "--json", "--workers", "1", "--customers", "3", "--hours", "0.06"]
    )
    lines = [json.loads(text) for text in done.stdout.splitlines()]
    assert done.exit_code == 0
    assert [each.get("seed") for each in lines] == [1, 2, None]
    assert lines[-1]["seeds"] == 2
    assert lines[-1]["failed"] == 0
    done = CliRunner().invoke(app, ["store", "--seed", "1", "--customers", "2", "--hours", "0.06", "--keep", "none"])
    assert "every rule held" in done.stdout
    assert CliRunner().invoke(app, ["store", "--seeds", "a-b"]).exit_code == 2
    assert CliRunner().invoke(app, ["store", "--keep", "x"]).exit_code == 2
