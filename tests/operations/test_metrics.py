"""Agent and hub tell Prometheus and the broker how they are: with real devices, a real broker, over real HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from contract.envelope import decode
from contract.payloads import AgentHeartbeat, Incentive, LaneDecision
from delivery.watchdog import Watchdog
from edge import lane_types as core
from edge.agent import Agent
from edge.health_page import checks, page, status_line
from edge.metrics import Metrics
from edge.metrics_server import CONNECTIONS_MAX, MetricsServer
from edge.metrics_times import LaneTimes
from tests.delivery.real import STORE, until
from tests.edge.lane_ways import decision
from tests.edge.shop import Shop

Samples = dict[str, float]


def samples(text: str) -> Samples:
    """`name{label=value,…}` with the labels in order, and its value."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


async def get(port: int, request: bytes) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


async def page_of(port: int, path: str) -> tuple[int, bytes]:
    return await get(port, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())


@asynccontextmanager
async def measured(agent: Agent) -> AsyncIterator[tuple[int, Watchdog]]:
    watchdog = Watchdog(checks(agent), lambda: status_line(agent))
    watching = asyncio.create_task(watchdog.run())
    async with MetricsServer("127.0.0.1", 0, Metrics(agent).text, lambda: page(agent, watchdog)) as server:
        yield server.port, watchdog
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


@pytest.mark.row("C9")
async def test_a_visit_to_the_lane_shows_in_every_number(tmp_path: Path) -> None:
    async with Shop(tmp_path) as shop:
        agent = shop.agent()
        async with measured(agent) as (port, watchdog):
            await shop.ready()
            await until(lambda: len(agent.keys) == 1 and watchdog.ready)
            await shop.show()
            await shop.walk()
            await shop.told("scan", "printed printed", "opened", "passage passed")
            await until(lambda: agent.engine.unacknowledged() == 0)
            await shop.do("printer", "unplug")
            await until(lambda: shop.state("printer")["power"] == "off_offline")
            status, text = await page_of(port, "/metrics")
            assert status == 200
            seen = samples(text.decode())
            for name, value in {
                "instore_edge_connected": 1,
                "instore_edge_disk_ok": 1,
                "instore_edge_outbox_messages{peer=hub,stream=critical}": 0,
                "instore_edge_acknowledged_seconds_count{stream=critical}": 4,
                "instore_edge_scan_to_decision_seconds_count{lane=1}": 1,
                "instore_edge_decision_to_gate_seconds_count{lane=1,paper=yes}": 1,
                "instore_edge_print_seconds_count{lane=1}": 1,
                "instore_edge_device_online{device=gate-1}": 1,
                "instore_edge_device_online{device=printer-1}": 0,
                "instore_edge_device_total{device=printer-1,what=port_losses}": 1,
                "instore_edge_lane_total{lane=1,what=scans}": 1,
                "instore_edge_delivery_total{what=connects}": 1,
            }.items():
                assert seen[name] == value, name
            assert 0 < seen["instore_edge_scan_to_decision_seconds_sum{lane=1}"] < 1
            assert len([n for n in seen if n.startswith("instore_edge_print_seconds_bucket")]) == 16

            status, body = await page_of(port, "/healthz?x=1")
            told = json.loads(body)
            assert (status, told["broker"], told["hung"]) == (200, "ok", [])
            assert told["devices"]["printer-1"].startswith("off_offline: ")
            assert status_line(agent) == "connected; 2 of 3 devices online, not: printer-1; 0 messages wait"
            agent.node.disk_trouble = "database or disk is full"
            assert (await page_of(port, "/healthz"))[0] == 503
            agent.node.disk_trouble = ""


async def test_the_heartbeat_carries_what_went_wrong(tmp_path: Path) -> None:
    async with Shop(tmp_path) as shop:
        await shop.observer.subscribe([f"instore/{STORE}/agent/+/heartbeat"])
        agent = shop.agent()
        agent.health.hung["gate-1"] += 1
        agent.engine.counters.update(disk_errors=2, flush_failed=1, declared_lost=4)
        agent.node.link.inbox.dropped = 5
        await until(lambda: any("heartbeat" in topic for topic, _, _ in shop.observer.messages))
        topic, payload, _ = next(m for m in shop.observer.messages if "heartbeat" in m[0])
        beat = decode(topic, payload).data
        assert isinstance(beat, AgentHeartbeat)
        assert (beat.worker_restarts, beat.disk_errors, beat.declared_lost, beat.dropped_inbox) == (1, 3, 4, 5)


async def test_whoever_asks_wrongly_or_never_ends_asking_harms_nobody(tmp_path: Path) -> None:
    async with MetricsServer("127.0.0.1", 0, lambda: b"m 1\n", lambda: (True, {})) as server:
        assert await page_of(server.port, "/metrics") == (200, b"m 1\n")
        assert (await get(server.port, b"HEAD /metrics HTTP/1.1\r\n\r\n"))[1] == b""
        assert (await page_of(server.port, "/etc/passwd"))[0] == 404
        assert (await get(server.port, b"POST /metrics HTTP/1.1\r\n\r\n"))[0] == 405
        held = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(CONNECTIONS_MAX)]
        for _, writer in held:
            writer.write(b"GET /met")
        await until(lambda: server.connections == CONNECTIONS_MAX)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        with pytest.raises(ConnectionResetError):
            assert await reader.read() == b""
            raise ConnectionResetError  # closed in either way
        writer.close()
        assert server.refused == 1
        held[0][1].write(b"x" * 20_000)  # a head that does not end
        for _, writer in held[1:]:
            writer.close()
        await until(lambda: not server.connections)
        held[0][1].close()
        assert await page_of(server.port, "/metrics") == (200, b"m 1\n")


async def test_a_taken_port_is_a_sentence() -> None:
    async with MetricsServer("127.0.0.1", 0, bytes, lambda: (True, {})) as first:
        with pytest.raises(OSError, match=r"\[metrics\] 127.0.0.1:\d+ can't be used: .*another port"):
            await MetricsServer("127.0.0.1", first.port, bytes, lambda: (True, {})).__aenter__()


def test_times_count_from_the_step_that_began_them_and_only_once() -> None:
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    times = LaneTimes(registry)
    open_now: LaneDecision = decision("s1", give=None)
    printed: LaneDecision = decision("s2", give="print")
    assert isinstance(printed.incentive, Incentive)
    steps: list[tuple[core.Event, float]] = [
        (core.Decided(open_now, "m"), 1.0),  # late, of a scan before the start
        (core.CodeAccepted("s1", "c1"), 10.0),
        (core.Decided(open_now, "m"), 10.25),
        (core.Decided(open_now, "m"), 11.0),
        (core.GateTook(1), 10.5),
        (core.CodeAccepted("s2", "c2"), 20.0),
        (core.Decided(printed, "m"), 20.5),
        (core.PrintSent("s2#1", 7), 21.0),
        (core.PrintEnded("s2#1", "not_printed"), 22.0),
        (core.PrintSent("s2#2", 7), 23.0),
        (core.PrintEnded("s2#2", "printed"), 24.5),
        (core.GateTook(2), 25.5),
    ]
    for event, t in steps:
        times.step("1", event, t)
    seen = samples(generate_latest(registry).decode())
    assert seen["instore_edge_scan_to_decision_seconds_sum{lane=1}"] == 0.75
    assert seen["instore_edge_scan_to_decision_seconds_count{lane=1}"] == 2
    assert seen["instore_edge_decision_to_gate_seconds_sum{lane=1,paper=no}"] == 0.25
    assert seen["instore_edge_decision_to_gate_seconds_sum{lane=1,paper=yes}"] == 5.0
    assert seen["instore_edge_print_seconds_sum{lane=1}"] == 1.5
    assert seen["instore_edge_print_seconds_count{lane=1}"] == 1
