"""The columns of an import, each with its check: from text to what the database holds, or why not. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Any

from hub.born import checked
from hub.eid.keys import read_key
from hub.eid.table import EidKey

COLUMNS = ("customer", "name", "gender", "born", "age", "phone", "email", "language", "visits", "average_purchase", "spent",
           "points", "rank", "main_clerk", "deputies", "beacons", "rotating_beacons", "note", "preferences", "terminal_payments",
           "exits")  # fmt: skip
TEXT_MAX = {"note": 500, "preferences": 500}
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_PHONE = re.compile(r"\+?[0-9][0-9 ()./-]{2,39}")


class FieldRefused(Exception):
    """A field that can't be taken."""

    def __init__(self, field: str, why: str) -> None:
        self.field, self.why = field, why


def identifier(name: str, value: str) -> str:
    """An ID, safe as a level of a topic."""
    if not _ID.fullmatch(value):
        raise FieldRefused(
            name, f"{value[:70]!r} is not 1 to 64 letters, digits, '_', '.', '-', beginning with a letter or digit"
        )
    return value


def text(name: str, value: str) -> str:
    """Some words."""
    most = TEXT_MAX.get(name, 200)
    if len(value) > most:
        raise FieldRefused(name, f"has {len(value)} characters, at most {most} are kept")
    return value


def identifiers(name: str, value: str) -> tuple[str, ...]:
    """IDs separated by spaces."""
    return tuple(dict.fromkeys(identifier(name, part) for part in value.split()))


def _optional(name: str, value: str) -> str | None:
    return identifier(name, value) if value else None


def _email(name: str, value: str) -> str:
    if value and not _EMAIL.fullmatch(value):
        raise FieldRefused(name, f"{value[:70]!r} is no e-mail address")
    return text(name, value)


def _phone(name: str, value: str) -> str:
    plain = unicodedata.normalize("NFKC", value).replace("\N{MINUS SIGN}", "-")  # as Japanese keyboards write it
    if plain and not _PHONE.fullmatch(plain):
        raise FieldRefused(name, f"{value[:70]!r} is no telephone number, such as 03-1234-5678 or +81 3 1234 5678")
    return plain


def _number(highest: int) -> Callable[[str, str], int]:
    def check(name: str, value: str) -> int:
        if not value:
            return 0
        if not (value.isascii() and value.isdigit() and len(value) < 16 and int(value) <= highest):
            raise FieldRefused(name, f"{value[:30]!r} is no whole number from 0 to {highest}")
        return int(value)

    return check


def _age(name: str, value: str) -> int | None:
    return _number(150)(name, value) if value else None


def born(value: str, today: str) -> str:
    """A date of birth."""
    why = checked(value, today) if value else None
    if why is not None:
        raise FieldRefused("born", f"{value[:30]!r} {why}")
    return value


def _language(name: str, value: str) -> str:
    if value not in ("", "ja", "en"):
        raise FieldRefused(name, f"{value[:30]!r} is not ja or en")
    return value or "ja"


def rotating(values: tuple[str, ...], now_s: float) -> tuple[EidKey, ...]:
    """Keys of rotating beacons (`hub.eid.keys`); `now_s` is the UNIX time."""
    try:
        return tuple(read_key(value, now_s) for value in values)
    except ValueError as error:  # its sentence does not show the key
        raise FieldRefused("rotating_beacons", str(error)) from None


def _words(_name: str, value: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value.split()))


def _beacons(name: str, value: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(value.lower().split()))
    for beacon in found:
        if len(beacon) > 128 or not beacon.isascii() or ":" not in beacon:
            raise FieldRefused(name, f"{beacon[:70]!r} is no beacon, such as ibeacon:<uuid>:<major>:<minor>")
    return found


CHECKS: dict[str, Callable[[str, str], Any]] = {
    "customer": identifier,
    "name": text,
    "gender": text,
    "born": text,
    "age": _age,
    "phone": _phone,
    "email": _email,
    "language": _language,
    "visits": _number(10**6),
    "average_purchase": _number(10**9),
    "spent": _number(10**15),
    "points": _number(10**12),
    "rank": text,
    "main_clerk": _optional,
    "deputies": identifiers,
    "beacons": _beacons,
    "rotating_beacons": _words,
    "note": text,
    "preferences": text,
    "terminal_payments": _number(10**6),
    "exits": _number(10**6),
}
