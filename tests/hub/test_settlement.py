"""Whatever two lanes do with two codes, whatever is delivered twice, whenever the hub is killed: each purchase brings its
incentive at most once, a used code is one that somebody passed with, and accounts agree (rows C1, C3)."""

from __future__ import annotations

from random import Random

import pytest

SEEDS = range(25)


@pytest.mark.row("C1")
@pytest.mark.row("C3")
@pytest.mark.parametrize("seed", SEEDS)
def test_accounts_agree_after_anything(store, seed):
    rng = Random(seed)
    codes = {sale: store.sell(sale).exit_code for sale in ("S-1", "S-2")}
    scans: list[tuple[str, str]] = []
    passed: set[str] = set()
    for step in range(40):
        store.later(seconds=rng.choice([0.1, 5, 130]))
        lane = rng.choice("12")
        act = rng.choice(["scan", "scan", "end", "end", "end", "repeat", "print", "kill", "tick"])
        if act == "scan":
            sale = rng.choice(list(codes))
            scans.append((f"scan-{seed}-{step}", lane))
            store.scan(codes[sale], sale=sale, id=scans[-1][0], lane=lane)
        elif act == "repeat" and scans:
            id, lane = rng.choice(scans)
            sale = store.one("SELECT sale FROM scan WHERE scan = ?", id)[0]
            store.scan(codes[sale], sale=sale, id=id, lane=lane)
        elif act == "end" and scans:
            id, lane = rng.choice(scans[-3:])
            outcome = rng.choice(["passed", "passed", "not_passed", "fault", "fire_open"])
            store.passage(outcome, scan=id, lane=lane, offline=rng.random() < 0.2)
            if outcome == "passed":
                passed.add(store.one("SELECT code FROM scan WHERE scan = ?", id)[0])
        elif act == "print" and (row := store.one("SELECT coupon, scan FROM incentive ORDER BY random() LIMIT 1")):
            store.printed(row[0], rng.choice(["printed", "unknown", "failed"]), scan=row[1])
        elif act == "kill":
            store.restart()
        elif act == "tick":
            store.tick()

    used = {code for (code,) in store.all("SELECT code FROM exit_code WHERE used IS NOT NULL")}
    assert used == passed, f"seed {seed}"
    assert store.one("SELECT exits FROM customer WHERE customer = 'C0001'") == (len(used),), f"seed {seed}"
    for code, state in store.all("SELECT code, state FROM incentive"):
        assert (state == "committed") == (code in used), f"seed {seed}: {code} is {state}"
    committed = [m.data.coupon for m in store.of("incentive_settled") if m.data.outcome == "committed"]
    assert len(committed) == len(set(committed)) == len(used), f"seed {seed}"
    assert "quarantined" not in store.counters, f"seed {seed}"
