"""Writes settings as TOML: what `config.load` reads. For programs that set up a store by themselves (`instore up`, demo, days).

Files hold passwords, so only their owner reads them; they are there whole or not at all.
"""

from __future__ import annotations

import json
import math
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from config.load import Settings, parse

_BARE = re.compile(r"[A-Za-z0-9_-]+")
PRIVATE = 0o600


def toml_text(document: Mapping[str, Any]) -> str:
    """A document of strings, numbers, booleans, paths, tables and lists as TOML; None is left out.

    A table inside a list that is not a list of tables, and a table of plain values below the first level, stand in one line.
    """
    return "".join(_table(document, ()))


def write_settings(path: Path, document: Mapping[str, Any], kind: type[Settings], note: str = "") -> Settings:
    """Write the settings file of a program, for its owner's eyes, and return what a reader of it gets.

    Raises SettingsError, and then nothing was written; OSError.
    """
    settings = parse(plain(document), kind, path)
    head = "".join(f"# {line}\n" for line in note.splitlines())
    write_private(path, head + toml_text(document))
    return settings


def write_private(path: Path, text: str) -> None:
    """A file of mode 0600, whole or not at all; one that says the same already is left alone. Raises OSError."""
    content = text.encode()
    try:
        if path.stat().st_mode & 0o777 == PRIVATE and path.read_bytes() == content:
            return
    except FileNotFoundError:
        pass
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # made with mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            give_to_owner(handle, path.parent)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def give_to_owner(made: int | Path, folder: Path) -> None:
    """What root makes in somebody's folder is theirs: a service of theirs must read what an installer has written. Raises OSError."""
    if os.geteuid() == 0:
        theirs = folder.stat()
        os.chown(made, theirs.st_uid, theirs.st_gid)


def plain(value: Any) -> Any:
    """A document as `tomllib` would read it back: without None, paths as strings."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items() if each is not None}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value


def _table(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    given = {key: value for key, value in table.items() if value is not None}
    tables = {key: value for key, value in given.items() if _stands_alone(value, path)}
    lines = [f"{_key(key)} = {_value(value)}\n" for key, value in given.items() if key not in tables]
    for key, value in tables.items():
        name = ".".join(_key(part) for part in (*path, key))
        for each, brackets in [(value, "[{}]")] if isinstance(value, Mapping) else [(one, "[[{}]]") for one in value]:
            lines += ["\n", brackets.format(name), "\n", *_table(each, (*path, key))]
    return lines


def _stands_alone(value: Any, path: tuple[str, ...]) -> bool:
    """Whether it has a heading of its own."""
    if isinstance(value, Mapping):
        return not path or any(isinstance(each, Mapping | list | tuple) for each in value.values())
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(each, Mapping) for each in value)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _string(key)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case float() if not math.isfinite(value):
            raise ValueError(f"{value} is no value of a setting")
        case int() | float():
            return repr(value)
        case str() | Path():
            return _string(str(value))
        case Mapping():
            pairs = (f"{_key(key)} = {_value(each)}" for key, each in value.items() if each is not None)
            return "{ " + ", ".join(pairs) + " }"
        case list() | tuple():
            return "[" + ", ".join(_value(each) for each in value) + "]"
        case _:
            raise TypeError(f"{type(value).__name__} is no type of a setting")


def _string(text: str) -> str:
    """A basic string of TOML. JSON's is one too, but for the sign 0x7F."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
