"""`instore sim day --scenario exits`: plays a scripted day of exits with faults, and balances the books at its end."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware_sim.mailbox import MailServer
from instore.day.backstage import DayFailed
from instore.day.exits_books import KINDS, Balance, Ledger, balance
from instore.day.exits_files import make_exits_store
from instore.day.exits_oracle import Expected, expected
from instore.day.exits_people import People
from instore.day.exits_script import ExitsScript, Fault, exits
from instore.day.exits_stage import ExitsStage
from instore.day.play import teller
from instore.demo.layout import broker_place
from instore.logs import configure

QUIET_S = 3.0
"""So long after that nothing more may come."""
SHOWN = 20


@dataclass(frozen=True, slots=True)
class ExitsOptions:
    """What the command was asked for."""

    exits: int
    lanes: int
    seed: int
    faults: bool
    broker: str
    json: bool
    folder: Path | None = None
    speed: float = 60.0
    patience_s: float = 180.0
    """Who is not out by then is not out; a third of it after the last customer the books have to balance."""

    @property
    def again(self) -> str:
        """The command that plays the same day."""
        return (f"instore sim day --scenario exits --exits {self.exits} --lanes {self.lanes} --seed {self.seed}"
                f"{' --faults' if self.faults else ''} --speed {self.speed:g} --broker {self.broker} --json")  # fmt: skip


async def play_exits(options: ExitsOptions) -> int:
    """Play the day; returns the exit code: 0 only when everything was as it had to be."""
    configure()
    script = exits(options.seed, options.exits, options.lanes, faults=options.faults, speed=options.speed)
    wanted = expected(script)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="instore-exits-"))
    told, began = teller(as_json=options.json), time.monotonic()
    stage: ExitsStage | None = None
    mail = MailServer()
    people, failure, found, open_s = None, "", Balance(), 0.0
    try:
        await mail.open()
        layout = make_exits_store(folder / "store", broker_place(options.broker), script, mail.port)
        stage = ExitsStage(layout, script, mail, told)
        await stage.open()
        ledger = Ledger(layout.path("hub.sqlite"))
        people = People(stage, ledger, options.patience_s)
        opened = time.monotonic()
        await _doors_open(stage, people, script, told)
        told(f"all {script.exits} exits are over; the books are balanced")
        found = await _balanced(stage, people, ledger, wanted, options.patience_s / 3)
        open_s = time.monotonic() - opened
    except* DayFailed as failed:
        failure = "; ".join(str(error) for error in failed.exceptions)
    finally:
        if stage is not None:
            await stage.close()
        await mail.close()
    summary = _summary(options, script, wanted, stage, people, found, failure)
    summary |= {"seconds": round(time.monotonic() - began, 1), "open_seconds": round(open_s, 1)}
    if not summary["ok"]:
        summary |= {"folder": str(folder), "again": options.again}
    print(json.dumps(summary, ensure_ascii=False), flush=True)
    if summary["ok"] and options.folder is None:
        shutil.rmtree(folder)
    return 0 if summary["ok"] else 1


async def _doors_open(stage: ExitsStage, people: People, script: ExitsScript, told: Callable[[str], None]) -> None:
    """Everybody comes and goes, and things go wrong, at the times of the script."""
    told(f"doors open: {len(script.customers)} customers, {script.exits} exits at {script.lanes} lanes in {script.length_s:.0f} s, "
         f"{len(script.faults)} faults")  # fmt: skip
    start = time.monotonic()

    async def goes_wrong(fault: Fault) -> None:
        # As far into the day as the script says, on however slow a machine.
        await people.until_out(fault.at_s / script.length_s)
        await stage.fault(fault)

    async def report() -> None:
        while True:
            await asyncio.sleep(10)
            seen = people.seen
            told(f"{sum(seen.out.values())} of {script.exits} are out, {seen.stepped_back} have stepped back, "
                 f"{sum(stage.faults.values())} faults, {len(seen.trouble)} are stuck")  # fmt: skip

    telling = asyncio.create_task(report(), name="report")
    try:
        async with asyncio.TaskGroup() as tasks:
            for fault in script.faults:
                tasks.create_task(goes_wrong(fault))
            for customer in script.customers:
                tasks.create_task(people.live(customer, start))
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)


async def _balanced(stage: ExitsStage, people: People, ledger: Ledger, wanted: Expected, within_s: float) -> Balance:
    """As soon as the books balance, and then a while later once more: nothing may come after that."""
    end, quiet = time.monotonic() + within_s, False
    while True:
        found = await _look(stage, people, ledger, wanted)
        if (found.ok and quiet) or time.monotonic() > end or people.seen.trouble:
            return found
        quiet = found.ok
        await asyncio.sleep(QUIET_S if found.ok else 0.5)


async def _look(stage: ExitsStage, people: People, ledger: Ledger, wanted: Expected) -> Balance:
    seen = people.seen
    counted = sum([await lane.exits() for lane in stage.lanes])
    customers = {key: shopper.customer for key, shopper in stage.shoppers.items()}
    return balance(ledger, wanted, sales=seen.sales, out=seen.out, promises=seen.promises, used=seen.used, slips=stage.slips,
                   letters=stage.letters(), pictures=seen.pictures, counted=counted, customers=customers)  # fmt: skip


def _summary(options: ExitsOptions, script: ExitsScript, wanted: Expected, stage: ExitsStage | None, people: People | None,
             found: Balance, failure: str) -> dict[str, Any]:  # fmt: skip
    trouble = people.seen.trouble if people is not None else []
    wanted_counts = {"exits": len(wanted.paid), "grants": len(wanted.grants), "redeemed": len(wanted.redeemed),
                     "accounts": len(wanted.accounts)}  # fmt: skip
    summary: dict[str, Any] = {
        "type": "instore.sim.summary", "scenario": "exits", "seed": options.seed, "exits": script.exits, "lanes": script.lanes,
        "broker": options.broker, "speed": script.speed, "customers": len(script.customers), "faults": dict(stage.faults) if stage else {},
        "stepped_back": people.seen.stepped_back if people is not None else 0, **found.figures, "expected": wanted_counts,
        "missing": {kind: len(found.missing[kind]) for kind in KINDS}, "extra": {kind: len(found.extra[kind]) for kind in KINDS},
        "ok": not failure and not trouble and found.ok and bool(found.figures),
    }  # fmt: skip
    if not summary["ok"]:
        summary |= {"failure": failure, "broken": found.broken, "trouble": trouble[:SHOWN], "which": {
            kind: {"missing": found.missing[kind][:SHOWN], "extra": found.extra[kind][:SHOWN]} for kind in KINDS
            if found.missing[kind] or found.extra[kind]}}  # fmt: skip
    return summary
