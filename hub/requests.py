"""Requests to clerks as they travel: raised by a visit, answered on a handheld, sent again until over (rows A7, A10, A12, C6)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from config.hub_settings import AlertSettings
from config.words import Words
from contract.envelope import Message
from contract.payloads import AlertAnswer, AlertState, ClerkStatus, CustomerCard
from delivery.engine import Tx
from hub import alert_cards
from hub.alert_cards import Sheet
from hub.alert_life import OPEN, AlertLife, Verdict
from hub.asked import Asked, works_here
from hub.database import alerts, consents, times
from hub.database.alerts import AlertRow, Offer
from hub.database.coupons import CouponRow
from hub.database.customers import Customer
from hub.days import store_day
from hub.handhelds import Handhelds
from hub.places import Places
from hub.rules.policy import Decision, Policy
from hub.saying import count, decided, heard, say

NEWS_PERIODS = 3
"""The end of an alert is sent again for so many re-offer periods: a handheld that missed it must stop showing it."""
ACCEPTED_MAX = timedelta(hours=12)
"""An accepted request ends with the customer's leaving; if nobody ever hears that she left, after so long."""


class Requests:
    """All alerts of the store. Times are the wall's: an alert outlives the hub's process."""

    def __init__(self, settings: AlertSettings, zone: ZoneInfo, policy: Callable[[], Policy], places: Places,
                 counters: Counter[str]) -> None:  # fmt: skip
        self._settings, self._zone, self._policy, self._places = settings, zone, policy, places
        self._counters = counters
        self._asked = Asked(settings)
        self._handhelds = Handhelds()

    # --- raised

    def on_visit(
        self, tx: Tx, visit: str, customer: Customer, decision: Decision, heard_at: datetime, cause: str, agent: str
    ) -> None:
        """A visit was opened: ask the clerks in charge, if the rules say so (one request a visit)."""
        if not decision.holds:
            return
        silent = partial(self._silent, tx, visit, cause)
        expires = heard_at + timedelta(seconds=self._settings.expire_s)
        if expires <= tx.utc:
            silent("late", "requests_too_late", f"she was heard at {times.text(heard_at)}, the news came too late")
            return
        offers, nobody = self._asked.in_charge(tx.db, customer.main_clerk, customer.customer, self._day(tx))
        if not offers:
            silent("clerks", "requests_without_clerk", nobody)
            return
        policy = self._policy()
        words = policy.messages.clerk.service_request.fill(name=customer.name or customer.customer)
        sense_at = times.text(tx.utc) if policy.treatments else None
        self._raise(tx, visit, "service_request", "", offers, words, expires, cause, sense_at=sense_at,
                    sheet=alert_cards.sheet(tx.db, customer, policy),
                    place=alert_cards.both(self._places.place(agent)))  # fmt: skip

    def treat(self, tx: Tx, visit: str, customer: str, treatment: str, cause: str) -> None:
        """A special treatment was decided: ask the clerks who were asked to attend (row A10), her holder before the others.

        All of them, though one may hold the request for service: whoever is nearer to the drinks brings one.
        """
        service = alerts.of_visit(tx.db, visit, "service_request")
        silent = partial(self._silent, tx, visit, cause)
        if service is None:
            silent("clerks", "requests_without_clerk", "nobody was asked to attend to her")
            return
        asked = [replace(offer, declined=False) for offer in alerts.offers(tx.db, service.alert)]
        offers = tuple(sorted(works_here(asked, self._day(tx)), key=lambda offer: offer.clerk != service.holder))
        if not offers:
            silent("clerks", "requests_without_clerk", "who was asked to attend to her has left")
            return
        sheet = alert_cards.read_sheet(tx.db, customer, self._policy())
        words = self._policy().messages.treatment[treatment].fill(name=sheet.name or customer)
        expires = tx.utc + timedelta(seconds=self._settings.expire_s)
        self._raise(tx, visit, "special_treatment", treatment, offers, words, expires, cause, sheet=sheet)

    def recommend(self, tx: Tx, visit: str, customer: str, coupon: CouponRow, cause: str) -> None:
        """A coupon that a clerk is to recommend (row A13); it goes to no group, since nobody waits for it."""
        silent = partial(self._silent, tx, visit, cause)
        if not consents.may_recognise(tx.db, customer):
            silent("clerk_coupon", "requests_without_consent", "she has not agreed to be recognised on arrival")
            return
        offers, nobody = self._asked.of_customer(tx.db, customer, self._day(tx))
        if not offers:
            silent("clerk_coupon", "requests_without_clerk", nobody)
            return
        sheet = alert_cards.read_sheet(tx.db, customer, self._policy())
        title = Words.model_construct(ja=coupon.title_ja, en=coupon.title_en)
        words = self._policy().messages.clerk.coupon
        filled = Words.model_construct(ja=words.fill(name=sheet.name or customer, title=title.ja).ja,
                                       en=words.fill(name=sheet.name or customer, title=title.en).en)  # fmt: skip
        expires = min(times.time(coupon.valid_until), tx.utc + ACCEPTED_MAX)
        self._raise(tx, visit, "coupon", coupon.coupon, offers, filled, expires, cause, sheet=sheet)

    def _raise(self, tx: Tx, visit: str, kind: str, subject: str, offers: tuple[Offer, ...], words: Words, expires: datetime,
               cause: str, *, sheet: Sheet, place: str | None = None, sense_at: str | None = None) -> None:  # fmt: skip
        now = times.text(tx.utc)
        escalates = kind != "coupon" and self._settings.escalate_to and any(each.role != "group" for each in offers)
        escalate_at = times.text(tx.utc + timedelta(seconds=self._settings.escalate_s)) if escalates else None
        row = AlertRow(_alert_id(visit, kind, subject), visit, kind, subject, sheet.card.customer, "offered", None, None, None,
                       1, words.ja, words.en, now, times.text(expires), escalate_at, sense_at, now, cause)  # fmt: skip
        if not alerts.add(tx.db, row, offers):
            self._silent(
                tx, visit, cause, kind, "requests_repeated", f"she was asked for {subject or kind} today already"
            )
            return
        count(tx, self._counters, _RAISED[kind])
        self._send(
            tx, row, _life(row, offers), offers, offers, f"{_SAID[kind]} for {row.customer}", sheet=sheet, place=place
        )

    def _silent(self, tx: Tx, visit: str, cause: str, what: str, counted: str, why: str) -> None:
        count(tx, self._counters, counted)
        decided(tx, visit, cause, what, f"no request: {why}")

    # --- answered

    def on_answer(self, message: Message, tx: Tx) -> None:
        """A clerk accepts, declines or says how it ended. Whatever comes of it, she sees the true state, if it was offered to her."""
        said = message.data
        assert isinstance(said, AlertAnswer)
        clerk = message.ids["clerk"]
        row = alerts.read(tx.db, said.alert)
        if row is None:
            count(tx, self._counters, "alert_answers_unknown")
            return
        offers = alerts.offers(tx.db, row.alert)
        own = tuple(offer for offer in offers if offer.clerk == clerk)
        if own and not works_here(own, self._day(tx)):
            count(tx, self._counters, "alert_answers_clerk_left")
            heard(tx, message, row.visit, f"{clerk}: {said.answer} (not taken: she works here no more)")
            return
        life, verdict = _life(row, offers).answer(clerk, said.answer)
        heard(tx, message, row.visit, f"{clerk}: {said.answer} ({verdict})")
        if verdict is Verdict.CHANGED:
            count(tx, self._counters, f"alerts_{life.outcome or life.state}")
            self._change(tx, row, life, offers, message.id, f"{life.outcome or life.state} by {clerk}")
            if life.state is AlertState.DECLINED:
                self._escalate(tx, message.id, said.alert, "all who were asked have declined")
            return
        if verdict is not Verdict.SAME:
            count(tx, self._counters, f"alert_answers_{verdict}")
        if own:  # to somebody else it would show a customer that is not hers
            self._send(tx, row, _life(row, offers), offers, own, f"the true state is {row.state}", cause=message.id)

    def on_clerk_status(self, message: Message, tx: Tx) -> None:
        """A handheld came back: show it what is open, and the end of what it may still show."""
        status = message.data
        assert isinstance(status, ClerkStatus)
        clerk = message.ids["clerk"]
        lately = self._news_since(tx.utc)
        since = min(lately, self._handhelds.away_since(clerk) or lately)
        if not self._handhelds.is_back(clerk, status.state, tx.utc):
            return
        for row in alerts.of_clerk(tx.db, clerk, since):
            offers = alerts.offers(tx.db, row.alert)
            own = tuple(offer for offer in offers if offer.clerk == clerk)
            said = f"sent again: the handheld of {clerk} is back"
            self._send(tx, row, _life(row, offers), offers, self._saw(row, own), said, cause=message.id)

    # --- in time

    def tick(self, tx: Tx) -> None:
        """What a sale suggests; the end of what is over; a group for what nobody takes; the open ones again. About once a second."""
        for row, sale in alerts.bought(tx.db):
            offers = alerts.offers(tx.db, row.alert)
            self._change(tx, row, _life(row, offers).suggest("bought"), offers, row.cause, f"she has bought ({sale})")
        for row in alerts.left(tx.db, times.text(tx.utc - timedelta(seconds=self._settings.left_grace_s))):
            offers = alerts.offers(tx.db, row.alert)
            life = _life(row, offers).customer_left()
            count(tx, self._counters, f"alerts_{life.outcome or life.state}")
            how = (
                "bought: she has left, and the till has her sale" if life.outcome else "expired: the customer has left"
            )
            self._change(tx, row, life, offers, row.cause, how)
        for row in alerts.past(tx.db, times.text(tx.utc), times.text(tx.utc - ACCEPTED_MAX)):
            offers = alerts.offers(tx.db, row.alert)
            count(tx, self._counters, "alerts_expired")
            why = "nobody accepted in time" if row.holder is None else "nobody has heard her leave"
            self._change(tx, row, _life(row, offers).expire(), offers, row.cause, f"expired: {why}")
        for row in alerts.to_escalate(tx.db, times.text(tx.utc)):
            self._escalate(tx, row.cause or "", row.alert, f"nobody has accepted in {self._settings.escalate_s:.0f} s")
        again = tx.utc - timedelta(seconds=self._settings.reoffer_s)
        for row in alerts.to_send_again(tx.db, times.text(again), self._news_since(tx.utc)):
            alerts.sent(tx.db, row.alert, times.text(tx.utc))
            offers = alerts.offers(tx.db, row.alert)
            self._send(tx, row, _life(row, offers), offers, self._saw(row, offers), None)

    def _escalate(self, tx: Tx, cause: str, alert: str, why: str) -> None:
        """To the group, once."""
        row = alerts.read(tx.db, alert)
        if row is None or row.escalate_at is None:
            return
        offers = alerts.offers(tx.db, alert)
        asked = {offer.clerk for offer in offers}
        group = self._asked.group(tx.db, self._day(tx))
        new = tuple(offer for offer in group if offer.clerk not in asked)
        alerts.not_escalated(tx.db, alert)
        if not new:
            nobody = "all of them were asked already" if group else "nobody is in that group"
            count(tx, self._counters, "alerts_not_escalated")
            decided(
                tx, row.visit, cause, "escalated", f"{why}; not escalated to {self._settings.escalate_to}: {nobody}"
            )
            return
        count(tx, self._counters, "alerts_escalated")
        said = decided(tx, row.visit, cause, "escalated", f"{why}: escalated to {self._settings.escalate_to}")
        life = _life(row, offers).escalate(frozenset(offer.clerk for offer in new))
        alerts.add_offers(tx.db, alert, new)
        self._change(
            tx,
            replace(row, escalate_at=None),
            life,
            (*offers, *new),
            said,
            f"escalated to {self._settings.escalate_to}",
        )

    def _saw(self, row: AlertRow, offers: tuple[Offer, ...]) -> tuple[Offer, ...]:
        """Of what is over: whose handheld may still show it."""
        if AlertState(row.state) in OPEN:
            return offers
        return tuple(each for each in offers if not self._handhelds.never_saw(each.clerk, row.raised, row.changed))

    def _news_since(self, now: datetime) -> str:
        return times.text(now - timedelta(seconds=NEWS_PERIODS * self._settings.reoffer_s))

    def _day(self, tx: Tx) -> str:
        return store_day(tx.utc, self._zone)

    def withdraw(self, tx: Tx, customer: str) -> None:
        """She is erased: her open alerts end on every handheld, with a card that says nothing of her (row C11)."""
        nothing = Sheet(CustomerCard(customer=customer, name=""), "")
        for row in alerts.open_of(tx.db, customer):
            offers = alerts.offers(tx.db, row.alert)
            life = _life(row, offers).expire()
            over = replace(row, message_ja="", message_en="", changed=times.text(tx.utc))
            self._send(tx, over, life, offers, offers, "withdrawn", sheet=nothing, place="")

    # --- sent

    def _change(
        self, tx: Tx, row: AlertRow, life: AlertLife, offers: tuple[Offer, ...], cause: str | None, summary: str
    ) -> None:
        new = replace(row, state=life.state, holder=life.holder, outcome=life.outcome, suggested=life.suggested,
                      revision=life.revision, changed=times.text(tx.utc), cause=cause)  # fmt: skip
        alerts.change(tx.db, new, life.declined)
        self._send(tx, new, life, offers, offers, summary)

    def _send(self, tx: Tx, row: AlertRow, life: AlertLife, offers: tuple[Offer, ...], to: tuple[Offer, ...],
              summary: str | None, *, cause: str | None = None, sheet: Sheet | None = None, place: str | None = None) -> None:  # fmt: skip
        """The alert in its newest state, to each with the own role. Without a summary (a repetition) it leaves no trace."""
        there = [offer for offer in works_here(to, self._day(tx)) if life.is_open or (summary and cause is None)
                 or not self._handhelds.never_saw(offer.clerk, row.raised, row.changed)]  # fmt: skip
        if not there:
            return
        sheet = sheet or alert_cards.read_sheet(tx.db, row.customer, self._policy())
        place = alert_cards.place(tx.db, row.visit, self._places) if place is None else place
        coupon = alert_cards.coupon_of(tx.db, row)
        data = alert_cards.as_message(row, life, offers, sheet, place, coupon)
        for offer in there:
            own = data.model_copy(update=alert_cards.own(life, offer))
            if summary is None:
                tx.send("alert", own, visit=row.visit, cause=row.cause, clerk=offer.clerk)
            else:
                words = f"to {offer.clerk} ({offer.role}): {summary}"
                say(tx, "alert", own, words, visit=row.visit, cause=cause or row.cause, clerk=offer.clerk)


_RAISED = {
    "service_request": "service_requests",
    "special_treatment": "special_treatments",
    "coupon": "coupon_requests",
}
_SAID = {
    "service_request": "service request",
    "special_treatment": "special treatment",
    "coupon": "coupon to recommend",
}


def _alert_id(visit: str, kind: str, subject: str) -> str:
    """The same request of the same visit has the same ID; it fits a topic level whatever the customer's ID is."""
    what = f"{visit}|{kind}|{subject}" if subject else f"{visit}|{kind}"
    return f"a-{hashlib.sha256(what.encode()).hexdigest()[:16]}"


def _life(row: AlertRow, offers: tuple[Offer, ...]) -> AlertLife:
    return AlertLife(
        frozenset(offer.clerk for offer in offers),
        AlertState(row.state),
        row.holder,
        row.revision,
        frozenset(offer.clerk for offer in offers if offer.declined),
        row.outcome,  # type: ignore[arg-type]
        row.suggested,  # type: ignore[arg-type]
    )
