"""A coupon whose code she has read from a lane's display becomes hers on her terminal (rows B9, B12).

It is reserved until she has passed, as a printed one is. Of two terminals at the same moment one is first: the hub has one
writer. The lane is told that the code was read, and need not show it any longer.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Literal

from config.words import Words
from contract.payloads import CouponRead
from delivery.engine import Tx
from hub.database import coupons, customers, givings, lanes, times
from hub.database.lanes import IncentiveRow, ScanRow
from hub.giving.giving import Giving
from hub.saying import count, decided, say

PREFIX = "COUPON:"
_ID = re.compile(r"[A-Z0-9][A-Z0-9_.-]{0,63}")

Kind = Literal["unknown", "not_yours", "used", "expired", "released"]
SENTENCES: dict[Kind, Words] = {
    "unknown": Words(ja="このクーポンは登録されていません。もう一度読み取ってください。", en="This coupon is not known. Please read the code again."),
    "not_yours": Words(ja="このクーポンは別のお客様のものです。", en="This coupon belongs to another customer."),
    "used": Words(ja="このクーポンは使用済みです。", en="This coupon was used already."),
    "expired": Words(ja="このクーポンは有効期限が過ぎています。", en="This coupon has expired."),
    "released": Words(ja="このクーポンは取り消されました。係員にお申し付けください。", en="This coupon was taken back. Please ask a clerk."),
}  # fmt: skip
KEPT = Words(ja="クーポンを受け取りました。", en="The coupon is yours.")
KEPT_ALREADY = Words(ja="このクーポンは受け取り済みです。", en="You have this coupon already.")


class ClaimRefused(ValueError):
    """It does not become hers; `words` for the person who holds the terminal."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(SENTENCES[kind].en)
        self.kind, self.words = kind, SENTENCES[kind]
        self.status = 404 if kind == "unknown" else 409


class Claiming:
    """Reads codes for members."""

    def __init__(self, giving: Giving, counters: Counter[str]) -> None:
        self._giving, self._counters = giving, counters

    def claim(self, tx: Tx, customer: str, code: str) -> Literal["kept", "already_kept"]:
        """It is hers; the same again, or from another terminal of hers, is `already_kept`. Raises ClaimRefused."""
        row = self._claimable(tx, customer, coupon_of(code))
        known = givings.given(tx.db, row.coupon)
        if known is not None and known.state == "offered":
            count(tx, self._counters, "coupons_claimed_again")
            return "already_kept"
        if row.customer is None:
            givings.becomes_of(tx.db, row.coupon, customer)
        self._giving.give(tx, customer, row, "claimed")
        count(tx, self._counters, "coupons_claimed")
        scan = lanes.scan(tx.db, row.scan)
        if scan is not None:
            self._tell_lane(tx, row, scan)
        return "kept"

    def _claimable(self, tx: Tx, customer: str, coupon: str) -> IncentiveRow:
        row = lanes.incentive(tx.db, coupon) if coupon else None
        if row is None or customers.customer(tx.db, customer) is None:
            raise self._refused("unknown")
        given = givings.given(tx.db, coupon)
        if customer != (given.customer if given is not None else row.customer or customer):
            raise self._refused("not_yours")
        if coupons.redemption(tx.db, coupon) is not None:
            raise self._refused("used")
        if row.state == "released":
            raise self._refused("released")
        if times.text(tx.utc) >= row.valid_until:
            raise self._refused("expired")
        return row

    def _refused(self, kind: Kind) -> ClaimRefused:
        self._counters[f"coupon_claims_{kind}"] += 1
        return ClaimRefused(kind)

    def _tell_lane(self, tx: Tx, row: IncentiveRow, scan: ScanRow) -> None:
        cause = decided(tx, scan.visit, row.scan, "claimed", f"{row.coupon}: her terminal has read it from the display")
        if scan.ended is None:
            say(tx, "coupon_read", CouponRead(scan=row.scan, coupon=row.coupon), f"{row.coupon} was read",
                visit=scan.visit, cause=cause, agent=scan.agent, lane=scan.lane)  # fmt: skip


def coupon_of(code: str) -> str:
    """The coupon's ID in what was read or typed; "" for what is none."""
    plain = code.strip().upper().removeprefix(PREFIX)
    return plain if _ID.fullmatch(plain) else ""
