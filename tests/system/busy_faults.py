"""What goes wrong in a busy hour, planned by seed: when, what, to whom, for how long. When exactly it strikes depends on the
machine too, so that a seed repeats the plan, not the very instruction."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from tests.system.busy_store import ON_WIRES, WITH_CLOCK, WITH_DISK, BusyStage
from tests.system.kill_matrix import MOMENTS
from tests.system.network_cut import CUTS
from tests.system.playing import PROGRAMS

KINDS = ("kills", "network", "disk", "clock")
EVERY_S = {"kills": 3.5, "network": 20.0, "disk": 45.0, "clock": 45.0}
"""One of each kind so often on average."""
CUT_S, FULL_S, SHIFT_S = (2.0, 12.0), (3.0, 10.0), (10.0, 25.0)
AGENT_JUMPS_S = (-1_700_000_000, -7200, -30, 45, 600, 7200)
"""Never set (the year 1972), a summer time that was missed, what a bad NTP server does."""
HUB_JUMPS_S = (-2400, -600, -45, 45, 600, 840)
"""Forward less than a service request lives (900 s), back less than an exit code (3600 s): it is the store's clock, so what is
over by it is over."""
START_S = 5.0
"""A program that starts may have found its disk full so long before."""
MOMENT_S = 8.0
AT_LANE = ("broker", "hub", "edge-exit", "sim-reader", "sim-printer", "sim-gate")
ZONE = ZoneInfo("Asia/Tokyo")


@dataclass(frozen=True)
class Fault:
    """`at_s` after the beginning; `moment` ("" for none): wait for that message first, then `delay_s`."""

    at_s: float
    kind: str
    targets: tuple[str, ...]
    moment: str = ""
    delay_s: float = 0.0
    how: str = ""
    for_s: float = 0.0

    def __str__(self) -> str:
        when = f" at {self.moment} + {self.delay_s:.2f} s" if self.moment else ""
        how = f" {self.how}" if self.how else ""
        for_s = f" for {self.for_s:.0f} s" if self.for_s else ""
        return f"{self.kind}{how} {' and '.join(self.targets)}{when}{for_s}"


def plan(rng: Random, over_s: float, kinds: tuple[str, ...] = KINDS) -> list[Fault]:
    """In order of time. Every program is killed about as often as every other; one kill in eight takes two at once."""
    found: list[Fault] = []
    victims: list[str] = []

    def victim() -> str:
        if not victims:
            victims.extend(rng.sample(PROGRAMS, len(PROGRAMS)))
        return victims.pop()

    for kind in kinds:
        at_s = rng.uniform(0.3, 1.0) * EVERY_S[kind]
        while at_s < over_s:
            found.append(_one(rng, kind, at_s, victim))
            at_s += rng.uniform(0.3, 1.7) * EVERY_S[kind]
    return sorted(found, key=lambda fault: fault.at_s)


def _one(rng: Random, kind: str, at_s: float, victim: Callable[[], str]) -> Fault:
    match kind:
        case "kills":
            targets = (victim(), victim()) if rng.random() < 0.125 else (victim(),)
            moment = rng.choice(list(MOMENTS)) if rng.random() < 0.75 else ""
            return Fault(at_s, "kill", targets, moment, rng.random() ** 2 * 1.2 if moment else 0.0)
        case "network":
            return Fault(at_s, "network", (rng.choice(ON_WIRES),), how=rng.choice(CUTS), for_s=rng.uniform(*CUT_S))
        case "disk":
            return Fault(at_s, "disk", (rng.choice(WITH_DISK),), how="full", for_s=rng.uniform(*FULL_S))
        case _:
            name = rng.choice(WITH_CLOCK)
            jump = rng.choice(HUB_JUMPS_S if name == "hub" else AGENT_JUMPS_S)
            return Fault(at_s, "clock", (name,), how=str(jump), for_s=rng.uniform(*SHIFT_S))


class Faults:
    """Lets a plan happen to a stage; `end` puts everything right. `counts` and `kills` are what was done."""

    def __init__(self, stage: BusyStage, faults: list[Fault], say: Callable[[str], None]) -> None:
        self._stage, self.plan, self._say = stage, faults, say
        self.counts: Counter[str] = Counter()
        self.kills: Counter[str] = Counter()
        self._busy: set[str] = set()

    async def run(self) -> None:
        """Until all have happened and what ends by itself has ended."""
        began = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as tasks:
            for fault in self.plan:
                await asyncio.sleep(began + fault.at_s - asyncio.get_running_loop().time())
                tasks.create_task(self._happen(fault))

    async def end(self) -> None:
        """All lines whole, all disks free, all clocks right."""
        for wire in self._stage.wires.values():
            await wire.become("whole")
        for disk in self._stage.disks.values():
            disk.free()
        for clock in self._stage.clocks.values():
            clock.set(0)

    async def _happen(self, fault: Fault) -> None:
        key = f"{fault.kind} {fault.targets[0]}"
        if fault.kind != "kill" and key in self._busy:
            return  # it is so already
        self._busy.add(key)
        try:
            if fault.moment:
                await self._stage.moment(MOMENTS[fault.moment], MOMENT_S)
                await asyncio.sleep(fault.delay_s)
            self._say(str(fault))
            self._stage.last_fault = time.monotonic()
            await self._do(fault)
        finally:
            self._stage.last_fault = time.monotonic()
            self._busy.discard(key)

    async def _do(self, fault: Fault) -> None:
        stage, name = self._stage, fault.targets[0]
        self.counts[f"{fault.kind} {fault.how if fault.kind == 'network' else ''}".strip()] += 1
        match fault.kind:
            case "kill":
                self.kill(fault.targets)
            case "network":
                await stage.wires[name].become(next(mode for mode in CUTS if mode == fault.how))
                await asyncio.sleep(fault.for_s)
                await stage.wires[name].become("whole")
            case "disk":
                stage.processes.excused.add(name)
                stage.disks[name].fill()
                await asyncio.sleep(fault.for_s)
                stage.disks[name].free()
                await asyncio.sleep(START_S)
                stage.processes.excused.discard(name)
            case "clock":
                stage.clocks[name].set(_same_day(int(fault.how)) if name == "hub" else int(fault.how))
                await asyncio.sleep(fault.for_s)
                stage.clocks[name].set(0)

    def kill(self, names: tuple[str, ...]) -> None:
        """`kill -9`; one that is just starting again is left alone."""
        pids = self._stage.processes.pids()
        for name in names:
            with suppress(KeyError, ProcessLookupError):
                os.kill(pids[name], signal.SIGKILL)
                self.kills[name] += 1


def _same_day(off_s: int) -> int:
    """Near midnight a jump into another day of the store would rightly open a second visit: then it goes the other way."""
    now = datetime.now(ZONE)
    return off_s if (now + timedelta(seconds=off_s)).date() == (now + timedelta(minutes=30)).date() == now.date() else 0
