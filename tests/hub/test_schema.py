"""A hub of an older release is brought up to date with everything that it holds."""

from __future__ import annotations

import pytest

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


def test_what_lanes_gave_before_budgets_counts_in_them(tmp_path):
    path = tmp_path / "hub.sqlite"
    old = Journal(path, before("hub-16"))
    old.db.execute("INSERT INTO sale (sale, amount_minor, currency, paid_on, device, sold, day, posted_by, fingerprint) "
                   "VALUES ('S-1', 3000, 'JPY', 'terminal', '', '2026-03-01T01:00:00Z', '2026-03-01', 'pos', 'f')")  # fmt: skip
    old.db.execute("INSERT INTO sale_tender VALUES ('S-1', 0, 'card', 3000)")
    for number, (state, paper) in enumerate(
        [("committed", "printed"), ("reserved", ""), ("released", ""), ("released", "printed")]
    ):
        old.db.execute(
            "INSERT INTO incentive VALUES (?, ?, 's', 'S-1', NULL, 'thanks', 'discount', 'a', 'a', 200, 0, 'print', ?, ?, "
            "'2026-03-01T01:00:00.000000Z', NULL, '2026-03-31T01:00:00.000000Z')",
            (f"K{number}", f"c{number}", paper, state),
        )
    old.close()
    new = Journal(path, MIGRATIONS)
    assert new.db.execute("SELECT rule, day, count, worth_minor FROM incentive_day").fetchall() == [
        ("thanks", "2026-03-01", 3, 600)
    ], "a slip that is in somebody's hand counts also while nobody has passed"
    assert new.db.execute("SELECT count(*) FROM incentive_part").fetchone() == (4,)
    assert new.db.execute("SELECT DISTINCT valid_from FROM incentive").fetchone() == ("2026-03-01T01:00:00.000000Z",)
    assert new.db.execute("SELECT paid_on FROM sale_tender").fetchone() == ("terminal",)
    new.db.execute("UPDATE incentive SET state = 'released' WHERE coupon IN ('K0', 'K1')")
    assert new.db.execute("SELECT count, worth_minor FROM incentive_day").fetchone() == (2, 400)
    new.close()


@pytest.mark.row("B8")
def test_what_tills_took_before_is_in_its_sums(tmp_path):
    """And whatever comes, goes, or is taken back, in whichever order."""
    path = tmp_path / "hub.sqlite"
    old = Journal(path, before("hub-19"))

    def part(db, coupon: str, rule: str, worth: int) -> None:
        db.execute(
            "INSERT INTO incentive_part VALUES (?, ?, '2026-03-01', 0, 0, 0, NULL, ?, NULL)", (coupon, rule, worth)
        )

    for number in range(3):
        part(old.db, f"K{number}", "a", 200)
    part(old.db, "K0", "b", 50)
    for number in range(2):
        old.db.execute("INSERT INTO redemption VALUES (?, 'S', 'pos', '2026-03-02')", (f"K{number}",))
    old.close()
    new = Journal(path, MIGRATIONS)

    def sums() -> dict[str, tuple[int, int]]:
        kept = new.db.execute("SELECT rule, count, worth_minor FROM redeemed_day WHERE count").fetchall()
        counted = new.db.execute("SELECT rule, count(*), sum(worth_minor) FROM redemption JOIN incentive_part USING (coupon) "
                                 "GROUP BY rule").fetchall()  # fmt: skip
        assert kept == counted
        return {rule: (count, worth) for rule, count, worth in kept}

    assert sums() == {"a": (2, 400), "b": (1, 50)}
    new.db.execute("INSERT INTO redemption VALUES ('K2', 'S', 'pos', '2026-03-02')")
    assert sums() == {"a": (3, 600), "b": (1, 50)}
    part(new.db, "K2", "b", 7)
    new.db.execute("DELETE FROM redemption WHERE coupon = 'K0'")
    assert sums() == {"a": (2, 400), "b": (1, 7)}
    new.db.execute("DELETE FROM incentive_part WHERE coupon = 'K2'")
    assert sums() == {"a": (1, 200)}
    new.close()
