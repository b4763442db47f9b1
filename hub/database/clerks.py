"""Clerks: who they are, which groups they belong to, who has left (rows A1, C6)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from sqlite3 import Connection


@dataclass(frozen=True, slots=True)
class ClerkRow:
    """A clerk. `left_on`: the day of the store (2026-03-01) since which she works here no more, None: she works here."""

    clerk: str
    name: str
    groups: tuple[str, ...]
    left_on: str | None


def group(db: Connection, name: str, day: str = "") -> tuple[str, ...]:
    """The clerks of a group who work here, in order of their IDs. `day` as in `active`."""
    rows = db.execute(
        "SELECT clerk FROM clerk_group JOIN clerk USING (clerk) "
        "WHERE clerk_group.name = ? AND (left_on IS NULL OR left_on > ?) ORDER BY clerk",
        (name, day or "9999"),
    )
    return tuple(clerk for (clerk,) in rows)


def active(db: Connection, clerk: str, day: str = "") -> bool:
    """Whether a clerk works here on `day`; without a day, whoever has one of leaving is gone already.

    A clerk nobody has described works here: settings may name her before a list of clerks is imported.
    """
    row = db.execute("SELECT left_on FROM clerk WHERE clerk = ?", (clerk,)).fetchone()
    return row is None or row[0] is None or row[0] > (day or "9999")


def groups(db: Connection) -> tuple[str, ...]:
    """The names of all groups."""
    return tuple(name for (name,) in db.execute("SELECT DISTINCT name FROM clerk_group ORDER BY name"))


def every(db: Connection) -> Iterator[ClerkRow]:
    """All clerks, in order of their IDs."""
    belongs: dict[str, list[str]] = {}
    for name, clerk in db.execute("SELECT name, clerk FROM clerk_group ORDER BY name"):
        belongs.setdefault(clerk, []).append(name)
    for clerk, name, left_on in db.execute("SELECT clerk, name, left_on FROM clerk ORDER BY clerk").fetchall():
        yield ClerkRow(clerk, name, tuple(belongs.get(clerk, ())), left_on)


def write(db: Connection, clerk: str, values: dict[str, str | None], groups: Iterable[str] | None) -> None:
    """Make or change a clerk. `values`: `name`, `left_on`; what is not in it stays. `groups` None: they stay.

    In a transaction of the caller.
    """
    db.execute("INSERT INTO clerk (clerk) VALUES (?) ON CONFLICT DO NOTHING", (clerk,))
    for column in ("name", "left_on"):
        if column in values:
            db.execute(f"UPDATE clerk SET {column} = ? WHERE clerk = ?", (values[column], clerk))
    if groups is not None:
        db.execute("DELETE FROM clerk_group WHERE clerk = ?", (clerk,))
        db.executemany("INSERT INTO clerk_group (name, clerk) VALUES (?, ?)", [(name, clerk) for name in groups])
