"""Saying and hearing with a trace: every message that concerns a visit leaves a line (row C7)."""

from __future__ import annotations

from collections import Counter
from functools import partial

from contract.envelope import Message
from contract.messages import BY_NAME
from contract.payloads import Payload
from delivery.engine import Tx
from hub.database import times, trace


def say(tx: Tx, name: str, data: Payload, summary: str, *, visit: str | None, cause: str | None, **ids: str) -> str:
    """Send one message and note it in the visit's trace; returns its ID."""
    id = tx.send(name, data, visit=visit, cause=cause, **ids)
    if visit is not None:
        at = times.text(tx.utc)
        trace.add(tx.db, visit, id, cause, BY_NAME[name].event_type, "hub", at, at, summary)
    return id


def heard(tx: Tx, message: Message, visit: str | None, summary: str, *, cause: str | None = None) -> None:
    """Note a message that came in, with the cause that we know if its sender knew none. Not what concerns no visit."""
    if visit is not None:
        sent = times.text(message.time) if message.time is not None and message.time.tzinfo is not None else None
        trace.add(
            tx.db,
            visit,
            message.id,
            message.cause or cause,
            message.channel.event_type,
            message.source,
            sent,
            times.text(tx.utc),
            summary,
        )


def decided(tx: Tx, visit: str | None, cause: str, what: str, summary: str) -> str:
    """Note a decision of the hub's own; returns its ID, to be the cause of what follows from it."""
    id = f"{cause}.{what}"[:128]
    if visit is not None:
        at = times.text(tx.utc)
        trace.add(tx.db, visit, id, cause, "decision", "hub", at, at, summary)
    return id


def bought(tx: Tx, visit: str, sale: str, summary: str) -> None:
    """Note a sale that the POS posted: it belongs to the visit, and what its exit code brings follows from it."""
    at, cause = times.text(tx.utc), trace.id_of(tx.db, visit, BY_NAME["visit_opened"].event_type)
    trace.add(tx.db, visit, _sale(sale), cause, "sale", "hub", at, at, summary)


def taken_back(tx: Tx, visit: str, sale: str, void: str, summary: str) -> None:
    """Note that the POS voided a sale of this visit."""
    at = times.text(tx.utc)
    trace.add(tx.db, visit, f"void-{void}"[:128], _sale(sale), "void", "hub", at, at, summary)


def sale_hop(tx: Tx, visit: str, sale: str) -> str | None:
    """The ID under which `bought` noted this sale in this visit; None if it did not."""
    return _sale(sale) if trace.has(tx.db, visit, _sale(sale)) else None


def _sale(sale: str) -> str:
    return f"sale-{sale}"


def count(tx: Tx, counters: Counter[str], name: str) -> None:
    """Count something once this transaction is on disk, so that a batch that is sent again counts once."""
    tx.after_commit(partial(_add, counters, name))


def _add(counters: Counter[str], name: str) -> None:
    counters[name] += 1
