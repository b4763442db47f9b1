"""What giving does inside the hub's transactions; the world outside is `hub.giving.courier`'s.

A coupon that is hers electronically is a row of `given_coupon`, whichever ways bring it: every terminal of hers that signs in
is told of it until it has kept it, so that a way that fails loses nothing.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta

from config.hub_settings import HubSettings
from contract.envelope import Message
from contract.payloads import CouponKept
from delivery.engine import Tx
from hub.database import coupons, customers, givings, lanes, push_subscriptions, times
from hub.database.givings import GivenRow, GivingRow
from hub.database.lanes import IncentiveRow
from hub.giving.coupon import as_message, state_of
from hub.saying import count, decided, heard, say

WAYS = ("app", "push", "email")
A_TURN = 50
"""Coupons looked at in one tick, so that a rush does not hold up a lane."""


class Giving:
    """`is_there`: whether a terminal of hers is connected; `poke` wakes the courier."""

    def __init__(self, settings: HubSettings, is_there: Callable[[str], bool], counters: Counter[str]) -> None:
        self._settings, self._is_there, self._counters = settings.giving, is_there, counters
        self.currency = settings.store.currency
        can = {"app", *(["push"] if settings.push else []), *(["email"] if settings.members.mail else [])}
        self._can = frozenset(can)
        self.poke: Callable[[], None] = lambda: None

    # --- a coupon becomes hers

    def on_granted(self, tx: Tx, customer: str, coupon: str, ways: Sequence[str] = ()) -> bool:
        """A lane's coupon is hers electronically, and is brought to her by the first of `ways` that can; those of the
        settings when none of them is one of ours. In the transaction that commits it. Said again it changes nothing: False.
        """
        row = lanes.incentive(tx.db, coupon)
        if row is None or customers.customer(tx.db, customer) is None or givings.ways_of(tx.db, coupon):
            return False
        self.give(tx, customer, row, "granted")
        asked = dict.fromkeys(way for way in ways if way in WAYS) or self._settings.ways
        wanted = [way for way in asked if way in self._can] or ["app"]
        for place, way in enumerate(wanted):
            self._add_way(tx, customer, row, way, place)
        decided(tx, _visit(tx, row), row.scan, "giving", f"{coupon} is given electronically: {', else '.join(wanted)}")
        count(tx, self._counters, "coupons_given")
        tx.after_commit(lambda: self.poke())
        return True

    def give(self, tx: Tx, customer: str, row: IncentiveRow, how: str) -> None:
        """Into her coupons, unless it is there, and to the terminals that are connected."""
        known = givings.given(tx.db, row.coupon)
        if known is None:
            at = times.text(tx.utc)
            givings.add_given(tx.db, GivenRow(row.coupon, customer, how, "offered", 1, 0, at, row.valid_until, 0))
            self._tell(tx, row)
        else:
            self.look_at(tx, row.coupon)

    def _add_way(self, tx: Tx, customer: str, row: IncentiveRow, way: str, place: int) -> None:
        at = times.text(tx.utc)
        givings.add_way(tx.db, GivingRow(row.coupon, way, customer, place, "pending" if place == 0 else "waiting", 0,
                                         at if place == 0 else None, self.until(tx), at, at, "", secrets.token_hex(16)))  # fmt: skip

    def until(self, tx: Tx) -> str:
        """When a way that begins now is given up."""
        return times.text(tx.utc + timedelta(hours=self._settings.give_up_hours))

    # --- it changes

    def on_settled(self, tx: Tx, row: IncentiveRow, ways: Sequence[str] = ()) -> None:
        """A lane's coupon was committed or released. What is hers and is not on paper is given now."""
        if givings.given(tx.db, row.coupon) is not None:
            self.look_at(tx, row.coupon)
        elif row.state == "committed" and row.kind != "points" and not _on_paper(row):
            if row.customer is None:
                count(tx, self._counters, "coupons_for_nobody")
            else:
                self.on_granted(tx, row.customer, row.coupon, ways)

    def look_at(self, tx: Tx, coupon: str) -> None:
        """Its state may have changed: her terminals hear of it, and no way brings what is worth nothing any more."""
        given, row = givings.given(tx.db, coupon), lanes.incentive(tx.db, coupon)
        if given is None or row is None:
            return
        state = state_of(row, times.text(tx.utc), used=coupons.redemption(tx.db, coupon) is not None)
        if state == given.state:
            givings.fresh(tx.db, coupon)
            return
        givings.change_given(tx.db, coupon, state)
        self._tell(tx, row)
        if state != "offered":
            for way in givings.ways_of(tx.db, coupon):
                if way.due is not None or way.state == "waiting":
                    rests = "sent" if way.state == "sent" else "unneeded"
                    givings.set_way(tx.db, coupon, way.way, rests, None, times.text(tx.utc), f"the coupon is {state}")

    def tick(self, tx: Tx) -> None:
        """Coupons that a till has used, and those whose time is over. Call about once a second."""
        for coupon in givings.to_look_at(tx.db, times.text(tx.utc), A_TURN):
            self.look_at(tx, coupon)

    def clean(self, tx: Tx) -> None:
        """Old rows go, and subscriptions of who does not agree to notifications any more; call now and then."""
        push_subscriptions.without_consent(tx.db)
        givings.forget(tx.db, times.text(tx.utc - timedelta(days=self._settings.kept_days)), 1000)

    # --- her terminals

    def _tell(self, tx: Tx, row: IncentiveRow) -> None:
        given = givings.given(tx.db, row.coupon)
        assert given is not None
        if not self._is_there(given.customer):  # she hears of it at her sign-in
            return
        say(tx, "member_coupon", as_message(row, given, self.currency), f"{row.coupon} to her terminal: {given.state}",
            visit=_visit(tx, row), cause=row.scan, customer=given.customer)  # fmt: skip

    def on_terminal(self, customer: str, tx: Tx) -> None:
        """A terminal signed in: tell it what it should have."""
        for given in givings.for_terminal(tx.db, customer):
            row = lanes.incentive(tx.db, given.coupon)
            if row is not None:
                tx.send("member_coupon", as_message(row, given, self.currency), customer=customer)

    def is_of_lane(self, tx: Tx, coupon: str) -> bool:
        """Whether a coupon on her terminal came from a lane; others are `hub.offers`'."""
        return givings.given(tx.db, coupon) is not None

    def on_kept(self, message: Message, tx: Tx) -> None:
        """Her terminal has kept a coupon of a lane; others are not ours."""
        kept = message.data
        assert isinstance(kept, CouponKept)
        given = givings.given(tx.db, kept.coupon)
        if given is None:
            return
        if given.customer != message.ids["customer"] or kept.customer != message.ids["customer"]:
            count(tx, self._counters, "coupons_kept_by_others")
            return
        if kept.revision > given.kept:
            givings.kept(tx.db, given.coupon, min(kept.revision, given.revision))
            row = lanes.incentive(tx.db, given.coupon)
            heard(tx, message, _visit(tx, row) if row else None, f"{given.coupon}: kept by her terminal")
        self._confirm(tx, given.coupon)

    def _confirm(self, tx: Tx, coupon: str) -> None:
        """A terminal of hers has it, also when that was given up: no other way is begun."""
        at = times.text(tx.utc)
        for each in givings.ways_of(tx.db, coupon):
            if (each.way, each.state) == ("push", "sent") or (each.way == "app" and each.state != "confirmed"):
                givings.set_way(tx.db, coupon, each.way, "confirmed", None, at, "kept by her terminal")
                count(tx, self._counters, f"giving_confirmed_{each.way}")
            elif each.state in ("waiting", "pending"):
                givings.set_way(tx.db, coupon, each.way, "unneeded", None, at, "her terminal has it")

    def note(self, tx: Tx, way: GivingRow, summary: str) -> None:
        """What became of a way, in the trace of the visit that brought the coupon."""
        row = lanes.incentive(tx.db, way.coupon)
        if row is not None:
            decided(tx, _visit(tx, row), f"{row.scan}.giving", f"{way.way}-{way.tries}", summary)


def _on_paper(row: IncentiveRow) -> bool:
    """Whether a printer has confirmed the slip (row C4): nothing else is paper."""
    return row.give == "print" and row.paper == "printed"


def _visit(tx: Tx, row: IncentiveRow) -> str | None:
    scan = lanes.scan(tx.db, row.scan)
    return scan.visit if scan is not None else None
