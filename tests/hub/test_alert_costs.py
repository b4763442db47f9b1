"""What requests to clerks cost the database: little in a visit, and in a tick nothing that grows with the years."""

from __future__ import annotations

import pytest

from hub.database import alerts as alert_rows


@pytest.mark.row("A7")
def test_a_visit_reads_its_customer_once(store, beacons):
    asked: list[str] = []
    store.journal.db.set_trace_callback(asked.append)
    store.sight(beacons[0])
    store.journal.db.set_trace_callback(None)
    of = [sql for sql in asked if sql.startswith("SELECT")]
    assert sum("FROM customer WHERE" in sql and "spent_minor" in sql for sql in of) == 1
    assert sum("FROM deputy" in sql for sql in of) == 1
    assert sum("alert_clerk" in sql for sql in of) == 0
    assert not any("sensing" in sql or "'sensing'" in sql for sql in asked)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("left", ("2026-03-01",)),
        ("past", ("2026-03-01", "2026-03-01")),
        ("to_escalate", ("2026-03-01",)),
        ("to_send_again", ("2026-03-01", "2026-03-01")),
        ("of_clerk", ("c01", "2026-03-01")),
        ("bought", ()),
        ("open_count", ()),
    ],
)
def test_a_tick_never_reads_the_alerts_of_all_years(store, name, arguments):
    asked: list[str] = []
    store.journal.db.set_trace_callback(asked.append)
    getattr(alert_rows, name)(store.journal.db, *arguments)
    store.journal.db.set_trace_callback(None)
    plan = [row[3] for row in store.all(f"EXPLAIN QUERY PLAN {asked[0]}")]
    assert any("alert_open" in step for step in plan), plan
    assert not [step for step in plan if step.startswith("SCAN alert") and "alert_open" not in step], plan
