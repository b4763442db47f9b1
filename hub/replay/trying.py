"""`instore rules replay`: the whole of it, from the hub's settings file to the comparison."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from config.hub_settings import HubSettings, load_hub
from hub.database import times
from hub.database.rewinding import rewind
from hub.days import store_day
from hub.money import money
from hub.progress import progress
from hub.replay.compare import Column, Difference, column, differences, listed, table
from hub.replay.play import Days, Result, play, record, result
from hub.rules.policy import read_policy

FILES = ("rules", "messages", "incentives", "coupons")
"""What a folder of rules to be tried may hold, as `NAME.toml`; what is not there stays as it is."""
DAYS_MAX = 92


@dataclass(frozen=True, slots=True)
class Replay:
    """The days three ways: as they were, by the rules as they are now, by those to be tried (None: none were given)."""

    first: str
    last: str
    currency: str
    was: Result
    now: Result
    tried: Result | None
    changed: tuple[str, ...]
    """Names of the files that are tried."""

    @property
    def columns(self) -> dict[str, Column]:
        found = {"as it was": column(self.was), "by the rules now": column(self.now)}
        return found | ({"tried": column(self.tried)} if self.tried is not None else {})

    @property
    def differences(self) -> list[Difference]:
        return differences(self.now, self.tried) if self.tried is not None else differences(self.was, self.now)

    def text(self) -> str:
        """For people."""
        days = self.first if self.first == self.last else f"{self.first} to {self.last}"
        head = f"{days}: {len(self.was.visits):,} visits, {len(self.was.given):,} exits with an incentive"
        found = self.differences
        what = (
            f"what {', '.join(self.changed)} would change"
            if self.tried is not None
            else "what the rules now would have changed"
        )
        parts = [head, table(self.columns, lambda minor: money(minor, self.currency).en),
                 f"{what}: {len(found):,}" + (f"\n{listed(found)}" if found else ""), _NOTE]  # fmt: skip
        left = self.now.left_out
        if left:
            parts.append(f"left out: {len(left)}, the first: {left[0]}")
        return "\n\n".join(parts)

    def json(self) -> str:
        """One JSON object."""
        return json.dumps({
            "first": self.first, "last": self.last, "currency": self.currency, "visits": len(self.was.visits),
            "ways": {name.replace(" ", "_"): asdict(each) | {"cost_minor": each.cost_minor} for name, each in self.columns.items()},
            "differences": [asdict(each) for each in self.differences], "left_out": list(self.now.left_out),
        }, ensure_ascii=False)  # fmt: skip


_NOTE = (
    "Special treatments are not here: they rest on readings, which nobody keeps. Consents, clerks and imported records are those of "
    "now. Paper is taken to have come out."
)


def replay(settings_path: Path, *, last: str | None = None, days: int = 1, tried: Path | None = None,
           now: datetime | None = None, quiet: bool = False) -> Replay:  # fmt: skip
    """`days` days of the store up to `last` (`2026-11-21`; without it, yesterday). `tried`: a folder with the files of `FILES`.

    Raises SettingsError (a mistake in a file), ValueError (a sentence).
    """
    settings = load_hub(settings_path)
    policy = read_policy(settings)
    other, names = _other(settings, tried) if tried is not None else (None, ())
    other_policy = read_policy(other) if other is not None else None
    first, end = _span(settings, last, days, now or datetime.now(UTC))
    since, until = times.text(_midnight(settings, first)), times.text(_midnight(settings, end))
    with _copy(settings, since, until) as (db, had, folder), progress("playing", quiet=quiet) as step:
        was = result(db, had)
        rewind(db, had.since)
        by_now = _again(db, folder / "now.sqlite", lambda copy: play(copy, settings, policy, had, step))
        by_other = None
        if other is not None and other_policy is not None:
            by_other = _again(db, folder / "tried.sqlite", lambda copy: play(copy, other, other_policy, had, step))
    return Replay(
        first.isoformat(), (end - timedelta(days=1)).isoformat(), settings.store.currency, was, by_now, by_other, names
    )


def _other(settings: HubSettings, folder: Path) -> tuple[HubSettings, tuple[str, ...]]:
    found = {name: folder.resolve() / f"{name}.toml" for name in FILES if (folder / f"{name}.toml").is_file()}
    if not found:
        raise ValueError(f"{folder}: none of {', '.join(f'{name}.toml' for name in FILES)} is there")
    return settings.model_copy(update=found), tuple(f"{name}.toml" for name in found)


def _span(settings: HubSettings, last: str | None, days: int, now: datetime) -> tuple[date, date]:
    """The first day, and the day after the last."""
    if not 1 <= days <= DAYS_MAX:
        raise ValueError(f"--days is {days}; 1 to {DAYS_MAX} are possible")
    today = date.fromisoformat(store_day(now, settings.store.zone))
    try:
        end = (date.fromisoformat(last) if last is not None else today - timedelta(days=1)) + timedelta(days=1)
    except ValueError:
        raise ValueError(f"--day is {last!r}; it wants a day such as {today.isoformat()}") from None
    if end > today + timedelta(days=1):
        raise ValueError(f"--day is {last}, which is not here yet: today is {today.isoformat()} in the store")
    return end - timedelta(days=days), end


def _midnight(settings: HubSettings, day: date) -> datetime:
    return datetime.combine(day, time(), settings.store.zone)


@contextmanager
def _copy(settings: HubSettings, since: str, until: str) -> Iterator[tuple[sqlite3.Connection, Days, Path]]:
    """A copy of the hub's database in a folder of its own, which goes away, and what happened; the hub goes on meanwhile."""
    if not settings.database.exists():
        raise ValueError(f"{settings.database}: there is no such database; has the hub ever run with these settings?")
    with tempfile.TemporaryDirectory(prefix="instore-replay-") as name:
        folder = Path(name)
        with closing(_scratch(folder / "base.sqlite")) as copy:
            try:
                with closing(
                    sqlite3.connect(f"{settings.database.resolve().as_uri()}?mode=ro", uri=True, timeout=5.0)
                ) as db:
                    db.backup(copy)
                had = record(copy, since, until)
            except sqlite3.Error as error:
                why = f"{settings.database}: {error}; is this the hub's database, and of this release?"
                raise ValueError(why) from None
            yield copy, had, folder


def _scratch(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    for pragma in ("foreign_keys = ON", "synchronous = OFF", "journal_mode = MEMORY"):
        db.execute(f"PRAGMA {pragma}")
    return db


def _again(base: sqlite3.Connection, path: Path, plays: Callable[[sqlite3.Connection], Result]) -> Result:
    with closing(_scratch(path)) as copy:
        base.backup(copy)
        return plays(copy)


__all__ = ["Replay", "replay"]
