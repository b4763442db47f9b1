"""`instore explain`: a visit as a tree of causes, each hop with its time, and what was decided and why (row C7).

Every decision leaves a line with its rule, values and outcome, every silence one with the condition nearest to holding or the
reason: she was here today already, has not agreed, has no clerk in charge, a limit is reached. Reads the file while the hub writes it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from hub.database import consents, customers, times, trace, visits
from hub.database.trace import TraceRow

COLLAPSED_TYPES = ("instore.sighting.v1",)
"""A customer walks for an hour: of many sightings in a row that led to nothing the first and the last are shown."""


class NothingToExplain(LookupError):
    """There is no such visit, or no database; the sentence says which, and of a customer why nothing was traced."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One line of the tree. `ms` since its cause (None without one), `start_ms` since the first hop of the visit, both by
    the hub's clock; `way_ms` from its sender to the hub, by both clocks: as exact as they agree."""

    row: TraceRow
    depth: int
    at: datetime
    ms: float | None
    start_ms: float
    way_ms: float | None
    same: int = 0
    """How many more of the kind were left out after this one."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A visit's trace."""

    visit: str
    hops: tuple[Hop, ...]

    def text(self) -> str:
        """As a tree for people."""
        lines = [f"visit {self.visit}"]
        for hop in self.hops:
            since = "" if hop.ms is None else f"+{hop.ms:.1f} ms"
            name = hop.row.type.removeprefix("instore.").removesuffix(".v1")
            more = f"  (and {hop.same} more like it)" if hop.same else ""
            way = f", {hop.way_ms:.1f} ms on the way" if hop.way_ms else ""
            lines.append(f"{hop.start_ms:>11.1f} ms {since:>14}  {'   ' * hop.depth}{name}: {hop.row.summary}"
                         f"  [{hop.row.source}{way}]{more}")  # fmt: skip
        decisions = self.decisions
        if decisions:
            lines += ["", "decided:", *(f"  {decision}" for decision in decisions)]
        return "\n".join(lines)

    @property
    def decisions(self) -> tuple[str, ...]:
        """What was decided and why, and what was not done and why, in the order of time."""
        rows = sorted((hop.row for hop in self.hops), key=lambda row: row.taken)
        return tuple(dict.fromkeys(filter(None, map(_decision, rows))))

    def json(self) -> str:
        """One JSON object: `visit`, `hops` in the order of the tree, `decisions` in the order of time."""
        hops = [
            {
                **asdict(hop.row),
                "depth": hop.depth,
                "ms": hop.ms,
                "start_ms": hop.start_ms,
                "way_ms": hop.way_ms,
                "same": hop.same,
            }
            for hop in self.hops
        ]
        return json.dumps({"visit": self.visit, "hops": hops, "decisions": self.decisions}, ensure_ascii=False)


def explain(database: Path, visit: str | None = None) -> Explanation:
    """The trace of one visit, of a customer's newest, or (None) of the last of all. Raises NothingToExplain."""
    if not database.exists():
        raise NothingToExplain(f"{database}: there is no such database; has the hub ever run with these settings?")
    try:
        with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True, timeout=5.0)) as db:
            return explain_from(db, visit)
    except sqlite3.Error as error:
        raise NothingToExplain(f"{database}: {error}; is this the hub's database?") from None


def explain_settings(settings_path: Path, visit: str | None = None) -> Explanation:
    """As `explain`, for the database that the hub's settings name. Raises SettingsError, NothingToExplain."""
    from config.hub_settings import load_hub

    return explain(load_hub(settings_path).database, visit)


def explain_from(db: sqlite3.Connection, visit: str | None) -> Explanation:
    """The trace of one visit, of a customer's newest, or (None) of the last of all. Raises NothingToExplain."""
    wanted = visit or trace.last_visit(db)
    if wanted is None:
        raise NothingToExplain("no visit was traced yet")
    rows = trace.of_visit(db, wanted)
    if not rows and (newest := visits.latest(db, wanted, "")) is not None:
        wanted, rows = newest, trace.of_visit(db, newest)
    if not rows:
        raise NothingToExplain(_why_none(db, wanted))
    return Explanation(wanted, tuple(_collapsed(list(_tree(rows)))))


def _why_none(db: sqlite3.Connection, wanted: str) -> str:
    """Why there is no trace of what was asked for: a visit's ID, or a customer's."""
    if customers.customer(db, wanted) is None:
        return f"there is no trace of visit {wanted!r}; it may be older than trace_days. Nobody has this customer ID either"
    if visits.latest(db, wanted, "") is not None:
        return f"the traces of {wanted}'s visits are older than trace_days"
    if not consents.may_recognise(db, wanted):
        return f"{wanted} has no visit: she has not agreed to be recognised on arrival"
    known_by = customers.known_by(db, wanted)
    if not known_by:
        return f"{wanted} has no visit: she has no beacon and no member code, so only her terminal could say that she is here"
    return (f"{wanted} has no visit: nothing of hers was heard yet (beacons and codes: {known_by}), or too faintly or too briefly "
            "to count as being here (an agent's enter_rssi_dbm)")  # fmt: skip


def _decision(row: TraceRow) -> str:
    """The decision in a hop; "" where there is none."""
    if row.type == "decision":
        return row.summary
    if row.type == "instore.visit.opened.v1":
        return row.summary.partition("; ")[2]
    return row.summary.partition("; ")[2] if row.type == "instore.sighting.v1" else ""


def _tree(rows: list[TraceRow]) -> Iterator[Hop]:
    """Depth first, in order of time; a hop whose cause is not in this trace stands at the root."""
    known = {row.id: row for row in rows}
    below: dict[str | None, list[TraceRow]] = {}
    for row in known.values():
        below.setdefault(row.cause if row.cause in known and row.cause != row.id else None, []).append(row)
    start = min(_at(row) for row in rows)
    # A stack, not recursion: a chain of answers may be long. `given` guards against causes in a circle.
    stack = [(row, 0) for row in reversed(below.get(None, []))]
    while stack:
        row, depth = stack.pop()
        at = _at(row)
        cause = known.get(row.cause or "") if depth else None
        since = None if cause is None else _ms(at - _at(cause))
        way = None if row.sent is None else _ms(at - times.time(row.sent))
        yield Hop(row, depth, at, since, _ms(at - start), way)
        stack += [(child, depth + 1) for child in reversed(below.get(row.id, []))]


def _at(row: TraceRow) -> datetime:
    """When the hub took or said it: one clock for all hops."""
    return times.time(row.taken)


def _ms(time: timedelta) -> float:
    return round(time / timedelta(milliseconds=1), 3)


def _collapsed(hops: list[Hop]) -> Iterator[Hop]:
    index = 0
    while index < len(hops):
        end = index
        while end < len(hops) and _idle(hops, end) and hops[end].depth == hops[index].depth:
            end += 1
        if end - index > 2:
            first = hops[index]
            yield replace(first, same=end - index - 2)
            yield hops[end - 1]
            index = end
        else:
            yield hops[index]
            index += 1


def _idle(hops: list[Hop], index: int) -> bool:
    followed = index + 1 < len(hops) and hops[index + 1].depth > hops[index].depth
    return hops[index].row.type in COLLAPSED_TYPES and not followed


def as_dict(explanation: Explanation) -> dict[str, Any]:
    """For the API."""
    found: dict[str, Any] = json.loads(explanation.json())
    return found
