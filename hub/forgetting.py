"""A customer is forgotten while the hub runs (row C11): database, messages that wait, what is in memory, her open alerts.

Somebody asks by a row in `erasure` (`instore customers forget`); the hub does it at its next tick, in one transaction, and
writes there what it did. It takes some milliseconds. The bytes on the disk are looked at afterwards, by who asked.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from sqlite3 import Connection
from typing import Any

from delivery.engine import Tx
from delivery.outgoing import Outgoing
from hub.database import erasing, times
from hub.saying import count

ANSWER_KEPT = timedelta(hours=1)


class Eraser:
    """What it takes to find one customer in messages and decisions."""

    def __init__(self, db: Connection, customer: str) -> None:
        self.customer, self.marks = customer, erasing.marks(db, customer)
        self.visits = erasing.visits_of(db, customer)
        self.scans = erasing.scans_of(db, customer)
        self._texts = [mark for mark in self.marks if mark != customer]
        self._id = re.compile(rf"(?<![\w.-]){re.escape(customer)}(?![\w.-])")
        self._threads = [*self.visits, *(scan for scan, _, _ in self.scans)]
        self._needles = [json.dumps(each).encode() for each in self._threads]

    def concerns(self, text: str) -> bool:
        """Whether a text says something of her."""
        return bool(self._id.search(text)) or any(mark in text for mark in self._texts)

    def message(self, body: bytes) -> bytes | None:
        """A message of one of her visits or scans without what it says of her; None: it is none of those, or says nothing."""
        if not any(needle in body for needle in self._needles):
            return None
        said = json.loads(body)
        if said.get("visit") in self.visits:
            del said["visit"]
        said["data"] = self.without(said.get("data"))
        new = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
        return None if new == body else new

    def without(self, value: Any) -> Any:
        """The same with her name, and whatever else she is known by, taken out of its texts."""
        if isinstance(value, str):
            for mark in sorted(self._texts, key=len, reverse=True):
                value = value.replace(mark, "")
            return self._id.sub("", value)
        if isinstance(value, list):
            return [self.without(each) for each in value]
        if isinstance(value, dict):
            return {name: self.without(each) for name, each in value.items()}
        return value

    def erase(self, db: Connection) -> dict[str, Any]:
        """In the transaction of the caller; what was done, by table."""
        found: dict[str, Any] = erasing.erase(db, self.customer, self.visits, [scan for scan, _, _ in self.scans])
        for scan, decision, _ in self.scans:
            erasing.rewrite_scan(db, scan, json.dumps(self.without(json.loads(decision)), ensure_ascii=False))
        messages = erasing.rewrite_outbox(db, self.message)
        quarantined = erasing.drop_quarantined(db, self.concerns)
        found["changed"] |= {"outbox": messages} if messages else {}
        found["erased"] |= {"quarantine": quarantined} if quarantined else {}
        return found


class Forgetting:
    """The hub's part. `end_alerts(tx, customer)` tells handhelds that her alerts are over; `forget()` clears caches."""

    def __init__(
        self, end_alerts: Callable[[Tx, str], None], forget: Callable[[], None], counters: Counter[str]
    ) -> None:
        self.outgoing: Outgoing | None = None
        """The engine's, so that what waits in memory is rewritten too."""
        self._end_alerts, self._forget, self._counters = end_alerts, forget, counters

    def tick(self, tx: Tx) -> None:
        """Forget who is to be forgotten, one at a time."""
        for customer in erasing.wanted(tx.db)[:1]:
            self.now(tx, customer)

    def now(self, tx: Tx, customer: str) -> dict[str, Any]:
        """Forget this customer in this transaction; returns what was done, by table."""
        eraser = Eraser(tx.db, customer)
        self._end_alerts(tx, customer)
        found = eraser.erase(tx.db)
        tx.after_commit(partial(self._in_memory, eraser))
        tx.on_rollback(self._forget)
        self._forget()
        count(tx, self._counters, "customers_forgotten")
        erasing.done(tx.db, customer, found)
        return found

    def clean(self, tx: Tx) -> None:
        """Answers that nobody fetched."""
        erasing.forget_asked(tx.db, times.text(tx.utc - ANSWER_KEPT))

    def _in_memory(self, eraser: Eraser) -> None:
        self._forget()
        for stream in self.outgoing.streams.values() if self.outgoing else ():
            for entry in stream.pending:
                if entry.body is not None:
                    entry.body = eraser.message(entry.body) or entry.body
