"""Brings coupons to the world outside, way by way, beside the hub's loop: nothing here holds up a lane.

A try is noted before it begins, and its outcome after it ended. Whoever is killed between the two tries again at the next start:
so a letter may be sent twice, under the same Message-ID, and is never forgotten. The coupon stays one.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

import structlog

from config.words import Words
from delivery.engine import Tx
from delivery.node import Node
from hub.database import consents, customers, givings, lanes, members, times
from hub.database.givings import GivingRow
from hub.giving.coupon import begins, conditions
from hub.giving.giving import Giving
from hub.giving.ways import Later, Never, Parcel, Result, Sent, Way
from hub.saying import count

log = structlog.get_logger()

AT_ONCE = 8
"""Letters and notifications under way at the same time."""
LEASE = timedelta(seconds=120)
"""A try that nobody has told the end of is tried again after this time. Longer than any way takes."""
TRY_S = 60.0
LOOK_S = 1.0
FIRST_S, LONGEST_S = 15.0, 3600.0


def wait_s(tries: int, chance: float) -> float:
    """How long to wait after so many tries: doubling, within 15 s to an hour, and by chance (0 to 1) half to the whole of it, so
    that what failed together doesn't come again together."""
    return float(min(FIRST_S * 2 ** min(tries, 20), LONGEST_S)) * (0.5 + chance / 2)


class Courier:
    """`ways` by name; what names another is passed over. `run` is a task of the hub."""

    def __init__(self, node: Node, giving: Giving, ways: Mapping[str, Way], counters: Counter[str],
                 chance: random.Random | None = None) -> None:  # fmt: skip
        self._node, self._giving, self._ways, self._counters = node, giving, ways, counters
        self._chance = chance or random.Random()
        self._woken = asyncio.Event()
        self._busy: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._trouble: set[str] = set()
        giving.poke = self._woken.set

    async def run(self) -> None:
        """Until it is cancelled; what is under way then is tried again by the next process."""
        resumed = False
        try:
            while True:
                self._woken.clear()
                try:
                    if not resumed:
                        with self._node.transaction() as tx:
                            givings.resume(tx.db, times.text(tx.utc))
                        resumed = True
                    self._begin()
                except sqlite3.Error as error:
                    self._say("database", f"the database can't be used: {error}")
                try:
                    async with asyncio.timeout(LOOK_S):
                        await self._woken.wait()
                except TimeoutError:
                    continue
        finally:
            tasks = list(self._busy.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def idle(self) -> None:
        """Until nothing is under way (tests)."""
        while self._busy:
            await asyncio.gather(*self._busy.values(), return_exceptions=True)

    def _begin(self) -> None:
        room = AT_ONCE - len(self._busy)
        db = self._node.engine.journal.db
        now = times.text(self._node.engine.clock.utc())
        if room <= 0 or not givings.due(db, now, 1):  # no transaction a second for nothing
            return
        with self._node.transaction() as tx:
            found = [(row, self._taken(tx, row)) for row in givings.due(tx.db, times.text(tx.utc), room)]
        self._recovered("database")
        for row, parcel in found:
            if parcel is not None and (row.coupon, row.way) not in self._busy:
                task = asyncio.create_task(self._bring(row, parcel), name=f"giving {row.way}")
                self._busy[row.coupon, row.way] = task

    def _taken(self, tx: Tx, row: GivingRow) -> Parcel | None:
        """What is to be brought now. None: what became of it is written already."""
        now = times.text(tx.utc)
        if row.state == "sent":
            self._unconfirmed(tx, row)
        elif now >= row.until:
            self._failed(tx, row, f"given up after {row.tries} tries: {row.detail}")
        elif row.way not in self._ways:
            self._failed(tx, row, "the store's settings don't have this way")
        elif (purpose := self._ways[row.way].purpose) and not consents.in_force(tx.db, row.customer, purpose):
            self._failed(tx, row, f"she has not agreed to {purpose.value}")
        else:
            parcel = parcel_of(tx, row, self._giving.currency)
            if parcel is not None:
                givings.try_way(tx.db, row.coupon, row.way, times.text(tx.utc + LEASE), now)
                return parcel
            self._failed(tx, row, "the coupon is not there any more")
        return None

    async def _bring(self, row: GivingRow, parcel: Parcel) -> None:
        key = row.coupon, row.way
        try:
            try:
                async with asyncio.timeout(TRY_S):
                    result = await self._ways[row.way].bring(parcel)
            except TimeoutError:
                result = Later(f"no end after {TRY_S:.0f} s")
            except Exception as error:  # a way's own fault must not end the hub; type only: a text may hold an address
                result = Later(f"{type(error).__name__} in the program")
            while True:
                if self._settle(row, parcel, result):
                    break
                await asyncio.sleep(LOOK_S)
        finally:
            self._busy.pop(key, None)
            self._woken.set()

    def _settle(self, row: GivingRow, parcel: Parcel, result: Result) -> bool:
        """Write the outcome; False while the database takes nothing."""
        try:
            with self._node.transaction() as tx:
                now = givings.way(tx.db, row.coupon, row.way)
                if now is not None and now.state == "pending":  # else she was erased, or has confirmed it meanwhile
                    self._outcome(tx, now, parcel, result)
        except sqlite3.Error as error:
            self._say("database", f"the database can't be used: {error}")
            return False
        return True

    def _outcome(self, tx: Tx, row: GivingRow, parcel: Parcel, result: Result) -> None:
        at = times.text(tx.utc)
        match result:
            case Sent(why, confirm_s):
                due = None if confirm_s is None else times.text(tx.utc + timedelta(seconds=confirm_s))
                givings.set_way(tx.db, row.coupon, row.way, "sent", due, at, why)
                self._giving.note(tx, row, f"{row.coupon} by {row.way}: sent {why}".rstrip())
                count(tx, self._counters, f"giving_sent_{row.way}")
                self._recovered(row.way)
            case Later(why, after_s):
                wait = wait_s(parcel.tries - 1, self._chance.random())
                due = times.text(tx.utc + timedelta(seconds=min(max(wait, after_s or 0.0), 6 * LONGEST_S)))
                givings.set_way(tx.db, row.coupon, row.way, "pending", due, at, why)
                count(tx, self._counters, f"giving_later_{row.way}")
                self._say(row.way, why)
            case Never(why):
                self._failed(tx, row, why)

    def _failed(self, tx: Tx, row: GivingRow, why: str) -> None:
        """Not by this way: the next one begins."""
        givings.set_way(tx.db, row.coupon, row.way, "failed", None, times.text(tx.utc), why)
        self._giving.note(tx, row, f"{row.coupon} by {row.way}: failed, {why}")
        count(tx, self._counters, f"giving_failed_{row.way}")
        if not self._next(tx, row):
            count(tx, self._counters, "giving_failed_all")

    def _unconfirmed(self, tx: Tx, row: GivingRow) -> None:
        """Told, and nobody said that it was kept. Her terminals are told again at their sign-in, whatever else is tried."""
        if not self._next(tx, row):
            givings.set_way(tx.db, row.coupon, row.way, "sent", None, times.text(tx.utc), row.detail)
            return
        givings.set_way(
            tx.db, row.coupon, row.way, "failed", None, times.text(tx.utc), "no terminal has kept it in time"
        )
        self._giving.note(tx, row, f"{row.coupon} by {row.way}: not kept in time")
        count(tx, self._counters, f"giving_failed_{row.way}")

    def _next(self, tx: Tx, row: GivingRow) -> bool:
        for each in givings.ways_of(tx.db, row.coupon):
            if each.state == "waiting" and each.place > row.place:
                givings.begin_way(tx.db, each.coupon, each.way, times.text(tx.utc), self._giving.until(tx))
                tx.after_commit(self._woken.set)
                return True
        return False

    # --- what an operator reads

    def _say(self, what: str, why: str) -> None:
        if what not in self._trouble:
            self._trouble.add(what)
            log.warning("coupons can't be brought now", way=what, why=why)

    def _recovered(self, what: str) -> None:
        if what in self._trouble:
            self._trouble.discard(what)
            log.info("coupons are brought again", way=what)


def parcel_of(tx: Tx, row: GivingRow, currency: str) -> Parcel | None:
    """What a way has to know; None when customer or coupon are gone."""
    coupon, someone = lanes.incentive(tx.db, row.coupon), customers.customer(tx.db, row.customer)
    profile = members.profile(tx.db, row.customer)
    if coupon is None or someone is None or profile is None:
        return None
    asks = conditions(coupon, currency)
    language: Literal["ja", "en"] = "en" if someone.language == "en" else "ja"
    return Parcel(row.coupon, row.customer, someone.name, language, profile.email,
                  Words.model_construct(ja=coupon.title_ja, en=coupon.title_en), Words.model_construct(ja=asks.ja, en=asks.en),
                  begins(coupon), times.time(coupon.valid_until), row.secret,
                  row.tries + 1)  # fmt: skip
