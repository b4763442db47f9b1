"""What really happens between members, their terminals, clerks and tills, and the rules for it (rows A1 to A13, C5, C6, C11).

What is checked all along is here; what the hub's database must say in the end is in `simulation.service_books`.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from contract.payloads import Alert, AlertState, MemberCoupon, Readings, SensingRequest
from contract.payloads.terminals import BloodPressure
from handheld.alert_book import Status
from hub.database import times
from simulation import members, service_books
from simulation.stock import START

if TYPE_CHECKING:
    from simulation.clerk import Clerk
    from simulation.store import Store

MARK = "917355"
"""All that terminals measure has these digits behind the point, and some more that are its own."""
OWN_DIGITS = 8
"""So many digits are a reading and no coincidence."""
MARK_BYTES = b"\xc5\x9b"
"""As SQLite stores a number (IEEE 754, big-endian) it ends with these, so that one search finds them all."""
SOON_S = 30.0
"""So long after the last fault everything has reached whom it is for."""
SELDOM = 4
"""At every so many looks the budgets are summed up."""
LOOKS = 8
"""A coupon that a terminal has not kept at so many looks in a row has not arrived."""
_OVER = (AlertState.EXPIRED, AlertState.CLOSED)


_SOME_OF_MARK = MARK[1:].encode()
"""Up to five bytes are found several times as fast as six."""


def _ends(data: bytes, mark: bytes) -> Iterator[int]:
    """Where this ends, each time that it is there."""
    at = data.find(mark)
    while at >= 0:
        yield at + len(mark)
        at = data.find(mark, at + 1)


@dataclass(frozen=True)
class _Said:
    """The newest that anybody saw of an alert."""

    revision: int
    holder: str | None


class Service:
    """Watches one store. `note` of `measures` is called when that answer may be taken."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.withdrawn: dict[str, float] = {}
        """Who has taken back her consent to sensing, and since when the hub has confirmed it."""
        self.valid: dict[str, list[str | None]] = {}
        """By request: to which treatment each answer leads that the hub may take."""
        self.requests: dict[str, str] = {}
        """Customer by request, as terminals were asked."""
        self.redeemed: dict[str, set[tuple[str, str]]] = {}
        """By coupon: sale and till that were told that it is used there now."""
        self.given_back: set[str] = set()
        """Payments whose confirmation was refused for good."""
        self.paid: dict[str, int] = {}
        """Amount by payment whose confirmation was taken."""
        self.must_visit: set[str] = set()
        """Members who were heard undisturbed."""
        self.came: set[str] = set()
        self.canaries: list[float] = []
        self._looks = 0
        self._said: dict[str, _Said] = {}
        self._copies: dict[tuple[str, int], str | None] = {}
        self._unkept: Counter[tuple[str, str, int]] = Counter()

    def _breaks(self, rule: str, what: str) -> None:
        self._store.truth.breaks(rule, what)

    # --- readings

    def measures(self, rng: Random, request: str | None, customer: str) -> tuple[Readings, Callable[[], None]]:
        """Readings, marked."""
        fraction = float(f"0.{MARK}{rng.randrange(100, 9_900):04}")

        def marked(*whole: int) -> float:
            value: float = struct.unpack(">d", struct.pack(">d", rng.choice(whole) + fraction)[:-2] + MARK_BYTES)[0]
            self.canaries.append(value)
            return value

        temperature, heart, speed, systolic = marked(21, 33), marked(70, 120), marked(0, 2), marked(11, 16, 22)
        readings = Readings(
            ambient_temperature_c=temperature,
            heart_rate_per_min=heart,
            speed_m_s=speed - 0.5 if speed < 1 else speed,
            blood_pressure=BloodPressure(systolic_kpa=systolic, diastolic_kpa=9 + fraction),
            humidity_percent=marked(40, 60),
        )
        thirsty = temperature >= 30 and heart >= 100
        unwell = (speed < 1 and systolic / 0.133322 > 160) or (speed < 1 and systolic / 0.133322 < 90)
        treatment = "drink" if thirsty else "rest_room" if unwell else None

        def note() -> None:
            if request is not None and customer not in self.withdrawn:
                self.valid.setdefault(request, []).append(treatment)

        return readings, note

    def asked(self, customer: str, request: SensingRequest) -> None:
        """A terminal is asked."""
        self.requests[request.request] = request.customer
        self._store.truth.counts["terminals asked"] += 1
        if request.customer != customer:
            self._breaks("to each her own", f"the terminal of {customer} is asked for readings of {request.customer}")
        if self._store.loop.time() - self.withdrawn.get(customer, self._store.loop.time()) > SOON_S:
            self._breaks("no reading without consent", f"{customer} is asked, though she has taken back her consent")

    def on_wire(self, topic: str, payload: bytes) -> None:
        """Something goes over the broker, or from the hub to a terminal."""
        if _SOME_OF_MARK in payload and self._is_marked(payload):
            self._breaks("readings are nowhere", f"a reading is in {topic}")

    def on_log(self, text: str) -> None:
        """Something is logged."""
        if MARK in text and self._is_marked(text.encode()):
            self._breaks("readings are nowhere", f"a reading is logged: {text[:200]}")

    def _is_marked(self, data: bytes) -> bool:
        own = {repr(value).partition(".")[2][:OWN_DIGITS].encode() for value in self.canaries}
        begins = (end - len(MARK) for end in _ends(data, MARK.encode()))
        return any(data[begin : begin + OWN_DIGITS] in own for begin in begins)

    def in_files(self, paths: list[Path]) -> None:
        """At the end: no reading in any file, as text or as a number."""
        numbers = {struct.pack(">d", value) for value in self.canaries}
        for path in paths:
            data = path.read_bytes() if path.exists() else b""
            as_number = path.name.startswith("hub") and any(
                data[end - 8 : end] in numbers for end in _ends(data, MARK_BYTES)
            )
            if as_number or (_SOME_OF_MARK in data and self._is_marked(data)):
                self._breaks("readings are nowhere", f"a reading is in {path.name}")

    # --- alerts

    def alert_seen(self, clerk: Clerk, alert: Alert, before: bool) -> None:
        """A copy of an alert is on a handheld. `before`: some copy was there before."""
        copy = alert.alert, alert.revision
        holder = self._copies.setdefault(copy, alert.holder)
        if holder != alert.holder:
            self._breaks("one holder", f"{clerk.name} sees {copy} held by {alert.holder}, others by {holder}")
        said = self._said.get(alert.alert)
        if said is None or said.revision < alert.revision:
            self._said[alert.alert] = _Said(alert.revision, alert.holder)
            handed_on = said is not None and said.holder not in (None, alert.holder) and alert.holder is not None
            if said is not None and handed_on and alert.revision == said.revision + 1:
                self._breaks("one holder", f"{alert.alert} went from {said.holder} to {alert.holder} at once")
        if alert.state in _OVER and not before:
            self._over(clerk, alert)

    def _over(self, clerk: Clerk, alert: Alert) -> None:
        """A handheld that was off for all its life hears of an alert that is over."""
        store, (off, back) = self._store, clerk.was_off
        raised = (alert.raised - START).total_seconds()
        if not off + SOON_S < raised < back or store.quiet_since() > off - SOON_S:
            return
        changed = store.hub.look("SELECT changed FROM alert WHERE alert = ?", alert.alert)
        if changed and (times.time(changed[0][0]) - START).total_seconds() < back - 1:
            self._breaks(
                "nothing that is over",
                f"{clerk.name} was off from {off:.0f} to {back:.0f} s and hears of {alert.alert}",
            )

    # --- coupons

    def coupon_told(self, customer: str, coupon: MemberCoupon) -> None:
        """A terminal is told of a coupon."""
        self._store.truth.counts["coupons told"] += 1
        if coupon.customer != customer:
            self._breaks("to each her own", f"the terminal of {customer} gets a coupon of {coupon.customer}")

    def used(self, coupon: str, sale: str, till: str) -> None:
        """A till was told that this coupon is used in its sale now."""
        told = self.redeemed.setdefault(coupon, set())
        told.add((sale, till))
        self._store.truth.counts["coupons used"] += 1
        if len(told) > 1:
            self._breaks("a coupon is used once", f"{coupon} was taken for {sorted(told)}")

    # --- now and then

    def look(self) -> None:
        """The rules for what is open now."""
        now = self._store.loop.time()
        self._looks += 1
        for what in service_books.over(self._store.hub.look) if self._looks % SELDOM == 0 else ():
            self._breaks("budgets hold", what)
        if now - self._store.quiet_since() < SOON_S:
            self._unkept.clear()
            return
        self._look_at_alerts(now)
        self._look_at_coupons(now)

    def _look_at_alerts(self, now: float) -> None:
        """Every open request is on the handhelds it was offered to, and none that is over is shown as open."""
        hub, since = self._store.hub, times.text(START + timedelta(seconds=now - SOON_S))
        there = [clerk for clerk in self._store.clerks if clerk.off_since is None and now - clerk.since > SOON_S]
        sql = (
            "SELECT alert, clerk FROM alert JOIN alert_clerk USING (alert) "
            "WHERE state IN ('offered', 'accepted', 'declined') AND changed < ?"
        )
        by_name = {clerk.name: clerk for clerk in there}
        for alert, name in hub.look(sql, since):
            if name in by_name and by_name[name].shows(alert) is None:
                self._breaks("alerts arrive", f"{name} does not see {alert}, as it is since before {since}")
        for clerk in there:
            for entry in clerk.book.rows(now):
                # Its holder keeps it until she says how it ended, and then hears what it really is.
                if clerk.shows(entry.id) is None or entry.status is Status.MINE:
                    continue
                found = hub.look("SELECT state, changed FROM alert WHERE alert = ?", entry.id)
                if found and found[0][0] in ("expired", "closed") and found[0][1] < since:
                    self._breaks(
                        "alerts end", f"{clerk.name} shows {entry.id} as {entry.alert.state}, it is {found[0][0]}"
                    )

    def _look_at_coupons(self, now: float) -> None:
        """A terminal that is there keeps what it is to have."""
        there = {
            phone.member.customer for phone in self._store.phones if phone.connected and now - phone.since > SOON_S
        }
        rows = (
            self._store.hub.look("SELECT customer, coupon, revision FROM coupon WHERE to_terminal AND kept < revision")
            if there
            else []
        )
        waiting = {row for row in rows if row[0] in there}
        self._unkept = Counter({row: self._unkept[row] + 1 for row in sorted(waiting)})
        for row, looks in self._unkept.items():
            if looks > LOOKS:
                self._breaks("coupons arrive", f"the terminal of {row[0]} is there and has not kept {row[1]}")

    def heard_undisturbed(self, customer: str) -> None:
        """She was there with her beacon while nothing was broken."""
        if members.may_be_known(int(customer[1:])):
            self.must_visit.add(customer)
