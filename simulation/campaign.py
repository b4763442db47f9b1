"""Many runs at once, one line of JSON each, and a last line that sums up."""

from __future__ import annotations

import json
import os
import resource
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from typing import Any

from simulation.plan import Plan, Size
from simulation.run import Result, simulate

SEEDS_PER_WORKER, CHUNK = 100, 4
"""A worker is replaced after so many runs, so that a leak in one can't grow."""


_OWN_LISTS = ("fault ", "at a lane ")


@dataclass
class Summary:
    """Of a campaign."""

    seeds: int = 0
    failed: list[int] = field(default_factory=list)
    hours: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    """Of all runs: how often each kind of fault struck, and what happened."""
    wall_s: float = 0.0
    cpu_s: float = 0.0
    """Of this process and its workers: what a crowded machine does not stretch."""

    def add(self, result: Result) -> None:
        self.seeds += 1
        self.hours += result.hours
        self.counts.update(result.counts)
        if not result.ok:
            self.failed.append(result.seed)

    def _all(self, what: str) -> dict[str, int]:
        return {name.removeprefix(what): n for name, n in sorted(self.counts.items()) if name.startswith(what)}

    def as_json(self) -> dict[str, Any]:
        return {
            "seeds": self.seeds,
            "failed": len(self.failed),
            "failed_seeds": sorted(self.failed)[:100],
            "simulated_hours": round(self.hours, 1),
            "struck": self._all("fault "),
            "while_the_lane_was": self._all("at a lane "),
            "counts": {name: count for name, count in sorted(self.counts.items()) if not name.startswith(_OWN_LISTS)},
            "wall_s": round(self.wall_s, 1),
            "cpu_s": round(self.cpu_s, 1),
        }


def run_all(seeds: Iterable[int], size: Size, workers: int | None = None) -> Iterator[Result]:
    """Results in the order of the seeds."""
    workers = workers or os.cpu_count() or 1
    one = partial(run_one, size=size)
    if workers == 1:
        yield from map(one, seeds)
        return
    # Not concurrent.futures: its pool hangs in Python 3.11 when workers are replaced.
    with get_context("spawn").Pool(workers, maxtasksperchild=SEEDS_PER_WORKER // CHUNK) as pool:
        yield from pool.imap(one, seeds, chunksize=CHUNK)
        pool.close()
        pool.join()


def run_one(seed: int, size: Size) -> Result:
    """One seed. A simulation that fails itself is a failed seed too."""
    began = time.perf_counter()
    try:
        return simulate(Plan(seed, size))
    except Exception as error:
        return Result(seed, (f"the simulation failed: {error!r}",), "", 0.0, time.perf_counter() - began, {})


def line(result: Result, size: Size) -> dict[str, Any]:
    """One line of JSON."""
    found: dict[str, Any] = {
        "seed": result.seed,
        "ok": result.ok,
        "trace": result.digest[:16],
        "simulated_hours": round(result.hours, 3),
        "wall_s": round(result.wall_s, 2),
        "cpu_s": round(result.cpu_s, 2),
        **{name: result.counts.get(name, 0) for name in ("messages", "faults", "left", "slips")},
    }
    if not result.ok:
        found |= {"broken": list(result.broken[:5]), "replay": replay(Plan(result.seed, size))}
    return found


def replay(plan: Plan) -> str:
    """The command that runs exactly this plan again."""
    size, plain = plan.size, Size()
    options = [f"--seed {plan.seed}"]
    options += [
        f"--{name} {getattr(size, name):g}"
        for name in ("agents", "lanes", "customers", "hours", "faults", "tricks")
        if getattr(size, name) != getattr(plain, name)
    ]
    if plan.keep is not None:
        options.append(f"--keep {','.join(map(str, sorted(plan.keep))) or 'none'}")
    return f"instore sim store {' '.join(options)}"


def cpu_s() -> float:
    """Processor time of this process and of all workers that have ended."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def dumps(found: dict[str, Any]) -> str:
    return json.dumps(found, ensure_ascii=False)
