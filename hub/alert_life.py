"""The life of a request to clerks (row C6), pure.

    offered   ──accept──▶ accepted ──outcome─▶ closed
       │  ▲                  │  └── she bought, then left, and nobody said how it ended ──▶ closed as `bought`
       │  └── its holder declines: given back to the others
       ├── the last one declines ──▶ declined   (still open: whoever changes his mind may accept)
       ├── time, or the last one declined: escalated, offered to a group as well
       └── time, or the customer left ──▶ expired      (also from accepted and declined)

The first accept holds it; the others see by whom. An outcome (`served`, `not_found`, `bought`) without `accept` is both at
once. Each change makes the revision grow, so that an older copy that arrives late can be told. Repeating an answer changes
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal, get_args

from contract.payloads import AlertState, Outcome

Answer = Literal["accept", "decline", "served", "not_found", "bought"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
OPEN = frozenset({AlertState.OFFERED, AlertState.ACCEPTED, AlertState.DECLINED})


class Verdict(StrEnum):
    """What became of an answer. All but CHANGED and SAME are counted."""

    CHANGED = "changed"
    SAME = "same"
    """It was so already: an answer delivered twice."""
    HELD = "held"
    """Another clerk was first."""
    LATE = "late"
    """It is over."""
    NOT_OFFERED = "not_offered"


@dataclass(frozen=True, slots=True)
class AlertLife:
    """State of one alert. `clerks`: to whom it was offered; `declined`: who of them does not want it."""

    clerks: frozenset[str]
    state: AlertState = AlertState.OFFERED
    holder: str | None = None
    revision: int = 1
    declined: frozenset[str] = frozenset()
    outcome: Outcome | None = None
    """How it ended; of a closed one, always."""
    suggested: Outcome | None = None
    """What the till knows of the outcome, while nobody has said one."""

    @property
    def is_open(self) -> bool:
        """Somebody may still answer."""
        return self.state in OPEN

    def answer(self, clerk: str, answer: Answer) -> tuple[AlertLife, Verdict]:
        """A clerk answers."""
        if clerk not in self.clerks:
            return self, Verdict.NOT_OFFERED
        if not self.is_open:
            return self, Verdict.SAME if self._said(clerk, answer) else Verdict.LATE
        if self.holder not in (None, clerk):
            return self, Verdict.SAME if answer == "decline" and clerk in self.declined else Verdict.HELD
        if answer == "accept":
            return self._told(state=AlertState.ACCEPTED, holder=clerk, declined=self.declined - {clerk})
        if answer == "decline":
            declined = self.declined | {clerk}
            state = AlertState.DECLINED if declined == self.clerks else AlertState.OFFERED
            return self._told(state=state, holder=None, declined=declined, suggested=None)
        return self._told(state=AlertState.CLOSED, holder=clerk, declined=self.declined - {clerk}, outcome=answer)

    def escalate(self, group: frozenset[str]) -> AlertLife:
        """Nobody took it in time, or all declined: it is offered to these as well. Who was asked before stays asked.

        Nothing changes when it is held or over, or when all of the group were asked already.
        """
        if self.holder is not None or not self.is_open or group <= self.clerks:
            return self
        return self._become(clerks=self.clerks | group, state=AlertState.OFFERED)

    def suggest(self, outcome: Outcome) -> AlertLife:
        """The till says how it ends; the holder still has the word."""
        return self._become(suggested=outcome) if self.state is AlertState.ACCEPTED else self

    def expire(self) -> AlertLife:
        """Its time has come; what is over stays as it is."""
        return self._become(state=AlertState.EXPIRED) if self.is_open else self

    def customer_left(self) -> AlertLife:
        """There is nobody left to attend to: what the till knew of an accepted one is its outcome, all else expires."""
        if self.state is AlertState.ACCEPTED and self.suggested is not None:
            return self._become(state=AlertState.CLOSED, outcome=self.suggested)
        return self.expire()

    def seen_by(self, clerk: str) -> AlertState:
        """The state on this clerk's handheld: who declined sees it declined while the others are still asked."""
        return AlertState.DECLINED if self.state is AlertState.OFFERED and clerk in self.declined else self.state

    def _said(self, clerk: str, answer: Answer) -> bool:
        if answer == "decline":
            return clerk in self.declined
        return self.state is AlertState.CLOSED and self.holder == clerk and answer in ("accept", self.outcome)

    def _told(self, **changes: Any) -> tuple[AlertLife, Verdict]:
        new = self._become(**changes)
        return new, Verdict.SAME if new is self else Verdict.CHANGED

    def _become(self, **changes: Any) -> AlertLife:
        new = replace(self, **changes)
        return self if new == self else replace(new, revision=self.revision + 1)
