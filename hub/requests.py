"""Requests to clerks as they travel: raised by a visit, answered on a handheld, sent again until over (rows A7, A12, C6)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from config.hub_settings import AlertSettings
from contract.envelope import Message
from contract.payloads import Alert, AlertAnswer, AlertState, Bilingual, ClerkStatus, ClientState, CustomerCard
from delivery.engine import Tx
from hub.alert_life import AlertLife, Verdict
from hub.database import alerts, customers, times
from hub.database.alerts import AlertRow, Offer
from hub.database.customers import Customer
from hub.rules.policy import Decision, Policy
from hub.saying import count, decided, heard, say

NEWS_PERIODS = 3
"""The end of an alert is sent again for so many re-offer periods: a handheld that missed it must stop showing it."""


class Requests:
    """All alerts of the store. Times are the wall's: an alert outlives the hub's process."""

    def __init__(self, settings: AlertSettings, policy: Callable[[], Policy], counters: Counter[str]) -> None:
        self._settings, self._policy, self._counters = settings, policy, counters

    # --- raised

    def on_visit(
        self, tx: Tx, visit: str, customer: Customer, decision: Decision, heard_at: datetime, cause: str
    ) -> None:
        """A visit was opened: ask the clerks in charge, if the rules say so (one request a visit)."""
        if not decision.holds:
            return
        offers = self._clerks(tx, customer)
        expires = heard_at + timedelta(seconds=self._settings.expire_s)
        if not offers:
            count(tx, self._counters, "requests_without_clerk")
            decided(
                tx, visit, cause, "clerks", "no request: she has no clerk in charge, and no fallback_clerks are set"
            )
            return
        if expires <= tx.utc:
            count(tx, self._counters, "requests_too_late")
            decided(
                tx, visit, cause, "late", f"no request: she was heard at {times.text(heard_at)}, the news came too late"
            )
            return
        policy = self._policy()
        message = policy.messages.clerk.service_request.fill(name=customer.name or customer.customer)
        now = times.text(tx.utc)
        row = AlertRow(_alert_id(visit, "service_request"), visit, "service_request", customer.customer, "offered", None, 1,
                       message.ja, message.en, now, times.text(expires), now, cause)  # fmt: skip
        alerts.add(tx.db, row, offers)
        count(tx, self._counters, "service_requests")
        self._send(tx, row, offers, f"service request for {customer.customer}")

    def _clerks(self, tx: Tx, customer: Customer) -> tuple[Offer, ...]:
        """The main clerk and the deputies; without a main clerk the first deputy is asked as one."""
        named = dict.fromkeys([*filter(None, [customer.main_clerk]), *customers.deputies(tx.db, customer.customer)])
        clerks = list(named) or list(dict.fromkeys(self._settings.fallback_clerks))
        return tuple(Offer(clerk, "main" if n == 0 else "deputy", False) for n, clerk in enumerate(clerks))

    # --- answered

    def on_answer(self, message: Message, tx: Tx) -> None:
        """A clerk accepts, declines or has served. Whatever comes of it, she sees the true state, if it was offered to her."""
        said = message.data
        assert isinstance(said, AlertAnswer)
        clerk = message.ids["clerk"]
        row = alerts.read(tx.db, said.alert)
        if row is None:
            count(tx, self._counters, "alert_answers_unknown")
            return
        offers = alerts.offers(tx.db, row.alert)
        life, verdict = _life(row, offers).answer(clerk, said.answer)
        heard(tx, message, row.visit, f"{clerk}: {said.answer} ({verdict})")
        if verdict is Verdict.CHANGED:
            count(tx, self._counters, f"alerts_{life.state}")
            self._change(tx, row, life, message.id, f"{life.state} by {clerk}")
            return
        if verdict is not Verdict.SAME:
            count(tx, self._counters, f"alert_answers_{verdict}")
        if verdict is not Verdict.NOT_OFFERED:  # to somebody else it would show a customer that is not hers
            own = tuple(offer for offer in offers if offer.clerk == clerk)
            self._send(tx, row, own, f"the true state is {row.state}", cause=message.id)

    def on_clerk_status(self, message: Message, tx: Tx) -> None:
        """A handheld came back: show it what is open, and the end of what it may still show."""
        status = message.data
        assert isinstance(status, ClerkStatus)
        if status.state is not ClientState.READY:
            return
        clerk = message.ids["clerk"]
        for row in alerts.of_clerk(tx.db, clerk, self._news_since(tx.utc)):
            own = tuple(offer for offer in alerts.offers(tx.db, row.alert) if offer.clerk == clerk)
            self._send(tx, row, own, f"sent again: the handheld of {clerk} is back", cause=message.id)

    # --- in time

    def tick(self, tx: Tx) -> None:
        """Expire what is over; send again what is open. Call about once a second."""
        gone_before = tx.utc - timedelta(seconds=self._settings.left_grace_s)
        for row in alerts.over(tx.db, times.text(tx.utc), times.text(gone_before)):
            why = "nobody accepted in time" if row.expires <= times.text(tx.utc) else "the customer has left"
            count(tx, self._counters, "alerts_expired")
            self._change(
                tx, row, _life(row, alerts.offers(tx.db, row.alert)).expire(), row.cause or "", f"expired: {why}"
            )
        again = tx.utc - timedelta(seconds=self._settings.reoffer_s)
        for row in alerts.to_send_again(tx.db, times.text(again), self._news_since(tx.utc)):
            alerts.sent(tx.db, row.alert, times.text(tx.utc))
            self._send(tx, row, alerts.offers(tx.db, row.alert), None)

    def _news_since(self, now: datetime) -> str:
        return times.text(now - timedelta(seconds=NEWS_PERIODS * self._settings.reoffer_s))

    def _change(self, tx: Tx, row: AlertRow, life: AlertLife, cause: str, summary: str) -> None:
        alerts.change(
            tx.db, row.alert, life.state, life.holder, life.revision, times.text(tx.utc), cause, life.declined
        )
        new = alerts.read(tx.db, row.alert)
        assert new is not None
        self._send(tx, new, alerts.offers(tx.db, row.alert), summary)

    def _send(
        self, tx: Tx, row: AlertRow, offers: tuple[Offer, ...], summary: str | None, cause: str | None = None
    ) -> None:
        """The alert in its newest state, to each with the own role. Without a summary (a repetition) it leaves no trace."""
        card = self._card(tx, row.customer)
        life = _life(row, alerts.offers(tx.db, row.alert))
        for offer in offers:
            data = Alert.model_validate(
                {
                    "alert": row.alert,
                    "kind": row.kind,
                    "state": life.seen_by(offer.clerk),
                    "role": offer.role,
                    "holder": row.holder,
                    "message": Bilingual(ja=row.message_ja, en=row.message_en),
                    "customer": card,
                    "raised": times.time(row.raised),
                    "revision": row.revision,
                }
            )
            if summary is None:
                tx.send("alert", data, visit=row.visit, cause=row.cause, clerk=offer.clerk)
            else:
                words = f"to {offer.clerk} ({offer.role}): {summary}"
                say(tx, "alert", data, words, visit=row.visit, cause=cause or row.cause, clerk=offer.clerk)

    def _card(self, tx: Tx, id: str) -> CustomerCard:
        found = customers.customer(tx.db, id)
        if found is None:  # erased meanwhile: the alert goes on without her data
            return CustomerCard(customer=id, name="")
        policy = self._policy()
        rank = policy.ranks[policy.level(found.rank)].label
        return CustomerCard(
            customer=id,
            name=found.name,
            rank=f"{rank.ja} / {rank.en}",
            visits=found.visits,
            average_purchase_minor=found.average_minor,
            points=found.points,
            note=found.note,
        )


def _alert_id(visit: str, kind: str) -> str:
    """The same request of the same visit has the same ID; it fits a topic level whatever the customer's ID is."""
    return f"a-{hashlib.sha256(f'{visit}|{kind}'.encode()).hexdigest()[:16]}"


def _life(row: AlertRow, offers: tuple[Offer, ...]) -> AlertLife:
    return AlertLife(
        frozenset(offer.clerk for offer in offers),
        AlertState(row.state),
        row.holder,
        row.revision,
        frozenset(offer.clerk for offer in offers if offer.declined),
    )
