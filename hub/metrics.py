"""What Prometheus reads. Values are taken when it asks; only latencies are kept here."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from contract.payloads import ClientState
from delivery import metrics
from delivery.metrics import AckTimes, Family
from delivery.node import Node
from hub.core import Hub
from hub.database import givings, visitors
from hub.days import store_day
from hub.disk_probe import DiskProbe
from hub.fleet import Heard
from hub.incentive_report import of_rule
from hub.rules.reload import RunningPolicy

_COUNTED = ("dropped_sightings", "quarantined", "reconnects", "declared_lost", "disk_errors", "dropped_inbox",
            "dropped_adverts", "worker_restarts")  # fmt: skip


class Metrics(Collector):
    """Counters of hub and delivery, gauges of the state, and the whole store's agents as the hub has last heard them."""

    def __init__(self, hub: Hub, node: Node, policy: RunningPolicy, disk: DiskProbe) -> None:
        self._hub, self._node, self._policy, self._disk = hub, node, policy, disk
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        node.engine.outgoing.on_acknowledged = AckTimes(self._registry, "instore_hub").seen

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Family]:
        """Called by the registry."""
        engine = self._node.engine
        yield metrics.counters("instore_hub_events", "What the hub has done and counted.", self._hub.counters)
        yield metrics.counters("instore_hub_rules", "Changes of the rules' files that were refused.",
                               {"rules_refused": self._policy.refusals})  # fmt: skip
        yield from metrics.delivery(self._node, "instore_hub")
        for name, text, value in (
            ("instore_hub_unacknowledged", "Messages to agents that wait for their receipt.", engine.unacknowledged()),
            ("instore_hub_oldest_unacknowledged_seconds", "Age of the oldest of them.", engine.oldest_unacknowledged_s()),
            ("instore_hub_database_ok", "0 while the database can't be written.", not self._disk.trouble()),
            ("instore_hub_terminals", "Members' terminals that are connected.", len(self._hub.terminals)),
        ):  # fmt: skip
            yield metrics.gauge(name, text, value)
        yield self._giving()
        yield self._budgets()
        yield from self._people()
        yield from self._agents()

    def _giving(self) -> Family:
        family = GaugeMetricFamily("instore_hub_coupons_waiting", "Coupons to be brought, by way.", labels=["way"])
        for way, number in givings.waiting(self._node.engine.journal.db).items():
            family.add_metric([way], number)
        return family

    def _budgets(self) -> Family:
        """In pieces and in minor units; rules without a budget are not there."""
        today = store_day(self._node.engine.clock.utc(), self._hub.settings.store.zone)
        family = GaugeMetricFamily(
            "instore_hub_incentive_left", "Left of an incentive's budget.", labels=["rule", "of"]
        )
        for rule in self._policy.current.incentives.file.incentive:
            if rule.budget_count is not None or rule.budget_minor is not None:
                found = of_rule(self._node.engine.journal.db, rule, today)
                for of, left in (("count", found.left), ("minor", found.left_minor)):
                    if left is not None:
                        family.add_metric([rule.name, of], left)
        return family

    def _people(self) -> Iterator[Family]:
        """Of the store's present day, by counter; and what can be resolved of rotating beacons."""
        today = store_day(self._node.engine.clock.utc(), self._hub.settings.store.zone)
        family = GaugeMetricFamily(
            "instore_hub_visitors", "People counted today.", labels=["agent", "device", "direction"]
        )
        for each in visitors.of_days(self._node.engine.journal.db, today, today):
            family.add_metric([each.agent, each.device, "entered"], each.entered)
            family.add_metric([each.agent, each.device, "left"], each.left)
        yield family
        table = self._hub.eids.table
        yield metrics.gauge("instore_hub_eid_beacons", "Rotating beacons with a key.", len(table))
        yield metrics.gauge("instore_hub_eid_identifiers", "Identifiers of theirs that are kept.", table.entries)
        yield metrics.counters("instore_hub_eid", "What the table of identifiers has done.", table.counters)

    def _agents(self) -> Iterator[Family]:
        hub, now = self._hub, self._node.engine.clock.monotonic()
        there = ((agent, state is ClientState.READY) for agent, state in sorted(hub.agents.items()))
        yield metrics.gauges("instore_hub_agent_there", "1 while the agent is connected.", "agent", there)
        beats = sorted(hub.fleet.beats.items())
        shown: tuple[tuple[str, str, Callable[[Heard], float]], ...] = (
            ("heartbeat_age_seconds", "Since its last heartbeat.", lambda heard: now - heard.at),
            ("unacknowledged", "Messages that wait at the agent.", lambda heard: heard.beat.unacknowledged),
            ("oldest_unacknowledged_seconds", "Age of its oldest.", lambda heard: heard.beat.oldest_unacknowledged_s),
            ("uptime_seconds", "Since the agent began.", lambda heard: heard.beat.uptime_s),
        )
        for name, text, of in shown:
            yield metrics.gauges(f"instore_hub_agent_{name}", text, "agent", ((a, of(heard)) for a, heard in beats))
        yield _counted(beats)
        online = GaugeMetricFamily(
            "instore_hub_device_online", "1 while a device can be used.", labels=["agent", "device"]
        )
        for key, on in sorted(hub.fleet.online(hub.agents).items()):
            online.add_metric(list(key), float(on))
        yield online


def _counted(beats: list[tuple[str, Heard]]) -> CounterMetricFamily:
    family = CounterMetricFamily("instore_hub_agent", "What agents have counted.", labels=["agent", "what"])
    for agent, heard in beats:
        for what in _COUNTED:
            family.add_metric([agent, what], getattr(heard.beat, what))
    return family
