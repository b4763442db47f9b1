"""Random messages that fit the contract, made from the JSON Schemas of its models."""

from __future__ import annotations

import re
from datetime import UTC
from functools import cache
from typing import Any

from hypothesis import strategies as st

from contract import topics
from contract.envelope import Message, Numbering, source_of
from contract.messages import Channel

LEVEL = st.from_regex(re.compile(topics.LEVEL_PATTERN), fullmatch=True)
_TEXT = st.characters(codec="utf-8")
_TIMES = st.datetimes(timezones=st.just(UTC))


def values(schema: dict[str, Any], definitions: dict[str, Any]) -> st.SearchStrategy[Any]:
    """JSON values that fit a schema of pydantic's making."""
    if "$ref" in schema:
        return values(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        return st.one_of(values(kind, definitions) for kind in schema["anyOf"])
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    return _BY_TYPE[schema["type"]](schema, definitions)


def _string(schema: dict[str, Any], _: dict[str, Any]) -> st.SearchStrategy[str]:
    if schema.get("format") == "date-time":
        return _TIMES.map(lambda time: time.isoformat())
    if schema.get("format") == "date":
        return st.dates().map(lambda day: day.isoformat())
    if "pattern" in schema:
        return st.from_regex(re.compile(schema["pattern"].replace("$", r"\Z"), re.ASCII))
    return st.text(_TEXT, min_size=schema.get("minLength", 0), max_size=min(schema.get("maxLength", 20), 20))


def _number(schema: dict[str, Any], _: dict[str, Any]) -> st.SearchStrategy[float]:
    low, high = schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum", 1e9)
    return st.floats(low, high, exclude_min="exclusiveMinimum" in schema, allow_nan=False, allow_infinity=False)


def _integer(schema: dict[str, Any], _: dict[str, Any]) -> st.SearchStrategy[int]:
    return st.integers(schema.get("minimum", -(2**53)), schema.get("maximum", 2**53))


def _array(schema: dict[str, Any], definitions: dict[str, Any]) -> st.SearchStrategy[list[Any]]:
    most = min(schema["maxItems"], 3)
    return st.lists(values(schema["items"], definitions), min_size=schema.get("minItems", 0), max_size=most)


def _object(schema: dict[str, Any], definitions: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    if "properties" not in schema:
        return st.dictionaries(
            st.text(_TEXT, max_size=10), values(schema["additionalProperties"], definitions), max_size=3
        )
    needed = schema.get("required", [])
    fields = {name: values(kind, definitions) for name, kind in schema["properties"].items()}
    return st.fixed_dictionaries(
        {name: fields[name] for name in fields if name in needed},
        optional={name: fields[name] for name in fields if name not in needed},
    )


_BY_TYPE: dict[str, Any] = {
    "string": _string,
    "number": _number,
    "integer": _integer,
    "array": _array,
    "object": _object,
    "boolean": lambda *_: st.booleans(),
    "null": lambda *_: st.none(),
}


@cache
def payloads(channel: Channel) -> st.SearchStrategy[Any]:
    schema = channel.payload.model_json_schema()
    return values(schema, schema.get("$defs", {})).map(channel.payload.model_validate)


@st.composite
def messages(draw: st.DrawFn, channel: Channel) -> Message:
    """Messages of one row, with and without the optional attributes."""
    ids = {name: draw(LEVEL) for name in topics.fields(channel)}
    numbering = None
    if channel.stream is not None:
        number = st.integers(1, 2**31 - 1)
        numbering = Numbering(draw(st.text(_TEXT, min_size=1, max_size=32)), draw(number), draw(number))
    some_id = st.text(_TEXT, min_size=1, max_size=128)
    return Message(
        channel, ids, draw(payloads(channel)), draw(some_id), source_of(channel, ids), draw(st.none() | _TIMES),
        draw(st.none() | st.text(_TEXT, max_size=128)), draw(st.none() | some_id), numbering,
    )  # fmt: skip
