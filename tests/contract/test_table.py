"""The table keeps its own rules."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import topics
from contract.envelope import adapter, source_of
from contract.errors import UnknownTopic
from contract.messages import BY_NAME, CHANNELS, Channel, Role
from tests.contract.strategies import LEVEL

each_row = pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)


@pytest.mark.row("C12")
@pytest.mark.row("C12")
def test_nothing_personal_is_retained() -> None:
    assert [channel.name for channel in CHANNELS if channel.personal and channel.retain] == []
    assert [channel.name for channel in CHANNELS if channel.personal] != []


def test_names_and_topics_are_unique() -> None:
    assert len(BY_NAME) == len(CHANNELS)
    patterns = [topics.pattern(channel, "s") for channel in CHANNELS]
    assert len(set(patterns)) == len(patterns)


def test_no_topic_is_two_rows() -> None:
    """Not even through a `+`: `agent/+/status` is no `agent/{agent}/device/…`."""

    def overlap(one: str, other: str) -> bool:
        mine, theirs = one.split("/"), other.split("/")
        return len(mine) == len(theirs) and all(a == b or "+" in (a, b) for a, b in zip(mine, theirs, strict=True))

    found = [(a.name, b.name) for a, b in itertools.combinations(CHANNELS, 2)
             if overlap(topics.pattern(a, "s"), topics.pattern(b, "s"))]  # fmt: skip
    assert found == []


@each_row
def test_a_row_is_well_formed(channel: Channel) -> None:
    assert re.fullmatch(r"instore\.[a-z]+(\.[a-z]+)?\.v[1-9]\d*", channel.event_type)
    assert channel.summary.endswith(".")
    assert channel.publisher not in channel.subscribers
    assert (Role.OBSERVER in channel.subscribers) == channel.at_broker
    assert channel.publisher is not Role.OBSERVER
    if channel.stream is not None:
        assert (channel.qos, channel.retain) == (0, False), "a stream carries its own resend"


@each_row
def test_the_first_level_is_a_role_with_its_id(channel: Channel) -> None:
    role, own = channel.topic.split("/")[:2]
    assert role in set(Role)
    assert own == f"{{{role}}}"
    speaks_here = channel.publisher.value == role
    assert speaks_here or channel.publisher is Role.HUB, "only the hub speaks under others' IDs"


@each_row
def test_every_text_list_and_mapping_has_a_bound(channel: Channel) -> None:
    unbounded = list(_unbounded(adapter(channel).json_schema(), "message"))
    assert unbounded == []


def _unbounded(schema: Any, where: str) -> Any:
    if isinstance(schema, list):
        for number, item in enumerate(schema):
            yield from _unbounded(item, f"{where}[{number}]")
    if not isinstance(schema, dict):
        return
    fixed = "enum" in schema or "const" in schema
    match schema.get("type"):
        case "string" if not fixed and schema.get("format") not in ("date-time", "date"):
            if "maxLength" not in schema and not re.search(r"\{\d+,\d+\}\$$", schema.get("pattern", "")):
                yield where
        case "array" if "maxItems" not in schema:
            yield where
        case "object" if "properties" not in schema and "maxProperties" not in schema:
            yield where
    for name, item in schema.items():
        yield from _unbounded(item, f"{where}.{name}")


def test_the_search_for_bounds_finds_what_has_none() -> None:
    text, array, mapping = {"type": "string"}, {"type": "array", "items": {}}, {"type": "object"}
    open_pattern = {"type": "string", "pattern": "^a+$"}
    found = list(_unbounded({"properties": {"a": text, "b": array, "c": mapping, "d": open_pattern}}, ""))
    assert len(found) == 4


@given(st.data())
def test_every_topic_of_a_row_leads_back_to_it(data: st.DataObject) -> None:
    channel = data.draw(st.sampled_from(CHANNELS))
    ids = {name: data.draw(LEVEL) for name in topics.fields(channel)}
    store = data.draw(LEVEL)
    assert topics.parse(topics.topic(channel, store, **ids)) == (channel, {"store": store, **ids})
    assert source_of(channel, ids).split("/")[0] == channel.publisher.value


@pytest.mark.parametrize("bad", ["", "+", "#", "a/b", "-a", ".", "a b", "あ", "a" * 65, "a\n", "$SYS", "a:b"])
def test_an_id_that_is_no_level_makes_no_topic(bad: str) -> None:
    assert not topics.is_level(bad)
    with pytest.raises(ValueError, match="is not 1 to 64 letters"):
        topics.topic(BY_NAME["sighting"], "ginza", agent=bad)
    with pytest.raises(ValueError, match="store"):
        topics.topic(BY_NAME["sighting"], bad, agent="a")
    with pytest.raises(UnknownTopic):
        topics.parse(f"instore/ginza/agent/{bad}/sighting")


def test_missing_and_unknown_ids_are_named() -> None:
    for ids in ({}, {"agent": "a", "lane": "b"}, {"clerk": "a"}):
        with pytest.raises(ValueError, match=r"sighting needs \('agent',\), got"):
            topics.topic(BY_NAME["sighting"], "ginza", **ids)
