"""Papers that a lane has given up as unknown, and which may still come out (row C4)."""

from __future__ import annotations

from contract.payloads import LanePrinted
from edge.lane_types import PrintEnded

PAPERS_MAX = 100


class DoubtfulPapers:
    """By print job, the newest 100."""

    def __init__(self) -> None:
        self._told: dict[str, LanePrinted] = {}

    def remember(self, job: str, told: LanePrinted) -> None:
        """The hub was told `unknown`."""
        self._told[job] = told.model_copy(update={"outcome": "printed", "detail": "confirmed late"})
        while len(self._told) > PAPERS_MAX:
            self._told.pop(next(iter(self._told)))

    def late(self, event: PrintEnded) -> LanePrinted | None:
        """What the hub is to be told when such a paper came out after all; else None."""
        return self._told.get(event.job) if event.outcome == "printed" else None

    def forget(self, job: str) -> None:
        """It was told."""
        self._told.pop(job, None)
