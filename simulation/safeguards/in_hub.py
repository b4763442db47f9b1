"""Safeguards of the hub, taken out."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from hub.arrivals import Arrivals
from hub.database import alerts, lanes, sales, visits
from hub.database.lanes import IncentiveRow
from hub.scans import Scans


def no_reservation() -> AbstractContextManager[Any]:
    free = Scans._not_free
    return patch.object(
        Scans, "_not_free", lambda self, tx, code, lane: free(self, tx, code, lane) if code.used else None
    )


def no_used_codes_at_the_hub() -> AbstractContextManager[Any]:
    free = Scans._not_free
    return patch.object(
        Scans, "_not_free", lambda self, tx, code, lane: None if code.used else free(self, tx, code, lane)
    )


def use_is_not_checked() -> AbstractContextManager[Any]:
    def use(db: sqlite3.Connection, code: str, scan: str, at: str) -> bool:
        db.execute("UPDATE exit_code SET used = ?, scan = ? WHERE code = ?", (at, scan, code))
        return True

    return patch.object(sales, "use_code", use)


def nothing_is_released() -> AbstractContextManager[Any]:
    return patch("hub.passages.Passages.release", lambda self, tx, scan, passage, why, cause: None)  # noqa: ARG005


def alerts_sent_once() -> AbstractContextManager[Any]:
    return patch.object(alerts, "to_send_again", lambda db, sent_before, changed_since: [])  # noqa: ARG005


def presence_of_a_former_start() -> AbstractContextManager[Any]:
    return patch.object(Arrivals, "on_heartbeat", lambda self, message, tx: None)  # noqa: ARG005


def posts_booked_twice() -> AbstractContextManager[Any]:
    def again(db: sqlite3.Connection, sale: str) -> None:
        db.execute("UPDATE customer SET spent_minor = spent_minor + (SELECT amount_minor FROM sale WHERE sale = ?) "
                   "WHERE customer = (SELECT customer FROM sale WHERE sale = ?)", (sale, sale))  # fmt: skip

    real = sales.code_of_sale

    def code_of_sale(db: sqlite3.Connection, sale: str) -> Any:
        found = real(db, sale)
        if found is not None:
            again(db, sale)
        return found

    return patch.object(sales, "code_of_sale", code_of_sale)


def a_visit_at_every_door() -> AbstractContextManager[Any]:
    return patch.object(visits, "of_day", lambda db, customer, day: None)  # noqa: ARG005


def a_coupon_for_every_scan() -> AbstractContextManager[Any]:
    return patch.object(lanes, "incentive_of_code", lambda db, code: None)  # noqa: ARG005


def paper_is_forgotten() -> AbstractContextManager[Any]:
    found = lanes.incentive_of_code

    def without_paper(db: sqlite3.Connection, code: str) -> IncentiveRow | None:
        row = found(db, code)
        return row and replace(row, paper="")

    return patch.object(lanes, "incentive_of_code", without_paper)
