"""Floods, and what customers at a lane feel of them: `python -m tests.operations.flood [--short] [--only beacons]`.

Progress on stderr. The last line is a JSON object of all figures. The exit code is 0 only if every limit holds: memory stays
within 10 %, every customer gets out, in time, and nothing is shed but sightings and what the flooding client itself sent.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import structlog

from bench.measure import machine
from tests.operations import flood_kinds
from tests.operations.flood_kinds import Outcome
from tests.operations.limits import Limit

MEDIAN_MS, WORST_MS = 250.0, 2000.0
"""To the gate. A lane waits for the hub for two seconds."""
GROWTH = 0.10
PROGRESS_EVERY_S = 10.0
NEVER = ("dropped_scans", "dropped_gate_events", "late_decisions")
"""What would be a loss of something other than sightings, where a flood counts it."""

Run = Callable[[Path], Awaitable[Outcome]]


def floods(short: bool) -> dict[str, Run]:
    """By name. The shorter ones take some seconds each, the others one and a half minutes."""
    long_s, warm_s = (6.0, 2.0) if short else (80.0, 60.0)

    def radio(distinct: int, seconds: float) -> Run:
        return lambda folder: flood_kinds.adverts(
            folder, rate=10_000, distinct=distinct, warm_s=warm_s, seconds=seconds
        )

    def reader(forged: bool) -> Run:
        return lambda folder: flood_kinds.codes(folder, per_s=1000, forged=forged, warm_s=warm_s, seconds=long_s)

    def sender(kind: str, per_s: int) -> Run:
        return lambda folder: flood_kinds.client(folder, kind=kind, per_s=per_s, warm_s=warm_s, seconds=long_s)

    return {
        "adverts": radio(300, long_s),
        "beacons": radio(1_000_000, 6.0 if short else 105.0),
        "codes": reader(False),
        "forged": reader(True),
        "nonsense": sender("nonsense", 10_000),
        "answers": sender("answers", 10_000),
        "sightings": sender("sightings", 10_000),
        "storm": sender("answers", 30_000),
        "large": sender("large", 20),
    }


def limits(name: str, found: Outcome) -> Iterator[Limit]:
    yield Limit(f"{name}: memory grows, share", found.growth, GROWTH)
    yield Limit(f"{name}: to the gate, median ms", found.flooded.p50, MEDIAN_MS)
    yield Limit(f"{name}: to the gate, worst ms", found.flooded.worst, WORST_MS)
    yield from (Limit(f"{name}: {what}", found.counted[what], 0) for what in NEVER if what in found.counted)


def figures(found: Outcome) -> dict[str, Any]:
    return {
        "what": found.name,
        "quiet_ms": [round(found.quiet.p50, 1), round(found.quiet.worst, 1)],
        "flooded_ms": [round(found.flooded.p50, 1), round(found.flooded.worst, 1)],
        "customers": len(found.flooded.ms),
        "mb": [round(found.rss_first_kb / 1024, 1), round(found.rss_end_kb / 1024, 1)],
        "counted": found.counted,
    }


async def one(name: str, run: Run) -> tuple[dict[str, Any], list[Limit]]:
    """One flood in a folder of its own, with a sign of life now and then."""

    async def progress(began: float) -> None:
        while True:
            await asyncio.sleep(PROGRESS_EVERY_S)
            print(f"  {name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)

    print(f"{name} …", file=sys.stderr, flush=True)
    alive = asyncio.create_task(progress(time.monotonic()))
    try:
        with tempfile.TemporaryDirectory() as folder:
            found = await run(Path(folder))
    except TimeoutError:
        return {}, [Limit(f"{name}: customers left standing", 1, 0)]
    finally:
        alive.cancel()
    print(found, flush=True)
    return figures(found), list(limits(name, found))


async def main(short: bool, only: list[str]) -> int:
    told: dict[str, Any] = dict(machine(Path(tempfile.gettempdir())))
    held: list[Limit] = []
    for name, run in floods(short).items():
        if not only or name in only:
            told[name], found = await one(name, run)
            held += found
    print(*held, sep="\n")
    holds = all(limit.holds for limit in held)
    print(json.dumps({**told, "limits": {one.what: [one.figure, one.most] for one in held}, "holds": holds}))
    return 0 if holds else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="seconds instead of minutes")
    parser.add_argument("--only", nargs="+", default=[], choices=list(floods(True)))
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    sys.exit(asyncio.run(main(given.short, given.only)))
