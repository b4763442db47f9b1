"""Keys and lines to commands. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

Act = Literal["accept", "decline", "served", "not_found", "bought", "up", "down", "language", "quit"]
_ANSWERS: dict[str, Act] = {
    "accept": "accept",
    "decline": "decline",
    "served": "served",
    "not_found": "not_found",
    "bought": "bought",
}
_KEYS: dict[str, Act] = {
    "\r": "accept", "\n": "accept", "a": "accept", "d": "decline", "s": "served", "n": "not_found", "b": "bought", "q": "quit", "\x03": "quit", "l": "language",
    "k": "up", "j": "down", "\x1b[A": "up", "\x1b[B": "down", "\x1bOA": "up", "\x1bOB": "down",
}  # fmt: skip
_MAX_LINE = 4096
_MAX_DIGITS = 6
"""Of a row's number: no screen has so many, and Python refuses to read a number of thousands of digits."""


@dataclass(frozen=True, slots=True)
class Command:
    """What the clerk wants. `row` counts from 1 as on the screen; `alert` names an alert. Neither: the selected one."""

    act: Act
    row: int | None = None
    alert: str | None = None


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """Input that is no command, with a sentence for the one who wrote it."""

    detail: str


class Keys:
    """Single keys of a terminal in cbreak mode. Unknown keys do nothing: a pocket presses many."""

    def feed(self, data: bytes) -> list[Command | NotUnderstood]:
        text = data.decode("utf-8", "replace")
        found: list[Command | NotUnderstood] = []
        while text:
            key = text[:3] if text[:3] in _KEYS else text[0]
            text = text[len(key) :]
            if key in _KEYS:
                found.append(Command(_KEYS[key]))
            elif "1" <= key <= "9":
                found.append(Command("accept", row=int(key)))
        return found


class Lines:
    """Lines, where there is no terminal: an empty line or `1`, `d`, `d 2`, `s`; with `as_json` `{"alert": …, "answer": …}`."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._rest = b""

    def feed(self, data: bytes) -> list[Command | NotUnderstood]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        found = [self._read(line.decode("utf-8", "replace").strip()) for line in lines]
        if len(self._rest) > _MAX_LINE:
            self._rest = b""
            found.append(NotUnderstood(f"a line of input is longer than {_MAX_LINE} bytes and was dropped"))
        return [command for command in found if command is not None]

    def _read(self, line: str) -> Command | NotUnderstood | None:
        return _json_line(line) if self._as_json else _plain_line(line)


def _plain_line(line: str) -> Command | NotUnderstood:
    if _is_row(line):
        return Command("accept", row=int(line))
    word, _, number = line.partition(" ")
    act = _KEYS.get(word.lower()) if word else "accept"
    if act is None or (number and not _is_row(number.strip())):
        return NotUnderstood(f"{line[:60]!r} is no command: use a number, an empty line, d, s, b, n, l or q")
    return Command(act, row=int(number) if number else None)


def _is_row(text: str) -> bool:
    return text.isdecimal() and len(text) <= _MAX_DIGITS


def _json_line(line: str) -> Command | NotUnderstood | None:
    if not line:
        return None
    try:
        read: Any = json.loads(line)
    except (ValueError, RecursionError):
        return NotUnderstood(f'{line[:60]!r} is no JSON; expected {{"alert": ID, "answer": "accept"}}')
    alert, answer = (read.get("alert"), read.get("answer")) if isinstance(read, dict) else (None, None)
    if not isinstance(alert, str) or not isinstance(answer, str) or answer not in _ANSWERS:
        return NotUnderstood(f'{line[:60]!r}: expected {{"alert": ID, "answer": one of {", ".join(_ANSWERS)}}}')
    return Command(_ANSWERS[answer], alert=alert)
