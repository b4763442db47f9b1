"""What `instore sim store` prints. Returns 0 when every rule held, 1 when one was broken."""

from __future__ import annotations

import time
from collections.abc import Iterable

from simulation.campaign import Summary, cpu_s, dumps, line, replay, run_all
from simulation.plan import Plan, Size
from simulation.run import Result, simulate
from simulation.shrink import shrink


def one(plan: Plan, *, shrunk: bool = False, trace: bool = True, json_lines: bool = False) -> int:
    """One run, with its trace."""
    if shrunk:
        try:
            plan, _ = shrink(plan, told=lambda text: print(f"# {text}", flush=True))
        except ValueError as nothing:
            print(nothing)
            return 0
    result = simulate(plan, keep_trace=trace and not json_lines)
    if json_lines:
        print(dumps(line(result, plan.size)))
        return int(not result.ok)
    for text in result.trace:
        print(text)
    _tell(plan, result)
    return int(not result.ok)


def _tell(plan: Plan, result: Result) -> None:
    print(
        f"\nseed {plan.seed}: {result.hours:.2f} h simulated in {result.wall_s:.1f} s ({result.cpu_s:.1f} s of processor time)"
    )
    print(f"trace {result.digest}")
    print(", ".join(f"{name} {count}" for name, count in result.counts.items()))
    if result.ok:
        print("every rule held")
        return
    for broken in result.broken:
        print(f"BROKEN  {broken}")
    print("faults:")
    for fault in plan.faults:
        print(f"  {fault}")
    print(f"replay: {replay(plan)}")


def many(seeds: Iterable[int], size: Size, workers: int | None, *, json_lines: bool) -> int:
    """Many runs."""
    began, used, summary = time.perf_counter(), cpu_s(), Summary()
    for result in run_all(seeds, size, workers):
        summary.add(result)
        if json_lines:
            print(dumps(line(result, size)), flush=True)
        elif not result.ok:
            print(f"seed {result.seed}: {result.broken[0]}\n  {replay(Plan(result.seed, size))}", flush=True)
    summary.wall_s, summary.cpu_s = time.perf_counter() - began, cpu_s() - used
    if json_lines:
        print(dumps(summary.as_json()))
    else:
        print(
            f"{summary.seeds} seeds, {len(summary.failed)} failed, {summary.hours:.0f} h simulated in {summary.wall_s:.0f} s "
            f"({summary.cpu_s:.0f} s of processor time)"
        )
    return int(bool(summary.failed))
