"""From what was noticed to whom it is, and whether she agreed to being known by it (rows A13, C5, C11; decision 0012).

Thousands of sightings a second pass here, most of them of strangers, so that answers are held in memory; they are dropped when any
program has changed a beacon, a key or a consent. Who is not to be known leaves a count, and nothing else: no row, no trace, no
line in the log.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import structlog

from contract.payloads import Detector, Sighting
from delivery.engine import Tx
from hub.database import consents, customers, eids
from hub.database.consents import Purpose
from hub.eid import keys, resolving
from hub.eid.resolving import Resolver
from hub.saying import count
from hub.strangers import Strangers

log = structlog.get_logger()

REMEMBERED_MAX = 200_000
"""Beacons in memory, known or not. A street full of strangers' beacons must not fill it."""
POSITION_PREFIX = "position:"
"""With the customer's ID: what stands for a terminal that says it is in the store."""
_FIXED = ("ibeacon:", "altbeacon:", "eddystone-uid:")
_MORE: dict[str, Purpose] = {"face": Purpose.FACE, "position": Purpose.POSITION}
"""By the first part of an identifier, or by the detector: what has to be agreed to besides being recognised at all."""
_STRANGERS = {
    Detector.BEACON: "unknown_beacons",
    Detector.MEMBER_CODE: "unknown_member_codes",
    Detector.POSITION: "unknown_terminals",
    Detector.FACE: "unknown_faces",
}


class Recognition:
    """`begin` before the first question of each transaction."""

    def __init__(self, resolver: Resolver, counters: Counter[str]) -> None:
        self._resolver, self._counters = resolver, counters
        self._owners: dict[str, str | None] = {}
        self._agreed: dict[tuple[str, Purpose | None], bool] = {}
        self._version = -1
        self._strangers = Strangers()

    def begin(self, tx: Tx) -> bool:
        """True when something has changed, or too much is remembered: then everything is asked anew."""
        version = eids.version(tx.db)
        changed = version != self._version or len(self._owners) > REMEMBERED_MAX or len(self._agreed) > REMEMBERED_MAX
        self._version = version
        if changed:
            self.forget()
            self._resolver.news(tx.db, tx.utc)
        return changed

    def forget(self) -> None:
        """Drop what is in memory; the database is asked again."""
        self._owners.clear()
        self._agreed.clear()

    def who(self, tx: Tx, sighting: Sighting, when: datetime) -> str | None:
        """Whom this identifier belongs to; None: nobody's, and counted."""
        beacon = sighting.beacon
        if beacon.startswith(POSITION_PREFIX):
            customer = beacon.removeprefix(POSITION_PREFIX) if sighting.detector is Detector.POSITION else None
        elif beacon.startswith(resolving.PREFIX):
            customer = self._rotating(tx, beacon, when)
        elif beacon.startswith(keys.NAME_PREFIX):
            customer = None  # a name of ours, which no beacon says
        else:
            customer = self._owner(tx, beacon)
        if customer is None:
            self._stranger(tx, sighting)
        return customer

    def may(self, tx: Tx, customer: str, sighting: Sighting) -> bool:
        """Whether she agreed to being known in this way; if not, that is counted."""
        agreed = self._agrees(tx, customer, None)
        for kind in (sighting.beacon.partition(":")[0], sighting.detector.value):
            purpose = _MORE.get(kind)
            agreed = agreed and (purpose is None or self._agrees(tx, customer, purpose))
        if not agreed:
            count(tx, self._counters, "sightings_without_consent")
        return agreed

    def _agrees(self, tx: Tx, customer: str, purpose: Purpose | None) -> bool:
        """None: to being recognised at all."""
        known = self._agreed.get((customer, purpose))
        if known is None:
            known = (
                consents.may_recognise(tx.db, customer)
                if purpose is None
                else consents.in_force(tx.db, customer, purpose) is not None
            )
            self._agreed[(customer, purpose)] = known
        return known

    def _rotating(self, tx: Tx, beacon: str, when: datetime) -> str | None:
        # Never remembered by what it says: that belongs to somebody for its time only.
        name = self._resolver.resolve(tx, beacon, when)
        if name is None:
            return None
        customer = self._owner(tx, name)
        if customer is None:
            self._resolver.drop(name)
        return customer

    def _owner(self, tx: Tx, beacon: str) -> str | None:
        customer = self._owners.get(beacon, "")
        if customer == "":
            find = eids.owner if beacon.startswith(keys.NAME_PREFIX) else customers.owner
            customer = self._owners[beacon] = find(tx.db, beacon)
        return customer

    def _stranger(self, tx: Tx, sighting: Sighting) -> None:
        # A fixed beacon is said in the log, for installers. What changes by itself, or is a person's own, never is.
        count(tx, self._counters, _STRANGERS[sighting.detector])
        beacon = sighting.beacon
        fixed = sighting.detector is Detector.BEACON and beacon.startswith(_FIXED)
        if fixed and (said := self._strangers.hear(beacon, tx.now)) is not None:
            log.info(
                "nobody has these beacons; if they are the store's: instore customers import",
                beacons=said[0],
                new=said[1],
            )
