"""What a run consists of, made from its seed alone: the size of the store, and the faults with their times.

Everything is decided before the run begins, so that a fault can be left out without another one changing (`simulation.shrink`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from simulation.chance import LONG, SHORT, Pace

HOUR_S = 3600.0
PROGRAM_FAULTS = ("kill", "kill_at_step", "kill_before_commit", "kill_after_commit", "torn_commit", "stop", "lonely_death", "freeze", "disk_full", "slow_disk", "clock")  # fmt: skip
NETWORK_FAULTS = ("cut", "one_way", "lose", "double", "shuffle", "slow", "broker_restart", "swizzle", "handhelds_cut", "phones_cut", "blackout", "pos_line", "outside_away")  # fmt: skip
LANE_FAULTS = ("reader_out", "reader_noise", "reader_stutter",
               "paper_end", "cover_open", "cutter_jam", "printer_power", "printer_cable", "printer_deaf", "printer_slow",
               "gate_cable", "gate_noise", "gate_power", "gate_mains", "gate_fault", "gate_jam", "fire", "obstacle",
               "wrong_way", "intruder")  # fmt: skip
RADIO_FAULTS = ("radio_out", "radio_flood", "radio_replay")
FAULTS = (*PROGRAM_FAULTS, *NETWORK_FAULTS, *LANE_FAULTS, *RADIO_FAULTS)
QUIET_S = 120.0
"""No fault in the last part of a run: there everything must settle."""


@dataclass(frozen=True)
class Size:
    """A store and a time. `faults`: how many in an hour; `tricks`: how much likelier than usual people do odd things."""

    agents: int = 3
    lanes: int = 2
    customers: int = 40
    hours: float = 0.25
    faults: float = 60.0
    tricks: float = 1.0

    @property
    def is_long(self) -> bool:
        """Then tags, heartbeats and the watch over the rules are slower."""
        return self.hours > 1

    @property
    def pace(self) -> Pace:
        return LONG if self.is_long else SHORT

    @property
    def seconds(self) -> float:
        return self.hours * HOUR_S


@dataclass(frozen=True, slots=True)
class Fault:
    """`target` is a program, a lane's machine or a client; `amount` means what the kind needs, `for_s` how long."""

    number: int
    at_s: float
    kind: str
    target: str
    for_s: float
    amount: float

    def __str__(self) -> str:
        return (
            f"{self.number}: {self.kind} {self.target} at {self.at_s:.1f} s for {self.for_s:.1f} s ({self.amount:.3f})"
        )


@dataclass(frozen=True)
class Plan:
    """One run. `keep`: numbers of the faults that happen; None: all."""

    seed: int
    size: Size = field(default_factory=Size)
    keep: frozenset[int] | None = None

    def rng(self, what: str) -> Random:
        """Chance for one purpose, independent of all others and of Python's hashes."""
        return Random(f"{self.seed} {what}")

    @property
    def agents(self) -> list[str]:
        return [f"a{n + 1}" for n in range(self.size.agents)]

    @property
    def lanes(self) -> dict[str, list[str]]:
        """Lanes by agent: on one agent, or on several, by seed."""
        spread = self.rng("lanes").randint(1, max(1, min(self.size.lanes, self.size.agents)))
        holders = self.agents[-spread:]
        found: dict[str, list[str]] = {agent: [] for agent in self.agents}
        for n in range(self.size.lanes):
            found[holders[n % spread]].append(str(n + 1))
        return found

    @property
    def machines(self) -> list[str]:
        return [f"{agent}-{lane}" for agent, lanes in self.lanes.items() for lane in lanes]

    @property
    def faults(self) -> list[Fault]:
        """By time."""
        every = self._every_fault()
        return [fault for fault in every if self.keep is None or fault.number in self.keep]

    def _every_fault(self) -> list[Fault]:
        rng = self.rng("faults")
        last_s = max(1.0, self.size.seconds - QUIET_S)
        count = round(self.size.faults * self.size.hours * rng.uniform(0.3, 1.7))
        # A run has a few kinds of faults, often: rare combinations of kinds are then frequent over many seeds.
        kinds = rng.sample(FAULTS, k=rng.randint(3, 12))
        times = sorted(rng.uniform(0, last_s) for _ in range(count))
        return [self._fault(rng, number, at_s, rng.choice(kinds), last_s) for number, at_s in enumerate(times)]

    def _fault(self, rng: Random, number: int, at_s: float, kind: str, last_s: float) -> Fault:
        holders = [agent for agent, lanes in self.lanes.items() if lanes]
        if kind in LANE_FAULTS:
            target = rng.choice(self.machines)
        elif kind in RADIO_FAULTS:
            target = rng.choice(self.agents)
        else:  # programs at a lane and the hub have the most to lose
            target = rng.choice(["hub", *holders, *holders, *self.agents])
        for_s = min(rng.choice([0.1, 1.0, 5.0, 20.0, 60.0]) * (0.5 + rng.random()), last_s - at_s + 1.0)
        return Fault(number, at_s, kind, target, for_s, rng.random())
