"""A clerk confirms a claim from the command line, on the hub's database, whether the hub runs or not (row A2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from config.hub_settings import load_hub
from delivery.journal import Journal
from delivery.transaction import Tx
from hub.database import customers
from hub.database.members import Claim
from hub.database.schema import MIGRATIONS
from hub.members.claims import Claims


@contextmanager
def _claims(settings_file: Path) -> Iterator[tuple[Claims, Tx]]:
    """One transaction. Raises SettingsError, JournalError."""
    settings = load_hub(settings_file)
    with closing(Journal(settings.database, MIGRATIONS)) as journal:
        tx = Tx(journal.db, _silent, 0.0, datetime.now(UTC))
        journal.db.execute("BEGIN IMMEDIATE")
        try:
            yield Claims(settings, Counter()), tx
        except BaseException:
            journal.db.execute("ROLLBACK")
            raise
        journal.db.execute("COMMIT")


def _silent(*_said: object) -> str:
    raise AssertionError("a claim says nothing to anybody")


def waiting(settings_file: Path) -> list[tuple[Claim, str]]:
    """What terminals show now, each with the name on the record that it may be; newest first."""
    with _claims(settings_file) as (claims, tx):
        return [(claim, _name(tx, claim.customer)) for claim in claims.waiting(tx)]


def confirm(settings_file: Path, number: str, clerk: str, customer: str | None) -> tuple[str, str]:
    """The terminal with this number is hers. Returns her record and her name. Raises ClaimRefused."""
    with _claims(settings_file) as (claims, tx):
        record = claims.confirm(tx, number, clerk, customer)
        return record, _name(tx, record)


def _name(tx: Tx, customer: str | None) -> str:
    found = None if customer is None else customers.customer(tx.db, customer)
    return "" if found is None else found.name
