"""What Prometheus reads. Values are taken when it asks; nothing is kept twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from delivery.node import Node
from hub.core import Hub
from hub.disk_probe import DiskProbe
from hub.rules.reload import RunningPolicy

_Family = CounterMetricFamily | GaugeMetricFamily


class Metrics(Collector):
    """All counters of hub and delivery as two families with the label `what`, and gauges of the state."""

    def __init__(self, hub: Hub, node: Node, policy: RunningPolicy, disk: DiskProbe) -> None:
        self._hub, self._node, self._policy, self._disk = hub, node, policy, disk
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[_Family]:
        """Called by the registry."""
        engine, link = self._node.engine, self._node.link
        yield _counters("instore_hub_events", "What the hub has done and counted.", self._hub.counters)
        delivery: Counter[str] = Counter(engine.counters)
        delivery["inbox_dropped"] += link.dropped
        delivery["connects"] += link.connects
        delivery["rules_refused"] += self._policy.refusals
        yield _counters("instore_hub_delivery", "What end-to-end delivery has counted.", delivery)
        for name, text, value in (
            ("instore_hub_connected", "1 while connected to the broker.", float(link.up)),
            ("instore_hub_unacknowledged", "Messages to agents that wait for their receipt.", engine.unacknowledged()),
            (
                "instore_hub_oldest_unacknowledged_seconds",
                "Age of the oldest of them.",
                engine.oldest_unacknowledged_s(),
            ),
            ("instore_hub_database_ok", "0 while the database can't be written.", float(not self._disk.trouble())),
        ):
            yield GaugeMetricFamily(name, text, value=value)


def _counters(name: str, text: str, values: Mapping[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=["what"])
    for what, value in sorted(values.items()):
        family.add_metric([what], value)
    return family
