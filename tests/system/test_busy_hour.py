"""A short share of the busy hour (rows C1, C9, C11): kills, network, disk and clocks, and an audit that would notice.

The long runs are `python -m tests.system.busy_hour`, with figures in docs/reliability.md. `INSTORE_SEED` repeats a random one.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.system.busy_faults import Fault
from tests.system.busy_hour import Options, Played, run
from tests.system.playing import leftovers
from tests.system.wall_clock import MEMORY, WallClock, sweep

pytestmark = [pytest.mark.system, pytest.mark.row("C1"), pytest.mark.row("C9"), pytest.mark.row("C11")]

OVER_S = 6.0
"""Customers come and faults happen over so long."""
FEW = 6
FIXED = [
    Fault(0.0, "clock", ("edge-exit",), how="7200", for_s=15),
    Fault(0.0, "clock", ("hub",), how="600", for_s=6),
    Fault(1.5, "clock", ("edge-entrance",), how="-7200", for_s=12),
    Fault(1.0, "disk", ("hub",), how="full", for_s=2),
    Fault(2.0, "network", ("hub",), how="half_open", for_s=2),
    Fault(3.0, "network", ("edge-entrance",), how="black_hole", for_s=2),
    Fault(3.0, "kill", ("edge-exit",), "decision", 0.02),
    Fault(3.1, "kill", ("hub",), "printed"),
    Fault(4.5, "kill", ("sim-printer", "edge-entrance")),
    Fault(5.0, "disk", ("edge-exit",), how="full", for_s=2),
    Fault(6.0, "network", ("edge-exit",), how="cut", for_s=2),
    Fault(6.5, "kill", ("broker",), "opened"),
]
TAMPERED = {
    "UPDATE exit_code SET used = NULL WHERE rowid = (SELECT min(rowid) FROM exit_code WHERE used IS NOT NULL)": "counts as unused",
    "UPDATE scan SET passage = 'not_passed' WHERE rowid = (SELECT min(rowid) FROM scan WHERE passage = 'passed')": "passages in the hub's books",
    "DELETE FROM incentive WHERE rowid = (SELECT max(rowid) FROM incentive)": "incentives by sale: missing",
    "UPDATE incentive SET state = 'reserved' WHERE rowid = 1": "is not committed",
    "UPDATE incentive SET coupon = 'K' WHERE rowid = (SELECT rowid FROM incentive WHERE paper = 'printed')": "does not know",
    "UPDATE sale SET amount_minor = amount_minor + 1 WHERE sale LIKE 'S%'": "acknowledged and not booked",
    "DELETE FROM alert WHERE rowid = 1": "service requests: missing",
    "UPDATE customer SET exits = exits + 1 WHERE customer = 'C0011'": "it should be",
    "DELETE FROM trace WHERE type = 'instore.lane.opened.v1'": "was said and is not in the trace",
    "UPDATE inbox_mark SET taken = taken - 1 WHERE stream = 'critical'": "was on the wire",
}
"""One thing that was lost or done twice, and what the audit says of it."""


async def played(folder: Path, broker: str, seed: str, planned: list[Fault] | None = None) -> Played:
    told: list[str] = []
    found = await run(
        Options(seed, broker, OVER_S, FEW, ("kills", "network"), stays_s=(1.0, 4.0)), folder, told.append, planned
    )
    assert found.result.wrong == [], "\n".join([f"INSTORE_SEED={seed}", *told])
    assert found.result.counts["exits"] == FEW
    assert sum(found.result.faults.values()) > 0
    assert leftovers(folder) == []
    return found


async def test_every_kind_of_fault_and_an_audit_that_bites(tmp_path: Path) -> None:
    """The lane's clock is two hours ahead all the time, the entrance's two hours behind; the hub's was ten minutes ahead when
    it issued the first codes."""
    found = await played(tmp_path, "mosquitto", "fixed", FIXED)
    assert set(found.result.faults) == {
        "kill",
        "network black_hole",
        "network half_open",
        "network cut",
        "disk",
        "clock",
    }
    hub = found.stage.database("hub")
    with closing(sqlite3.connect(hub)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for sql, said in TAMPERED.items():
        shutil.copy(hub, tmp_path / "kept")
        with closing(sqlite3.connect(hub)) as db, db:
            assert db.execute(sql).rowcount > 0, sql
        with closing(sqlite3.connect(hub)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        wrong, _ = found.audit()
        assert any(said in line for line in wrong), (sql, wrong)
        shutil.copy(tmp_path / "kept", hub)
    assert found.audit()[0] == []


async def test_faults_at_random(tmp_path: Path) -> None:
    seed = os.environ.get("INSTORE_SEED") or os.urandom(4).hex()
    print(f"INSTORE_SEED={seed}")
    await played(tmp_path, "amqtt", seed)


async def test_the_clock_of_one_process_is_set_while_it_runs(tmp_path: Path) -> None:
    """What the clock faults rest on: the wall's time jumps, in Python and in SQLite, the monotonic clock does not."""
    clock = WallClock(tmp_path / "clock")
    program = """
import sqlite3, sys, time
db, wall, even = sqlite3.connect(":memory:"), time.time(), time.monotonic()
for _ in sys.stdin:
    (sql,) = db.execute("SELECT strftime('%s', 'now')").fetchone()
    print(round((time.time() - wall) - (time.monotonic() - even)), round(int(sql) - time.time()), flush=True)
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, env={**os.environ, **clock.environment}, stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE)  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        for off_s in (0, -7200, 600):
            clock.set(off_s)
            async with asyncio.timeout(30):
                jumped = None
                while jumped is None or abs(jumped - off_s) > 1:  # it looks once a second
                    await asyncio.sleep(0.2)
                    process.stdin.write(b"\n")
                    jumped, sqlite_off = map(int, (await process.stdout.readline()).split())
                assert abs(sqlite_off) <= 1
    finally:
        process.stdin.close()
        await process.wait()
        sweep()
    assert not list(MEMORY.glob(f"*faketime_*_{process.pid}"))
