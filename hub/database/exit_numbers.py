"""Numbers that stand for exit codes: each for one code as it was signed at one time (rows B5, B6)."""

from __future__ import annotations

from sqlite3 import Connection


def number_of(db: Connection, code: str, expires: str) -> str | None:
    """The number of this code while it is shown until then."""
    row = db.execute("SELECT digits FROM exit_number WHERE code = ? AND expires = ?", (code, expires)).fetchone()
    return row[0] if row else None


def add(db: Connection, digits: str, code: str, issued: str, expires: str) -> bool:
    """A new number; False when it is somebody's."""
    return (
        db.execute(
            "INSERT INTO exit_number VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", (digits, code, issued, expires)
        ).rowcount
        > 0
    )


def meaning(db: Connection, digits: str) -> tuple[str, str, str, str] | None:
    """(code, its sale, issued, expires) of a number, or None."""
    found: tuple[str, str, str, str] | None = db.execute(
        "SELECT n.code, c.sale, n.issued, n.expires FROM exit_number n JOIN exit_code c USING (code) WHERE n.digits = ?",
        (digits,),
    ).fetchone()
    return found


def forget(db: Connection, before: str, most: int) -> int:
    """Numbers that have been over since then; returns how many went."""
    return db.execute(
        "DELETE FROM exit_number WHERE digits IN (SELECT digits FROM exit_number WHERE expires < ? LIMIT ?)",
        (before, most),
    ).rowcount
