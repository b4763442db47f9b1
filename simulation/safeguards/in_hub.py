"""Safeguards of the hub, taken out."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from hub.arrivals import Arrivals
from hub.database import alerts, sales
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
