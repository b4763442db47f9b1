"""What a lane is, what happens to it, and what it does: state, events and actions of `edge.lane`. Plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from contract.payloads import Incentive, LaneDecision, Payload

MAX_COMMAND = 0xFFFF_FFFF
"""Command numbers of a gate have 32 bits; after the highest comes 1."""


def number_as_code(digits: str) -> str:
    """How a typed number stands among the codes; no code's ID begins so."""
    return f"#{digits}"


class Phase(StrEnum):
    IDLE = "idle"
    DECIDING = "deciding"
    PRINTING = "printing"
    SHOWING = "showing"
    OPENING = "opening"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class LanePolicy:
    """Declared behaviour of a lane; times in seconds."""

    decide_s: float = 2.0
    """Silence of the hub before the offline policy. The round trip is 10 ms; two seconds is what a person accepts."""
    offline: Literal["open", "refuse"] = "open"
    behind_s: float = 0.03
    """The same when the hub is known to be behind and the lane may open by itself: three round trips, in case it has just come
    back, and the gate still opens within 100 ms."""
    print_patience_s: float = 12.0
    """All attempts at the paper together."""
    print_attempts: int = 3
    display: bool = False
    """Whether a display hangs at the lane that can show a coupon's code."""
    show_s: float = 20.0
    """So long the code stands there for her terminal's camera, before the gate opens without its having been read."""
    there_s: float = 10.0
    """So long she is taken to stand where she was seen last: after a longer fault nothing opens by itself any more."""
    gate_patience_s: float = 10.0
    """So long the gate is told to open, before a clerk is called: no longer than she surely stands there."""
    open_grace_s: float = 5.0
    """The gate itself ends a passage that nobody uses; this much later the lane does, if the gate stays silent."""
    offline_open_s: float = 8.0
    reopen_max: int = 2
    """How often a passage that the gate's loss of power cut off is opened again."""
    gate: bool = True
    """False: an exit counter. Nothing opens and nobody counts who passes."""


ENDED_MAX = 32
"""So many transactions wait for the gate's late word: eight minutes of customers at a gate that does not answer."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A transaction whose end the gate did not tell."""

    command: int
    scan: str
    code: str
    offline: bool


@dataclass(frozen=True, slots=True)
class Lane:
    """Everything a lane must remember over a loss of power. Times are not kept: after a restart they begin anew."""

    phase: Phase = Phase.IDLE
    scan: str = ""
    """ID of the message that told the scan."""
    code: str = ""
    visit: str | None = None
    cause: str | None = None
    incentive: Incentive | None = None
    attempt: int = 0
    sent: bool = False
    """The printer was given the job's first byte: from now on it is not known whether paper came."""
    cut_before: int | None = None
    reprint: bool = False
    """Something of this coupon may be on paper already, from an attempt before: the next paper says so."""
    command: int = 0
    """Number of the newest open command of this lane; grows for ever."""
    open_s: float = 8.0
    reopened: int = 0
    trouble: bool = False
    """The gate has refused the command or was not reached, or cut a passage off, in this transaction."""
    doubt: bool = False
    """The gate may have taken a command all the same."""
    gone: bool = False
    """She was seen last too long ago: nothing opens for her but her code, held up again."""
    offline: bool = False
    asks: bool = False
    """The customer has typed a number. Only the hub knows what it stands for: the lane never opens for it by itself."""
    ended: tuple[Ended, ...] = ()
    """Transactions whose end the gate has not told yet, the newest last."""
    deadline: float | None = None
    print_deadline: float | None = None

    @property
    def job(self) -> str:
        """Name of the print job under way: a coupon may be printed again, in another attempt or after another scan."""
        return f"{self.scan}#{self.attempt}"


# --- events


@dataclass(frozen=True, slots=True)
class CodeAccepted:
    """A code that may be trusted and is not used. `scan`: ID of the message that tells it; `code`: the code's one-time ID.
    `late`: what was told to the hub before is still waiting, so that its decision will not come in time. `asks`: the code is
    a number (`number_as_code`), which is the hub's to trust."""

    scan: str
    code: str
    late: bool = False
    asks: bool = False


@dataclass(frozen=True, slots=True)
class Decided:
    """The hub's decision. `message` is its ID."""

    decision: LaneDecision
    message: str
    visit: str | None = None


@dataclass(frozen=True, slots=True)
class PrintSent:
    """The job is about to be given to the printer; `cut_before` is its cut counter now, if it has one."""

    job: str
    cut_before: int | None


@dataclass(frozen=True, slots=True)
class PrintEnded:
    """`not_printed`: known, it is safe to print the same coupon again. `unknown`: evidence may come later."""

    job: str
    outcome: Literal["printed", "not_printed", "unknown"]
    detail: str = ""
    reached: bool = True
    """False: not one byte of it went to the printer."""


@dataclass(frozen=True, slots=True)
class ReadFromDisplay:
    """Her terminal has read the coupon's code from the display, says the hub."""

    scan: str
    coupon: str


@dataclass(frozen=True, slots=True)
class GateTook:
    """The gate took the open command of this number."""

    command: int


@dataclass(frozen=True, slots=True)
class GateRefused:
    """The gate cannot be reached or does not want to. `dealt_with`: the newest number that it has dealt with, if that shows
    that this command did not open it and never will; else 0, and only the same number is safe."""

    command: int
    detail: str
    dealt_with: int = 0
    doubt: bool = False
    """The command may have reached it."""


@dataclass(frozen=True, slots=True)
class Passed:
    direction: Literal["exit", "entry"]
    command: int | None


@dataclass(frozen=True, slots=True)
class NobodyPassed:
    """`cut_off`: a fault or a loss of power closed the gate before her. `missed`: nobody was reading the gate then; it may have
    stood free, and she may have gone."""

    command: int
    cut_off: bool = False
    missed: bool = False


@dataclass(frozen=True, slots=True)
class CodeUsed:
    """Somebody has passed with this code at another lane of the same agent."""

    code: str


@dataclass(frozen=True, slots=True)
class AnotherCode:
    """A good code, and not that of the transaction, was read while the lane was busy: somebody else stands there now."""


@dataclass(frozen=True, slots=True)
class HeldUpAgain:
    """Her own code was read once more while the lane was busy: she has what she wants, and wants to go."""


@dataclass(frozen=True, slots=True)
class HeldUpElsewhere:
    """The code was read at another lane of the same agent: she stands there now, or somebody who has a picture of it."""

    code: str


@dataclass(frozen=True, slots=True)
class FireAlarm:
    pass


@dataclass(frozen=True, slots=True)
class Tick:
    pass


Event = (
    AnotherCode
    | CodeAccepted
    | CodeUsed
    | Decided
    | HeldUpAgain
    | HeldUpElsewhere
    | PrintSent
    | PrintEnded
    | ReadFromDisplay
    | GateTook
    | GateRefused
    | Passed
    | NobodyPassed
    | FireAlarm
    | Tick
)

# --- what to do


@dataclass(frozen=True, slots=True)
class Say:
    """A message, in the transaction that stores the state. The next message of the lane names it as its cause."""

    name: str
    data: Payload


@dataclass(frozen=True, slots=True)
class Print:
    job: str
    incentive: Incentive
    attempt: int
    reprint: bool = False


@dataclass(frozen=True, slots=True)
class FindOut:
    """Learn from the printer whether this job came out, when the printer can be asked again."""

    job: str
    cut_before: int | None


@dataclass(frozen=True, slots=True)
class Open:
    command: int
    seconds: float


@dataclass(frozen=True, slots=True)
class HoldCode:
    """Remember a code as used for good (`held`), or give it free again if nobody has passed with it."""

    code: str
    held: bool


@dataclass(frozen=True, slots=True)
class KnowCode:
    """The hub has told which code a number stands for: from now on the lane holds that one."""

    number: str
    code: str
    expires: datetime


@dataclass(frozen=True, slots=True)
class Refer:
    """The customer is told to try in another way; `reason` as in `contract.payloads.LaneRefused`."""

    reason: Literal["digits_offline"]


@dataclass(frozen=True, slots=True)
class CallClerk:
    """Something that a customer must not be left alone with."""

    why: Literal["gate", "no_decision", "stuck"]
    detail: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event that does not belong to what the lane is doing: counted."""

    what: str


Action = Say | Print | FindOut | Open | HoldCode | KnowCode | Refer | CallClerk | Ignored
Next = tuple[Lane, tuple[Action, ...]]
