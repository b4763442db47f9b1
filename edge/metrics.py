"""What Prometheus reads of an agent. Values are taken when it asks; only latencies are kept here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from delivery import metrics
from delivery.metrics import AckTimes, Family
from edge.metrics_times import LaneTimes

if TYPE_CHECKING:
    from edge.agent import Agent


class Metrics(Collector):
    """Everything of one agent. Making it begins to measure."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        agent.engine.outgoing.on_acknowledged = AckTimes(self._registry, "instore_edge").seen
        times = LaneTimes(self._registry)
        for name, lane in agent.lanes.items():
            lane.on_step = lambda event, t, name=name: times.step(name, event, t)

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Family]:
        """Called by the registry."""
        agent = self._agent
        yield from metrics.delivery(agent.node, "instore_edge")
        yield metrics.gauge("instore_edge_uptime_seconds", "Since this agent began.", agent.uptime_s())
        online = ((name, told.power.value == "online") for name, told in sorted(agent.announcer.devices.items()))
        yield metrics.gauges("instore_edge_device_online", "1 while the device can be used.", "device", online)
        yield _by("instore_edge_device", "What a device's driver has counted.", "device",
                  {name: told.counters for name, told in agent.announcer.devices.items()})  # fmt: skip
        yield _by("instore_edge_lane", "What a lane has counted, refusals by their reason.", "lane",
                  {name: lane.counters for name, lane in agent.lanes.items()})  # fmt: skip
        yield _by("instore_edge_worker_restarts", "Drivers and lanes that were started anew.", "worker",
                  {worker: {"failed": agent.health.failed[worker], "hung": agent.health.hung[worker]}
                   for worker in agent.health.failed | agent.health.hung})  # fmt: skip
        if agent.detection is not None:
            yield _by("instore_edge_detector", "What a detector has counted.", "detector",
                      {each.name: each.counted() for each in agent.detection.detectors})  # fmt: skip
        if agent.sightings is not None and agent.detection is not None:
            presence = agent.sightings.presence
            counted = {
                **presence.counters,
                **agent.sightings.counted(),
                "dropped_events": agent.detection.dropped_events,
            }
            yield metrics.counters("instore_edge_presence", "What became of advertisements.", counted)
            yield metrics.gauge("instore_edge_beacons_present", "Beacons inside now.", presence.present_count)


def _by(name: str, text: str, label: str, values: dict[str, Mapping[str, int]]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=[label, "what"])
    for which, counted in sorted(values.items()):
        for what, value in sorted(counted.items()):
            family.add_metric([which, what], value)
    return family
