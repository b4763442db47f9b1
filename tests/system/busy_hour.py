"""A busy hour in a few minutes, with real programs that are killed, cut off, left without disk and given wrong clocks:

    python -m tests.system.busy_hour --seed 7 --broker mosquitto
    python -m tests.system.busy_hour --seed 7 --broker amqtt --faults kills --customers 40 --minutes 1 --json

120 customers, 60 of them VIPs whose arrival calls a clerk. Everybody comes, pays and leaves through one lane, over as long as
`--minutes` says, while faults happen as planned by the seed. Then everything is put right, and what stays is audited.

Exit code 0: everything held. Else the last lines say what did not, how to repeat it, and where all files lie.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

import structlog

from tests.system.busy_audit import audit, papers
from tests.system.busy_faults import KINDS, Fault, Faults, plan
from tests.system.busy_people import Captive, People
from tests.system.busy_store import BusyStage, Customer, busy_layout
from tests.system.store import ask

SETTLE_S = 90.0
"""So long after the last fault nothing may wait any more."""
FIRST = 11
"""Number of the first customer; the demo's own customers with their past come before."""
SMALL = 0.2
"""Share of purchases below what brings a slip."""


@dataclass
class Options:
    """One run. `over_s`: so long customers keep coming and faults happening."""

    seed: str
    broker: str
    over_s: float = 240.0
    customers: int = 120
    faults: tuple[str, ...] = KINDS
    stays_s: tuple[float, float] = (3.0, 20.0)
    """From the door to the till, if nothing has to be waited for."""


@dataclass
class Result:
    """What became of a run."""

    wrong: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    kills: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    settled_s: float = 0.0
    longest_turn_s: float = 0.0
    wall_s: float = 0.0

    def summary(self) -> dict[str, Any]:
        return {"ok": not self.wrong, **vars(self)}


def crowd(rng: Random, count: int) -> list[Customer]:
    """Half of them VIPs, a third members, the others nobody knows."""
    kinds = [number % 6 for number in range(1, count + 1)]
    return [Customer(number, kind < 5, kind < 3, rng.randrange(300, 1000) if rng.random() < SMALL else rng.randrange(1000, 20000))
            for number, kind in enumerate(kinds, FIRST)]  # fmt: skip


@dataclass
class Played:
    """A run that is over. `audit` looks at the files once more."""

    result: Result
    stage: BusyStage
    people: People

    @cached_property
    def slips(self) -> Counter[str]:
        return papers(self.stage.layout.folder)

    def audit(self) -> tuple[list[str], dict[str, int]]:
        return audit(self.stage, self.people.told, self.slips)


async def run(options: Options, folder: Path, say: Callable[[str], None], planned: list[Fault] | None = None) -> Played:
    """One busy hour in `folder`, with the faults of its seed or those that are given."""
    began, result = time.monotonic(), Result()
    dice = Random(f"busy hour {options.seed}")
    stage = BusyStage(busy_layout(folder, options.broker), crowd(dice, options.customers))
    people = People(stage, Random(f"people {options.seed}"), options.over_s, options.stays_s)
    if planned is None:
        planned = plan(Random(f"faults {options.seed}"), options.over_s, options.faults)
    faults, played = Faults(stage, planned, say), Played(result, stage, people)
    say("broker, hub, agents, handheld and devices start")
    try:
        await stage.start()
        if missing := await stage.ready(60.0):
            raise RuntimeError(f"the store does not get ready: {missing}")
        say(f"{options.customers} customers, {len(faults.plan)} faults")
        await _the_hour(options, stage, people, faults, result, say)
    finally:
        await stage.stop()
    wrong, result.counts = await asyncio.to_thread(played.audit)
    result.wrong += wrong
    result.counts |= {"posted_twice": people.posted_twice, "tried_again": people.tried_again}
    result.kills, result.faults = dict(faults.kills), dict(faults.counts)
    result.longest_turn_s = round(max(one.turn_s for one in people.told), 1)
    result.wall_s = round(time.monotonic() - began, 1)
    return played


async def _the_hour(options: Options, stage: BusyStage, people: People, faults: Faults, result: Result,
                    say: Callable[[str], None]) -> None:  # fmt: skip
    progress = asyncio.create_task(_progress(people, say))
    try:
        async with asyncio.timeout(4 * options.over_s + 240), asyncio.TaskGroup() as tasks:
            tasks.create_task(faults.run())
            tasks.create_task(people.run())
    except* TimeoutError:
        result.wrong.append(f"{sum(not one.out for one in people.told)} customers are still inside")
    except* Captive as captives:
        result.wrong += leaves(captives)
    finally:
        progress.cancel()
        await faults.end()
    began = time.monotonic()
    if waits := await _settle(stage):
        result.wrong.append(f"not settled {SETTLE_S:g} s after the last fault: {waits}")
    result.settled_s = round(time.monotonic() - began, 1)
    say(f"all customers out, settled after {result.settled_s:g} s")


def leaves(group: BaseExceptionGroup[Captive]) -> list[str]:
    """What was said by all exceptions of nested groups."""
    return [
        said
        for one in group.exceptions
        for said in (leaves(one) if isinstance(one, BaseExceptionGroup) else [str(one)])
    ]


async def _progress(people: People, say: Callable[[str], None]) -> None:
    while True:
        await asyncio.sleep(10)
        say(f"{sum(one.out for one in people.told)} of {len(people.told)} customers are out")


async def _settle(stage: BusyStage) -> str:
    """Until everything is there and nothing waits for an acknowledgement; returns what does."""
    waits = ""
    end = time.monotonic() + SETTLE_S
    while time.monotonic() < end:
        status, health = await ask(f"{stage.layout.hub_url}/healthz")
        waits = ", ".join([*stage.missing(), *([] if status == 200 else [f"hub {status}"]), *_waiting(stage)])
        if not waits and health["unacknowledged"] == 0:
            return ""
        waits = waits or f"{health}"
        await asyncio.sleep(0.5)
    return waits


def _waiting(stage: BusyStage) -> list[str]:
    """From the files of the running programs."""
    found = []
    for program, sql in {
        "edge-exit": "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM lane WHERE state NOT LIKE '%\"idle\"%')",
        "edge-entrance": "SELECT count(*) FROM outbox",
        "hub": "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM alert WHERE holder IS NULL) "
        "+ (SELECT count(*) FROM scan WHERE outcome = 'open' AND ended IS NULL)",
    }.items():
        if (count := stage.look(program, sql)) != 0:
            found.append(f"{program}: {count}")
    return found


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--broker", choices=("amqtt", "mosquitto"), default="mosquitto")
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--customers", type=int, default=120)
    parser.add_argument("--faults", default=",".join(KINDS), help=f"of {', '.join(KINDS)}; none: a quiet hour")
    parser.add_argument(
        "--json", action="store_true", help="only the last line, and the command that repeats a failure"
    )
    given = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.getLogger("gmqtt").setLevel(logging.CRITICAL)  # its connections are cut here all the time
    kinds = tuple(kind for kind in KINDS if kind in given.faults.split(","))
    options = Options(given.seed, given.broker, given.minutes * 60, given.customers, kinds)
    folder, began = Path(tempfile.mkdtemp(prefix="busy-hour-")), time.monotonic()

    def say(what: str) -> None:
        if not given.json:
            print(f"{time.monotonic() - began:6.1f} s  {what}", flush=True)

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was mounted is unmounted, whoever ends us
    result = asyncio.run(run(options, folder, say)).result
    if result.wrong:
        for what in result.wrong:
            print(f"WRONG: {what}", flush=True)
        print(f"repeat: python -m tests.system.busy_hour --seed {given.seed} --broker {given.broker} --minutes {given.minutes:g} "
              f"--customers {given.customers} --faults {given.faults}\nfiles: {folder}", flush=True)  # fmt: skip
    else:
        shutil.rmtree(folder)
    summary = {"seed": options.seed, "broker": options.broker, **result.summary()}
    print(json.dumps(summary, ensure_ascii=False), flush=True)
    return 1 if result.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
