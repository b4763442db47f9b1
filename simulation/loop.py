"""An asyncio event loop without real time and without I/O: the same seed runs the same steps in the same order.

Time stands still while anything is ready, and then jumps to the next timer. Every callback belongs to the program in whose
context it was made, so that one program can be killed, stopped for a while, or slowed down at any step of its own, while the
others and the world go on. A killed program is never stepped again: not a line of its `finally` runs, as after `kill -9`.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from itertools import repeat
from typing import Any, cast
from unittest.mock import patch

__all__ = ["Killed", "Process", "Stuck", "VirtualLoop"]

STEPS_AT_ONCE_MAX = 200_000
"""More steps than this without a moment passing is a program that spins."""
CANCELLED_MAX = 200
"""So many cancelled timers may lie in the heap before it is swept, as in asyncio itself."""


class Killed(BaseException):
    """Raised inside a program that is killed in mid-step, so that nothing of the step happens after this point."""


class Stuck(RuntimeError):
    """A program steps and steps and no time passes."""


class Step:
    """A callback that the loop has to carry out, at once or at a time: what asyncio's handles do, without what they keep for
    debugging. Making those, and theirs for timers, took a twentieth of all simulated runs."""

    __slots__ = ("args", "callback", "context", "in_heap", "loop")

    def __init__(self, loop: VirtualLoop, callback: Callable[..., object], args: tuple[Any, ...],
                 context: contextvars.Context | None, in_heap: bool) -> None:  # fmt: skip
        self.loop, self.callback, self.args, self.in_heap = loop, callback, args, in_heap
        self.context = contextvars.copy_context() if context is None else context

    callback: Callable[..., object] | None
    """None: cancelled."""

    def cancel(self) -> None:
        if self.callback is not None:
            self.callback = None
            self.args = ()
            if self.in_heap:
                self.loop.cancelled_in_heap += 1

    def cancelled(self) -> bool:
        return self.callback is None


class Process:
    """One run of one program. `context` marks its callbacks; `on_kill` is told at the moment of its death."""

    def __init__(self, name: str, loop: VirtualLoop) -> None:
        self.name, self.loop = name, loop
        self.alive = True
        self.context = contextvars.copy_context()
        self.context.run(_PROCESS.set, self)
        self.on_kill: list[Callable[[], None]] = []
        self.steps = 0
        self.kill_at_step: int | None = None
        self.held: deque[Step] = deque()
        self._frozen_until = 0.0

    @property
    def runs(self) -> bool:
        """Whether its callbacks are carried out now."""
        return self.alive and self.loop.time() >= self._frozen_until

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Its main task."""
        return self.loop.create_task(work, name=self.name, context=self.context)

    def soon(self, act: Callable[..., object], *args: object, after_s: float = 0.0) -> None:
        """Something from outside happens to it: a step of its own, later if it is frozen, never if it is dead."""
        self.loop.call_later(after_s, act, *args, context=self.context)

    def freeze(self, for_s: float) -> None:
        """It does not get to run for a while: a busy processor, a slow disk, SIGSTOP."""
        self._frozen_until = max(self._frozen_until, self.loop.time() + for_s)
        self.loop.call_at(self._frozen_until, self._thaw, context=self.loop.outside)

    def _thaw(self) -> None:
        if self.runs:
            self.loop.take_back(self.held)

    def kill(self) -> None:
        """`kill -9`, or the power is gone. When it is in the middle of a step, the caller raises `Killed` as well."""
        if self.alive:
            self.alive = False
            for tell in self.on_kill:
                tell()

    def steps_on(self, step: Step) -> bool:
        """Whether it may carry out this callback now; if not, it is kept for later."""
        if not self.alive or self.loop.now < self._frozen_until:
            self.held.append(step)
            return False
        self.steps += 1
        if self.steps == self.kill_at_step:
            self.held.append(step)
            self.kill()
            return False
        return True


_PROCESS: contextvars.ContextVar[Process] = contextvars.ContextVar("process")


class VirtualLoop(asyncio.BaseEventLoop):
    """`trouble` gets what a callback raised and nobody caught (never `Killed`)."""

    def __init__(self) -> None:
        super().__init__()
        self.outside = contextvars.Context()
        """Of the world: what happens whoever is alive."""
        self.trouble: Callable[[str], None] = lambda _: None
        self.now = 0.0
        self._at_once = 0
        self._ready: deque[Step] = deque()
        self._timers: list[tuple[float, int, Step]] = []
        """In place of asyncio's own: compared without a call of Python, and first come, first served at equal times."""
        self._made = 0
        self.cancelled_in_heap = 0
        self._stopping = False
        self.set_exception_handler(_tell)
        # Asked for each future and each task; answered without a call of Python.
        self.get_debug = bool  # type: ignore[method-assign]
        self.create_future = partial(asyncio.Future, loop=self)  # type: ignore[method-assign]

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Callable[..., object], *args: Any,  # type: ignore[override]
                  context: contextvars.Context | None = None) -> Step:  # fmt: skip
        step = Step(self, callback, args, context, False)
        self._ready.append(step)
        return step

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any,  # type: ignore[override]
                   context: contextvars.Context | None = None) -> Step:  # fmt: skip
        step = Step(self, callback, args, context, True)
        self._made += 1
        heapq.heappush(self._timers, (self.now + delay, self._made, step))
        return step

    def call_at(self, when: float, callback: Callable[..., object], *args: Any,  # type: ignore[override]
                context: contextvars.Context | None = None) -> Step:  # fmt: skip
        step = Step(self, callback, args, context, True)
        self._made += 1
        heapq.heappush(self._timers, (when, self._made, step))
        return step

    def take_back(self, steps: deque[Step]) -> None:
        """Callbacks that were held become ready again, in their order."""
        self._ready.extend(steps)
        steps.clear()

    def bury(self, processes: list[Process]) -> None:
        """At the very end: let the tasks of the dead end, so that nothing is left over. They can do no harm any more."""
        for process in processes:
            process.alive, process.kill_at_step, process._frozen_until = True, None, 0.0
            self.take_back(process.held)
        for _ in range(20):
            tasks = asyncio.all_tasks(self)
            if not tasks:
                return
            for task in tasks:
                task.cancel()
            self._at_once = 0
            self.run_until_complete(asyncio.wait(tasks, timeout=60.0))

    def _run_once(self) -> None:
        """Round after round, until it is told to stop."""
        this = repeat(
            self
        ).__next__  # asyncio's own asks the system for the number of the process, ten thousand times a run
        with (
            patch.object(asyncio, "get_running_loop", this),
            patch.object(asyncio.events, "get_running_loop", this),
            patch.object(asyncio.events, "_get_running_loop", this),
        ):
            self._rounds()

    def _rounds(self) -> None:
        timers, ready = self._timers, self._ready
        while not self._stopping:
            if self.cancelled_in_heap > CANCELLED_MAX:
                self._sweep()
            while timers and timers[0][2].callback is None:
                self.cancelled_in_heap -= 1
                heapq.heappop(timers)
            if not ready:
                if not timers:
                    raise Stuck("nobody does anything any more")
                if timers[0][0] > self.now:
                    self.now, self._at_once = timers[0][0], 0
            while timers and timers[0][0] <= self.now:
                step = heapq.heappop(timers)[2]
                step.in_heap = False
                ready.append(step)
            self._at_once += len(ready)
            if self._at_once > STEPS_AT_ONCE_MAX:
                raise Stuck(f"{self._at_once} steps at {self.now:.6f} s: a program spins")
            for _ in range(len(ready)):
                step = ready.popleft()
                callback = step.callback
                if callback is None:
                    continue
                process = step.context.get(_PROCESS)
                if process is not None and not process.steps_on(step):
                    continue
                try:
                    step.context.run(callback, *step.args)
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as error:
                    self.call_exception_handler({"message": f"{callback!r} failed", "exception": error})

    def _sweep(self) -> None:
        timers = self._timers
        if self.cancelled_in_heap * 2 > len(timers):
            timers[:] = [timer for timer in timers if timer[2].callback is not None]
            heapq.heapify(timers)
            self.cancelled_in_heap = 0

    def _write_to_self(self) -> None:
        """Nobody waits in a system call."""


def _tell(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    if not isinstance(error, Killed):
        cast(VirtualLoop, loop).trouble(f"{context.get('message', '')}: {error!r}")
