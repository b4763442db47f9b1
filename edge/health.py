"""Keeps the agent's workers going: one that fails or hangs is told, counted and started anew; the others never notice.

A worker is a driver's or a lane's `run`. It hangs when none of the loops that its `devices.pulse.Pulse` counts, or one of
them, goes round for `limit_s` although it ought to.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from devices.pulse import Pulse
from devices.status import DeviceStatus, PowerState

log = structlog.get_logger()

HANGS_AFTER_S = 10.0
"""A loop that does not go round for so long hangs. Nothing that a driver does rightly takes longer at one go."""
LOOK_EVERY_S = 1.5
"""With what follows, a worker that hangs works again within 15 s: 10 + 1.5 + 1 + 1."""
CANCEL_S = 1.0
"""One that does not even end is left to itself after so long."""
AGAIN_S, AGAIN_MAX_S = 1.0, 30.0
"""Before a restart, doubling with each one in a row; after `STEADY_S` of work it counts from the beginning."""
STEADY_S = 60.0


@dataclass(slots=True)
class Health:
    """What happened to the workers of one agent, by name, since its start."""

    failed: Counter[str] = field(default_factory=Counter)
    hung: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    """Hung ones that did not end when they were cancelled: they hold on to their port until the program is started anew."""

    def restarts(self, name: str) -> int:
        return self.failed[name] + self.hung[name]

    def all_restarts(self) -> int:
        return self.failed.total() + self.hung.total()


class Hung(RuntimeError):
    """A worker does nothing."""


def _nobody(_status: DeviceStatus) -> None:
    pass


async def keep_running(
    name: str,
    run: Callable[[], Awaitable[None]],
    tell: Callable[[DeviceStatus], None] = _nobody,
    *,
    pulse: Callable[[], Pulse] | None = None,
    renew: Callable[[], None] = lambda: None,
    poke: Callable[[], None] = lambda: None,
    health: Health | None = None,
) -> None:
    """Run a worker until cancelled. Whatever it does, this goes on.

    `tell` hears of each restart. `pulse` is asked for the pulse of the worker as it is now; `poke` lets one that waits go
    round; `renew` makes a new worker in place of a broken one, before it is run again.
    """
    health = health or Health()
    again_s = AGAIN_S
    clock = asyncio.get_running_loop().time
    while True:
        began = clock()
        try:
            await _watched(run, pulse() if pulse is not None else None, poke)
        except Hung as hung:
            health.hung[name] += 1
            health.left[name] += hung.args[1]
            log.error("a worker hangs and is started anew", worker=name, reason=hung.args[0])
            tell(DeviceStatus(PowerState.OFF_OFFLINE, reason=f"its driver hung: {hung.args[0]}; it is started anew"))
        except Exception as error:
            health.failed[name] += 1
            log.error("a worker failed and is started anew", worker=name, error=repr(error), exc_info=True)
            tell(DeviceStatus(PowerState.OFF_OFFLINE, reason=f"its driver failed ({error!r:.200}); it is started anew"))
        if clock() - began >= STEADY_S:
            again_s = AGAIN_S
        await asyncio.sleep(again_s)
        again_s = min(again_s * 2, AGAIN_MAX_S)
        try:
            renew()
        except Exception as error:
            log.error("a worker could not be made anew, the old one goes on", worker=name, error=repr(error))


async def _watched(run: Callable[[], Awaitable[None]], pulse: Pulse | None, poke: Callable[[], None]) -> None:
    """Run once. Raises what it raises, or Hung with a reason and whether it was left to itself."""
    if pulse is None:
        await run()
        return
    pulse.begin()
    work = asyncio.ensure_future(run())
    try:
        reason = await _until_it_hangs(work, pulse, poke)
        if not reason:
            if work.cancelled():
                raise RuntimeError("it cancelled itself")
            work.result()
            return
        work.cancel()
        await asyncio.wait({work}, timeout=CANCEL_S)
        raise Hung(reason, not work.done())
    finally:
        if not work.done():
            work.cancel()
            await asyncio.wait({work}, timeout=CANCEL_S)
        if work.done() and not work.cancelled():
            work.exception()  # looked at: what a cancelled worker says on its way out is no news


async def _until_it_hangs(work: asyncio.Future[None], pulse: Pulse, poke: Callable[[], None]) -> str:
    """What hangs, or "" when the worker has ended by itself."""
    clock = asyncio.get_running_loop().time
    none = "it has not begun"  # stands for a loop while no loop works
    since = {none: (0, clock())}
    while True:
        await asyncio.wait({work}, timeout=LOOK_EVERY_S)
        if work.done():
            return ""
        now = clock()
        rounds = pulse.working() or {none: 0}
        since = {
            loop: since[loop] if loop in since and since[loop][0] == count else (count, now)
            for loop, count in rounds.items()
        }
        loop, (_, at) = min(since.items(), key=lambda item: item[1][1])
        if now - at >= HANGS_AFTER_S:
            what = loop if loop == none else f"its loop {loop!r} stands still"
            return f"{what} for {now - at:.0f} s"
        if now - at >= HANGS_AFTER_S / 4:
            poke()
