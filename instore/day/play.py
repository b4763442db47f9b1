"""`instore sim day --scenario arrivals`: plays a scripted day and compares what it brought with what it had to bring."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from instore.day.backstage import DayFailed
from instore.day.files import make_store
from instore.day.oracle import Expected, expected
from instore.day.script import Person, Script, Stay, arrivals
from instore.day.seen import KINDS, Seen, compare
from instore.day.stage import Stage
from instore.demo.layout import broker_place
from instore.logs import configure

PER_CUSTOMER_S = 0.36
"""A day of 500 customers in three minutes."""
SHORTEST_S = 20.0
LAST_S = 60.0
"""So long after the last customer all has to have come."""
QUIET_S = 3.0
"""So long after the last thing that was expected nothing more may come."""
SHOWN = 20


@dataclass(frozen=True, slots=True)
class DayOptions:
    """What the command was asked for."""

    customers: int
    seed: int
    broker: str
    json: bool
    folder: Path | None = None
    length_s: float | None = None
    """How long the doors are open; None: as long as it takes for so many."""


async def play(options: DayOptions) -> int:
    """Play the day; returns the exit code: 0 only when all was as it had to be."""
    configure()
    length_s = options.length_s or max(SHORTEST_S, PER_CUSTOMER_S * options.customers)
    script = arrivals(options.seed, options.customers, length_s)
    wanted = expected(script)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="instore-day-"))
    told = teller(as_json=options.json)
    began = time.monotonic()
    stage, seen, failure = None, Seen({}), ""
    try:
        layout = make_store(folder / "store", broker_place(options.broker))
        stage = Stage(layout, script, lambda *said: seen.message(*said), lambda event: seen.phone(event), told)
        seen.people = await stage.open()
        await _doors_open(stage, script, told)
        await _all_has_come(wanted, seen)
    except* DayFailed as failed:
        failure = "; ".join(str(error) for error in failed.exceptions)
    finally:
        if stage is not None:
            await stage.close()
    summary = _summary(options, wanted, seen, failure, time.monotonic() - began, folder)
    print(json.dumps(summary, ensure_ascii=False), flush=True)
    if summary["ok"] and options.folder is None:
        shutil.rmtree(folder)
    return 0 if summary["ok"] else 1


def teller(*, as_json: bool) -> Callable[[str], None]:
    """Says how a day goes: as JSON lines, or for a person."""
    start = time.monotonic()

    def told(sentence: str) -> None:
        t_ms = round((time.monotonic() - start) * 1000)
        if as_json:
            print(
                json.dumps({"t_ms": t_ms, "type": "instore.sim.progress", "message": sentence}, ensure_ascii=False),
                flush=True,
            )
        else:
            print(f"{t_ms / 1000:7.1f} s  {sentence}", file=sys.stderr, flush=True)

    return told


async def _doors_open(stage: Stage, script: Script, told: Callable[[str], None]) -> None:
    """Everybody comes and goes at the time of the script."""
    stays: list[tuple[Stay, str, Person | None, str]] = [
        (stay, person.key, person, person.frame) for person in script.people for stay in person.stays
    ]
    stays += [(stay, frame, None, frame) for frame, stay in script.strangers]
    told(f"doors open: {len(stays)} stays in {script.length_s:.0f} s")
    start, done = time.monotonic(), 0

    async def stay_for(stay: Stay, who: str, person: Person | None, frame: str) -> None:
        nonlocal done
        await _until(start + stay.at_s)
        await stage.comes(who, stay.place, person, frame)
        await _until(start + stay.at_s + stay.for_s)
        await stage.goes(who)
        done += 1
        if done % max(1, len(stays) // 10) == 0:
            told(f"{done} of {len(stays)} stays are over")

    async with asyncio.TaskGroup() as tasks:
        for each in stays:
            tasks.create_task(stay_for(*each))


async def _until(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - time.monotonic()))


async def _all_has_come(wanted: Expected, seen: Seen) -> None:
    """Until nothing is missing any more, and then for a while in which nothing more may come."""
    end = time.monotonic() + LAST_S
    while time.monotonic() < end:
        if not any(each["missing"] for each in compare(wanted, seen).values()):
            await asyncio.sleep(QUIET_S)  # the proof of an absence takes time
            return
        await asyncio.sleep(0.2)


def _summary(
    options: DayOptions, wanted: Expected, seen: Seen, failure: str, took_s: float, folder: Path
) -> dict[str, Any]:
    differences = compare(wanted, seen)
    found: dict[str, Any] = {
        "type": "instore.sim.summary",
        "scenario": "arrivals",
        "seed": options.seed,
        "customers": options.customers,
        "broker": options.broker,
        "seconds": round(took_s, 1),
        "expected": {kind: len(getattr(wanted, kind)) for kind in KINDS},
        "missing": {kind: len(differences[kind]["missing"]) for kind in KINDS},
        "extra": {kind: len(differences[kind]["extra"]) for kind in KINDS},
    }
    found["ok"] = not failure and not any(found["missing"].values()) and not any(found["extra"].values())
    if not found["ok"]:
        found |= {"failure": failure, "folder": str(folder), "again": f"instore sim day --scenario arrivals --customers "
                  f"{options.customers} --seed {options.seed}" + (f" --length-s {options.length_s:g}" if options.length_s else ""),
                  "which": {kind: {sort: each[:SHOWN] for sort, each in both.items() if each} for kind, both in differences.items()}}  # fmt: skip
    return found
