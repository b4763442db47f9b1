"""What docs/operations.md says about backup and restore, done on a hub that runs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.delivery.real import AGENT, HUB, Party, RealBroker, until


def copy(source: Path, target: Path) -> None:
    """As `.backup` of the sqlite3 program does."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


@pytest.mark.row("C1")
async def test_a_hub_restored_from_a_backup_goes_on_and_tells_what_is_missing(tmp_path: Path) -> None:
    live, backup = tmp_path / "hub" / "main.db", tmp_path / "backup.db"
    live.parent.mkdir()
    async with (
        RealBroker("mosquitto", tmp_path / "broker") as broker,
        Party(AGENT, tmp_path, broker.address(AGENT)) as agent,
    ):
        async with Party(HUB, live.parent, broker.address(HUB)) as hub:
            for n in range(10):
                agent.scan(f"a{n}")
            await until(lambda: len(hub.applied()) == 10 and not agent.engine.unacknowledged())
            copy(live, backup)  # while it runs
            for n in range(10):
                agent.scan(f"b{n}")
            await until(lambda: len(hub.applied()) == 20 and not agent.engine.unacknowledged())
        for name in ("main.db", "main.db-wal", "main.db-shm"):
            (live.parent / name).unlink(missing_ok=True)
        copy(backup, live)
        agent.scan("c0")  # while the hub is away
        async with Party(HUB, live.parent, broker.address(HUB)) as hub:
            agent.scan("c1")
            await until(lambda: not agent.engine.unacknowledged())
            assert hub.applied() == [f"a{n}" for n in range(10)] + ["c0", "c1"]
            assert hub.engine.counters["declared_lost"] == 10
            await until(lambda: {"c0", "c1"} <= set(agent.applied()))
