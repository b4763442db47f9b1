"""Readings of a good customer's terminal, and the special treatment that they lead to (rows A8, A9, A10, C11).

After the request for service the terminal is asked for what the rules name, if she has agreed to that. The readings live for
the time of one decision, in memory: what is stored, traced, logged and said is the rule without values, the treatment, and
the consent that all of it rests on.

    planned ──she has left, or has not agreed──▶ not asked
       └──▶ asked ──readings──▶ answered: decided
              ├── refused by one of her terminals (another may still answer) ──▶ refused
              └── no answer in time ──▶ silent: asked again when a terminal of hers connects
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from config.hub_settings import SensingSettings
from contract.envelope import Message
from contract.payloads import SensingAnswer, SensingRequest, TreatmentDecided
from delivery.engine import Tx
from hub.arrivals import rule_values
from hub.database import consents, customers, sensing, times, trace
from hub.database.consents import Purpose
from hub.database.sensing import SensingRow
from hub.requests import ACCEPTED_MAX, Requests
from hub.rules import senses
from hub.rules.policy import Policy
from hub.saying import count, decided, heard, say

A_TURN = 50
"""Terminals asked in one tick, so that a rush does not hold up a lane."""


class Sensing:
    """Asks, judges answers, decides. `is_there`: whether a terminal of a customer is connected."""

    def __init__(self, settings: SensingSettings, policy: Callable[[], Policy], requests: Requests,
                 is_there: Callable[[str], bool], counters: Counter[str]) -> None:  # fmt: skip
        self._settings, self._policy, self._requests = settings, policy, requests
        self._is_there, self._counters = is_there, counters

    # --- asked

    def tick(self, tx: Tx) -> None:
        """Ask where it is time, and note who did not answer. Call about once a second, after `Requests.tick`."""
        now = times.text(tx.utc)
        for row in sensing.silent(tx.db, now):
            sensing.ended(tx.db, row.request, "silent")
            count(tx, self._counters, "sensing_silent")
            decided(tx, row.visit, row.request, "silent", "no special treatment: her terminal has not answered in time")
            self._again(tx, row.visit)
        for visit, customer, gone_since in sensing.due(tx.db, now, A_TURN):
            sensing.plan(tx.db, visit, None)
            waits = any(row.state == "asked" for row in sensing.of_visit(tx.db, visit))
            if gone_since is None and not waits:
                self._ask(tx, visit, customer)

    def on_terminal(self, customer: str, tx: Tx) -> None:
        """A terminal of hers has connected: what is asked goes to it too; what found no terminal, or no answer, is asked now."""
        visit = sensing.here(tx.db, customer, times.text(tx.utc - ACCEPTED_MAX))
        if visit is None or not self._policy().readings or consents.in_force(tx.db, customer, Purpose.SENSING) is None:
            return
        rows = sensing.of_visit(tx.db, visit)
        if rows and rows[-1].state in ("asked", "refused") and times.time(rows[-1].deadline) > tx.utc:
            self._send(tx, rows[-1], "asked again: another terminal of hers has connected")
        elif len(rows) < self._settings.requests and all(row.state in ("silent", "refused") for row in rows):
            self._ask(tx, visit, customer)

    def _ask(self, tx: Tx, visit: str, customer: str) -> None:
        asked = self._policy().readings
        cause = trace.id_of(tx.db, visit, "instore.visit.opened.v1") or visit
        if not asked:
            return
        consent = consents.in_force(tx.db, customer, Purpose.SENSING)
        if consent is None:
            count(tx, self._counters, "sensing_without_consent")
            decided(tx, visit, cause, "sensing", "no sensing request: she has not agreed to it")
            return
        if not self._is_there(customer):
            count(tx, self._counters, "sensing_without_terminal")
            decided(tx, visit, cause, "sensing", "no sensing request yet: no terminal of hers is connected")
            return
        until = tx.utc + timedelta(seconds=self._settings.wait_s)
        row = SensingRow(f"s-{secrets.token_hex(8)}", visit, customer, consent, " ".join(asked), times.text(tx.utc),
                         times.text(until), "asked", "", None, "")  # fmt: skip
        sensing.add(tx.db, row)
        count(tx, self._counters, "sensing_requests")
        # The trace knows it by the request's own ID: an answer that names no cause is found to follow from it all the same.
        asked_for = f"sensing? asked for {row.readings} (consent {consent})"
        trace.add(tx.db, visit, row.request, cause, "decision", "hub", row.sent, row.sent, asked_for)
        self._send(tx, row, "to her terminal")

    def _send(self, tx: Tx, row: SensingRow, summary: str) -> None:
        data = SensingRequest.model_validate(
            {
                "request": row.request,
                "customer": row.customer,
                "readings": row.readings.split(),
                "deadline": times.time(row.deadline),
            }
        )
        say(tx, "sensing_request", data, summary, visit=row.visit, cause=row.request, customer=row.customer)

    def _again(self, tx: Tx, visit: str) -> None:
        if self._settings.every_s is not None:
            sensing.plan(tx.db, visit, times.text(tx.utc + timedelta(seconds=self._settings.every_s)))

    # --- answered

    def on_answer(self, message: Message, tx: Tx) -> None:
        """Readings, or why there are none. An answer that is not to one of our requests to this customer comes to nothing."""
        answer = message.data
        assert isinstance(answer, SensingAnswer)
        speaker = message.ids["customer"]
        row = sensing.read(tx.db, answer.request)
        wrong = self._wrong(tx, answer, row, speaker)
        if wrong or row is None:
            count(tx, self._counters, f"sensing_answers_{wrong}")
            if (
                row is not None
                and row.customer == speaker
                and not trace.has(tx.db, row.visit, f"{row.request}.{wrong}")
            ):
                decided(tx, row.visit, row.request, wrong, f"an answer of her terminal was not taken: {wrong}")
            return
        if answer.refused is not None:
            count(tx, self._counters, f"sensing_refused_{answer.refused}")
            sensing.ended(tx.db, row.request, "refused")
            heard(tx, message, row.visit, f"no readings: {answer.refused}", cause=row.request)
            return
        given = " ".join(reading for reading in senses.given(answer.readings) if reading in row.readings.split())
        heard(tx, message, row.visit, f"readings of {given or 'nothing that was asked for'}", cause=row.request)
        self._decide(tx, message.id, row, answer)
        self._again(tx, row.visit)

    def _wrong(self, tx: Tx, answer: SensingAnswer, row: SensingRow | None, speaker: str) -> str:
        """What is wrong with an answer, in a word, or ""."""
        if answer.customer != speaker:
            return "foreign"
        if row is None:
            return "unknown"
        if row.customer != speaker:
            return "foreign"
        if row.state not in ("asked", "refused"):
            return "late" if row.state == "silent" else "repeated"
        if times.time(row.deadline) <= tx.utc:
            return "late"
        if consents.in_force(tx.db, speaker, Purpose.SENSING) != row.consent:
            return "without_consent"
        return ""

    def _decide(self, tx: Tx, cause: str, row: SensingRow, answer: SensingAnswer) -> None:
        policy = self._policy()
        customer = customers.customer(tx.db, row.customer)
        asked = tuple(reading for reading in policy.readings if reading in row.readings.split())
        known = {} if customer is None else rule_values(customer, policy)
        decision, rule = policy.treat({**known, **senses.values(answer.readings, asked)})
        for _ in decision.failed:
            count(tx, self._counters, "rules_failed")
        said = f"{decision}"[:500]
        treatment = rule.message if rule else None
        sensing.decided(tx.db, row.request, decision.rule if rule else "", treatment, said)
        count(tx, self._counters, "treatments" if rule else "treatments_none")
        why = decided(tx, row.visit, cause, "treatment", f"special treatment? {said} (consent {row.consent})")
        told = TreatmentDecided(customer=row.customer, treatment=treatment, decided=said, consent=row.consent)
        words = f"treatment of {row.customer}: {treatment or 'none'}"
        follows = say(tx, "treatment_decided", told, words, visit=row.visit, cause=why)
        if treatment is not None:
            self._requests.treat(tx, row.visit, row.customer, treatment, follows)
