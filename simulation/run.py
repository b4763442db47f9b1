"""One run of the simulated store, and what came of it."""

from __future__ import annotations

import gc
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import structlog

from simulation.chance import from_seed
from simulation.loop import Stuck
from simulation.plan import Plan
from simulation.stock import RAM, hub_parts
from simulation.store import Store
from simulation.truth import Truth


@dataclass(frozen=True)
class Result:
    """What came of one run. `digest` is the SHA-256 of its trace: the same for the same plan, always and everywhere."""

    seed: int
    broken: tuple[str, ...]
    digest: str
    hours: float
    wall_s: float
    counts: dict[str, int]
    trace: tuple[str, ...] = ()
    cpu_s: float = 0.0

    @property
    def ok(self) -> bool:
        return not self.broken


def simulate(plan: Plan, *, keep_trace: bool = False) -> Result:
    """One run. The same plan gives the same result, to the byte of its trace."""
    began, used = time.perf_counter(), time.process_time()
    quiet = structlog.get_config()
    folder = tempfile.mkdtemp(prefix="store-", dir=RAM if RAM.is_dir() else None)
    with from_seed(Random("stock")):  # chance of its own, so that the first run of a process is like any other
        hub_parts()
    try:
        with _seldom_collected(), from_seed(plan.rng("chance"), pace=plan.size.pace):
            result = _run(plan, Path(folder), keep_trace)
        return replace(result, wall_s=time.perf_counter() - began, cpu_s=time.process_time() - used)
    finally:
        structlog.configure(**quiet)
        shutil.rmtree(folder)


def _run(plan: Plan, folder: Path, keep_trace: bool) -> Result:
    """All but its times. Nothing of the store lives any more then, so that the collector need not look at what does."""
    store = Store(plan, folder, keep_trace=keep_trace)
    truth = store.truth
    structlog.configure(processors=[_Listener(truth, store.service.on_log)], wrapper_class=structlog.BoundLogger,
                        logger_factory=structlog.ReturnLoggerFactory(), cache_logger_on_first_use=False)  # fmt: skip
    try:
        store.run()
    except Stuck as stuck:
        truth.breaks("no program spins", str(stuck))
    except BaseException:
        store.close()
        raise
    hours, counts = store.loop.time() / 3600, dict(sorted(truth.counts.items()))
    result = Result(plan.seed, tuple(truth.broken), truth.digest, hours, 0.0, counts, tuple(truth.trace))
    store.close()
    return result


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Without the collector's frequent rounds: they were a tenth of a run, and found next to nothing."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*before)


class _Listener:
    """What the programs log: an exception that they survive is a fault of theirs all the same."""

    def __init__(self, truth: Truth, on_text: Callable[[str], None]) -> None:
        self._truth, self._on_text = truth, on_text

    def __call__(self, _logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        self._on_text(str(event))
        if event.get("exc_info") or method in ("exception", "critical"):
            details = " ".join(f"{key}={value}" for key, value in event.items() if key not in ("event", "exc_info"))
            self._truth.breaks("no program fails", f"{event['event']} {details}")
        raise structlog.DropEvent
