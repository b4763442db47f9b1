"""Rotating identifiers to beacons: the table of `hub.eid.table`, fed from the database a little at a time."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from itertools import islice
from sqlite3 import Connection

import structlog

from delivery.clock import Clock
from delivery.engine import Tx
from hub.database import eids
from hub.eid.computing import EID_BYTES
from hub.eid.table import EidTable, Match
from hub.saying import count

log = structlog.get_logger()

PREFIX = "eddystone-eid:"
PORTION = 64
"""Identifiers, or keys, in one turn of the loop: under a millisecond."""
KEYS_AT_START = 5000
SAVE_EVERY_S = 3600.0
"""What is known of a beacon's clock is written this often, or when it has changed by `SAVE_DRIFT_S`."""
SAVE_DRIFT_S = 30.0
IDLE_S = 1.0
BUSY_S = 0.005
"""Between two portions, for others."""


class Resolver:
    """Whose rotating identifier. `idle` keeps the table ahead of time; call it for ever, at the pace that it asks for."""

    def __init__(self, counters: Counter[str], table: EidTable | None = None) -> None:
        self.table = table or EidTable()
        self._counters = counters
        self._row = 0
        self._version = -1
        self._all_read = False
        """Whether all keys of that version are in the table."""
        self._to_check: Iterator[str] = iter(())
        self._loaded = False

    def load(self, db: Connection, now: datetime) -> int:
        """Read all keys and compute what resolves now, at once (100,000 keys: some 3 s). For the start; returns how many keys."""
        self._loaded = True
        self._version = eids.version(db)
        while self._read(db, KEYS_AT_START):
            pass
        while self.table.work(now.timestamp(), PORTION):
            pass
        return len(self.table)

    def idle(self, db: Connection, now: datetime) -> float:
        """One portion of work; returns after how many seconds to call again."""
        if not self._loaded:
            self.load(db, now)
        self._look_for_changes(db)
        if self._read(db, PORTION) or self._check(db) or self.table.work(now.timestamp(), PORTION):
            return BUSY_S
        due_s = self.table.due_s()
        return IDLE_S if due_s is None else min(IDLE_S, max(BUSY_S, due_s - now.timestamp()))

    def resolve(self, tx: Tx, beacon: str, heard: datetime) -> str | None:
        """The name of the beacon that said this when it was heard (`eddystone-eid:…`), or None."""
        if not self._loaded:
            self.load(tx.db, tx.utc)
        try:
            said = bytes.fromhex(beacon.removeprefix(PREFIX))
        except ValueError:
            return None
        match = self.table.resolve(said, heard.timestamp()) if len(said) == EID_BYTES else None
        if match is None:
            return None
        self._save(tx, match, heard.timestamp())
        return match.name

    def news(self, db: Connection, now: datetime) -> None:
        """Something was entered: if it is a few keys, they resolve from now on; many come in portions, by `idle`."""
        self._all_read = False
        if self._loaded and self._read(db, PORTION):
            self.table.work(now.timestamp(), 4 * PORTION)

    def drop(self, name: str) -> None:
        """A beacon has no owner any more."""
        self.table.drop(name)

    def _save(self, tx: Tx, match: Match, heard_s: float) -> None:
        moved = abs(match.drift_s - match.saved_drift_s) >= SAVE_DRIFT_S
        if moved or heard_s - match.saved_s >= SAVE_EVERY_S:
            eids.heard(tx.db, match.name, match.drift_s, heard_s)
            tx.after_commit(partial(self.table.saved, match.name, match.drift_s, heard_s))
            count(tx, self._counters, "eid_clocks_followed")

    def _look_for_changes(self, db: Connection) -> None:
        version = eids.version(db)
        if version != self._version:
            self._version, self._all_read = version, False
            self._to_check = iter(list(self.table.names()))

    def _read(self, db: Connection, limit: int) -> bool:
        found = [] if self._all_read else eids.since(db, self._row, limit)
        for row, key in found:
            self.table.put(key)
            self._row = row
        self._all_read = not found
        return bool(found)

    def _check(self, db: Connection) -> bool:
        """Of beacons that are known some: is their key still there?"""
        names = list(islice(self._to_check, PORTION))
        for name in eids.gone(db, names) if names else ():
            self.table.drop(name)
        return bool(names)


async def keep_ahead(resolver: Resolver, db: Connection, clock: Clock) -> None:
    """Until cancelled: all keys at once, then a portion of work whenever there is some."""
    began = clock.monotonic()
    if beacons := resolver.load(db, clock.utc()):
        gc.freeze()  # half a million identifiers that live for a quarter of an hour: the collector need not look at them
        log.info("rotating beacons can be resolved", beacons=beacons, seconds=round(clock.monotonic() - began, 1))
    failing = False
    while True:
        try:
            pause_s = resolver.idle(db, clock.utc())
        except sqlite3.Error as error:  # the node says it once, and when it is over
            log.debug("keys of rotating beacons can't be read", error=str(error))
            pause_s = IDLE_S
        except Exception as error:  # without it customers with such beacons are strangers; the rest of the hub goes on
            if not failing:
                log.error("rotating beacons can't be kept ahead of time", error=repr(error), exc_info=True)
            failing, pause_s = True, IDLE_S
        else:
            failing = False
        await asyncio.sleep(pause_s)
