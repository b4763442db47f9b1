"""Seed after seed without a safeguard, until a rule is broken."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from simulation.plan import Plan
from simulation.run import simulate
from simulation.safeguards.known import SAFEGUARDS


@dataclass(frozen=True)
class Caught:
    """`seeds` until the first broken rule (None: not within the limit); `share` of all that were run to the end of `sample`."""

    name: str
    seeds: int | None
    rule: str
    share: str


def hunt(name: str, first: int = 1, limit: int = 0, sample: int = 0) -> Caught:
    """Run seeds without this safeguard until a rule is broken; then, for the share, `sample` seeds in all."""
    guard = next(guard for guard in SAFEGUARDS if guard.name == name)
    caught: int | None = None
    rule, broken, runs = "", 0, 0
    for seed in range(first, first + max(limit or guard.limit, sample)):
        if caught is not None and runs >= sample:
            break
        with guard.out():
            result = simulate(Plan(seed, guard.size))
        runs += 1
        if not result.ok:
            broken += 1
            if caught is None:
                caught, rule = runs, result.broken[0].partition(":")[0]
    return Caught(name, caught, rule, f"{broken}/{runs}")


def table(found: Iterable[Caught]) -> str:
    """Markdown."""
    known = {guard.name: guard for guard in SAFEGUARDS}
    head = ("safeguard", "taken out", "caught after seeds", "at most", "rule broken")
    rows = [(c.name, known[c.name].what, str(c.seeds or "not caught"), str(known[c.name].limit), c.rule) for c in found]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows))
