"""`customers import FILE`: thousands of records a second, each checked, none silently lost; the same again changes nothing.

CSV, or JSON (`.json`, `.jsonl`), with any of the fields of `hub.import_fields.COLUMNS`; `customer` is needed. A field that is
not in the file leaves what the database has. Money in minor units; `average_purchase` is per visit. `deputies` and `beacons`
are separated by spaces (in JSON lists). `age` becomes a year of birth where `born` says nothing. `rank` is a rank from
elsewhere: it holds for `imported_rank_days` against what the purchases say.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from config.hub_settings import HubSettings, load_hub
from config.load import SettingsError
from delivery.journal import Journal
from hub.born import of_age
from hub.database import eids, imports, ranks
from hub.database.schema import MIGRATIONS
from hub.days import store_day
from hub.import_fields import CHECKS, COLUMNS, FieldRefused, born, rotating
from hub.import_files import ImportFailed, Line
from hub.import_loop import ImportReport, Progress, import_lines
from hub.ranking import rerank
from hub.rules.policy import Policy, read_policy
from hub.rules.ranks import Ranking


def import_customers(settings_path: Path, path: Path, *, quiet: bool = False) -> ImportReport:
    """Import a file into the hub's database, with a progress bar on standard error; the hub may run.

    Raises SettingsError, JournalError, ImportFailed. Refused lines are in the report, everything else is imported.
    """
    from hub.progress import progress

    settings = load_hub(settings_path)
    journal = Journal(settings.database, MIGRATIONS)
    try:
        with progress(path.name, quiet=quiet) as step:
            return import_file(journal.db, path, settings, step)
    finally:
        journal.close()


def import_file(
    db: Connection,
    path: Path,
    settings: HubSettings,
    progress: Progress | None = None,
    today: str | None = None,
) -> ImportReport:
    """Import `path`; `progress(done, total)` is called after each batch. `today`: the store's day, now unless given."""
    check = _Records(db, read_policy(settings), today or store_day(datetime.now(UTC), settings.store.zone))
    return import_lines(ImportReport(path), COLUMNS, check.record, check.write, progress)


class _Records:
    """Checks records against the ranks, each other and the database, and writes them."""

    def __init__(self, db: Connection, policy: Policy, today: str) -> None:
        self._db, self._today = db, today
        self._ranking: Ranking = policy.ranking
        self._ranks = tuple(rank.name for rank in policy.ranks)
        self._seen: dict[str, int] = {}
        self._owners, self._key_owners = imports.beacon_owners(db), eids.owners(db)
        self._now_s = time.time()

    def record(self, line: Line) -> dict[str, Any]:
        """One record for `hub.database.imports.write`. Raises FieldRefused."""
        if line.wrong is not None:
            raise FieldRefused(*line.wrong)
        said = line.fields
        record: dict[str, Any] = {name: CHECKS[name](name, value) for name, value in said.items()}
        customer = record["customer"]
        if customer in self._seen:
            raise FieldRefused("customer", f"{customer!r} stands in line {self._seen[customer]} already")
        if record.get("rank") and record["rank"] not in self._ranks:
            possible = ", ".join(self._ranks)
            raise FieldRefused("rank", f"{record['rank']!r} is no rank of the rules; possible are {possible}")
        self._totals(record)
        self._birth(record, said)
        beacons = record.get("beacons", ())
        for beacon in beacons:
            if self._owners.get(beacon, customer) != customer:
                raise FieldRefused("beacons", f"{beacon} belongs to {self._owners[beacon]!r} already")
        if "rotating_beacons" in record:
            record["rotating_beacons"] = rotating(record["rotating_beacons"], self._now_s)
            for key in record["rotating_beacons"]:
                if self._key_owners.get(key.name, customer) != customer:
                    raise FieldRefused(
                        "rotating_beacons", f"{key.name} belongs to {self._key_owners[key.name]!r} already"
                    )
                self._key_owners[key.name] = customer
        self._owners.update(dict.fromkeys(beacons, customer))
        self._seen[customer] = line.number
        return record

    def _totals(self, record: dict[str, Any]) -> None:
        """What she has spent: said, or from the average of her visits."""
        if ("visits" in record) != bool({"average_purchase", "spent"} & record.keys()):
            raise FieldRefused("visits", "and average_purchase (or spent) belong together; give both or neither")
        if "visits" in record:
            by_average = record["visits"] * record.pop("average_purchase", 0)
            record["spent_minor"] = record.pop("spent", 0) or by_average

    def _birth(self, record: dict[str, Any], said: dict[str, str]) -> None:
        if "born" in record:
            record["born"] = born(record["born"], self._today)
        if "age" in said:
            age = record.pop("age")
            record["born"] = record.get("born") or ("" if age is None else of_age(age, self._today))

    def write(self, good: list[tuple[int, dict[str, Any]]]) -> int:
        """In one transaction, with the ranks that follow."""
        found = [record for _, record in good]
        ids = [record["customer"] for record in found]
        if "rank" in found[0]:
            self._imported_ranks(found, ids)
        imports.write(self._db, found, partial(rerank, self._db, ids, self._ranking, self._today, imported=True))
        return len(found)

    def _imported_ranks(self, good: list[dict[str, Any]], ids: list[str]) -> None:
        """Since when the rank of the file holds: a file that says the same again does not make it hold longer."""
        known = {row.customer: row for row in ranks.of(self._db, ids, [])}
        for record in good:
            rank, row = record.pop("rank"), known.get(record["customer"])
            same = row is not None and row.imported == rank and self._ranking.holds(row.imported_on, self._today)
            since = row.imported_on if same and row is not None else self._today
            record["rank_imported"], record["rank_imported_on"] = rank, since if rank else ""


__all__ = ["ImportFailed", "ImportReport", "SettingsError", "import_customers", "import_file"]
