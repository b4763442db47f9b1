"""The table of the safeguards.

    python -m simulation.safeguards            each with its limit of seeds
    python -m simulation.safeguards NAME …     only these

Every safeguard is taken out by replacing one function of the programs in this process; the programs have no switch for it.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from multiprocessing import get_context

from simulation.safeguards.hunt import hunt, table
from simulation.safeguards.known import SAFEGUARDS


def main() -> int:
    parser = argparse.ArgumentParser(description="Take each safeguard out and count the seeds until a rule is broken.")
    parser.add_argument("names", nargs="*", help="only these")
    parser.add_argument(
        "--sample", type=int, default=0, help="run at least so many seeds, for the share of broken runs"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    names = options.names or [guard.name for guard in SAFEGUARDS]
    found = []
    with get_context("spawn").Pool(maxtasksperchild=1) as pool:
        for one in pool.imap(partial(hunt, sample=options.sample), names, chunksize=1):
            print(f"# {one.name}: caught after {one.seeds} seeds, {one.share}, {one.rule}", file=sys.stderr, flush=True)
            found.append(one)
        pool.close()
        pool.join()
    print(json.dumps([vars(c) for c in found]) if options.json else table(found))
    return int(any(c.seeds is None for c in found))


if __name__ == "__main__":
    sys.exit(main())
