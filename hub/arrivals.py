"""Sightings become visits: the first of the store's day of a known customer opens one (rows A4, A5, A13).

Whatever noticed her (a beacon at any agent, her code at a reader, her terminal, a camera) comes here as a sighting. A visit that
goes on over midnight stays one. Every sighting passes here, thousands a second, so that what it needs is held in memory. The
database is the truth; whatever this transaction changed is dropped from memory when it comes to nothing.

A sighting opens a visit, and from a visit follow requests to clerks and coupons for her alone. It moves no money, opens no gate and
shows no health data: identifiers can be copied and, within their time, replayed (docs/detection.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from contract.envelope import Message
from contract.payloads import AgentHeartbeat, Detector, Sighting, SightingKind, TerminalPresence, VisitOpened
from delivery.engine import Tx
from hub.database import customers, times, visits
from hub.database.customers import Customer
from hub.days import plausible, store_day
from hub.places import TERMINAL
from hub.recognition import POSITION_PREFIX, REMEMBERED_MAX, Recognition
from hub.rules.condition import Value
from hub.rules.policy import Decision, Policy
from hub.saying import count, heard, say

RETURN_MAX = timedelta(minutes=5)
"""Who is heard again within this time had not left; over midnight that decides whether it is a second visit."""
STILL_HERE_MAX = timedelta(hours=4)
"""Who was not heard of for so long is not here any more, even if nobody said that she left: an agent may have died."""

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

    def __init__(
        self,
        zone: ZoneInfo,
        policy: Callable[[], Policy],
        on_visit: OnVisit,
        counters: Counter[str],
        recognition: Recognition,
    ) -> None:
        self._zone, self._policy, self._on_visit, self._counters = zone, policy, on_visit, counters
        self._recognition = recognition
        self._hearing: dict[tuple[str, str], tuple[str, str]] = {}
        self._seen_tx: Tx | None = None

    def take(self, message: Message, tx: Tx) -> None:
        """One sighting of an agent."""
        sighting = message.data
        assert isinstance(sighting, Sighting)
        self._take(tx, message, sighting, message.ids["agent"])

    def on_terminal(self, message: Message, tx: Tx) -> None:
        """A member's terminal says that it came into the store, or left it (row A13)."""
        told = message.data
        assert isinstance(told, TerminalPresence)
        if told.customer != message.ids["customer"]:
            count(tx, self._counters, "presences_of_others")
            return
        beacon = f"{POSITION_PREFIX}{told.customer}"
        sighting = Sighting.model_validate(
            {"beacon": beacon, "event": told.event, "detector": Detector.POSITION, "heard": told.at}
        )
        self._take(tx, message, sighting, TERMINAL)

    def _take(self, tx: Tx, message: Message, sighting: Sighting, agent: str) -> None:
        self._begin(tx)
        beacon, when = sighting.beacon, self._when(tx, sighting)
        present = self._heard_in(tx, beacon, agent)
        if present is None or sighting.event is SightingKind.ARRIVED:
            customer = self._recognition.who(tx, sighting, when)
        else:
            customer = present[1]
        if customer is None:
            return
        if not self._recognition.may(tx, customer, sighting):
            if present is not None:  # she agreed when she came, and does not any more
                self._lost(tx, beacon, agent, present[0], when)
        elif sighting.event is SightingKind.ARRIVED:
            self._arrived(tx, message, sighting, agent, customer, when)
        elif present is not None:
            self._goes_on(tx, message, sighting, agent, present[0], when)
        else:
            count(tx, self._counters, "sightings_without_visit")

    def _begin(self, tx: Tx) -> None:
        """A new transaction: has anything changed since the last?"""
        if tx is not self._seen_tx:
            self._seen_tx = tx
            if self._recognition.begin(tx) or len(self._hearing) > REMEMBERED_MAX:
                self._hearing.clear()

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

    def clean(self, tx: Tx) -> None:
        """Terminals that said nothing for long are not here: one that was switched off never says that it left."""
        for beacon, visit in visits.heard_long_ago(tx.db, TERMINAL, times.text(tx.utc - STILL_HERE_MAX)):
            self._lost(tx, beacon, TERMINAL, visit, tx.utc)
            count(tx, self._counters, "presences_forgotten")

    def forget(self) -> None:
        """Drop what is in memory; the database is asked again."""
        self._recognition.forget()
        self._hearing.clear()

    def _heard_in(self, tx: Tx, beacon: str, agent: str) -> tuple[str, str] | None:
        """(visit, customer)"""
        present = self._hearing.get((beacon, agent))
        if present is None:
            present = visits.heard_in(tx.db, beacon, agent)
            if present is not None:
                self._hearing[(beacon, agent)] = present
        return present

    def _when(self, tx: Tx, sighting: Sighting) -> datetime:
        when = plausible(sighting.heard, tx.utc)
        if when is None:
            count(tx, self._counters, "implausible_clocks")
        return when or tx.utc

    def _arrived(self, tx: Tx, message: Message, sighting: Sighting, agent: str, customer: str, when: datetime) -> None:
        day = store_day(when, self._zone)
        today = visits.of_day(tx.db, customer, day)
        earlier = self._over_midnight(tx, customer, day, when) if today is None else None
        visit = today or earlier or f"{day}.{customer}"
        age_ms = (tx.utc - when).total_seconds() * 1000
        again = "" if visit not in (today, earlier) else _AGAIN if today else _STILL
        what = _summary(sighting, agent, same=visits.hears(tx.db, agent, visit, sighting.beacon))
        heard(tx, message, visit, f"{what}, advertisement heard {age_ms:.1f} ms before{again}")
        if not again:
            self.open(tx, visit, customer, day, agent, when, message.id)
        self._note(tx, message, sighting, agent, visit, when)
        tx.on_rollback(self.forget)
        self._hearing[(sighting.beacon, agent)] = visit, customer

    def _over_midnight(self, tx: Tx, customer: str, day: str, when: datetime) -> str | None:
        """The visit that she came for on an earlier day, if she has not left since: midnight makes no second visit."""
        return visits.going_on(
            tx.db, customer, day, times.text(when), times.text(when - RETURN_MAX), times.text(when - STILL_HERE_MAX)
        )

    def open(self, tx: Tx, visit: str, id: str, day: str, agent: str, when: datetime, cause: str) -> None:
        """Open a visit of a known customer, with all that follows from it."""
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

    def _goes_on(self, tx: Tx, message: Message, sighting: Sighting, agent: str, visit: str, when: datetime) -> None:
        heard(tx, message, visit, _summary(sighting, agent))
        if sighting.event is SightingKind.LEFT:
            self._lost(tx, sighting.beacon, agent, visit, when)
        else:
            self._note(tx, message, sighting, agent, visit, when)

    def _lost(self, tx: Tx, beacon: str, agent: str, visit: str, when: datetime) -> None:
        visits.no_longer_heard(tx.db, beacon, agent, visit, times.text(when))
        self._hearing.pop((beacon, agent), None)
        tx.on_rollback(self.forget)

    def _note(self, tx: Tx, message: Message, sighting: Sighting, agent: str, visit: str, when: datetime) -> None:
        """She is where this agent is."""
        epoch = message.numbering.epoch if message.numbering else ""
        visits.heard(tx.db, sighting.beacon, agent, visit, epoch, times.text(when), sighting.distance_m)


_AGAIN = "; she was here today already, so nobody is asked again"
_STILL = "; she has been here since before midnight, so it is the same visit"
_WORDS: Mapping[SightingKind, str] = {
    SightingKind.ARRIVED: "arrived at",
    SightingKind.MOVED: "moved at",
    SightingKind.LEFT: "left",
}
_BY: Mapping[Detector, str] = {
    Detector.MEMBER_CODE: "by her member code",
    Detector.POSITION: "by her terminal",
    Detector.FACE: "by the camera",
}


def _summary(sighting: Sighting, agent: str, *, same: bool = False) -> str:
    rssi = "" if sighting.rssi_dbm is None else f", {sighting.rssi_dbm:.0f} dBm"
    how = _BY.get(sighting.detector, f"{sighting.zone}{rssi}")
    what = (
        "heard anew at" if same else _WORDS[sighting.event]
    )  # a rotating beacon has a new identifier, or she has several
    return f"{what} {agent} ({how})"
