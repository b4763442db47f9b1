"""A CEL expression cut into tokens with their places: enough to split it at `||` and `&&`, never to evaluate it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<string>[rRbB]{0,2}(?:\"\"\".*?\"\"\"|'''.*?'''|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'))
      | (?P<comment>//[^\n]*)
      | (?P<name>[A-Za-z_]\w*)
      | (?P<number>\d[\w.]*(?:(?<=[eE])[+-]\d+)?)
      | (?P<sign>&&|\|\||[<>=!]=|[<>]|[()\[\]{}?:.,!+\-*/%])
      | (?P<space>\s+)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
COMPARISONS = frozenset({">=", "<=", "==", "!=", ">", "<"})


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    start: int
    end: int


def tokens(source: str) -> tuple[Token, ...]:
    """All tokens that carry meaning, in order."""
    found = []
    for match in _TOKEN.finditer(source):
        kind = match.lastgroup or "other"
        if kind not in ("space", "comment"):
            found.append(Token(kind, match.group(), match.start(), match.end()))
    return tuple(found)


def split(parts: tuple[Token, ...], *signs: str) -> list[tuple[Token, ...]]:
    """Cut at every one of these signs that stands outside all brackets. One piece: none of them does."""
    pieces: list[tuple[Token, ...]] = []
    depth, first = 0, 0
    for index, token in enumerate(parts):
        if token.kind != "sign":
            continue
        if token.text in "([{":
            depth += 1
        elif token.text in ")]}":
            depth -= 1
        elif depth == 0 and token.text in signs:
            pieces.append(parts[first:index])
            first = index + 1
    pieces.append(parts[first:])
    return pieces


def without_brackets(parts: tuple[Token, ...]) -> tuple[Token, ...]:
    """The inside, when one pair of brackets holds the whole."""
    while len(parts) > 2 and parts[0].text == "(" and parts[-1].text == ")":
        depth = 0
        for token in parts[:-1]:
            depth += (token.text == "(") - (token.text == ")")
            if depth == 0:
                return parts
        parts = parts[1:-1]
    return parts


def column(source: str, name: str) -> int:
    """The column (from 1, in the line it stands in) of a name outside strings; 1 when it isn't there."""
    for token in tokens(source):
        if token.kind == "name" and token.text == name:
            return token.start - source.rfind("\n", 0, token.start)
    return 1
