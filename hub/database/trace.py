"""The trace: every message and decision that concerns a visit (row C7)."""

from __future__ import annotations

from dataclasses import dataclass
from sqlite3 import Connection


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One hop. `sent` by its sender's clock, `taken` by the hub's (for what the hub says itself: the same)."""

    id: str
    cause: str | None
    type: str
    source: str
    sent: str | None
    taken: str
    summary: str


_INSERT = "INSERT INTO trace (visit, id, cause, type, source, sent, taken, summary) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


def add(db: Connection, visit: str, id: str, cause: str | None, type: str, source: str, sent: str | None, taken: str,
        summary: str) -> None:  # fmt: skip
    """One hop of a visit. `type` is the CloudEvents type, or `decision` or `sale`."""
    db.execute(_INSERT, (visit, id, cause, type, source, sent, taken, summary))


def of_visit(db: Connection, visit: str) -> list[TraceRow]:
    """All hops, in the order in which the hub took or said them."""
    rows = db.execute(
        "SELECT id, cause, type, source, sent, taken, summary FROM trace WHERE visit = ? ORDER BY row", (visit,)
    )
    return [TraceRow(*row) for row in rows]


def id_of(db: Connection, visit: str, type: str) -> str | None:
    """The first hop of this type in a visit."""
    row = db.execute("SELECT id FROM trace WHERE visit = ? AND type = ? ORDER BY row LIMIT 1", (visit, type)).fetchone()
    return row[0] if row else None


def has(db: Connection, visit: str, id: str) -> bool:
    """Whether a visit has this hop."""
    return db.execute("SELECT 1 FROM trace WHERE visit = ? AND id = ?", (visit, id)).fetchone() is not None


def last_visit(db: Connection) -> str | None:
    """The visit of which something was heard last."""
    row = db.execute("SELECT visit FROM trace ORDER BY row DESC LIMIT 1").fetchone()
    return row[0] if row else None


def forget(db: Connection, before: str) -> int:
    """Delete what is older, a bounded number at a time; returns how many rows went."""
    return db.execute(
        "DELETE FROM trace WHERE row IN (SELECT row FROM trace WHERE taken < ? ORDER BY taken LIMIT 20000)", (before,)
    ).rowcount
