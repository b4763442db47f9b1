"""The use of a coupon at a checkout, whether a lane gave it or purchase history did: once (rows A11, B8)."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from config.hub_settings import StoreSettings
from contract.payloads import Bilingual, Id
from delivery.engine import Tx
from hub.database import coupons, grants, lanes, times, visits
from hub.database.coupons import CouponRow, RedemptionRow
from hub.database.lanes import IncentiveRow
from hub.grants import begins, ends
from hub.money import money
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
    BELOW_MINIMUM = "below_minimum"
    AMOUNT_MISSING = "amount_missing"
    POINTS_ADDED = "points_added"
    MISTYPED = "mistyped"


SENTENCES: dict[Reason, tuple[str, str]] = {
    Reason.OK: ("ご利用いただけます。", "This coupon can be used."),
    Reason.UNKNOWN: ("このクーポンは登録されていません。番号をお確かめください。", "This coupon is not known. Please check its number."),
    Reason.NOT_BEGUN: ("このクーポンはまだご利用いただけません。", "This coupon can't be used yet."),
    Reason.EXPIRED: ("このクーポンは有効期限が過ぎています。", "This coupon has expired."),
    Reason.USED: ("このクーポンは使用済みです。", "This coupon was used already."),
    Reason.NOT_YOURS: ("このクーポンは別のお客様のものです。", "This coupon belongs to another customer."),
    Reason.WITHDRAWN: ("このクーポンは無効になりました。", "This coupon was taken back."),
    Reason.BUDGET_REACHED: ("このクーポンの配布は終了しました。", "This coupon's offer has ended."),
    Reason.BELOW_MINIMUM: ("このクーポンは{minimum}以上のお買い上げでご利用いただけます。", "This coupon can be used from a purchase of {minimum} on."),
    Reason.AMOUNT_MISSING: ("このクーポンは{minimum}以上のお買い上げでご利用いただけます。お買い上げ金額を送信してください。", "This coupon can be used from a purchase of {minimum} on. Send the amount of the purchase."),
    Reason.POINTS_ADDED: ("ポイントは退店時に加算済みです。", "These points were added to the account on leaving."),
    Reason.MISTYPED: ("クーポン番号の形式が正しくありません。番号をお確かめください。", "This is not the number of a coupon. Please check how it is typed."),
}  # fmt: skip
"""For the person at the checkout: Japanese, English. Place: {minimum}."""


class RedeemPost(BaseModel):
    """A till wants to use a coupon in a sale. The same again (same coupon, same sale) gets the same answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sale: Id
    customer: Id | None = None
    """Whoever stands there, if the till knows."""
    amount_minor: Annotated[int | None, Field(ge=0, le=10**12, description="Of the sale, before the coupon; a coupon with a minimum needs it.")] = None  # fmt: skip


class CouponState(BaseModel):
    """What a till is told of a coupon."""

    coupon: str
    usable: bool
    reason: Reason
    sentence: Bilingual
    kind: Literal["points", "discount", "product"] | None = None
    title: Bilingual | None = None
    amount_minor: Annotated[int, Field(description="Off, in minor units.")] = 0
    percent: Annotated[int, Field(description="Off, beside or instead of `amount_minor`.")] = 0
    product: Annotated[str | None, Field(description="Code of the product that it brings.")] = None
    minimum_minor: Annotated[int, Field(description="It can be used from this amount of the sale on.")] = 0
    points: int = 0
    discount_minor: Annotated[int | None, Field(description="What it takes off a sale of the given amount; a product is not in it.")] = None  # fmt: skip
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    used_in: Annotated[str | None, Field(description="The sale that used it.")] = None


_BETWEEN = re.compile(r"[\s\u2010-\u2015-]")
_FORM = re.compile(r"[HK][0-9A-F]{16}")


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
    given: IncentiveRow | None
    percent: int = 0
    product: str | None = None
    minimum_minor: int = 0


@dataclass(frozen=True)
class Redeeming:
    """Looks up and redeems. One writer: of two tills at the same moment one is first."""

    store: StoreSettings
    policy: Callable[[], Policy]
    offers: Offers
    counters: Counter[str]

    def look(self, tx: Tx, coupon: str, customer: str | None = None, amount_minor: int | None = None) -> CouponState:
        """Whether a coupon could be used now; changes nothing. What is not said (customer, amount) is not judged."""
        coupon = normal(coupon)
        found = self._find(tx, coupon)
        if found is None:
            return self._state(coupon, _none(coupon), None, None, None)
        used = coupons.redemption(tx.db, coupon)
        reason = self._judge(tx, found, used, customer)
        if reason is Reason.OK and amount_minor is not None and amount_minor < found.minimum_minor:
            reason = Reason.BELOW_MINIMUM
        return self._state(coupon, reason, found, used, amount_minor)

    def redeem(self, tx: Tx, coupon: str, post: RedeemPost, pos: str) -> CouponState:
        """Use it. `usable` False: nothing was changed, and `reason` says why."""
        coupon = normal(coupon)
        found = self._find(tx, coupon)
        used = coupons.redemption(tx.db, coupon)
        if used is not None and found is not None and (used.sale, used.pos) == (post.sale, pos):
            count(tx, self.counters, "redemptions_repeated")
            return self._state(coupon, Reason.OK, found, used, post.amount_minor)
        reason = self._judge_in(tx, found, used, post) if found else _none(coupon)
        if reason is not Reason.OK or found is None:
            count(tx, self.counters, f"redemptions_{reason}")
            return self._state(coupon, reason, found, used, post.amount_minor)
        now = RedemptionRow(coupon, post.sale, pos, times.text(tx.utc))
        coupons.redeem(tx.db, now)
        count(tx, self.counters, "redemptions")
        if found.history is not None:
            visit = visits.latest(tx.db, found.customer, "") if found.customer else None
            self.offers.changed(
                tx, coupons.change(tx.db, coupon, "redeemed"), visit, f"used in sale {post.sale} at {pos}"
            )
        return self._state(coupon, Reason.OK, found, now, post.amount_minor)

    def _find(self, tx: Tx, coupon: str) -> _Found | None:
        row = coupons.read(tx.db, coupon)
        if row is not None:
            ended = {"expired": Reason.EXPIRED, "withdrawn": Reason.WITHDRAWN}.get(row.state)
            return _Found(row.kind, Bilingual(ja=row.title_ja, en=row.title_en), row.amount_minor, row.points, row.customer,
                          row.valid_from, row.valid_until, ended, row, None)  # fmt: skip
        given = lanes.incentive(tx.db, coupon)
        if given is None:
            return None
        # Reserved: she stands at the lane. It counts from her passage on, and is used from the next purchase on.
        why_not = {"reserved": Reason.NOT_BEGUN, "released": Reason.WITHDRAWN}.get(given.state)
        if why_not is None and given.kind == "points" and not (given.amount_minor or given.percent or given.product):
            why_not = Reason.POINTS_ADDED
        begins = max(given.settled or given.reserved, given.valid_from)
        return _Found(given.kind, Bilingual(ja=given.title_ja, en=given.title_en), given.amount_minor, given.points,
                      given.customer, begins, given.valid_until, why_not, None, given, given.percent, given.product,
                      given.minimum_minor)  # fmt: skip

    def _judge_in(self, tx: Tx, found: _Found, used: RedemptionRow | None, post: RedeemPost) -> Reason:
        """For a sale. What a purchase has brought is for the next one."""
        reason = self._judge(tx, found, used, post.customer)
        if reason is not Reason.OK:
            return reason
        if found.given is not None and found.given.sale == post.sale:
            return Reason.NOT_BEGUN
        if found.minimum_minor and post.amount_minor is None:
            return Reason.AMOUNT_MISSING
        return Reason.BELOW_MINIMUM if (post.amount_minor or 0) < found.minimum_minor else Reason.OK

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
            return found.given is not None and self._over_incentive_budget(tx, found.given.coupon)
        rule = next((rule for rule in self.policy().coupons.file.coupon if rule.name == row.rule), None)
        if rule is None or rule.budget_minor is None:
            return False
        return coupons.spent(tx.db, row.rule, open_too=False) + row.amount_minor > rule.budget_minor

    def _over_incentive_budget(self, tx: Tx, coupon: str) -> bool:
        """Whether tills have taken as much as any of its rules has, in the period in which it was granted; this one is not used."""
        rules = {rule.name: rule for rule in self.policy().incentives.file.incentive}
        for part in grants.parts(tx.db, coupon):
            rule = rules.get(part.rule)
            if rule is None or rule.budget_minor is None:
                continue
            since, until = begins(rule.budget_period, part.day), ends(rule.budget_period, part.day)
            if grants.redeemed_worth(tx.db, part.rule, since, until) + part.worth_minor > rule.budget_minor:
                return True
        return False

    def _state(self, coupon: str, reason: Reason, found: _Found | None, used: RedemptionRow | None,
               amount_minor: int | None) -> CouponState:  # fmt: skip
        ja, en = SENTENCES[reason]
        minimum = money(found.minimum_minor if found else 0, self.store.currency)
        sentence = Bilingual(ja=ja.format(minimum=minimum.ja), en=en.format(minimum=minimum.en))
        state = {"coupon": coupon, "usable": reason is Reason.OK, "reason": reason, "sentence": sentence}
        if found is not None:
            state |= {"kind": found.kind, "title": found.title, "amount_minor": found.amount_minor, "percent": found.percent,
                      "product": found.product, "minimum_minor": found.minimum_minor, "points": found.points,
                      "valid_from": times.time(found.valid_from), "valid_until": times.time(found.valid_until)}  # fmt: skip
            if amount_minor is not None:
                off = amount_minor * found.percent // 100 + found.amount_minor
                state["discount_minor"] = min(amount_minor, off)
        if used is not None:
            state["used_in"] = used.sale
        return CouponState.model_validate(state)


def normal(coupon: str) -> str:
    """A coupon's ID as it was typed, printed with spaces, or read from a display's code."""
    return _BETWEEN.sub("", unicodedata.normalize("NFKC", coupon)).upper().removeprefix("COUPON:")


def _none(coupon: str) -> Reason:
    """Why there is no such coupon: it has not the form of one, or was never given."""
    return Reason.UNKNOWN if _FORM.fullmatch(coupon) else Reason.MISTYPED
