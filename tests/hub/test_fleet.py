"""The hub's metrics show the whole store: every agent and device, as last heard."""

from __future__ import annotations

import pytest

from contract.payloads import AgentHeartbeat, AgentStatus, DeviceStatus
from delivery.link import Address
from delivery.node import Node
from hub import fleet
from hub.core import COUNTERS_SHOWN
from hub.disk_probe import DiskProbe
from hub.metrics import Metrics


def agent(store, name: str, state: str = "ready") -> None:
    store.hear(store.bytes_of("agent_status", AgentStatus(state=state), agent=name))


@pytest.mark.row("C9")
def test_agents_and_devices_are_shown_as_last_heard(store) -> None:
    node = Node(store.engine, Address("127.0.0.1", 1, "hub-main", "x"))
    metrics = Metrics(store.hub, node, store.policy, DiskProbe(node))
    agent(store, "exit")
    for device, power in (("gate-1", "online"), ("printer-1", "off_offline")):
        status = DeviceStatus(category="gate", power=power)
        store.hear(store.bytes_of("device_status", status, agent="exit", device=device))
    beat = AgentHeartbeat(uptime_s=7, unacknowledged=3, oldest_unacknowledged_s=2.5, worker_restarts=1)
    store.hear(store.bytes_of("agent_heartbeat", beat, agent="exit"))
    store.later(seconds=12)
    text = metrics.text().decode()
    for line in (
        'instore_hub_agent_there{agent="exit"} 1.0',
        'instore_hub_agent_heartbeat_age_seconds{agent="exit"} 12.0',
        'instore_hub_agent_unacknowledged{agent="exit"} 3.0',
        'instore_hub_agent_oldest_unacknowledged_seconds{agent="exit"} 2.5',
        'instore_hub_agent_total{agent="exit",what="worker_restarts"} 1.0',
        'instore_hub_device_online{agent="exit",device="gate-1"} 1.0',
        'instore_hub_device_online{agent="exit",device="printer-1"} 0.0',
    ):
        assert line in text
    agent(store, "exit", "lost")
    text = metrics.text().decode()
    assert 'instore_hub_agent_there{agent="exit"} 0.0' in text
    assert 'instore_hub_device_online{agent="exit",device="gate-1"} 0.0' in text  # whatever it said last


def test_acknowledgements_are_timed(store) -> None:
    node = Node(store.engine, Address("127.0.0.1", 1, "hub-main", "x"))
    metrics = Metrics(store.hub, node, store.policy, DiskProbe(node))
    store.engine.outgoing.on_acknowledged("critical", 0.03)
    assert 'instore_hub_acknowledged_seconds_bucket{le="0.03",stream="critical"} 1.0' in metrics.text().decode()


def test_made_up_agents_do_not_fill_the_memory(store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "AGENTS_MAX", 2)
    monkeypatch.setattr(fleet, "DEVICES_MAX", 3)
    for n in range(5):
        beat = AgentHeartbeat(uptime_s=n, unacknowledged=0)
        store.hear(store.bytes_of("agent_heartbeat", beat, agent=f"a{n}"))
        status = DeviceStatus(category="gate", power="online")
        store.hear(store.bytes_of("device_status", status, agent="a0", device=f"d{n}"))
    assert (len(store.hub.fleet.beats), len(store.hub.fleet.devices), store.hub.fleet.untold) == (2, 3, 5)


def test_trouble_is_first_where_there_is_no_room_for_every_counter(store) -> None:
    store.hub.counters.update({f"a_{number}": 1 for number in range(COUNTERS_SHOWN)})
    store.hub.counters.update(
        ["rules_failed", "sales_refused_invalid", "sensing_answers_foreign", "quarantined", "visits"]
    )
    shown = store.hub.shown()
    assert len(shown) == COUNTERS_SHOWN
    assert {"rules_failed", "sales_refused_invalid", "sensing_answers_foreign", "quarantined"} <= set(shown)
    assert "visits" not in shown
