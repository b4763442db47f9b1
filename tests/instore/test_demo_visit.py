"""What a customer of the demo waits for: her own request, and nobody else's answer."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from instore.demo import stage as stages
from instore.demo.record import Record
from instore.demo.stage import Stage
from instore.demo.summary import summary
from instore.demo.visit import Play, Shopper, Visit

HANAKO = Shopper("C0001", "Hanako", "ibeacon:x", 5480, good=True)


class Nobody:
    """A stage on which only what the test says happens."""

    def __init__(self) -> None:
        self.record = Record(lambda _happening: None)

    async def catch_up(self) -> None:
        return None


def alert(record: Record, kind: str, state: str) -> None:
    data = {"kind": kind, "state": state, "customer": {"customer": "C0001"}}
    record.add("instore.alert.v1", {"id": f"{kind} {state}", "data": data})


async def served(stage: Any) -> asyncio.Task[None]:
    visit = Visit(HANAKO, "S1", times={"sighting": time.monotonic()})
    task = asyncio.create_task(Play(stage)._be_served(visit))
    await asyncio.sleep(0)
    return task


@pytest.mark.row("C11")
async def test_a_treatment_that_is_accepted_is_not_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker died as the request was answered: the answer comes again after two seconds, the treatment's was in time."""
    monkeypatch.setattr("instore.demo.visit.TREATED_S", 0.01)
    stage = Nobody()
    task = await served(stage)
    alert(stage.record, "service_request", "offered")
    alert(stage.record, "special_treatment", "accepted")
    for _ in range(20):
        await asyncio.sleep(0)
    assert not task.done()
    alert(stage.record, "service_request", "accepted")
    async with asyncio.timeout(30):
        await task


async def test_an_answer_that_only_the_hub_knows_of_counts_but_not_a_treatments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("instore.demo.visit.TREATED_S", 0.01)
    monkeypatch.setattr("instore.demo.visit.STEP_S", 0.02)

    def hop(name: str, type_: str, cause: str, summary: str) -> dict[str, str]:
        return {"id": name, "type": type_, "source": "x", "cause": cause, "summary": summary}

    hops = [
        hop("h1", "instore.alert.v1", "v", "to c01 (main): service request for C0001"),
        hop("h2", "instore.alert.v1", "t", "to c01 (main): special treatment for C0001"),
        hop("a2", "instore.alert.answer.v1", "h2", "c01: accept (changed)"),
    ]

    async def get_json(*_: Any, **__: Any) -> dict[str, Any]:
        return {"visit": "2026-03-01.C0001", "hops": hops}

    monkeypatch.setattr(stages, "get_json", get_json)

    class Recovering(Nobody):
        layout = type("Layout", (), {"hub_url": "", "api_key": ""})
        catch_up = Stage.catch_up

    task = await served(Recovering())
    await asyncio.sleep(0.1)
    assert not task.done()
    hops.append(hop("a1", "instore.alert.answer.v1", "h1", "c01: accept (changed)"))
    async with asyncio.timeout(30):
        await task


async def test_who_was_not_seen_for_too_long_holds_her_code_up_again() -> None:
    """The lane was away for more than ten seconds: it ends her opening, and her code is good still."""
    stage: Any = Nobody()
    visit = Visit(HANAKO, "S1", scan="scan-1", times={"shown": time.monotonic()})
    task = asyncio.create_task(Play(stage)._leave(visit))
    await asyncio.sleep(0)
    stage.record.add("instore.lane.passage.v1", {"id": "p0", "data": {"scan": "scan-0", "outcome": "not_passed"}})
    for _ in range(20):
        await asyncio.sleep(0)
    assert not task.done()  # somebody else's
    stage.record.add("instore.lane.passage.v1", {"id": "p1", "data": {"scan": "scan-1", "outcome": "not_passed"}})
    async with asyncio.timeout(30):
        assert not await task


@pytest.mark.parametrize("how", ["not_passed", "fault"])
def test_a_scan_after_which_nobody_got_through_is_not_counted(how: str, tmp_path: Path) -> None:
    record = Record(lambda _happening: None)
    for scan, outcome in (("s1", how), ("s2", "passed")):
        for type_, data in (
            ("decision", {"outcome": "open"}),
            ("opened", {}),
            ("passage", {"outcome": outcome}),
        ):
            record.add(f"instore.lane.{type_}.v1", {"id": f"{scan} {type_}", "data": {"scan": scan, **data}})
    counts = summary(record.all, tmp_path, tmp_path / "gate.json")["counts"]
    assert (counts["decisions"], counts["gate_openings"], counts["passages"]) == (1, 1, 1)
