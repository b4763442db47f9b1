"""`instore rules try`: what the rules as they are now in the files would do for one customer. Reads the database, changes nothing.

The readings are what somebody typed, not anybody's: they may be shown.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from config.hub_settings import HubSettings, load_hub
from contract.payloads import Reading
from delivery.transaction import Tx
from hub.arrivals import rule_values
from hub.asked import Asked
from hub.database import consents, customers, times
from hub.database.consents import Purpose
from hub.database.customers import Customer
from hub.days import store_day
from hub.grants import Grants
from hub.incentive_values import incentive_values
from hub.offers.offering import Offers
from hub.rules import senses
from hub.rules.condition import Value
from hub.rules.policy import Decision, Policy, read_policy
from hub.sale_shapes import Place


@dataclass(slots=True)
class Trial:
    """What would happen, step by step. `said`: (step, outcome with its reason); `found`: the same for machines."""

    customer: str
    said: list[tuple[str, str]] = field(default_factory=list)
    found: dict[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """For people."""
        wide = max(len(step) for step, _ in self.said)
        return "\n".join(f"{step:<{wide}}  {outcome}" for step, outcome in self.said)

    def json(self) -> str:
        """One JSON object."""
        return json.dumps({"customer": self.customer, **self.found}, ensure_ascii=False)

    def _add(self, step: str, outcome: str, **found: Any) -> None:
        self.said.append((step, outcome))
        self.found[step.rstrip("?").replace(" ", "_")] = {"said": outcome, **found}


def numbers(text: str) -> dict[str, float]:
    """`heart_rate=110,ambient_temperature=31`. Raises ValueError: a sentence."""
    found: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, sign, value = (piece.strip() for piece in part.partition("="))
        try:
            found[name] = float(value)
        except ValueError:
            wanted = "a number" if sign else "'=' and a number"
            raise ValueError(f"--sensing: {part!r} wants {wanted}, such as heart_rate=110") from None
    return found


@dataclass(frozen=True, slots=True)
class Purchase:
    """A purchase that somebody thinks of; `registered_on` "": nobody says where."""

    amount_minor: int
    paid_on: Place = "terminal"
    registered_on: Place | Literal[""] = ""


def try_rules(settings_path: Path, customer: str, sensing: str = "", purchase: Purchase | None = None) -> Trial:
    """For a customer of the database, with readings as in `numbers`, and for a purchase if there is one.

    Raises SettingsError (a mistake in a file), ValueError (an unknown customer or reading).
    """
    settings = load_hub(settings_path)
    policy = read_policy(settings)
    readings = numbers(sensing)
    if not settings.database.exists():
        raise ValueError(f"{settings.database}: there is no such database; has the hub ever run with these settings?")
    try:
        with closing(sqlite3.connect(f"{settings.database.resolve().as_uri()}?mode=ro", uri=True, timeout=5.0)) as db:
            found = customers.customer(db, customer)
            if found is None:
                raise ValueError(f"nobody has the customer ID {customer!r}")
            return _try(db, settings, policy, found, readings, purchase)
    except sqlite3.Error as error:
        raise ValueError(f"{settings.database}: {error}; is this the hub's database, and of this release?") from None


def _try(db: sqlite3.Connection, settings: HubSettings, policy: Policy, customer: Customer, readings: dict[str, float],
         purchase: Purchase | None) -> Trial:  # fmt: skip
    trial = Trial(customer.customer)
    values = rule_values(customer, policy)
    trial._add("values", ", ".join(f"{name} {_shown(policy, name, value)}" for name, value in values.items()))
    good = policy.is_good(values)
    trial._add("good customer?", str(good), holds=good.holds, rule=good.rule)
    if good.holds:
        _request(trial, db, settings, policy, customer)
        _treatment(trial, db, policy, customer, values, readings)
    elif readings:
        trial._add("special treatment?", "no: only good customers' terminals are asked", holds=False)
    tx = Tx(db, _nothing_is_said, 0.0, datetime.now(UTC))
    coupon = Offers(settings.store.zone, lambda: policy, Counter()).choose(tx, customer.customer, good.holds)
    trial._add("coupon?", coupon.because, coupons=[rule.name for rule in coupon.rules])
    if purchase is not None:
        _incentive(trial, tx, settings, policy, customer, purchase)
    return trial


def _incentive(
    trial: Trial, tx: Tx, settings: HubSettings, policy: Policy, customer: Customer, purchase: Purchase
) -> None:
    """As the exit would decide, with what is left of budgets and limits now. Her rank, points and visits are those before it."""
    paid = customer.terminal_payments + (purchase.paid_on == "terminal")
    values = incentive_values(replace(customer, terminal_payments=paid), policy, amount_minor=purchase.amount_minor,
                              paid_on=purchase.paid_on, registered_on=purchase.registered_on)  # fmt: skip
    outcome = Grants(settings.store.zone, lambda: policy, Counter()).with_values(tx, customer, values)
    grant = outcome.grant
    title = f": {grant.title.ja} / {grant.title.en}" if grant else ""
    rules = [{"rule": each.rule, "verdict": each.verdict, "because": each.because} for each in outcome.judged]
    trial._add("incentive?", f"{outcome}{title}", holds=grant is not None, rule=outcome.rule, rules=rules)
    if grant is not None:
        trial._add("given as", f"{grant.give}, usable {times.text(grant.valid_from)} to {times.text(grant.valid_until)}",
                   give=grant.give, amount_minor=grant.amount_minor, percent=grant.percent, product=grant.product,
                   points=grant.points, minimum_minor=grant.minimum_minor, ja=grant.title.ja, en=grant.title.en)  # fmt: skip


def _request(trial: Trial, db: sqlite3.Connection, settings: HubSettings, policy: Policy, customer: Customer) -> None:
    if not consents.may_recognise(db, customer.customer):
        trial._add("service request?", "no: she has not agreed to be recognised on arrival", clerks=[])
        return
    day = store_day(datetime.now(UTC), settings.store.zone)
    offers, nobody = Asked(settings.alerts).in_charge(db, customer.main_clerk, customer.customer, day)
    words = policy.messages.clerk.service_request.fill(name=customer.name or customer.customer)
    who = ", ".join(f"{offer.clerk} ({offer.role})" for offer in offers)
    outcome = f"to {who}: {words.ja} / {words.en}" if offers else f"no: {nobody}"
    trial._add("service request?", outcome, clerks=[offer.clerk for offer in offers])


def _treatment(trial: Trial, db: sqlite3.Connection, policy: Policy, customer: Customer, values: dict[str, Value],
               typed: dict[str, float]) -> None:  # fmt: skip
    asked = policy.readings
    consent = consents.in_force(db, customer.customer, Purpose.SENSING)
    outcome = ", ".join(asked) if asked else "nothing: no rule of special treatment names a reading"
    if asked and consent is None:
        outcome = f"no: she has not agreed to it (else: {outcome})"
    trial._add("asks her terminal for", outcome, readings=list(asked), consent=consent)
    if not typed:
        return
    known = senses.values(senses.typed(typed), tuple(Reading))
    trial._add(
        "readings as typed", ", ".join(f"{name} {value:g} {senses.SENSES[name].unit}" for name, value in known.items())
    )
    decision, rule = policy.treat({**values, **known})
    trial._add("special treatment?", _with_values(decision, known), holds=decision.holds, rule=decision.rule,
               treatment=rule.message if rule else None)  # fmt: skip
    if rule is not None:
        words = policy.messages.treatment[rule.message].fill(name=customer.name or customer.customer)
        trial._add("message", f"{words.ja} / {words.en}", ja=words.ja, en=words.en)


def _with_values(decision: Decision, known: dict[str, float]) -> str:
    named = [name for name in known if name in decision.because]
    return f"{decision} ({', '.join(f'{name} is {known[name]:g}' for name in named)})" if named else str(decision)


def _shown(policy: Policy, name: str, value: Value) -> str:
    return policy.ranks[int(value)].name if name == "rank" else str(value)


def _nothing_is_said(*_: Any) -> str:
    raise AssertionError("a trial says nothing")
