"""A lane under everything that can happen in any order: what must hold whatever comes."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from contract.payloads import LanePassage, LanePrinted, LaneShown
from edge.lane import next_deadline, resume, step
from edge.lane_codec import from_json, to_json
from edge.lane_types import (
    AnotherCode,
    CodeAccepted,
    Decided,
    Event,
    FireAlarm,
    GateRefused,
    GateTook,
    HeldUpAgain,
    HoldCode,
    Lane,
    LanePolicy,
    NobodyPassed,
    Open,
    Passed,
    Phase,
    Print,
    PrintEnded,
    PrintSent,
    ReadFromDisplay,
    Say,
    Tick,
)
from tests.edge.lane_ways import decision


class Watch:
    """One lane, everything it did, and the rules that must hold after each step."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.policy = LanePolicy(offline=self.rng.choice(["open", "refuse"]), gate=self.rng.random() < 0.9,
                                 display=self.rng.random() < 0.9)  # fmt: skip
        self.now = 0.0
        self.lane = Lane(command=self.rng.choice([0, 6, 0xFFFF_FFF0 - 1000]))
        self.scans = 0
        self.paper: dict[str, str] = {}  # by scan: wanted, settled
        self.shown: dict[str, str] = {}  # the same of coupons on the display
        self.not_printed: set[str] = set()
        self.opens: dict[str, set[int]] = {}
        self.allowed: dict[str, int] = {}
        self.ends: dict[str, list[str]] = {}
        self.refused: set[str] = set()
        self.held: dict[str, bool] = {}

    def event(self) -> Event:
        rng, lane = self.rng, self.lane
        job = rng.choice([lane.job, lane.job, f"{lane.scan}#{max(0, lane.attempt - 1)}", "other#1"])
        command = rng.choice([lane.command, lane.command, max(0, lane.command - 1), lane.command + 1])
        choices: list[Event] = [
            Decided(decision(rng.choice([lane.scan or "none", lane.scan or "none", "other"]), outcome=rng.choice(["open", "open", "refuse"]),
                             give=rng.choice(["print", "display", "electronic", None])), "m", "v"),
            ReadFromDisplay(rng.choice([lane.scan or "none", "other"]), "CP-1"),
            PrintSent(job, rng.choice([None, 5])),
            PrintEnded(job, rng.choice(["printed", "not_printed", "unknown"])),
            GateTook(command),
            GateRefused(command, "no", rng.choice([0, 0, lane.command, lane.command + 50])),
            Passed(rng.choice(["exit", "entry"]), rng.choice([command, None])),
            NobodyPassed(command, rng.random() < 0.5, rng.random() < 0.3),
            AnotherCode(),
            HeldUpAgain(),
            Tick(),
        ]  # fmt: skip
        if rng.random() < 0.02:
            return FireAlarm()
        if lane.phase is Phase.IDLE and rng.random() < 0.7:
            self.scans += 1
            return CodeAccepted(f"s{self.scans}", f"c{self.scans}", rng.random() < 0.1, rng.random() < 0.2)
        return rng.choice(choices)

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.now += self.rng.choice([0.0, 0.1, 1.0, 5.0])
            if self.rng.random() < 0.05:
                self.restart()
            self.one(self.event())

    def restart(self) -> None:
        before = replace(self.lane, deadline=None, print_deadline=None)
        self.now = self.rng.random() * 1000
        away_s = self.rng.choice([0.0, 0.0, 0.0, 60.0, None])
        self.lane, actions = resume(from_json(to_json(self.lane)), self.now, self.policy, away_s)
        if away_s != 0.0:
            for action in actions:
                self.check(before, action)
            assert not any(isinstance(action, Open | Print) for action in actions)
            return
        # Whether the gate has the command is not known any more.
        assert replace(self.lane, deadline=None, print_deadline=None, doubt=before.doubt) == before
        for action in actions:
            assert not isinstance(action, Open) or action.command in self.opens[self.lane.scan]
            assert not isinstance(action, Print) or not self.lane.sent

    def one(self, event: Event) -> None:
        before = self.lane
        if isinstance(event, CodeAccepted):
            self.held[event.code] = True
            self.ends[event.scan], self.opens[event.scan], self.allowed[event.scan] = [], set(), 1
        if isinstance(event, Decided) and before.phase is Phase.DECIDING and event.decision.scan == before.scan:
            if event.decision.outcome == "refuse":
                self.refused.add(before.scan)
            elif event.decision.incentive is not None and event.decision.incentive.give == "print":
                self.paper[before.scan] = "wanted"
            elif event.decision.incentive is not None and event.decision.incentive.give == "display":
                self.shown[before.scan] = "wanted"
        if isinstance(event, PrintEnded) and event.outcome == "not_printed":
            self.not_printed.add(event.job)
        self.lane, actions = step(before, event, self.now, self.policy)
        cut_off = isinstance(event, NobodyPassed) and event.cut_off
        dealt_with = isinstance(event, GateRefused) and event.dealt_with
        if before.scan and (cut_off or dealt_with):
            self.allowed[before.scan] += 1
        for action in actions:
            self.check(before, action)
        assert self.lane.command >= before.command
        assert self.lane.phase is Phase.IDLE or next_deadline(self.lane) is not None
        assert (self.lane.phase is Phase.IDLE) == (self.lane.scan == "")

    def check(self, before: Lane, action: object) -> None:
        match action:
            case Print():
                scan, _, attempt = action.job.rpartition("#")
                assert int(attempt) == action.attempt <= self.policy.print_attempts
                assert attempt == "1" or f"{scan}#{int(attempt) - 1}" in self.not_printed
            case Say(data=LanePrinted() as told):
                assert self.paper[told.scan] == "wanted"
                self.paper[told.scan] = told.outcome
            case Say(data=LaneShown() as told):
                assert self.shown[told.scan] == "wanted"
                self.shown[told.scan] = told.outcome
            case Open():
                assert self.shown.get(self.lane.scan) != "wanted"
                assert self.paper.get(self.lane.scan) != "wanted"
                self.opens[self.lane.scan].add(action.command)
                assert len(self.opens[self.lane.scan]) <= self.allowed[self.lane.scan]
            case Say(data=LanePassage(scan=str() as scan) as told):
                self.ends[scan].append(told.outcome if told.detail != "told late" else "late")
                assert self.ends[scan] in (["passed"], ["not_passed"], ["fault"], ["fire_open"],
                                           ["not_passed", "late"], ["fault", "late"], ["fire_open", "late"])  # fmt: skip
            case HoldCode():
                self.held[action.code] = action.held


@pytest.mark.row("B12")
@pytest.mark.row("C3")
@pytest.mark.row("C4")
@pytest.mark.parametrize("seed", range(60))
def test_whatever_happens_in_whatever_order(seed: int) -> None:
    print(f"seed {seed}")
    watch = Watch(seed)
    watch.run(1500)
    assert watch.scans > 50
    for scan, ends in watch.ends.items():
        if scan == watch.lane.scan:
            continue
        assert (not ends) if scan in watch.refused else ends, scan
        passed = bool(ends) and ends[-1] in ("passed", "late")
        if passed:
            assert watch.held[f"c{scan[1:]}"], "a code that was used to pass is used"
        elif scan in watch.refused or ends == ["fire_open"] or ends == ["fault"]:
            assert not watch.held[f"c{scan[1:]}"], "who was let down may try again"
    kinds = {end for ends in watch.ends.values() for end in ends}
    assert {"passed", "not_passed"} <= kinds or not watch.policy.gate
