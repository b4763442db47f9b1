"""Whom a request is put to: the clerks in charge, and who stands in for them. Never a clerk who has left (row C6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from sqlite3 import Connection

from config.hub_settings import AlertSettings
from hub.database import alerts, clerks, customers
from hub.database.alerts import Offer


def works_here(offers: Iterable[Offer], day: str) -> tuple[Offer, ...]:
    """Without those who have left by this day of the store."""
    return tuple(offer for offer in offers if offer.left_on is None or offer.left_on > day)


class Asked:
    """By the store's settings."""

    def __init__(self, settings: AlertSettings) -> None:
        self._settings = settings

    def in_charge(self, db: Connection, main: str | None, customer: str, day: str) -> tuple[tuple[Offer, ...], str]:
        """The main clerk and the deputies; without any, the stand-ins. Nobody at all: () and why."""
        named = alerts.in_charge(db, main, customer)
        offers = works_here(named, day)
        if offers:  # without a main clerk the first deputy is asked as one
            return (replace(offers[0], role="main"), *offers[1:]), ""
        stand_in = tuple(
            Offer(clerk, "main" if n == 0 else "deputy")
            for n, clerk in enumerate(dict.fromkeys(self._settings.fallback_clerks))
            if clerks.active(db, clerk, day)
        ) or self.group(db, day)  # fmt: skip
        if stand_in:
            return stand_in, ""
        gone = (
            f"her clerks have left ({', '.join(offer.clerk for offer in named)})"
            if named
            else "she has no clerk in charge"
        )
        group = self._settings.escalate_to
        others = f"nobody is in the group {group}" if group else "no fallback_clerks and no group are set"
        return (), f"{gone}, and {others}"

    def of_customer(self, db: Connection, customer: str, day: str) -> tuple[tuple[Offer, ...], str]:
        """As `in_charge`, for a customer whose record was not read."""
        found = customers.customer(db, customer)
        return self.in_charge(db, found.main_clerk if found else None, customer, day)

    def group(self, db: Connection, day: str) -> tuple[Offer, ...]:
        """Who is asked when nobody in charge answers."""
        name = self._settings.escalate_to
        return tuple(Offer(clerk, "group") for clerk in clerks.group(db, name, day)) if name else ()
