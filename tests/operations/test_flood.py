"""Floods, as long as a test may take; minutes of them: `python -m tests.operations.flood` (docs/reliability.md)."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from broker.mosquitto import CONFIGURATION
from contract.access import Principal
from contract.messages import Role
from tests.broker.wire import connected, publish_packet
from tests.delivery.real import AGENT, HUB, Party, RealBroker, until
from tests.operations import flood, flood_kinds
from tests.operations.flood_kinds import Outcome
from tests.operations.flood_parts import Times, rss_kb, sending_too_much

TOPIC = "instore/s1/clerk/c01/answer"
TEN_MB = b"x" * 10_000_000


def stands(outcome: Outcome) -> None:
    """Memory stays, and customers hardly notice. Times are generous: other tests run beside this one."""
    print(outcome)
    assert outcome.growth < 0.10, outcome
    crowded_ms = 5 * outcome.quiet.p50  # what the machine does when nothing floods: 15 ms when no others use it
    assert outcome.flooded.p50 < 500 + crowded_ms, outcome
    assert outcome.flooded.worst < 2500 + crowded_ms, outcome
    assert outcome.flooded.ms, outcome


@pytest.mark.row("C9")
async def test_ten_times_the_advertisements_of_ever_new_beacons(tmp_path: Path) -> None:
    outcome = await flood_kinds.adverts(tmp_path, rate=10_000, distinct=1_000_000, warm_s=1.0, seconds=2.2, before=3)
    stands(outcome)
    counted = outcome.counted
    assert counted["adverts"] > 5_000
    assert 1990 <= counted["present"] <= 2000  # who is not heard any more makes room in the moment of counting
    assert counted["turned_away"] > 2_000  # what is shed is strangers heard once, and counted
    assert counted["dropped_events"] == 0
    assert counted["dropped_scans"] == counted["stale_scans"] == counted["dropped_gate_events"] == 0


@pytest.mark.row("C9")
@pytest.mark.parametrize("forged", [False, True])
async def test_a_thousand_codes_a_second_at_a_reader(tmp_path: Path, forged: bool) -> None:
    outcome = await flood_kinds.codes(tmp_path, per_s=1000, forged=forged, warm_s=0.8, seconds=1.8, before=3)
    stands(outcome)
    counted = outcome.counted
    seen = counted["refused"] + counted["scans_while_busy"] + counted["scans"] + counted["stale_scans"]
    assert seen + counted["dropped_scans"] >= counted["sent"]  # none is unaccounted for
    assert counted["told"] <= 20 + 2 * 10  # and the hub hears of few


@pytest.mark.row("C9")
async def test_ten_thousand_messages_a_second_of_nonsense_at_the_hub(tmp_path: Path) -> None:
    outcome = await flood_kinds.client(tmp_path, kind="nonsense", per_s=10_000, warm_s=0.8, seconds=1.8, before=3)
    stands(outcome)
    assert outcome.counted["quarantined"] + outcome.counted["inbox_dropped"] > 4_000
    assert outcome.counted["log_bytes"] < 100_000


def test_what_a_flood_must_not_do_fails_its_run() -> None:
    """The run's exit code says so."""
    good = Times([10.0])
    outcome = Outcome("", good, good, 1000, 1050, {"dropped_scans": 0.0, "cut_off": 7.0})
    assert all(limit.holds for limit in flood.limits("x", outcome))
    for worse in ({"rss_end_kb": 1200}, {"flooded": Times([10.0, 2500.0])}, {"counted": {"dropped_scans": 1.0}}):
        assert not all(limit.holds for limit in flood.limits("x", replace(outcome, **worse)))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["mosquitto", "embedded"])
async def test_ten_megabytes_are_cut_off_at_the_broker(kind: str, tmp_path: Path) -> None:
    broker = RealBroker(kind, tmp_path / "broker")
    password = broker.credentials.issue(Principal(Role.CLERK, "c01"))
    async with (
        broker,
        Party(HUB, tmp_path, broker.address(HUB)) as hub,
        Party(AGENT, tmp_path, broker.address(AGENT)) as agent,
    ):
        await until(lambda: hub.node.link.up and agent.node.link.up)
        large = publish_packet(TOPIC, TEN_MB)
        async with sending_too_much(broker.port, "clerk-c01", password, [large], 50) as sender:
            await until(lambda: sender.cut_off >= 3)
        agent.scan("a1")
        await until(lambda: agent.applied() == ["a1"])
        assert hub.engine.counters["quarantined"] == 0
        assert hub.node.link.connects == agent.node.link.connects == 1


async def test_ten_megabytes_from_a_broker_without_limits_are_not_kept(tmp_path: Path) -> None:
    """A broker of somebody else's. What arrives is cut, put aside as too large, and the next message is taken."""
    broker = RealBroker("mosquitto", tmp_path / "broker")
    broker.folder.mkdir(exist_ok=True)
    (broker.folder / CONFIGURATION).write_text(f"listener {broker.port} 127.0.0.1\nallow_anonymous true\n")
    async with (
        broker,
        Party(HUB, tmp_path, broker.address(HUB)) as hub,
        Party(AGENT, tmp_path, broker.address(AGENT)) as agent,
        connected(broker.port, "clerk-c01", "x") as clerk,
    ):
        await until(lambda: hub.node.link.up and agent.node.link.up)
        first = 0
        for n in range(1, 8):
            clerk.publish(TOPIC, TEN_MB)
            await clerk.writer.drain()
            await until(lambda: hub.engine.counters["quarantined_too_large"] == n)  # noqa: B023
            if n == 3:
                first = rss_kb(os.getpid())
        await asyncio.sleep(0)
        assert rss_kb(os.getpid()) < first * 1.10
        kept = hub.journal.db.execute("SELECT max(length(payload)) FROM quarantine").fetchone()[0]
        assert kept <= 4096
        agent.scan("a1")
        await until(lambda: agent.applied() == ["a1"])
