"""A lane whose disk is full: nothing is done that is not recorded, nothing that happened is lost, and it goes on."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest

from delivery.outgoing import FLUSH_S
from devices.gate_events import Passage
from devices.gate_map import GateCounters
from devices.printer_job import JobState
from edge import lane_runner, lane_work
from edge.lane_types import Phase
from tests.edge.lane_bench import Bench, exit_code, scan


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_work, "AGAIN_S", 0.01)
    monkeypatch.setattr(lane_runner, "DISK_RETRY_S", 0.02)


def full(bench: Bench, on: bool) -> None:
    """Every write fails from now on, as on a full disk; reading works."""
    bench.journal.db.execute(f"PRAGMA query_only = {int(on)}")


def passage(command: int, count: int) -> Passage:
    return Passage(t=time.monotonic(), direction="exit", command_seq=command, count=count)


async def failing(bench: Bench) -> None:
    before = bench.runner.counters["disk_errors"]
    await bench.until(lambda: bench.runner.counters["disk_errors"] > before + 2)


@pytest.mark.row("C1")
async def test_a_passage_waits_for_the_disk_and_is_told_once(tmp_path: Path) -> None:
    async with Bench(tmp_path, printer=None) as bench:
        await bench.accepted()
        bench.decide(give=None)
        await bench.until(lambda: bench.phase is Phase.OPEN)
        command = bench.runner.lane.command
        full(bench, True)
        bench.devices.counters = GateCounters(1, 0, 0, 1, command, 1, 2)
        bench.runner.put(passage(command, 1))
        await failing(bench)
        assert bench.phase is Phase.OPEN  # what is not on disk has not happened
        bench.devices.counters = GateCounters(2, 0, 0, 1, command, 1, 2)
        bench.runner.put(passage(0, 2))  # a second reading, meanwhile
        full(bench, False)
        await bench.until(lambda: bench.phase is Phase.IDLE)
        assert bench.names() == ["scan", "opened", "passage", "passage"]
    async with Bench(tmp_path) as bench:
        assert bench.runner.known == GateCounters(2, 0, 0, 1, command, 1, 2)


async def test_a_code_is_not_accepted_while_nothing_can_be_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_runner, "STALE_S", 0.3)
    async with Bench(tmp_path) as bench:
        await bench.until(lambda: bench.runner._resumed)
        full(bench, True)
        bench.runner.on_scan(scan(exit_code()))
        bench.runner.on_scan(scan("junk"))
        await failing(bench)
        await bench.until(lambda: bench.runner.counters["stale_scans"] == 2)
        assert (bench.phase, bench.devices.opened, bench.runner.counters["refused"]) == (Phase.IDLE, [], 0)
        full(bench, False)
        await bench.accepted()
        assert bench.names() == ["scan"]


async def test_paper_is_not_begun_that_cannot_be_recorded(tmp_path: Path) -> None:
    async with Bench(tmp_path, print_patience_s=30.0) as bench:
        printer = bench.devices.printer
        assert printer is not None
        printer.results = [JobState.PRINTED]
        await bench.accepted()
        asked = 0

        async def counter_then_full() -> int | None:
            nonlocal asked
            asked += 1
            full(bench, asked == 1)
            return 41

        printer.cut_counter = counter_then_full  # type: ignore[method-assign]
        bench.decide()
        await bench.until(lambda: asked == 1 and bench.runner.counters["disk_errors"])
        assert printer.jobs == []
        full(bench, False)
        await bench.until(lambda: bench.phase is Phase.OPEN)
        assert len(printer.jobs) == 1


async def test_a_lane_that_starts_on_a_full_disk_begins_when_there_is_room(tmp_path: Path) -> None:
    async with Bench(tmp_path) as bench:
        await bench.accepted()
    async with Bench(tmp_path) as bench:
        full(bench, True)
        await failing(bench)
        with pytest.raises(sqlite3.OperationalError):
            bench.decide()  # the batch comes to nothing: the hub sends it again
        assert bench.phase is Phase.DECIDING
        full(bench, False)
        bench.devices.printer.results = [JobState.PRINTED]  # type: ignore[union-attr]
        bench.decide()
        await bench.until(lambda: bench.phase is Phase.OPEN)
        assert len(bench.devices.printer.jobs) == 1  # type: ignore[union-attr]


async def test_a_disk_that_fails_after_the_commit_makes_no_event_happen_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Saving sightings in groups fails behind a transaction that was kept: it must not look as if it had failed."""
    async with Bench(tmp_path, printer=None) as bench:
        await bench.accepted()
        bench.decide(give=None)
        await bench.until(lambda: bench.phase is Phase.OPEN)

        def no_room() -> None:
            bench.engine.outgoing.flush_at = time.monotonic() + FLUSH_S
            raise sqlite3.OperationalError("database or disk is full")

        monkeypatch.setattr(bench.engine, "flush", no_room)
        bench.engine.outgoing.flush_at = 0.0
        bench.runner.put(passage(bench.runner.lane.command, 1))
        await bench.until(lambda: bench.phase is Phase.IDLE)
        assert bench.engine.counters["disk_errors"] == 1
        assert bench.names() == ["scan", "opened", "passage"]


async def test_an_event_that_cannot_be_handled_does_not_stop_the_lane(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Bench(tmp_path) as bench:
        monkeypatch.setattr(bench.store, "is_used", lambda code: 1 / 0)
        bench.runner.on_scan(scan(exit_code()))
        await bench.until(lambda: bench.runner.counters["events_failed"] == 1)
        monkeypatch.undo()
        await bench.accepted()
