"""The life of a request to clerks (row C6), pure.

    offered   ──accept──▶ accepted ──outcome─▶ closed
       │  ▲                  │
       │  └── its holder declines: given back to the others
       ├── the last one declines ──▶ declined   (still open: whoever changes his mind may accept)
       └── time, or the customer left ──▶ expired      (also from accepted and declined)

The first accept holds it; the others see by whom. An outcome (`served`, `not_found`, `bought`) without `accept` is both at once. Each change makes the revision
grow, so that an older copy that arrives late can be told. Repeating an answer changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from contract.payloads import AlertState

Answer = Literal["accept", "decline", "served", "not_found", "bought"]
OUTCOMES = ("served", "not_found", "bought")
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

    def answer(self, clerk: str, answer: Answer) -> tuple[AlertLife, Verdict]:
        """A clerk answers."""
        if clerk not in self.clerks:
            return self, Verdict.NOT_OFFERED
        if self.state not in OPEN:
            return self, Verdict.SAME if self._said(clerk, answer) else Verdict.LATE
        if self.holder not in (None, clerk):
            return self, Verdict.SAME if answer == "decline" and clerk in self.declined else Verdict.HELD
        if answer == "accept":
            return self._become(AlertState.ACCEPTED, clerk, self.declined - {clerk})
        if answer in OUTCOMES:
            return self._become(AlertState.CLOSED, clerk, self.declined - {clerk})
        declined = self.declined | {clerk}
        return self._become(AlertState.DECLINED if declined == self.clerks else AlertState.OFFERED, None, declined)

    def expire(self) -> AlertLife:
        """Its time has come; what is over stays as it is."""
        return self._become(AlertState.EXPIRED, self.holder, self.declined)[0] if self.state in OPEN else self

    def seen_by(self, clerk: str) -> AlertState:
        """The state on this clerk's handheld: who declined sees it declined while the others are still asked."""
        return AlertState.DECLINED if self.state is AlertState.OFFERED and clerk in self.declined else self.state

    def _said(self, clerk: str, answer: Answer) -> bool:
        if answer == "decline":
            return clerk in self.declined
        return self.state is AlertState.CLOSED and self.holder == clerk

    def _become(self, state: AlertState, holder: str | None, declined: frozenset[str]) -> tuple[AlertLife, Verdict]:
        new = replace(self, state=state, holder=holder, declined=declined)
        return (self, Verdict.SAME) if new == self else (replace(new, revision=self.revision + 1), Verdict.CHANGED)
