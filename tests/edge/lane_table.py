"""The diagram and the table of `edge.lane` for docs/lane.md, made by asking it: `make lane-page` writes both anew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edge.lane import step
from edge.lane_types import (
    Action,
    AnotherCode,
    CodeAccepted,
    Decided,
    Event,
    FireAlarm,
    GateRefused,
    GateTook,
    HeldUpAgain,
    HoldCode,
    Ignored,
    Lane,
    LanePolicy,
    NobodyPassed,
    Open,
    Passed,
    Phase,
    PrintEnded,
    PrintSent,
    ReadFromDisplay,
    Say,
    Tick,
)
from tests.edge.lane_ways import CODE, COUPON, POLICY, SCAN, decision, in_phase

PAGE = Path(__file__).parents[2] / "docs" / "lane.md"
MARKS = ("diagram", "table")

ALONE_CLOSED = replace(POLICY, offline="refuse")
NO_GATE = replace(POLICY, gate=False)
NO_DISPLAY = replace(POLICY, display=False)
JOB = f"{SCAN}#1"
LATE = 1000.0
TYPED = "the same, a number was typed"
TROUBLE = "the gate had not opened"

EVENTS: list[tuple[str, Event, float, LanePolicy]] = [
    ("code accepted", CodeAccepted(SCAN, CODE), 1, POLICY),
    ("decision: open, paper", Decided(decision(SCAN), "m"), 1, POLICY),
    ("decision: open, no paper", Decided(decision(SCAN, give=None), "m"), 1, POLICY),
    ("decision: refuse", Decided(decision(SCAN, outcome="refuse"), "m"), 1, POLICY),
    ("decision: open, display", Decided(decision(SCAN, give="display"), "m"), 1, POLICY),
    ("the same, lane without a display", Decided(decision(SCAN, give="display"), "m"), 1, NO_DISPLAY),
    ("print job begins", PrintSent(JOB, 41), 1, POLICY),
    ("printed", PrintEnded(JOB, "printed"), 1, POLICY),
    ("not printed", PrintEnded(JOB, "not_printed"), 1, POLICY),
    ("print in doubt", PrintEnded(JOB, "unknown"), 1, POLICY),
    ("coupon read from the display", ReadFromDisplay(SCAN, COUPON), 1, POLICY),
    ("her own code read again", HeldUpAgain(), 1, POLICY),
    ("gate took the command", GateTook(7), 1, POLICY),
    ("the same, lane without a gate", GateTook(7), 1, NO_GATE),
    ("gate not reached", GateRefused(7, "offline"), 1, POLICY),
    ("gate refused the number", GateRefused(7, "busy", 7), 1, POLICY),
    ("passed with our command", Passed("exit", 7), 1, POLICY),
    ("somebody else passed", Passed("entry", None), 1, POLICY),
    ("nobody passed", NobodyPassed(7), 1, POLICY),
    ("passage cut off", NobodyPassed(7, cut_off=True), 1, POLICY),
    ("the same, nobody was reading", NobodyPassed(7, cut_off=True, missed=True), 1, POLICY),
    (f"somebody else left, {TROUBLE}", Passed("exit", None), 1, POLICY),
    (f"another good code read, {TROUBLE}", AnotherCode(), 1, POLICY),
    ("fire alarm", FireAlarm(), 1, POLICY),
    ("time is up", Tick(), LATE, POLICY),
    ("the same, offline = refuse", Tick(), LATE, ALONE_CLOSED),
    (TYPED, Tick(), LATE, POLICY),
]


def table() -> str:
    """Markdown: a row for each event, a column for each phase; "." is: counted, nothing changes."""
    heads = [phase.value for phase in Phase]
    rows = [f"| event | {' | '.join(heads)} |", f"| --- |{' --- |' * len(heads)}"]
    for name, event, now, policy in EVENTS:
        cells = [_cell(_lane(phase, name), event, now, policy) for phase in Phase]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _lane(phase: Phase, name: str) -> Lane:
    lane = in_phase(phase)
    if name == TYPED and phase is Phase.DECIDING:
        return replace(lane, asks=True)
    return replace(lane, trouble=name.endswith(TROUBLE) and phase is Phase.OPENING)


def _cell(lane: Lane, event: Event, now: float, policy: LanePolicy) -> str:
    try:
        after, actions = step(lane, event, now, policy)
    except ValueError:
        return "a fault of the caller"
    does = ", ".join(_word(lane, action) for action in actions if not isinstance(action, Ignored))
    if after == lane and not does:
        return "."
    to = "" if after.phase is lane.phase else f"**{after.phase.value}** "
    return f"{to}{does}".strip() or "noted"


def _word(lane: Lane, action: Action) -> str:
    if isinstance(action, Open):
        return "open again" if action.command == lane.command else "open with a new number"
    if isinstance(action, HoldCode):
        return "use up the code" if action.held else "free the code"
    if isinstance(action, Say):
        outcome = getattr(action.data, "outcome", "")
        return f"say {action.name.removeprefix('lane_')}{f' ({outcome})' if outcome else ''}"
    words = {"FindOut": "look for the paper", "CallClerk": "call a clerk",
             "Refer": "ask for the QR code"}  # fmt: skip
    name = type(action).__name__
    return words.get(name, name.lower())


def diagram() -> str:
    """A state diagram in Mermaid: every way from one phase to another, with what leads there."""
    ways: dict[tuple[str, str], list[str]] = {}
    base, went = "", dict[Phase, Phase]()
    for name, event, now, policy in EVENTS:
        alone = not name.startswith("the same")
        base = name if alone else base
        for phase in Phase:
            try:
                to = step(_lane(phase, name), event, now, policy)[0].phase
            except ValueError:
                to = phase
            if to is not phase and (alone or to is not went[phase]):
                ways.setdefault((phase.value, to.value), []).append(name.replace("the same", base).replace(": ", " "))
            if alone:
                went[phase] = to
    lines = ["```mermaid", "stateDiagram-v2", "    direction LR", "    [*] --> idle"]
    lines += [f"    {here} --> {there}: {' / '.join(names)}" for (here, there), names in sorted(ways.items())]
    return "\n".join([*lines, "```", ""])


def page(text: str) -> str:
    """The page with its diagram and its table made anew."""
    for mark, made in zip(MARKS, (diagram(), table()), strict=True):
        begin, end = f"<!-- {mark} begins -->\n", f"<!-- {mark} ends -->\n"
        head, found, rest = text.partition(begin)
        if not found or end not in rest:
            raise ValueError(f"{PAGE} has no place for the {mark}: {begin.strip()} and {end.strip()}")
        text = f"{head}{begin}{made}{end}{rest.partition(end)[2]}"
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
