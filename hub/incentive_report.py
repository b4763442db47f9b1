"""`instore rules given`: how much of each incentive is out, what tills have taken of it, and what is left of its budget. Changes nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from config.hub_settings import load_hub
from config.incentives import IncentiveRule
from hub.database import grants
from hub.days import store_day
from hub.grants import begins
from hub.money import money
from hub.rules.incentives import PERIODS


@dataclass(frozen=True, slots=True)
class Given:
    """One rule in the period of its budget, which is all time where it has none; money in minor units. `left_…` None: no limit."""

    rule: str
    period: str
    out: int
    worth_minor: int
    redeemed: int
    redeemed_minor: int
    left: int | None
    left_minor: int | None

    def json(self) -> dict[str, object]:
        """For machines."""
        return asdict(self)


def given(settings_path: Path, now: datetime | None = None) -> tuple[list[Given], str]:
    """Every rule of the file as it is now, and the same as a table for people. Raises SettingsError, ValueError (no database)."""
    from hub.rules.policy import read_policy

    settings = load_hub(settings_path)
    rules = read_policy(settings).incentives.file.incentive
    if not settings.database.exists():
        raise ValueError(f"{settings.database}: there is no such database; has the hub ever run with these settings?")
    today = store_day(now or datetime.now(UTC), settings.store.zone)
    try:
        with closing(sqlite3.connect(f"{settings.database.resolve().as_uri()}?mode=ro", uri=True, timeout=5.0)) as db:
            found = [of_rule(db, rule, today) for rule in rules]
    except sqlite3.Error as error:
        raise ValueError(f"{settings.database}: {error}; is this the hub's database, and of this release?") from None
    return found, _table(found, settings.store.currency)


def of_rule(db: sqlite3.Connection, rule: IncentiveRule, today: str) -> Given:
    """One rule in the period of its budget that this day of the store lies in."""
    since = begins(rule.budget_period, today)
    out, worth = grants.out(db, rule.name, since)
    redeemed, redeemed_worth = grants.redeemed(db, rule.name, since)
    left = None if rule.budget_count is None else max(0, rule.budget_count - out)
    left_minor = None if rule.budget_minor is None else max(0, rule.budget_minor - worth)
    return Given(rule.name, rule.budget_period, out, worth, redeemed, redeemed_worth, left, left_minor)


def _table(found: list[Given], currency: str) -> str:
    rows = [("rule", "period", "out", "worth", "used at tills", "left of the budget")]
    for each in found:
        left = [f"{each.left:,}" if each.left is not None else "", _sum(each.left_minor, currency)]
        rows.append((each.rule, PERIODS[each.period], f"{each.out:,}", _sum(each.worth_minor, currency),
                     f"{each.redeemed:,} ({_sum(each.redeemed_minor, currency)})", ", ".join(filter(None, left)) or "no limit"))  # fmt: skip
    if not found:
        return "there are no incentives"
    wide = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, wide, strict=True)).rstrip() for row in rows
    )


def _sum(minor: int | None, currency: str) -> str:
    return money(minor, currency).en if minor is not None else ""
