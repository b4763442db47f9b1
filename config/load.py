"""Reads a TOML file into a typed object; an error names the file, the key, what was found and what is allowed.

SettingsError is the only error that leaves this module.
"""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

Settings = TypeVar("Settings", bound="Section")


class SettingsError(ValueError):
    """Settings that can't be used. The sentence names file, key, what was found and what is allowed."""

    def __init__(self, path: Path, problems: list[str]) -> None:
        self.path = path
        self.problems = problems
        super().__init__("\n".join(f"{path}: {problem}" for problem in problems))


class Section(BaseModel):
    """Base of every settings class: immutable, and a key that is not known is an error (most typos are)."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def read_toml(path: Path) -> dict[str, Any]:
    """The TOML document in a file. Raises SettingsError when it can't be read or is no TOML (with line and column)."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(path, ["there is no such file; check the path given to --config"]) from None
    except IsADirectoryError:
        raise SettingsError(path, ["this is a folder; --config wants a TOML file"]) from None
    except PermissionError:
        raise SettingsError(path, ["may not be read by this user; check its owner and mode"]) from None
    except UnicodeDecodeError as error:
        raise SettingsError(path, [f"byte {error.start} is not UTF-8; save the file as UTF-8"]) from None
    except RecursionError:
        raise SettingsError(path, ["no valid TOML: tables or lists are nested too deeply"]) from None
    except OSError as error:
        raise SettingsError(path, [f"can't be read: {error.strerror}; check the path given to --config"]) from None
    except ValueError as error:  # also what the reader lets through, such as a number of 5000 digits
        raise SettingsError(path, [f"no valid TOML: {str(error)[:500]}"]) from None


KEY_MAX, MESSAGE_MAX = 80, 1000
"""Characters of a key, of a reason: whoever reads it sees a sentence, whatever stands in the file."""


def load(path: Path, kind: type[Settings]) -> Settings:
    """Settings of `kind` from a TOML file. Relative paths in it are relative to the file (see `resolve`)."""
    return parse(read_toml(path), kind, path)


def parse(document: dict[str, Any], kind: type[Settings], path: Path) -> Settings:
    """Settings of `kind` from a document that was read from `path`. Raises SettingsError naming every problem."""
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        raise SettingsError(path, [_sentence(item, kind) for item in error.errors(include_url=False)]) from None


def resolve(settings_file: Path, value: Path) -> Path:
    """A path of a settings file: relative to the folder of that file, so that it works from any working directory."""
    return value if value.is_absolute() else (settings_file.parent / value).resolve()


def _sentence(item: Any, kind: type[BaseModel]) -> str:
    key = ".".join(str(part)[:KEY_MAX] for part in item["loc"])
    if item["type"] == "missing":
        return f"{key} is missing"
    if item["type"] == "extra_forbidden":
        known = _known_keys(kind, item["loc"][:-1])
        close = difflib.get_close_matches(str(item["loc"][-1]), known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known)}"
        return f"{key} is not a known key; {hint}"
    where = f"{key}: " if key else ""
    return f"{where}{item['msg'].removeprefix('Value error, ')[:MESSAGE_MAX]}{_found(item)}"


def _found(item: Any) -> str:
    """What stood there. A password never reaches a log, whether by its own key or by its section's."""
    value = item.get("input")
    if isinstance(value, dict | list | BaseModel) or any("password" in str(part) for part in item["loc"]):
        return ""
    return f"; found {repr(value)[:80]}"


def _known_keys(kind: type[BaseModel], where: tuple[Any, ...]) -> list[str]:
    """Keys that are known at a place in the settings, for the hint about a typo."""
    current: Any = kind
    for part in where:
        field = getattr(current, "model_fields", {}).get(part)
        if field is not None:
            current = next(iter(_models_in(field.annotation)), None)
        # A list index or a tag of a union: stay at the model that was found for the list.
    return sorted(getattr(current, "model_fields", {}))


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in getattr(annotation, "__args__", ()) for model in _models_in(inner)]
