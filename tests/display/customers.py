"""Customers at a display: what the hub says of them, and lanes on their way through the phases."""

from __future__ import annotations

from typing import Any

from contract.payloads import Bilingual, LaneDecision, LaneScreen
from edge.display.memory import Memory, remember
from edge.lane import step
from edge.lane_types import (
    CodeAccepted,
    Decided,
    Event,
    FireAlarm,
    GateTook,
    Lane,
    LanePolicy,
    NobodyPassed,
    Passed,
    PrintEnded,
    PrintSent,
    ReadFromDisplay,
    Tick,
)
from tests.edge.lane_ways import COUPON, incentive

SCAN, CODE = "agent-x.e.1", "c0de"
NAME = "佐藤 花子", "Hanako Sato"
THANKS = Bilingual(ja="佐藤 花子様、ありがとうございました。", en="Thank you, Hanako Sato.")
RANK = Bilingual(
    ja="今月あと2,000円のご購入で、ゴールド会員になられます。", en="2,000 yen more this month and you reach Gold."
)
GIFT = Bilingual(ja="次回のお買い物に「300円引きクーポン」", en="For your next purchase: 300 yen off")
CODE_TEXT = f"COUPON:{COUPON}"
PERSONAL = (*NAME, "2,000", "ゴールド", "Gold")
"""What of all this is nobody else's business."""


def words_for(scan: str = SCAN, *, outcome: str = "open", give: str | None = "print", **more: Any) -> LaneDecision:
    """The hub's decision on a member's scan."""
    code = CODE_TEXT if give == "display" else None
    fields: dict[str, Any] = {
        "scan": scan,
        "outcome": outcome,
        "incentive": incentive(give) if give and outcome == "open" else None,
        "show": THANKS,
        "screen": LaneScreen(thanks=THANKS, rank=RANK, gift=GIFT if give else None, coupon_code=code),
    }
    return LaneDecision.model_validate({**fields, **more})


class Play:
    """A lane and what its display remembers, event by event, without any shell. `at` is the time in s."""

    def __init__(self, *, gate: bool = True) -> None:
        self.policy = LanePolicy(gate=gate, display=True)
        self.lane, self.memory, self.at = Lane(command=6), Memory(), 0.0

    def does(self, *events: Event) -> Play:
        for event in events:
            self.lane, _ = step(self.lane, event, self.at, self.policy)
            self.memory = remember(self.memory, event, self.lane, self.at)
        return self

    def after(self, seconds: float) -> Play:
        self.at += seconds
        return self

    def scanned(self, scan: str = SCAN) -> Play:
        return self.does(CodeAccepted(scan, CODE))

    def decided(self, **options: Any) -> Play:
        return self.does(Decided(words_for(self.lane.scan, **options), "m2", "v1"))

    def printed(self, outcome: Any = "printed") -> Play:
        return self.does(PrintSent(self.lane.job, 41), PrintEnded(self.lane.job, outcome))

    def read(self) -> Play:
        return self.does(ReadFromDisplay(self.lane.scan, COUPON))

    def opened(self) -> Play:
        return self.does(GateTook(self.lane.command))

    def passed(self) -> Play:
        return self.does(Passed("exit", self.lane.command))

    def nobody(self) -> Play:
        return self.does(NobodyPassed(self.lane.command))

    def cut_off(self) -> Play:
        """The board was dark, and her passage did not happen."""
        return self.does(NobodyPassed(self.lane.command, cut_off=True, missed=True))

    def alarm(self) -> Play:
        return self.does(FireAlarm())

    def timed_out(self) -> Play:
        assert self.lane.deadline is not None
        self.at = self.lane.deadline
        return self.does(Tick())


WAYS = {
    "idle": lambda play: play,
    "deciding": lambda play: play.scanned(),
    "printing": lambda play: play.scanned().decided(),
    "showing": lambda play: play.scanned().decided(give="display"),
    "opening": lambda play: play.scanned().decided(give=None),
    "opening, printed": lambda play: play.scanned().decided().printed(),
    "open": lambda play: play.scanned().decided(give=None).opened(),
    "open, printed": lambda play: play.scanned().decided().printed().opened(),
    "open, read": lambda play: play.scanned().decided(give="display").read().opened(),
    "passed": lambda play: play.scanned().decided(give=None).opened().passed(),
    "nobody passed": lambda play: play.scanned().decided(give=None).opened().nobody(),
    "cut off": lambda play: play.scanned().decided(give=None).opened().cut_off(),
    "refused": lambda play: play.scanned().decided(outcome="refuse", reason="already_used"),
    "gate fault": lambda play: play.scanned().decided(give=None).timed_out(),
}
