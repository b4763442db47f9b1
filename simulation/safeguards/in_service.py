"""Safeguards of service on arrival, taken out: visits, requests to clerks, readings, coupons."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import hub.alert_life
from contract.payloads import SensingAnswer
from delivery.engine import Tx
from delivery.taking import Taking
from hub.alert_life import AlertLife
from hub.database import alerts, consents, coupons
from hub.database.alerts import Offer
from hub.eid.table import EidTable, Match
from hub.handhelds import Handhelds
from hub.offers.offering import Offers
from hub.offers.redeeming import Reason, Redeeming
from hub.requests import Requests
from hub.sensing import Sensing


@contextmanager
def together(*outs: AbstractContextManager[Any]) -> Iterator[None]:
    """Several taken out at once."""
    with ExitStack() as stack:
        for out in outs:
            stack.enter_context(out)
        yield


# --- consent and readings


def anybody_is_recognised() -> AbstractContextManager[Any]:
    return patch.object(consents, "may_recognise", lambda db, customer: True)  # noqa: ARG005


def everybody_is_asked() -> AbstractContextManager[Any]:
    held = consents.in_force
    return patch.object(consents, "in_force", lambda db, customer, purpose: held(db, customer, purpose) or "k-none")


def withdrawn_consent_counts() -> AbstractContextManager[Any]:
    def ever(db: sqlite3.Connection, customer: str, purpose: str) -> str | None:
        row = db.execute(
            "SELECT consent FROM consent WHERE customer = ? AND purpose = ?", (customer, purpose)
        ).fetchone()
        return row[0] if row else None

    return patch.object(consents, "in_force", ever)


def _without(*words: str) -> AbstractContextManager[Any]:
    judged = Sensing._wrong

    def wrong(self: Sensing, tx: Tx, answer: SensingAnswer, row: Any, speaker: str) -> str:
        found = judged(self, tx, answer, row, speaker)
        return "" if found in words and row is not None else found

    return patch.object(Sensing, "_wrong", wrong)


def answers_for_others() -> AbstractContextManager[Any]:
    mine = Taking._is_not_for_us

    def anybodys(self: Taking, message: Any) -> str:
        return "" if self.terminal is not None else mine(self, message)

    return together(_without("foreign"), patch.object(Taking, "_is_not_for_us", anybodys))


def late_answers() -> AbstractContextManager[Any]:
    return _without("late")


@contextmanager
def readings_in_the_trace() -> Iterator[None]:
    decide = Sensing._decide

    def told(self: Sensing, tx: Tx, cause: str, row: Any, answer: SensingAnswer) -> None:
        decide(self, tx, cause, row, answer)
        tx.db.execute("UPDATE sensing SET decided = decided || ? WHERE request = ?",
                      (answer.readings.model_dump_json(), row.request))  # fmt: skip

    with patch.object(Sensing, "_decide", told):
        yield


def refused_frames_kept() -> AbstractContextManager[Any]:
    return patch.object(Taking, "_is_private", lambda self, topic: False)  # noqa: ARG005


# --- requests to clerks


def anybody_takes_it_over() -> AbstractContextManager[Any]:
    answer = AlertLife.answer

    def first_or_not(self: AlertLife, clerk: str, said: Any) -> Any:
        free = self if self.holder in (None, clerk) or said == "decline" else replace(self, holder=None)
        return answer(free, clerk, said)

    return patch.object(hub.alert_life.AlertLife, "answer", first_or_not)


def what_is_over_is_told() -> AbstractContextManager[Any]:
    return patch.object(Handhelds, "never_saw", lambda self, clerk, raised, ended: False)  # noqa: ARG005


def treatments_to_everybody() -> AbstractContextManager[Any]:
    treat = Requests.treat

    def to_all(self: Requests, *args: Any) -> None:
        everybody = [Offer(f"c{n}", "deputy") for n in range(1, 6)]
        with patch.object(alerts, "offers", lambda db, alert: everybody):  # noqa: ARG005
            treat(self, *args)

    return patch.object(Requests, "treat", to_all)


# --- rotating beacons


def replays_resolve() -> AbstractContextManager[Any]:
    def ever(self: EidTable, said: bytes, heard_s: float) -> Match | None:  # noqa: ARG001
        found = self._index.get(int.from_bytes(said, "big"))
        beacon = None if found is None else self._beacons[found >> 33]
        return None if beacon is None else Match(beacon.key.name, beacon.low_s, *beacon.saved)

    return patch.object(EidTable, "resolve", ever)


def keys_at_the_start_only() -> AbstractContextManager[Any]:
    return patch("hub.eid.resolving.Resolver.idle", lambda self, db, now: 60.0)  # noqa: ARG005


# --- coupons


def no_limits() -> AbstractContextManager[Any]:
    return patch.object(Offers, "_full", lambda self, tx, rule, customer: "")  # noqa: ARG005


def decided_at_every_look() -> AbstractContextManager[Any]:
    def keep(db: sqlite3.Connection, visit: str, because: str) -> None:
        """Forgotten: the visit is looked at again."""

    return together(patch.object(coupons, "decide", keep), patch.object(coupons, "issued_to", lambda *_: 0))


def told_once() -> AbstractContextManager[Any]:
    return patch.object(coupons, "for_terminal", lambda db, customer: [])  # noqa: ARG005


def used_again() -> AbstractContextManager[Any]:
    def redeem(db: sqlite3.Connection, row: Any) -> None:
        db.execute("INSERT OR REPLACE INTO redemption VALUES (?, ?, ?, ?)", (row.coupon, row.sale, row.pos, row.at))

    return together(patch.object(coupons, "redemption", lambda *_: None), patch.object(coupons, "redeem", redeem))


def anybodys_coupon() -> AbstractContextManager[Any]:
    judge = Redeeming._judge

    def judged(self: Redeeming, tx: Tx, found: Any, used: Any, customer: str | None) -> Reason:
        del customer
        return judge(self, tx, found, used, None)

    return patch.object(Redeeming, "_judge", judged)
