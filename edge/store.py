"""All SQL of the agent: what must survive a loss of power besides the outbox (`delivery.journal`)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from delivery.journal import Migration
from devices.gate_map import GateCounters
from edge import lane_calls
from edge.lane_calls import Calls
from edge.lane_codec import from_json, to_json
from edge.lane_types import Lane

log = structlog.get_logger()

MIGRATIONS: tuple[Migration, ...] = (
    (
        "edge-1",
        """
        CREATE TABLE lane (id TEXT PRIMARY KEY, state TEXT NOT NULL, gate TEXT) WITHOUT ROWID;
        CREATE TABLE used_code (  -- held: a transaction has it, or somebody has passed with it; else it was given free again
            code TEXT PRIMARY KEY, expires TEXT NOT NULL, held INTEGER NOT NULL DEFAULT 1
        ) WITHOUT ROWID;
        CREATE INDEX used_code_expires ON used_code (expires);
        CREATE TABLE exit_key (kid TEXT PRIMARY KEY, public TEXT NOT NULL) WITHOUT ROWID;
        """,
    ),
    # What a people counter showed when the hub was told last.
    (
        "edge-2",
        'CREATE TABLE people_counter (id TEXT PRIMARY KEY, entered INTEGER NOT NULL, "left" INTEGER NOT NULL) WITHOUT ROWID',
    ),
    # Calls for a clerk that are open, and how many there have been.
    ("edge-3", "CREATE TABLE lane_call (lane TEXT PRIMARY KEY, calls TEXT NOT NULL) WITHOUT ROWID"),
    # When a lane's state was stored, and since which start of the machine.
    ("edge-4", "ALTER TABLE lane ADD COLUMN stored TEXT"),
)
USED_KEPT = timedelta(days=2)
"""A used code is remembered this long after it expired: longer than any clock that is not set can be behind after a start."""


PASSED = 2
"""`used_code.held`: 0 free, 1 a transaction has it, 2 somebody has passed with it."""


def _boot() -> str:
    """Which start of this machine it is."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


_BOOT = _boot()


class EdgeStore:
    """The agent's tables. Every writing method is called inside a transaction of the engine."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def lane(self, lane: str) -> tuple[Lane | None, GateCounters | None]:
        """A lane as it was stored, and the gate's counters that were acted on. None for what is not there or damaged."""
        row = self._db.execute("SELECT state, gate FROM lane WHERE id = ?", (lane,)).fetchone()
        if row is None:
            return None, None
        try:
            return from_json(row[0]), GateCounters(**json.loads(row[1])) if row[1] else None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            # A lane that can't go on where it was begins anew: better than one that never starts.
            log.error("the stored state of a lane is damaged, it begins anew", lane=lane, error=repr(error))
            return None, None

    def save_lane(self, lane: str, state: Lane, utc: datetime) -> None:
        self._db.execute(
            "INSERT INTO lane (id, state, stored) VALUES (?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET state = excluded.state, stored = excluded.stored",
            (lane, to_json(state), f"{_BOOT} {utc.isoformat()}"),
        )

    def lane_away_s(self, lane: str, utc: datetime) -> float | None:
        """How long ago the state of a lane was stored. None when no clock can tell: the machine was started since, and a Pi's
        clock stands still without power."""
        row = self._db.execute("SELECT stored FROM lane WHERE id = ?", (lane,)).fetchone()
        boot, _, stored = (row[0] or "").partition(" ") if row is not None else ("", "", "")
        return (utc - datetime.fromisoformat(stored)).total_seconds() if stored and boot == _BOOT else None

    def save_gate(self, lane: str, counters: GateCounters) -> None:
        self._db.execute("UPDATE lane SET gate = ? WHERE id = ?", (json.dumps(asdict(counters)), lane))

    def calls(self, lane: str) -> Calls:
        """A lane's calls as they were stored; damaged ones are none."""
        row = self._db.execute("SELECT calls FROM lane_call WHERE lane = ?", (lane,)).fetchone()
        try:
            return lane_calls.from_json(row[0]) if row is not None else Calls()
        except (ValueError, KeyError, TypeError) as error:
            log.error("the stored calls of a lane are damaged, they are forgotten", lane=lane, error=repr(error))
            return Calls()

    def save_calls(self, lane: str, calls: Calls) -> None:
        self._db.execute(
            "INSERT INTO lane_call VALUES (?, ?) ON CONFLICT (lane) DO UPDATE SET calls = excluded.calls",
            (lane, lane_calls.to_json(calls)),
        )

    def is_passed(self, code: str) -> bool:
        """Somebody has passed with it; else, if it is used, a transaction has it."""
        found = self._db.execute("SELECT held FROM used_code WHERE code = ?", (code,)).fetchone()
        return found is not None and found[0] == PASSED

    def is_used(self, code: str) -> bool:
        return self._db.execute("SELECT 1 FROM used_code WHERE code = ? AND held", (code,)).fetchone() is not None

    def use(self, code: str, expires: datetime, now: datetime) -> None:
        """Hold a one-time code, and forget those that no clock can take for valid any more."""
        self._db.execute(
            "INSERT INTO used_code (code, expires) VALUES (?, ?) ON CONFLICT (code) DO UPDATE SET held = 1",
            (code, expires.isoformat()),
        )
        self._db.execute("DELETE FROM used_code WHERE expires < ?", ((now - USED_KEPT).isoformat(),))

    def hold(self, code: str, held: bool) -> None:
        """Somebody has passed with a code: it is used for good. Or nobody did: it is given free, unless somebody had before."""
        self._db.execute(
            "UPDATE used_code SET held = ? WHERE code = ? AND held != ?", (PASSED if held else 0, code, PASSED)
        )

    def keys(self) -> dict[str, str]:
        """Public keys of exit codes by key ID, as the hub gave them last."""
        return dict(self._db.execute("SELECT kid, public FROM exit_key").fetchall())

    def save_keys(self, keys: Mapping[str, str]) -> None:
        self._db.execute("DELETE FROM exit_key")
        self._db.executemany("INSERT INTO exit_key (kid, public) VALUES (?, ?)", keys.items())

    def counter(self, id: str) -> tuple[int, int] | None:
        """What a people counter showed when the hub was told last: entered, left."""
        found: tuple[int, int] | None = self._db.execute(
            'SELECT entered, "left" FROM people_counter WHERE id = ?', (id,)
        ).fetchone()
        return found

    def save_counter(self, id: str, totals: tuple[int, int]) -> None:
        self._db.execute(
            'INSERT INTO people_counter (id, entered, "left") VALUES (?, ?, ?) '
            'ON CONFLICT (id) DO UPDATE SET entered = excluded.entered, "left" = excluded."left"',
            (id, *totals),
        )
