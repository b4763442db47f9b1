"""A hub of an older release is brought up to date with everything that it holds."""

from __future__ import annotations

from delivery.journal import Journal
from hub.database.schema import MIGRATIONS


def before(name: str):
    """The migrations older than this one."""
    return MIGRATIONS[: [each for each, _ in MIGRATIONS].index(name)]


def test_alerts_of_an_older_release_are_kept_with_their_clerks(tmp_path):
    path = tmp_path / "hub.sqlite"
    old = Journal(path, before("hub-5"))
    old.db.execute("INSERT INTO customer (customer) VALUES ('C1')")
    old.db.execute(
        "INSERT INTO visit (visit, customer, day, agent, opened, good, decided) "
        "VALUES ('v1', 'C1', '2026-03-01', 'door', '2026-03-01T01:00:00Z', 1, 'yes')"
    )
    old.db.execute(
        "INSERT INTO alert VALUES ('a-1', 'v1', 'service_request', 'C1', 'accepted', 'c02', 2, 'ja', 'en', "
        "'2026-03-01T01:00:00Z', '2026-03-01T01:15:00Z', '2026-03-01T01:00:05Z', '2026-03-01T01:00:05Z', 'm-1')"
    )
    old.db.executemany("INSERT INTO alert_clerk VALUES ('a-1', ?, ?, ?)", [("c01", "main", 1), ("c02", "deputy", 0)])
    old.close()
    new = Journal(path, MIGRATIONS)
    columns = "alert, state, holder, revision, message_ja, cause, subject, outcome, escalate_at, sense_at"
    assert new.db.execute(f"SELECT {columns} FROM alert").fetchall() == [
        ("a-1", "accepted", "c02", 2, "ja", "m-1", "", None, None, None)
    ]
    assert new.db.execute("SELECT * FROM alert_clerk ORDER BY clerk").fetchall() == [
        ("a-1", "c01", "main", 1),
        ("a-1", "c02", "deputy", 0),
    ]
    assert new.db.execute("PRAGMA foreign_key_check").fetchall() == []
    new.db.execute("DELETE FROM visit")
    assert new.db.execute("SELECT (SELECT count(*) FROM alert) + (SELECT count(*) FROM alert_clerk)").fetchone() == (0,)
    new.close()
