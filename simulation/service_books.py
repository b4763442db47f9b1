"""What the hub's database must say in the end of visits, requests to clerks, readings, coupons, lists and payments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from hub.database.consents import Purpose
from simulation import members, tables

if TYPE_CHECKING:
    from simulation.service import Service

Look = Callable[[str], list[tuple[Any, ...]]]


def unsettled(look: Look) -> Iterator[str]:
    """What is still open though everybody has left."""
    yield from _found(look, "SELECT request FROM sensing WHERE state = 'asked'", "a terminal is still to answer")
    yield from _found(look, "SELECT payment FROM payment WHERE state = 'begun'", "a payment is still open")
    yield from _found(look, "SELECT cart FROM cart WHERE state = 'paying'", "a list is still being paid")
    yield from _found(look, "SELECT visit FROM visit WHERE coupons IS NULL", "coupons of a visit are not decided")


def wrong(look: Look, service: Service) -> Iterator[str]:
    """Where it does not agree with what happened."""
    yield from _visits(look, service)
    yield from _sensing(look, service)
    yield from _coupons(look, service)
    yield from _payments(look, service)
    yield from _incentives(look)


def _visits(look: Look, service: Service) -> Iterator[str]:
    yield from _found(look, "SELECT customer, day FROM visit GROUP BY 1, 2 HAVING count(*) > 1", "two visits a day")
    known = {customer for (customer,) in look("SELECT customer FROM visit")}
    yield from (f"{customer} has a visit and was never there" for customer in sorted(known - service.came))
    for customer in sorted(known):
        if not members.may_be_known(int(customer[1:])):
            yield f"{customer} has a visit and never agreed to be recognised"
    yield from (f"{customer} was heard and has no visit" for customer in sorted(service.must_visit - known))
    once = "SELECT visit, kind, subject FROM alert GROUP BY 1, 2, 3 HAVING count(*) > 1"
    yield from _found(look, once, "a request twice in a visit")


def _sensing(look: Look, service: Service) -> Iterator[str]:
    alerts = {
        (visit, subject) for visit, subject in look("SELECT visit, subject FROM alert WHERE kind = 'special_treatment'")
    }
    decided = set()
    for request, visit, customer, state, treatment in look(
        "SELECT request, visit, customer, state, treatment FROM sensing"
    ):
        if Purpose.SENSING not in members.agreed(int(customer[1:])):
            yield f"{customer} was asked for readings and never agreed"
        if state != "answered":
            continue
        valid = service.valid.get(request, [])
        if not valid:
            yield f"{request} of {customer} counts as answered, no answer to it was hers, in time, in range and agreed to"
        elif treatment not in valid:
            yield f"{request} of {customer} led to {treatment}, its answers to {valid}"
        if treatment is not None:
            decided.add((visit, treatment))
    yield from (f"treatment {one} was not asked of clerks" for one in sorted(decided - alerts))
    yield from (f"treatment {one} was asked of clerks and not decided" for one in sorted(alerts - decided))
    others = (
        "SELECT t.visit, tc.clerk FROM alert t JOIN alert_clerk tc ON tc.alert = t.alert WHERE t.kind = 'special_treatment' AND tc.role <> 'group' AND "
        "NOT EXISTS (SELECT 1 FROM alert s JOIN alert_clerk sc ON sc.alert = s.alert WHERE s.visit = t.visit "
        "AND s.kind = 'service_request' AND sc.clerk = tc.clerk)"
    )
    yield from _found(look, others, "a treatment went to somebody who was not asked to attend")


def _coupons(look: Look, service: Service) -> Iterator[str]:
    yield from _found(
        look, "SELECT customer, rule FROM coupon GROUP BY 1, 2 HAVING count(*) > 1", "a coupon of a rule twice"
    )
    for rule, (limit, worth, budget) in tables.LIMITS.items():
        ((count,),) = look(f"SELECT count(*) FROM coupon WHERE rule = '{rule}'")
        if count > limit:
            yield f"{count} coupons of {rule}, its limit is {limit}"
        if budget and count * worth > budget:
            yield f"{count} coupons of {rule} are {count * worth}, its budget is {budget}"
    yield from _found(
        look, "SELECT coupon FROM coupon WHERE kept > revision", "a terminal has kept what was never said"
    )
    used = {coupon: (sale, pos) for coupon, sale, pos in look("SELECT coupon, sale, pos FROM redemption")}
    for coupon, told in sorted(service.redeemed.items()):
        if {used.get(coupon)} != told:
            yield f"coupon {coupon} was taken for {sorted(told)}, the books say {used.get(coupon)}"
    good = {coupon for (coupon,) in look("SELECT coupon FROM coupon WHERE state = 'redeemed'")}
    good |= {coupon for (coupon,) in look("SELECT coupon FROM incentive WHERE state = 'committed'")}
    yield from (f"coupon {coupon} was used and not given" for coupon in sorted(used.keys() - good))
    unused = {coupon for (coupon,) in look("SELECT coupon FROM coupon WHERE state = 'redeemed'")} - used.keys()
    yield from (f"coupon {coupon} counts as used and was not" for coupon in sorted(unused))


OUT = "JOIN incentive USING (coupon) WHERE incentive.state <> 'released' OR incentive.paper = 'printed'"
"""What is reserved, given, or in somebody's hand."""


def over(look: Look) -> Iterator[str]:
    """Budgets and limits of what exits bring: all along."""
    for rule, day, count in look(f"SELECT part.rule, day, count(*) FROM incentive_part part {OUT} GROUP BY 1, 2"):
        if count > tables.BUDGETS.get(rule, count):
            yield f"{count} of {rule} are out on {day}, its budget is {tables.BUDGETS[rule]}"
    hers = f"SELECT customer, day, count(*) FROM incentive_part part {OUT} GROUP BY 1, 2, part.rule"
    hers += f" HAVING part.rule = '{tables.ONE_EACH}' AND count(*) > 1"
    yield from _found(look, hers, f"more than one of {tables.ONE_EACH} for a customer")


def _incentives(look: Look) -> Iterator[str]:
    yield from over(look)
    counted = set(look("SELECT rule, day, count, worth_minor FROM incentive_day WHERE count <> 0"))
    summed = set(
        look(f"SELECT part.rule, day, count(*), sum(worth_minor) FROM incentive_part part {OUT} GROUP BY 1, 2")
    )
    if counted != summed:
        yield f"what is out: counted {sorted(counted - summed)}, really {sorted(summed - counted)}"
    nowhere = (
        "SELECT coupon FROM incentive WHERE state = 'committed' AND kind <> 'points' AND customer IS NOT NULL "
        "AND NOT (give = 'print' AND paper = 'printed') AND coupon NOT IN (SELECT coupon FROM given_coupon)"
    )
    yield from _found(look, nowhere, "a coupon was given neither on paper nor electronically")
    theirs = "SELECT coupon FROM given_coupon JOIN incentive USING (coupon) WHERE given_coupon.customer <> incentive.customer"
    yield from _found(look, theirs, "a coupon is on somebody else's terminal")


def passed_twice(look: Look, passed: dict[str, set[str]]) -> Iterator[str]:
    """Codes with which lanes that were alone let somebody pass each: all but one of these passages are reported."""
    told = {scan for (scan,) in look("SELECT scan FROM lane_incident WHERE kind = 'code_twice'")}
    for code, scans in sorted(passed.items()):
        if len(scans - told) > 1:
            yield f"code {code} was passed with in scans {sorted(scans)}, reported are {sorted(scans & told)}"


def _payments(look: Look, service: Service) -> Iterator[str]:
    done = {}
    for payment, state, amount, sale in look("SELECT payment, state, amount_minor, sale FROM payment"):
        if state == "confirmed":
            done[payment] = amount
            if not look(f"SELECT 1 FROM sale WHERE sale = '{sale}' AND amount_minor = {amount}"):
                yield f"payment {payment} is confirmed and has no sale of {amount}"
    if done != service.paid:
        yield f"payments: taken {sorted(service.paid.items() - done.items())}, confirmed {sorted(done.items() - service.paid.items())}"
    yield from (f"{one} was given back and is confirmed" for one in sorted(service.given_back & done.keys()))
    twice = "SELECT cart FROM payment WHERE state = 'confirmed' GROUP BY cart HAVING count(*) > 1"
    yield from _found(look, twice, "a list was paid twice")
    open_sales = "SELECT cart FROM cart WHERE (state = 'paid') <> (sale IS NOT NULL)"
    other = "SELECT payment.payment FROM payment JOIN cart USING (cart) WHERE payment.state = 'confirmed' AND cart.sale IS NOT payment.sale"
    yield from _found(look, other, "a payment is confirmed, and its list is not paid by it")
    yield from _found(look, open_sales, "a list is paid without a sale, or has one without being paid")


def _found(look: Look, sql: str, what: str) -> Iterator[str]:
    yield from (f"{what}: {' '.join(map(str, row))}" for row in look(sql))
