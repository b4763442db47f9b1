"""Nonsense without end is counted; the log and the database get a share of it."""

from __future__ import annotations

from pathlib import Path

from delivery import complaints
from delivery.complaints import Complaints
from delivery.engine import Engine
from delivery.journal import Journal
from tests.delivery.real import HUB

TOPIC = "instore/s1/clerk/c01/answer"


def test_each_client_has_its_own_allowance_that_comes_back_with_time() -> None:
    told = Complaints()
    assert sum(told.may(TOPIC, 0.0) for _ in range(1000)) == complaints.BURST
    assert told.may("instore/s1/clerk/c02/answer", 0.0)
    assert sum(told.may(TOPIC, n / 100) for n in range(1000)) == 9  # ten seconds, one each
    assert told.may(TOPIC, 1000.0)


def test_made_up_clients_do_not_fill_the_memory() -> None:
    told = Complaints()
    for n in range(5000):
        assert told.may(f"a/b/{n}/d/e", 0.0)
    assert len(told._left) <= complaints.CLIENTS_MAX


def test_all_are_counted_and_some_are_kept(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "hub.db")
    engine = Engine(journal, HUB, "s1", lambda message, tx: None)
    engine.receive([(TOPIC, b"{")] * 1000)
    kept = journal.db.execute("SELECT count(*) FROM quarantine").fetchone()[0]
    assert engine.counters["quarantined"] == 1000
    assert kept == complaints.BURST == 1000 - engine.counters["quarantined_unkept"]
    journal.close()
