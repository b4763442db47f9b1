"""Tells the service manager that this program does its work, and stops telling when it does not.

Being alive is not a timer's business: a timer goes on when the work hangs. Each loop that does work is poked and must have
gone round since; only then the next WATCHDOG=1 is sent. A hung event loop sends none, because this runs in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from delivery.notify import Notifier

log = structlog.get_logger()

UNWATCHED_S = 5.0
"""How often to look when nobody set a time limit: for the status line and for health."""
START_S, AGAIN_S = 0.05, 0.25
"""While starting, and while something hangs, it is looked at this often."""


@dataclass(frozen=True, slots=True)
class Check:
    """One loop that does work. `rounds()` grows each time it goes round; `poke()` makes it go round without work."""

    name: str
    rounds: Callable[[], int]
    poke: Callable[[], None] = lambda: None


class Watchdog:
    """`run` until cancelled. `serves()`: whether the program can be told as ready. `status()`: one line about it."""

    def __init__(self, checks: Sequence[Check], status: Callable[[], str], *, notifier: Notifier | None = None,
                 serves: Callable[[], bool] = lambda: True) -> None:  # fmt: skip
        self.notifier = notifier or Notifier()
        self.ready = False
        self.hung: tuple[str, ...] = ()
        """The loops that did not go round since they were poked."""
        self._checks, self._status, self._serves = tuple(checks), status, serves
        limit_s = self.notifier.watchdog_s
        self._every_s = UNWATCHED_S if limit_s is None else min(UNWATCHED_S, limit_s / 2)

    async def run(self) -> None:
        while True:
            before = [check.rounds() for check in self._checks]
            for check in self._checks:
                check.poke()
            await asyncio.sleep(self._every_s if self.ready else min(START_S, self._every_s))
            while self._look(before) or not (self.ready or self._serves()):
                if self.ready:
                    self.notifier.status(f"hung: {', '.join(self.hung)}")
                await asyncio.sleep(AGAIN_S if self.ready else min(START_S, self._every_s))
            if not self.ready:
                self.ready = True
                self.notifier.ready(self._status())
            self.notifier.alive(self._status())

    def _look(self, before: Sequence[int]) -> bool:
        """Whether something hangs. A loop that was late is fine as soon as it has gone round."""
        hung = tuple(c.name for c, rounds in zip(self._checks, before, strict=True) if c.rounds() == rounds)
        if self.ready and hung and not self.hung:
            log.error("a part of this program hangs", parts=list(hung))
        elif self.ready and self.hung and not hung:
            log.info("all parts of this program work again")
        self.hung = hung
        return bool(hung)
