"""A date of birth, known to the year, the month or the day, and the age that follows from it. Pure."""

from __future__ import annotations

import re
from datetime import date

_BORN = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")
OLDEST = 150


def checked(born: str, today: str) -> str | None:
    """Why `born` (1984, 1984-05, 1984-05-23) can't be a date of birth; None: it can. `today` as 2026-03-01."""
    found = _BORN.fullmatch(born)
    if found is None:
        return "is no date of birth, such as 1984, 1984-05 or 1984-05-23"
    try:
        date(int(found[1]), int(found[2] or 1), int(found[3] or 1))
    except ValueError:
        return "is no date of the calendar"
    if born > today[: len(born)]:
        return "lies in the future"
    return f"is more than {OLDEST} years ago" if int(today[:4]) - int(found[1]) > OLDEST else None


def age(born: str, today: str) -> int | None:
    """Years of age on that day of the store; with only a year (or month) known, the age that she reaches in it.

    None when nothing is known.
    """
    if _BORN.fullmatch(born) is None:
        return None
    known = len(born)
    return int(today[:4]) - int(born[:4]) - (today[5:known] < born[5:known])


def of_age(age: int, today: str) -> str:
    """The year of birth of who is so old (or reaches that age this year)."""
    return f"{int(today[:4]) - age:04}"
