"""What was found. Pure: how it is said stands in `doctor.words`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """How bad it is. Only `error` keeps a store from opening."""

    OK = "ok"
    SKIPPED = "skipped"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    `about` names it as the settings do (`broker`, `printer-1`); `key` is a row of `doctor.words.WORDS`, `values` go into it.
    """

    about: str
    level: Level
    key: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a person has to do now, within `seconds`. `show` is text that the reader is to see as a QR code, or ""."""

    about: str
    key: str
    seconds: float
    values: Mapping[str, Any] = field(default_factory=dict)
    show: str = ""


Said = Finding | Prompt


def worst(findings: Iterable[Finding]) -> Level:
    """The worst level there is; `ok` of nothing."""
    order = list(Level)
    return max((finding.level for finding in findings), key=order.index, default=Level.OK)


def exit_code(findings: Iterable[Finding]) -> int:
    """0: nothing is in the way. 1: something is."""
    return int(worst(findings) is Level.ERROR)
