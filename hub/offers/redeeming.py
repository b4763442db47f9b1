"""The use of a coupon at a checkout, whether a lane gave it or purchase history did: once (rows A11, B8)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contract.payloads import Bilingual, Id
from delivery.engine import Tx
from hub.database import coupons, lanes, times, visits
from hub.database.coupons import CouponRow, RedemptionRow
from hub.offers.offering import Offers
from hub.rules.policy import Policy
from hub.saying import count


class Reason(StrEnum):
    """Why a coupon can be used now, or can't."""

    OK = "ok"
    UNKNOWN = "unknown"
    NOT_BEGUN = "not_begun"
    EXPIRED = "expired"
    USED = "used"
    NOT_YOURS = "not_yours"
    WITHDRAWN = "withdrawn"
    BUDGET_REACHED = "budget_reached"


SENTENCES: dict[Reason, tuple[str, str]] = {
    Reason.OK: ("ご利用いただけます。", "This coupon can be used."),
    Reason.UNKNOWN: ("このクーポンは登録されていません。番号をお確かめください。", "This coupon is not known. Please check its number."),
    Reason.NOT_BEGUN: ("このクーポンはまだご利用いただけません。", "This coupon can't be used yet."),
    Reason.EXPIRED: ("このクーポンは有効期限が過ぎています。", "This coupon has expired."),
    Reason.USED: ("このクーポンは使用済みです。", "This coupon was used already."),
    Reason.NOT_YOURS: ("このクーポンは別のお客様のものです。", "This coupon belongs to another customer."),
    Reason.WITHDRAWN: ("このクーポンは無効になりました。", "This coupon was taken back."),
    Reason.BUDGET_REACHED: ("このクーポンの配布は終了しました。", "This coupon's offer has ended."),
}  # fmt: skip
"""For the person at the checkout: Japanese, English."""


class RedeemPost(BaseModel):
    """A till wants to use a coupon in a sale. The same again (same coupon, same sale) gets the same answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sale: Id
    customer: Id | None = None
    """Whoever stands there, if the till knows."""


class CouponState(BaseModel):
    """What a till is told of a coupon."""

    coupon: str
    usable: bool
    reason: Reason
    sentence: Bilingual
    kind: Literal["points", "discount", "product"] | None = None
    title: Bilingual | None = None
    amount_minor: int = 0
    points: int = 0
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    used_in: Annotated[str | None, Field(description="The sale that used it.")] = None


CouponCode = Annotated[str, StringConstraints(min_length=1, max_length=64)]


@dataclass(frozen=True, slots=True)
class _Found:
    """A coupon of either kind."""

    kind: str
    title: Bilingual
    amount_minor: int
    points: int
    customer: str | None
    valid_from: str
    valid_until: str
    why_not: Reason | None
    history: CouponRow | None


@dataclass(frozen=True)
class Redeeming:
    """Looks up and redeems. One writer: of two tills at the same moment one is first."""

    policy: Callable[[], Policy]
    offers: Offers
    counters: Counter[str]

    def look(self, tx: Tx, coupon: str, customer: str | None = None) -> CouponState:
        """Whether a coupon could be used now; changes nothing."""
        coupon = coupon.strip().upper()
        found = self._find(tx, coupon)
        if found is None:
            return _state(coupon, Reason.UNKNOWN, None, None)
        used = coupons.redemption(tx.db, coupon)
        return _state(coupon, self._judge(tx, found, used, customer), found, used)

    def redeem(self, tx: Tx, coupon: str, post: RedeemPost, pos: str) -> CouponState:
        """Use it. `usable` False: nothing was changed, and `reason` says why."""
        coupon = coupon.strip().upper()
        found = self._find(tx, coupon)
        used = coupons.redemption(tx.db, coupon)
        if used is not None and found is not None and (used.sale, used.pos) == (post.sale, pos):
            count(tx, self.counters, "redemptions_repeated")
            return _state(coupon, Reason.OK, found, used)
        reason = self._judge(tx, found, used, post.customer) if found else Reason.UNKNOWN
        if reason is not Reason.OK or found is None:
            count(tx, self.counters, f"redemptions_{reason}")
            return _state(coupon, reason, found, used)
        now = RedemptionRow(coupon, post.sale, pos, times.text(tx.utc))
        coupons.redeem(tx.db, now)
        count(tx, self.counters, "redemptions")
        if found.history is not None:
            visit = visits.latest(tx.db, found.customer, "") if found.customer else None
            self.offers.changed(
                tx, coupons.change(tx.db, coupon, "redeemed"), visit, f"used in sale {post.sale} at {pos}"
            )
        return _state(coupon, Reason.OK, found, now)

    def _find(self, tx: Tx, coupon: str) -> _Found | None:
        row = coupons.read(tx.db, coupon)
        if row is not None:
            ended = {"expired": Reason.EXPIRED, "withdrawn": Reason.WITHDRAWN}.get(row.state)
            return _Found(row.kind, Bilingual(ja=row.title_ja, en=row.title_en), row.amount_minor, row.points, row.customer,
                          row.valid_from, row.valid_until, ended, row)  # fmt: skip
        given = lanes.incentive(tx.db, coupon)
        if given is None:
            return None
        # Reserved: she stands at the lane. It counts from her passage on, and is used from the next purchase on.
        why_not = {"reserved": Reason.NOT_BEGUN, "released": Reason.WITHDRAWN}.get(given.state)
        return _Found(given.kind, Bilingual(ja=given.title_ja, en=given.title_en), given.amount_minor, given.points,
                      given.customer, given.settled or given.reserved, given.valid_until, why_not, None)  # fmt: skip

    def _judge(self, tx: Tx, found: _Found, used: RedemptionRow | None, customer: str | None) -> Reason:
        now = times.text(tx.utc)
        if used is not None:
            return Reason.USED
        if found.why_not is not None:
            return found.why_not
        if customer is not None and found.customer is not None and customer != found.customer:
            return Reason.NOT_YOURS
        if now < found.valid_from:
            return Reason.NOT_BEGUN
        if now >= found.valid_until:
            return Reason.EXPIRED
        return Reason.BUDGET_REACHED if self._over_budget(tx, found) else Reason.OK

    def _over_budget(self, tx: Tx, found: _Found) -> bool:
        """The budget may have been lowered since it was issued."""
        row = found.history
        if row is None:
            return False
        rule = next((rule for rule in self.policy().coupons.file.coupon if rule.name == row.rule), None)
        if rule is None or rule.budget_minor is None:
            return False
        return coupons.spent(tx.db, row.rule, open_too=False) + row.amount_minor > rule.budget_minor


def _state(coupon: str, reason: Reason, found: _Found | None, used: RedemptionRow | None) -> CouponState:
    ja, en = SENTENCES[reason]
    state = {"coupon": coupon, "usable": reason is Reason.OK, "reason": reason, "sentence": Bilingual(ja=ja, en=en)}
    if found is not None:
        state |= {"kind": found.kind, "title": found.title, "amount_minor": found.amount_minor, "points": found.points,
                  "valid_from": times.time(found.valid_from), "valid_until": times.time(found.valid_until)}  # fmt: skip
    if used is not None:
        state["used_in"] = used.sale
    return CouponState.model_validate(state)
