"""The few faults that a failure needs: delta debugging over the list of faults (Zeller and Hildebrandt, ddmin).

Faults are decided before a run and do not depend on one another, so that leaving one out changes nothing else of the plan.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from simulation.plan import Plan
from simulation.run import Result, simulate

Run = Callable[[Plan], Result]


def shrink(plan: Plan, *, run: Run = simulate, told: Callable[[str], None] = lambda _: None) -> tuple[Plan, Result]:
    """The plan with as few faults as still break a rule, and its result. Raises ValueError when nothing is broken."""
    first = run(plan)
    if first.ok:
        raise ValueError(f"seed {plan.seed} breaks no rule: there is nothing to shrink")
    rule = first.broken[0].partition(":")[0]
    best = plan, first
    numbers = [fault.number for fault in plan.faults]
    parts = 2
    while numbers:
        smaller = None
        size = max(1, len(numbers) // parts)
        for at in range(0, len(numbers), size):
            rest = numbers[:at] + numbers[at + size :]
            tried = replace(plan, keep=frozenset(rest))
            result = run(tried)
            if not result.ok and result.broken[0].partition(":")[0] == rule:
                smaller, best = rest, (tried, result)
                break
        if smaller is not None:
            numbers, parts = smaller, max(2, parts - 1)
            told(f"{len(numbers)} faults are enough")
        elif size == 1:
            break
        else:
            parts = min(len(numbers), parts * 2)
    return best
