"""One condition in CEL: its names and types are checked when it is read, and afterwards it can explain itself (row C7).

A condition is a tree: alternatives (`||`) of conjunctions (`&&`) of comparisons. For a "no" it names the nearest way to a
"yes": of all alternatives the one that lacks the fewest comparisons, and of those the one with the smallest relative
distance between both sides.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

from hub.rules.tokens import COMPARISONS, Token, column, split, tokens, without_brackets

# The package loads its own shell (prompt, colours, key bindings) with it, for a tenth of a hub's whole start; nobody opens it.
sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))
import cel  # noqa: E402

Value = bool | int | float | str
_FUNCTIONS = frozenset({"size", "contains", "startsWith", "endsWith", "int", "double", "string", "@in"})
_PLACE = re.compile(r"ERROR: <input>:(\d+):(\d+): (?:Syntax error: )?(.*)")


class ConditionError(ValueError):
    """A condition that can't be used; `column` counts from 1."""

    def __init__(self, column: int, problem: str) -> None:
        super().__init__(problem)
        self.column = column
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Names:
    """What conditions may name: `samples` of each variable's type, and `constants` (names of ranks) with their values.

    Values of `secret` names (health readings) are never said, not even in an error.
    """

    samples: Mapping[str, Value]
    constants: Mapping[str, Value]
    secret: frozenset[str] = frozenset()

    def all(self) -> dict[str, Value]:
        return {**self.constants, **self.samples}

    def shown(self, name: str, value: Value) -> str:
        """A value for people: a rank by its name."""
        if name == "rank":
            return next((word for word, level in self.constants.items() if level == value), str(value))
        return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True, slots=True)
class _Leaf:
    text: str
    program: Any
    needs: tuple[str, ...]
    """What it names, constants among them: to hand over what nobody asks for costs more than to compute."""
    variables: tuple[str, ...]
    sides: tuple[Any, Any] | None


@dataclass(frozen=True, slots=True)
class _Group:
    kind: Literal["any", "all"]
    parts: tuple[_Leaf | _Group, ...]


_Node = _Leaf | _Group


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome for one set of values. `because` names what held, or the nearest that did not, with its values.

    `failed`: it could not be computed for these values, which is a mistake in the rule.
    """

    holds: bool
    because: str
    missing: int
    distance: float
    values: dict[str, Value]
    failed: bool = False


class Condition:
    """A checked condition. Raises ConditionError when the source can't be used with these names."""

    def __init__(self, source: str, names: Names) -> None:
        self.source = source
        self._names = names
        self._program = _compile(source)
        self.variables = tuple(self._program.variables())
        _check_names(source, self._program, names)
        self._root = _tree(source, tokens(source), names)
        _check_types(source, self._root, names)

    def find(self, values: Mapping[str, Value]) -> Finding:
        """Decide for these values; never raises: what can't be computed (a division by zero), or names a value that is not
        known, does not hold, and says so."""
        secret = self._names.secret
        used = {name: values[name] for name in self.variables if name in values and name not in secret}
        context = self._named(values)
        if len(context) < len(self.variables):
            unknown = [name for name in self.variables if name not in context]
            why = f"{' and '.join(unknown)} {'is' if len(unknown) == 1 else 'are'} not known"
            return Finding(False, why, len(unknown), float(len(unknown)), used)
        try:
            holds = self._program.execute(context) is True
        except Exception as error:
            why = type(error).__name__ if secret.intersection(self.variables) else str(error)
            return Finding(False, f"{self.source}: {why}", 1, 1.0, used, failed=True)
        if holds:
            return Finding(True, self._say(_held(self._root, context), context), 0, 0.0, used)
        missing, distance, leaves = _lacking(self._root, context)
        return Finding(False, self._say(leaves, context), missing, distance, used)

    def holds(self, values: Mapping[str, Value]) -> bool:
        """Whether `find` would say that it holds; without the reasons it costs a tenth."""
        try:
            return self._program.execute(self._named(values)) is True
        except Exception:
            return False

    def _named(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """Of what is known, what it names."""
        constants = self._names.constants
        return {name: values[name] if name in values else constants[name] for name in self.variables
                if name in values or name in constants}  # fmt: skip

    def _say(self, leaves: tuple[_Leaf, ...], context: Mapping[str, Value]) -> str:
        return " and ".join(self._said(leaf, context) for leaf in leaves)

    def _said(self, leaf: _Leaf, context: Mapping[str, Value]) -> str:
        open_names = [name for name in leaf.variables if name not in self._names.secret]
        values = ", ".join(f"{name} is {self._names.shown(name, context[name])}" for name in open_names)
        return f"{leaf.text} ({values})" if values else leaf.text


def _compile(source: str) -> Any:
    try:
        return cel.compile(source)
    except ValueError as error:
        found = _PLACE.search(str(error))
        raise ConditionError(int(found[2]) if found else 1, found[3] if found else str(error)) from None


def _check_names(source: str, program: Any, names: Names) -> None:
    known = names.all()
    for name in program.variables():
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            possible = ", ".join(sorted(known))
            raise ConditionError(column(source, name), f"{name!r} is not known; possible are {possible}{hint}")
    for name in program.functions():
        plain = name.startswith(("_", "-", "!")) and name != "_[_]"
        if not plain and name not in _FUNCTIONS:
            word = name.strip("@_")
            raise ConditionError(column(source, word), f"{word!r} is not possible here; use comparisons, && and ||")


def _tree(source: str, parts: tuple[Token, ...], names: Names) -> _Node:
    parts = without_brackets(parts)
    if len(split(parts, "?")) == 1:
        for sign, kind in (("||", "any"), ("&&", "all")):
            pieces = split(parts, sign)
            if len(pieces) > 1:
                return _Group(kind, tuple(_tree(source, piece, names) for piece in pieces))  # type: ignore[arg-type]
    text = source[parts[0].start : parts[-1].end]
    sides = split(parts, *COMPARISONS) if len(split(parts, "?")) == 1 else []
    programs = tuple(cel.compile(source[side[0].start : side[-1].end]) for side in sides) if len(sides) == 2 else None
    program = cel.compile(text)
    needs = tuple(program.variables())
    variables = tuple(name for name in needs if name in names.samples)
    return _Leaf(" ".join(text.split()), program, needs, variables, programs)


def _check_types(source: str, node: _Node, names: Names) -> None:
    """Try every comparison once: a wrong type shows now, not on the day the first half of an `&&` holds."""
    if isinstance(node, _Group):
        for part in node.parts:
            _check_types(source, part, names)
        return
    at = column(source, node.variables[0]) if node.variables else 1
    try:
        outcome = node.program.execute(names.all())
        sides = [side.execute(names.all()) for side in node.sides or ()]
    except ZeroDivisionError:
        return  # depends on the values: judged when it is asked
    except Exception as error:
        raise ConditionError(at, f"{node.text}: {str(error).partition('. CEL')[0]}") from None
    if not isinstance(outcome, bool):
        raise ConditionError(at, f"{node.text} is {outcome!r}; a condition must be true or false")
    if len({isinstance(side, str) for side in sides}) > 1:
        raise ConditionError(at, f"{node.text} compares a text with a number and can never hold")


def _holds(leaf: _Leaf, context: Mapping[str, Value]) -> bool:
    try:
        return leaf.program.execute({name: context[name] for name in leaf.needs}) is True
    except Exception:
        return False  # the whole condition reports it


def _true(node: _Node, context: Mapping[str, Value]) -> bool:
    if isinstance(node, _Leaf):
        return _holds(node, context)
    return (any if node.kind == "any" else all)(_true(part, context) for part in node.parts)


def _held(node: _Node, context: Mapping[str, Value]) -> tuple[_Leaf, ...]:
    """The comparisons that made it true: the first alternative that holds."""
    if isinstance(node, _Leaf):
        return (node,)
    if node.kind == "any":
        return _held(next(part for part in node.parts if _true(part, context)), context)
    return tuple(leaf for part in node.parts for leaf in _held(part, context))


def _lacking(node: _Node, context: Mapping[str, Value]) -> tuple[int, float, tuple[_Leaf, ...]]:
    """How many comparisons are missing on the nearest way, how far they are in sum, and which."""
    if isinstance(node, _Leaf):
        return (0, 0.0, ()) if _holds(node, context) else (1, _distance(node, context), (node,))
    found = [_lacking(part, context) for part in node.parts]
    if node.kind == "any":
        return min(found, key=lambda each: each[:2])
    return (
        sum(each[0] for each in found),
        sum(each[1] for each in found),
        tuple(leaf for each in found for leaf in each[2]),
    )


def _distance(leaf: _Leaf, context: Mapping[str, Value]) -> float:
    """Relative distance of both sides of a comparison of numbers, 0 … 1; 1 for everything else."""
    if leaf.sides is None:
        return 1.0
    try:
        named = {name: context[name] for name in leaf.needs}
        left, right = leaf.sides[0].execute(named), leaf.sides[1].execute(named)
        return float(min(1.0, abs(left - right) / max(abs(left), abs(right), 1)))
    except Exception:
        return 1.0
