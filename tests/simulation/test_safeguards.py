"""The simulation notices when a safeguard is missing; all of them by `python -m simulation.safeguards`."""

import pytest

from simulation.plan import Plan
from simulation.run import simulate
from simulation.safeguards.hunt import Caught, hunt, table
from simulation.safeguards.known import SAFEGUARDS, SIZE


@pytest.mark.row("C9")
@pytest.mark.parametrize(
    "name",
    [
        "number check",
        "kept until acknowledged",
        "release",
        "paper is known",
        "one visit a day",
        "repeated posts",
        "lanes are told",
        "calls end",
    ],
)
def test_a_missing_safeguard_is_caught_at_once(name):
    found = hunt(name, limit=4)
    assert found.seeds is not None, found


@pytest.mark.row("C9")
def test_a_safeguard_is_back_after_the_hunt():
    hunt("number check", limit=1)
    assert simulate(Plan(1, SIZE)).ok


def test_the_table():
    text = table([Caught(guard.name, 3, "a rule", "1/3") for guard in SAFEGUARDS])
    assert len(text.splitlines()) == len(SAFEGUARDS) + 2
    assert len({guard.name for guard in SAFEGUARDS}) == len(SAFEGUARDS)
