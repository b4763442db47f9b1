"""Safeguards of coupons by e-mail and web push, taken out."""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from hub.database import givings
from hub.giving.courier import Courier
from hub.giving.mail import MailWay
from hub.giving.push import PushWay
from hub.giving.ways import Later, Sent
from simulation.safeguards.in_service import together


def mailed_without_consent() -> AbstractContextManager[Any]:
    return together(patch.object(MailWay, "purpose", None), patch.object(PushWay, "purpose", None))


def no_answer_is_an_answer() -> AbstractContextManager[Any]:
    outcome = Courier._outcome

    def told(self: Courier, tx: Any, row: Any, parcel: Any, result: Any) -> None:
        outcome(self, tx, row, parcel, Sent(result.why) if isinstance(result, Later) else result)

    return patch.object(Courier, "_outcome", told)


def no_other_way() -> AbstractContextManager[Any]:
    return patch.object(Courier, "_next", lambda self, tx, row: False)  # noqa: ARG005


def a_new_letter_each_time() -> AbstractContextManager[Any]:
    numbers = itertools.count()
    return patch("hub.giving.letter.message_id", lambda secret, address: f"<{next(numbers)}.{secret}@{address}>")


def tries_end_with_their_process() -> AbstractContextManager[Any]:
    def try_way(db: sqlite3.Connection, coupon: str, way: str, due: str, at: str) -> None:  # noqa: ARG001
        db.execute("UPDATE giving SET tries = tries + 1, due = NULL WHERE coupon = ? AND way = ?", (coupon, way))

    return patch.object(givings, "try_way", try_way)


def one_refusal_is_for_good() -> AbstractContextManager[Any]:
    outcome = Courier._outcome

    def told(self: Courier, tx: Any, row: Any, parcel: Any, result: Any) -> None:
        if isinstance(result, Later):
            self._failed(tx, row, result.why)
        else:
            outcome(self, tx, row, parcel, result)

    return patch.object(Courier, "_outcome", told)
