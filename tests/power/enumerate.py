"""All power cuts: `python -m tests.power.enumerate`. Progress on stderr; the last line of stdout is JSON.

python -m tests.power.enumerate                        # 6 workloads, every operation: more than 10,000 cuts
python -m tests.power.enumerate --seeds 3              # one workload again
python -m tests.power.enumerate --seeds 3 --operation 512     # one cut of it again, as a problem says
python -m tests.power.enumerate --safeguards           # each safeguard taken out: how much it is noticed

Exit code 0 only if no disk has a problem; with --safeguards, if each of them is missed.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from tests.power.cuts import Tally, run
from tests.power.safeguards import SAFEGUARDS, put_back

MEMORY = Path("/dev/shm")
ONCE = 10**9
"""More operations than any workload has."""


def one(seed: int, *, steps: int, every: int = 1, first: int | None = None, max_s: float = 1e9, without: str = "",
        until_noticed: bool = False) -> Tally:  # fmt: skip
    """One workload in a folder of its own, in memory where there is such a folder: syncs are played, not waited for."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder, put_back():
        prepare = SAFEGUARDS[without] if without else (lambda world: None)
        return run(seed, Path(folder), steps=steps, every=every, first=seed % every if first is None else first,
                   max_s=max_s, until_noticed=until_noticed, prepare=prepare)  # fmt: skip


def everything(seeds: list[int], steps: int, every: int, first: int | None, workers: int, max_s: float) -> int:
    began, total, done = time.monotonic(), Tally(), 0
    work = partial(one, steps=steps, every=every, first=first, max_s=max_s)
    print(f"{len(seeds)} workloads, {workers} at a time", file=sys.stderr, flush=True)
    # Processes that are new and have one thread: they fork at every cut.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(work, seed) for seed in seeds]):
            total.add(future.result())
            done += 1
            print(f"{time.monotonic() - began:6.0f} s  {done}/{len(seeds)} workloads, {total.cuts} cuts, "
                  f"{total.images} disks opened, {total.lost} with problems", file=sys.stderr, flush=True)  # fmt: skip
    for problem in total.problems:
        print(problem, file=sys.stderr)
    if total.again:
        print(f"repeat the first: python -m tests.power.enumerate {total.again} --steps {steps}", file=sys.stderr)
    holds = total.cuts > 0 and not total.problems
    print(json.dumps({
        "seeds": seeds, "steps": steps, "operations": total.operations, "cut_points": total.cuts,
        "disks": total.images, "stores": total.stores,
        "equal_disks_not_judged_again": total.same, "disks_with_problems": total.lost,
        "holds": holds, "by_kind": dict(total.by_kind), "by_operation": dict(total.by_operation.most_common()),
        "problems": len(total.problems), "wall_s": round(time.monotonic() - began, 1),
    }))  # fmt: skip
    return 0 if holds else 1


def safeguards(
    names: list[str], seeds: list[int], steps: int, every: int, first: int | None, until_noticed: bool
) -> int:
    """Each safeguard out, in turn. One whose absence nothing notices is a failure of this proof."""
    found = {}
    for name in names:
        total = Tally()
        for seed in seeds:
            if not (until_noticed and total.lost):
                total.add(one(seed, steps=steps, every=every, first=first, without=name, until_noticed=until_noticed))
        found[name] = {"noticed_at_cut": total.first_problem, "cut_points": total.cuts, "disks": total.images,
                       "disks_with_problems": total.lost, "again": total.again}  # fmt: skip
        what = total.problems[0] if total.problems else "NOT NOTICED"
        print(f"{name}: {found[name]}: {what[:300]}", file=sys.stderr, flush=True)
    print(json.dumps(found))
    return 1 if any(each["noticed_at_cut"] is None for each in found.values()) else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1-6", help="first-last, or one")
    parser.add_argument("--steps", type=int, default=20, help="things that happen in a workload")
    parser.add_argument("--every", type=int, default=1, help="cut at every n-th operation")
    parser.add_argument("--operation", type=int, help="cut at this operation only")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--max-s", type=float, default=1e9, help="no more cuts after so many seconds per workload")
    parser.add_argument("--safeguards", action="store_true", help="take each safeguard out")
    parser.add_argument("--without", action="append", default=[], choices=list(SAFEGUARDS), help="take this one out")
    parser.add_argument("--until-noticed", action="store_true", help="with these: no more cuts than it takes")
    args = parser.parse_args()
    first, _, last = args.seeds.partition("-")
    seeds = list(range(int(first), int(last or first) + 1))
    every = args.every if args.operation is None else ONCE
    if args.safeguards or args.without:
        without = args.without or list(SAFEGUARDS)
        return safeguards(without, seeds, args.steps, every, args.operation, args.until_noticed)
    return everything(seeds, args.steps, every, args.operation, args.workers, args.max_s)


if __name__ == "__main__":
    sys.exit(main())
