"""A sale that comes to the hub after its customer has come to the lane (rows B8, C1, C2)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from contract import exit_code
from contract.exit_code import ExitClaims
from tests.hub.conftest import Store
from tests.hub.granted import HER, write

# --- a sale that comes after her


class Offline:
    """A POS that makes exit codes and posts its sales later."""

    def __init__(self, store: Store, sale: str = "S-77") -> None:
        self.store, self.sale, self.code_id = store, sale, "11" * 8
        claims = ExitClaims(
            "ginza", sale, store.now.replace(microsecond=0), store.now + timedelta(hours=1), self.code_id
        )
        self.code = exit_code.issue(claims, store.keys.signing, store.keys.kid)

    def scan(self, id: str = "scan-1") -> Any:
        said = self.store.scan(self.code, sale=self.sale, code_id=self.code_id, id=id)
        return next(m.data for m in said if m.channel.name == "lane_decision")

    def settled(self) -> list[tuple[str, str]]:
        return [(m.data.coupon, m.data.outcome) for m in self.store.of("incentive_settled")]


@pytest.mark.row("B8", "C1", "C2")
@pytest.mark.parametrize("kill", [False, True])
def test_the_incentive_follows_the_sale(store: Store, kill: bool) -> None:
    write(store, "points = 20\namount_minor = 100")
    before = store.one("SELECT exits, points FROM customer WHERE customer = ?", HER)
    late = Offline(store)
    assert late.scan().incentive is None
    store.passage()
    if kill:
        store.restart()
    store.later(hours=2)
    for _ in range(3):
        store.sell("S-77", 3000, HER)
    store.listen()
    assert store.all("SELECT state, give, ways, customer FROM incentive") == [("committed", "electronic", "", HER)]
    after = store.one("SELECT exits, points FROM customer WHERE customer = ?", HER)
    assert (after[0] - before[0], after[1] - before[1]) == (1, 20 + 30), "and 30 points for the purchase itself"
    assert [outcome for _, outcome in late.settled()] == ["committed"]
    store.passage()
    assert store.one("SELECT count(*) FROM incentive") == (1,)
    assert store.one("SELECT count(*) FROM owed") == (0,)


@pytest.mark.row("C1")
def test_the_sale_comes_while_she_stands_in_the_gate(store: Store) -> None:
    write(store, "")
    late = Offline(store)
    late.scan()
    store.sell("S-77", 3000, HER)
    assert late.settled() == []
    store.passage()
    assert [outcome for _, outcome in late.settled()] == ["committed"]


def test_scanned_again_once_the_sale_is_known_it_is_as_always(store: Store) -> None:
    write(store, "")
    late = Offline(store)
    late.scan()
    store.passage("not_passed")
    store.sell("S-77", 3000, HER)
    assert late.scan("scan-2").incentive is not None
    store.passage(scan="scan-2")
    assert store.one("SELECT count(*) FROM incentive WHERE state = 'committed'") == (1,)
    assert store.one("SELECT count(*) FROM owed") == (0,)


def test_a_sale_of_whom_nobody_knows_waits_for_her(store: Store) -> None:
    write(store, "")
    Offline(store).scan()
    store.passage()
    store.sell("S-77", 3000, "C9999")
    assert store.one("SELECT count(*) FROM incentive") == (0,)
    store.journal.db.execute("INSERT INTO customer (customer) VALUES ('C9999')")
    store.sell("S-77", 3000, "C9999")
    assert store.one("SELECT customer, state FROM incentive") == ("C9999", "committed")


def test_a_late_sale_without_a_customer_brings_nothing_and_says_so(store: Store) -> None:
    write(store, "")
    Offline(store).scan()
    store.passage()
    store.sell("S-77", 3000, None)
    assert store.one("SELECT count(*) FROM incentive") == (0,)
    assert "nobody knows whose purchase it was" in store.one("SELECT summary FROM trace WHERE id LIKE '%.late'")[0]
    assert store.one("SELECT count(*) FROM owed") == (0,)


def test_what_never_comes_is_forgotten(store: Store) -> None:
    Offline(store).scan()
    store.passage()
    store.later(days=31)
    with store.engine.transaction() as tx:
        store.hub.clean(tx)
    assert store.one("SELECT count(*) FROM owed") == (0,)
