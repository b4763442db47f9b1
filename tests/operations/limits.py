"""Figures against their limits, as the long runs print them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """One figure against its limit. A figure that is not a number does not hold."""

    what: str
    figure: float
    most: float

    @property
    def holds(self) -> bool:
        return self.figure <= self.most

    def __str__(self) -> str:
        return f"{'ok  ' if self.holds else 'FAIL'} {self.what}: {self.figure:,.6g} (at most {self.most:,.6g})"
