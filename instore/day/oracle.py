"""What a day has to bring, worked out from its script alone: no rule engine, no database, no code of the hub.

The rules of `instore.day.files` a second time, as plain arithmetic. What this and the store say must be the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from instore.day.script import LEFT, Person, Sale, Script

FALLBACK = "c05"
"""Asked when nobody who works here is in charge of a good customer."""
GOLD_FROM = 300_000
KPA_PER_MMHG = 0.133322


@dataclass(slots=True)
class Expected:
    """Each as (customer's key, …)."""

    alerts: set[tuple[str, str, str]] = field(default_factory=set)
    """(key, kind, clerk)"""
    treatments: set[tuple[str, str]] = field(default_factory=set)
    """(key, rule)"""
    coupons: set[tuple[str, str]] = field(default_factory=set)
    """(key, rule)"""
    kept: set[tuple[str, str]] = field(default_factory=set)
    """Coupons that have to be on a phone."""


def expected(script: Script) -> Expected:
    """Everything that the day has to bring, and so nothing else."""
    found = Expected()
    for person in script.people:
        if person.stays and ("service" in person.purposes or not person.member):
            _visit(found, person)
    return found


def _visit(found: Expected, person: Person) -> None:
    if is_good(person):
        found.alerts |= {(person.key, "service_request", clerk) for clerk in clerks(person)}
        if rule := treatment(person):
            found.treatments.add((person.key, rule))
            found.alerts |= {(person.key, "special_treatment", clerk) for clerk in clerks(person)}
    if rule := coupon(person):
        found.coupons.add((person.key, rule))
        if person.member:
            found.kept.add((person.key, rule))


def is_good(person: Person) -> bool:
    """Gold, or thirty visits of 8,000 on average."""
    visits = person.visits + len({sale.days_ago for sale in person.sales})
    spent = person.visits * person.average_minor + sum(sale.amount_minor for sale in person.sales)
    return spent >= GOLD_FROM or (visits >= 30 and spent // visits >= 8000)


def clerks(person: Person) -> set[str]:
    """Who is asked: those in charge who still work here, or the one for all others."""
    in_charge = {clerk for clerk in (person.main_clerk, *person.deputies) if clerk and clerk != LEFT}
    return in_charge or {FALLBACK}


def treatment(person: Person) -> str:
    """ "" when there is none: no phone, no consent, nothing unusual, or a reading is missing."""
    if not person.member or "sensing" not in person.purposes:
        return ""
    read = person.readings.get
    hot, heart, speed, pressure = (read(name) for name in ("ambient_temperature_c", "heart_rate_per_min", "speed_m_s",
                                                           "systolic_kpa"))  # fmt: skip
    if hot is not None and heart is not None and hot >= 30 and heart >= 100:
        return "thirsty"
    if speed is not None and pressure is not None and speed < 0.3:
        mmhg = pressure / KPA_PER_MMHG
        return "unwell" if mmhg < 90 or mmhg > 160 else ""
    return ""


def coupon(person: Person) -> str:
    """Clothes for those in their forties who buy them often; tableware for who buys much of it."""
    if person.member and "coupons" not in person.purposes:
        return ""
    total = sum(sale.amount_minor for sale in person.sales)
    clothes, dishes = (_of(person.sales, category) for category in ("婦人服", "食器"))
    if (
        total
        and sum(s.amount_minor for s in clothes) / total >= 0.4
        and len({s.days_ago for s in clothes}) >= 2
        and 40 <= person.age < 50
    ):
        return "womens-clothes-40s"
    pieces = sum(sale.pieces for sale in dishes)
    if pieces >= 3 or (total and sum(s.amount_minor for s in dishes) / total >= 0.5):
        return "tableware"
    return ""


def _of(sales: Iterable[Sale], category: str) -> list[Sale]:
    return [sale for sale in sales if sale.category == category]
