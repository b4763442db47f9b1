"""What a display remembers of the newest customer at its lane, beside the lane's own state. Pure; times in monotonic s.

A lane keeps no words: they come with the hub's decision and stand here, in memory only, until they may be seen no longer
(`forget`). After a restart of the agent the display goes on with the lane's own words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from contract.payloads import Bilingual, LaneDecision, LaneScreen
from edge.lane_refusals import Refused
from edge.lane_types import (
    AnotherCode,
    Decided,
    Event,
    FireAlarm,
    GateTook,
    Lane,
    NobodyPassed,
    Passed,
    Phase,
    PrintEnded,
    ReadFromDisplay,
)

THANKS_S = 6.0
"""Where nothing opens, thanks stand so long after the end."""
REFUSED_S = 8.0
"""Two sentences in two languages, read without haste."""
CLERK_S = 20.0
"""So long a lane that gave up on its customer points at a clerk, also when nobody took the call."""

Ended = Literal["", "passed", "let_go", "nobody", "again", "fire", "no_decision", "gate_fault"]
"""How the newest transaction ended. `let_go`: the lane has no gate. `again`: a fault cut it off, and her code opens once more.
`gate_fault`: the gate fell silent or did not open."""
Paper = Literal["", "printed", "not_printed", "unread"]
"""`unread`: it was not printed, and the display has shown its code to somebody whom nobody knows."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Of one lane. `turn` counts customers: a sound is given once in a turn."""

    turn: int = 0
    scan: str = ""
    phase: Phase = Phase.IDLE
    since: float = 0.0
    """When the lane came to this phase."""
    decided: float | None = None
    """When the hub's decision came, as long as what is personal in it may be shown."""
    thanks: Bilingual | None = None
    rank: Bilingual | None = None
    gift: Bilingual | None = None
    code: str | None = None
    """Text of the coupon's QR code."""
    paper: Paper = ""
    ended: Ended = ""
    at: float = 0.0
    """When it ended, or was refused."""
    refused: str = ""
    """The reason why a code was not taken, and the hub's words for it."""
    why: Bilingual | None = None


def remember(memory: Memory, happened: Event | Refused, lane: Lane, now: float) -> Memory:
    """After something happened; `lane` is as that left it."""
    if isinstance(happened, Refused):
        return Memory(turn=memory.turn + 1, refused=happened.reason, at=now)
    if lane.scan and lane.scan != memory.scan:
        memory = Memory(turn=memory.turn + 1, scan=lane.scan)
    if isinstance(happened, Decided) and happened.decision.scan == memory.scan and memory.phase is Phase.DECIDING:
        if happened.decision.outcome == "refuse":
            said = happened.decision
            return replace(memory, phase=lane.phase, refused=said.reason, why=said.show, decided=now, at=now)
        memory = _with(memory, happened.decision, now)
    if memory.phase is Phase.PRINTING and lane.phase is not Phase.PRINTING:
        out = isinstance(happened, PrintEnded) and happened.outcome == "printed"
        memory = replace(memory, paper="printed" if out else "not_printed")
    elif memory.phase is Phase.SHOWING and lane.phase is not Phase.SHOWING and memory.paper == "not_printed":
        memory = replace(memory, paper="" if isinstance(happened, ReadFromDisplay) else "unread")
    if lane.phase is Phase.IDLE and memory.phase is not Phase.IDLE:
        memory = replace(memory, ended=_end(memory.phase, happened), at=now)
    return memory if lane.phase is memory.phase else replace(memory, phase=lane.phase, since=now)


def _with(memory: Memory, decision: LaneDecision, now: float) -> Memory:
    # A hub of before has one sentence for everything.
    words = decision.screen or LaneScreen(thanks=decision.show)
    return replace(memory, decided=now, thanks=words.thanks, rank=words.rank, gift=words.gift, code=words.coupon_code)


def _end(phase: Phase, happened: Event) -> Ended:
    match happened:
        case Passed():
            return "passed" if happened.command is not None else "again"
        case GateTook():
            return "let_go"
        case FireAlarm():
            return "fire"
        case NobodyPassed():
            return "again" if happened.cut_off else "nobody"
        case AnotherCode():
            return "nobody"
        case _ if phase is Phase.DECIDING:
            return "no_decision"
        case _:
            return "gate_fault"


def forget(memory: Memory, now: float, name_s: float) -> Memory:
    """Without what may be seen no longer: words after `name_s`, everything of a customer who has gone."""
    if memory.phase is Phase.IDLE and not _stands(memory, now):
        return Memory(turn=memory.turn)
    if memory.decided is not None and now - memory.decided >= name_s:
        # The gift and the coupon's code are not personal, and she may still have to take them.
        return replace(memory, decided=None, thanks=None, rank=None, why=None)
    return memory


def _stands(memory: Memory, now: float) -> bool:
    """Whether the end of a transaction is still to be seen."""
    if memory.refused:
        return now - memory.at < REFUSED_S
    patience_s = {"let_go": THANKS_S, "no_decision": CLERK_S, "gate_fault": CLERK_S, "again": CLERK_S}.get(
        memory.ended, 0.0
    )
    return now - memory.at < patience_s
