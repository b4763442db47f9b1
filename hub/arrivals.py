"""Sightings become visits: the first of the store's day of a known beacon opens one (rows A4, A5).

Every sighting passes here, thousands a second, so that what it needs is held in memory: whose beacon it is, and in which
visit an agent hears it. The database is the truth; whatever this transaction changed is dropped from memory when it comes
to nothing, and everything is when another program (an import) has written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

import structlog

from contract.envelope import Message
from contract.payloads import AgentHeartbeat, Sighting, SightingKind, VisitOpened
from delivery.engine import Tx
from hub.database import customers, times, visits
from hub.database.customers import Customer
from hub.days import plausible, store_day
from hub.rules.condition import Value
from hub.rules.policy import Decision, Policy
from hub.saying import count, heard, say

log = structlog.get_logger()

REMEMBERED_MAX = 200_000
"""Beacons in memory, known or not. A street full of strangers' beacons must not fill it."""

OnVisit = Callable[[Tx, str, Customer, Decision, datetime, str, str], None]
"""(tx, visit, customer, decision, heard, cause, agent): what follows from a visit."""


def rule_values(customer: Customer, policy: Policy) -> dict[str, Value]:
    """What rules may know of a customer (`hub.rules.policy.CUSTOMER`)."""
    return {
        "rank": policy.level(customer.rank),
        "visits": customer.visits,
        "average_purchase": customer.average_minor,
        "points": customer.points,
        "spent": customer.spent_minor,
    }


class Arrivals:
    """Takes sightings. `policy` is asked at each visit, so that a reload holds at once; `on_visit` hears of each visit."""

    def __init__(self, zone: ZoneInfo, policy: Callable[[], Policy], on_visit: OnVisit, counters: Counter[str]) -> None:
        self._zone, self._policy, self._on_visit, self._counters = zone, policy, on_visit, counters
        self._owners: dict[str, str | None] = {}
        self._hearing: dict[tuple[str, str], str] = {}
        self._seen_tx: Tx | None = None
        self._version = -1
        self._strangers: set[str] = set()

    def take(self, message: Message, tx: Tx) -> None:
        """One sighting."""
        sighting = message.data
        assert isinstance(sighting, Sighting)
        if tx is not self._seen_tx:
            self._begin(tx)
        beacon = sighting.beacon
        customer = self._owners.get(beacon, "")
        if customer == "":
            customer = self._look_up(tx, beacon)
        if customer is None:
            self._stranger(tx, beacon)
        elif sighting.event is SightingKind.ARRIVED:
            self._arrived(tx, message, sighting, customer)
        elif (visit := self._visit_heard_in(tx, beacon, message.ids["agent"])) is not None:
            self._goes_on(tx, message, sighting, visit)
        else:
            count(tx, self._counters, "sightings_without_visit")

    def _begin(self, tx: Tx) -> None:
        """A new transaction: has another program written since the last?"""
        self._seen_tx = tx
        version = customers.data_version(tx.db)
        if version != self._version or len(self._owners) > REMEMBERED_MAX or len(self._hearing) > REMEMBERED_MAX:
            self.forget()
        self._version = version

    def on_heartbeat(self, message: Message, tx: Tx) -> None:
        """An agent that was started anew does not hear any more whom it heard before, and will never say that they left."""
        beat, agent = message.data, message.ids["agent"]
        assert isinstance(beat, AgentHeartbeat)
        if not beat.epoch:
            return
        for beacon, visit in visits.heard_before(tx.db, agent, beat.epoch):
            visits.no_longer_heard(tx.db, beacon, agent, visit, times.text(tx.utc))
            self._hearing.pop((beacon, agent), None)
            tx.on_rollback(self.forget)
            count(tx, self._counters, "presences_forgotten")

    def forget(self) -> None:
        """Drop what is in memory; the database is asked again."""
        self._owners.clear()
        self._hearing.clear()

    def _look_up(self, tx: Tx, beacon: str) -> str | None:
        found = self._owners[beacon] = customers.owner(tx.db, beacon)
        return found

    def _stranger(self, tx: Tx, beacon: str) -> None:
        # Who it may be is nobody's business: counted, and the first of a beacon is said in the log for installers.
        count(tx, self._counters, "unknown_beacons")
        if beacon not in self._strangers and len(self._strangers) < 1000:
            self._strangers.add(beacon)
            log.info("unknown customer: nobody has this beacon", beacon=beacon)

    def _visit_heard_in(self, tx: Tx, beacon: str, agent: str) -> str | None:
        visit = self._hearing.get((beacon, agent))
        if visit is None:
            visit = visits.heard_in(tx.db, beacon, agent)
            if visit is not None:
                self._hearing[(beacon, agent)] = visit
        return visit

    def _when(self, tx: Tx, sighting: Sighting) -> datetime:
        when = plausible(sighting.heard, tx.utc)
        if when is None:
            count(tx, self._counters, "implausible_clocks")
        return when or tx.utc

    def _arrived(self, tx: Tx, message: Message, sighting: Sighting, customer: str) -> None:
        agent, when = message.ids["agent"], self._when(tx, sighting)
        day = store_day(when, self._zone)
        visit = visits.of_day(tx.db, customer, day)
        is_new = visit is None
        visit = visit or f"{day}.{customer}"
        age_ms = (tx.utc - when).total_seconds() * 1000
        again = "" if is_new else "; she was here today already, so nobody is asked again"
        heard(tx, message, visit, f"{_summary(sighting, agent)}, advertisement heard {age_ms:.1f} ms before{again}")
        if is_new:
            self._open(tx, visit, customer, day, agent, when, message.id)
        self._note(tx, message, sighting, visit, when)
        tx.on_rollback(self.forget)
        self._hearing[(sighting.beacon, agent)] = visit

    def _open(self, tx: Tx, visit: str, id: str, day: str, agent: str, when: datetime, cause: str) -> None:
        customer = customers.customer(tx.db, id)
        assert customer is not None, "a beacon belongs to a customer (foreign key)"
        policy = self._policy()
        decision = policy.is_good(rule_values(customer, policy))
        visits.open_visit(tx.db, visit, id, day, agent, times.text(when), decision.holds, str(decision))
        opened = say(
            tx,
            "visit_opened",
            VisitOpened(customer=id, agent=agent, decided=str(decision)[:500], good=decision.holds),
            f"visit of {id} at {agent}; good customer? {decision}",
            visit=visit,
            cause=cause,
        )
        count(tx, self._counters, "visits")
        for _ in decision.failed:
            count(tx, self._counters, "rules_failed")
        self._on_visit(tx, visit, customer, decision, when, opened, agent)

    def _goes_on(self, tx: Tx, message: Message, sighting: Sighting, visit: str) -> None:
        agent = message.ids["agent"]
        heard(tx, message, visit, _summary(sighting, agent))
        if sighting.event is SightingKind.LEFT:
            since = times.text(self._when(tx, sighting))
            visits.no_longer_heard(tx.db, sighting.beacon, agent, visit, since)
            self._hearing.pop((sighting.beacon, agent), None)
            tx.on_rollback(self.forget)
        else:
            self._note(tx, message, sighting, visit, self._when(tx, sighting))

    def _note(self, tx: Tx, message: Message, sighting: Sighting, visit: str, when: datetime) -> None:
        """She is where this agent is."""
        epoch = message.numbering.epoch if message.numbering else ""
        agent = message.ids["agent"]
        visits.heard(tx.db, sighting.beacon, agent, visit, epoch, times.text(when), sighting.distance_m)


_WORDS: Mapping[SightingKind, str] = {
    SightingKind.ARRIVED: "arrived at",
    SightingKind.MOVED: "moved at",
    SightingKind.LEFT: "left",
}


def _summary(sighting: Sighting, agent: str) -> str:
    rssi = "" if sighting.rssi_dbm is None else f", {sighting.rssi_dbm:.0f} dBm"
    return f"{_WORDS[sighting.event]} {agent} ({sighting.zone}{rssi})"
