"""Every kind of fault strikes, and a torn commit is there or not."""

import random
import sqlite3
from contextlib import closing

import pytest

from simulation.plan import FAULTS, LANE_FAULTS, RADIO_FAULTS, Fault, Plan, Size
from simulation.run import simulate
from simulation.torn import Files, Torn


class EachOnce(Plan):
    """One fault of every kind, one after the other."""

    @property
    def faults(self) -> list[Fault]:
        rng = self.rng("faults")
        return [
            Fault(number, 15.0 + 10.0 * number, kind, self._whom(kind), 4.0, rng.random())
            for number, kind in enumerate(rng.sample(FAULTS, k=len(FAULTS)))
        ]

    def _whom(self, kind: str) -> str:
        if kind in LANE_FAULTS:
            return self.machines[0]
        return self.agents[-1] if kind in RADIO_FAULTS else "hub"


@pytest.mark.row("C9")
@pytest.mark.parametrize("seed", [1, 2])
def test_every_kind_of_fault_strikes_and_every_rule_holds(seed):
    size = Size(customers=25, hours=0.2)
    assert 15.0 + 10.0 * len(FAULTS) < size.seconds
    result = simulate(EachOnce(seed, size))
    assert result.ok, result.broken
    assert [result.counts[f"fault {kind}"] for kind in FAULTS] == [1] * len(FAULTS)
    assert result.counts["killed"] >= 5


@pytest.mark.row("C1")
def test_a_torn_commit_is_there_or_not_and_nothing_else_is_damaged(tmp_path):
    path, rng = tmp_path / "torn.db", random.Random(5)
    outcomes = []
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=15"):
            db.execute(f"PRAGMA {pragma}").fetchall()
        db.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB)")
        for _ in range(50):
            before = Files.read(path)
            db.execute("BEGIN IMMEDIATE")
            for _ in range(rng.randint(1, 5)):
                db.execute("INSERT OR REPLACE INTO t VALUES (?, ?)", (rng.randrange(500), rng.randbytes(2000)))
            db.execute("COMMIT")
            after = Files.read(path)
            outcomes.append((Torn(before, after, rng).held(path), after.main != before.main))
    assert {held for held, _ in outcomes} == {True, False}
    assert {checkpoint for _, checkpoint in outcomes} == {True, False}
