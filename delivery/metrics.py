"""What edge and hub tell Prometheus of their delivery, in the same words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from delivery.node import Node

Family = CounterMetricFamily | GaugeMetricFamily
BUCKETS_S = (0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Fine around 50 ms, which a customer does not notice, and up to where a lane's patience ends."""


class AckTimes:
    """From a message's commit to its acknowledgement, by stream. Give `seen` to an engine: `outgoing.on_acknowledged`."""

    def __init__(self, registry: CollectorRegistry, prefix: str) -> None:
        family = Histogram(f"{prefix}_acknowledged_seconds", "From a message's transaction to its acknowledgement by the peer.",
                           ["stream"], registry=registry, buckets=BUCKETS_S)  # fmt: skip
        self._by_stream = {stream: family.labels(stream=stream) for stream in ("critical", "sighting")}

    def seen(self, stream: str, age_s: float) -> None:
        self._by_stream[stream].observe(age_s)


def delivery(node: Node, prefix: str) -> Iterator[Family]:
    """Gauges and counters of one node. `prefix` is instore_edge or instore_hub."""
    engine, link = node.engine, node.link
    depth = GaugeMetricFamily(f"{prefix}_outbox_messages", "Messages that wait for their acknowledgement.",
                              labels=["peer", "stream"])  # fmt: skip
    oldest = GaugeMetricFamily(f"{prefix}_outbox_oldest_seconds",
                               "Age of the oldest of them, since this program has it.", labels=["peer", "stream"])  # fmt: skip
    for (peer, stream), (count, age_s) in sorted(engine.outgoing.depths().items()):
        depth.add_metric([peer, stream], count)
        oldest.add_metric([peer, stream], age_s)
    yield depth
    yield oldest
    counted = {**engine.counters, "inbox_dropped": link.dropped, "unsent": link.unsent, "connects": link.connects}
    yield counters(f"{prefix}_delivery", "What end-to-end delivery has counted.", counted)
    yield gauge(f"{prefix}_connected", "1 while connected to the broker.", link.up)
    yield gauge(f"{prefix}_inbox_messages", "Messages that arrived and wait for their turn.", len(link.inbox))
    yield gauge(f"{prefix}_disk_ok", "0 while the database takes no writes.", not node.disk_trouble)


def counters(name: str, text: str, values: Mapping[str, int]) -> CounterMetricFamily:
    """One family with the label `what`."""
    family = CounterMetricFamily(name, text, labels=["what"])
    for what, value in sorted(values.items()):
        family.add_metric([what], value)
    return family


def gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=float(value))


def gauges(name: str, text: str, label: str, values: Iterable[tuple[str, float]]) -> GaugeMetricFamily:
    """One family with one label."""
    family = GaugeMetricFamily(name, text, labels=[label])
    for which, value in values:
        family.add_metric([which], float(value))
    return family
