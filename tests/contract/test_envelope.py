"""Messages to bytes and back, and every way in which bytes can be wrong."""

from __future__ import annotations

import json
import time
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract import topics
from contract.envelope import MAX_BYTES, Message, Numbering, decode, encode, source_of
from contract.errors import BadMessage, ContractError, UnknownTopic
from contract.messages import BY_NAME, CHANNELS, Channel
from tests.contract.strategies import messages, payloads

each_row = pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
quick = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)


def _topic(message: Message, store: str = "ginza") -> str:
    return topics.topic(message.channel, store, **message.ids)


@pytest.mark.row("C12")
@each_row
@quick
@given(data=st.data())
def test_round_trip(channel: Channel, data: st.DataObject) -> None:
    message = data.draw(messages(channel))
    raw = encode(message)
    assert decode(_topic(message), raw) == message
    assert decode(_topic(message, "shibuya"), raw).store == "shibuya"
    assert encode(decode(_topic(message), raw)) == raw, "the same message gives the same bytes"
    head = json.loads(raw)
    assert (head["specversion"], head["type"], head["id"]) == ("1.0", channel.event_type, message.id)


@each_row
@settings(quick, max_examples=3)
@given(data=st.data())
def test_every_prefix_is_a_bad_message(channel: Channel, data: st.DataObject) -> None:
    message = data.draw(messages(channel))
    raw, topic = encode(message), _topic(message)
    for size in range(len(raw)):
        with pytest.raises(BadMessage) as caught:
            decode(topic, raw[:size])
        assert caught.value.reason == "not_json"


@each_row
@quick
@given(data=st.data())
def test_damaged_bytes_are_a_message_or_a_bad_message(channel: Channel, data: st.DataObject) -> None:
    message = data.draw(messages(channel))
    raw = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 5))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode(_topic(message), bytes(raw))
    except BadMessage as error:
        assert error.reason in {"not_json", "schema", "wrong_source", "unnumbered"}  # noqa: PT017
        assert error.detail in str(error)  # noqa: PT017


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@each_row
@quick
@given(data=st.data())
def test_any_field_may_hold_anything(channel: Channel, data: st.DataObject) -> None:
    message = data.draw(messages(channel))
    document = json.loads(encode(message))
    inner = document["data"]
    target = data.draw(st.sampled_from([document, inner] if inner else [document]))
    target[data.draw(st.sampled_from(sorted(target)))] = data.draw(_JSON)
    try:
        decode(_topic(message), json.dumps(document).encode())
    except BadMessage as error:
        assert len(error.detail) < 500, "a sentence, not the message over again"  # noqa: PT017


@given(st.binary(max_size=300))
@quick
def test_noise(data: bytes) -> None:
    with pytest.raises(BadMessage):
        decode("instore/ginza/agent/door-1/sighting", data)


@pytest.mark.parametrize("topic", ["", "/", "instore", "instore/ginza/agent/door-1", "instore/ginza/agent/door-1/sighting/",
                                   "instore/ginza/agent//sighting", "instore/ginza/agent/+/sighting", "$SYS/broker/uptime",
                                   "instore/ginza/agent/door 1/sighting", "other/ginza/agent/door-1/sighting",
                                   "instore/ginza/agent/door-1/sighting\n", "x" * 65535, "instore/ginza/agent/-a/sighting",
                                   "instore/ginza/agent/" + "a" * 65 + "/sighting", "instore/銀座/agent/door-1/sighting"])  # fmt: skip
def test_unknown_topics(topic: str) -> None:
    with pytest.raises(UnknownTopic) as caught:
        decode(topic, b"{}")
    assert caught.value.reason == "unknown_topic"
    assert len(str(caught.value)) < 400


def _refused(topic: str, document: Any) -> ContractError:
    with pytest.raises(BadMessage) as caught:
        decode(topic, document if isinstance(document, bytes) else json.dumps(document).encode())
    return caught.value


@each_row
@settings(quick, max_examples=5)
@given(data=st.data())
def test_only_the_owner_of_a_topic_may_speak_on_it(channel: Channel, data: st.DataObject) -> None:
    message = data.draw(messages(channel))
    document = json.loads(encode(message))
    for source in ("somebody/else", message.source + "x", message.source.upper() + "-", "/", "agent/"):
        error = _refused(_topic(message), document | {"source": source})
        assert error.reason == "wrong_source"
        assert repr(message.source) in error.detail


@each_row
@settings(quick, max_examples=3)
@given(data=st.data())
def test_a_stream_without_numbers_is_refused_and_other_rows_need_none(channel: Channel, data: st.DataObject) -> None:
    message = data.draw(messages(channel))
    document = json.loads(encode(message))
    for missing in ("seq", "epoch"):
        bare = {name: value for name, value in document.items() if name != missing}
        if channel.stream is None:
            assert decode(_topic(message), json.dumps(bare).encode()) == message
        else:
            assert _refused(_topic(message), bare).reason == "unnumbered"


@each_row
@settings(quick, max_examples=5)
@given(data=st.data())
def test_fields_of_a_newer_sender_are_accepted_and_dropped(channel: Channel, data: st.DataObject) -> None:
    message = data.draw(messages(channel))
    document = json.loads(encode(message))
    document |= {"newattribute": 1, "datacontenttype": "application/json"}
    document["data"] |= {"new_field": {"deep": [1, 2]}}
    assert decode(_topic(message), json.dumps(document).encode()) == message


@each_row
@settings(quick, max_examples=5)
@given(data=st.data())
def test_the_type_must_be_that_of_the_topic(channel: Channel, data: st.DataObject) -> None:
    message = data.draw(messages(channel))
    document = json.loads(encode(message))
    for other in ("instore.other.v1", channel.event_type.replace("v1", "v2"), ""):
        error = _refused(_topic(message), document | {"type": other})
        assert (error.reason, error.detail[:5]) == ("schema", "type:")


def test_a_message_at_the_limit_is_read_and_one_byte_more_is_not() -> None:
    topic = "instore/ginza/agent/door-1/status"
    raw = b'{"specversion":"1.0","id":"1","source":"agent/door-1","type":"instore.agent.status.v1","data":{"state":"ready"}}'
    assert decode(topic, raw.ljust(MAX_BYTES)).id == "1"
    error = _refused(topic, raw.ljust(MAX_BYTES + 1))
    assert (error.reason, str(MAX_BYTES) in error.detail) == ("too_large", True)


@pytest.mark.parametrize("raw", [b"[" * 60_000, b'{"a":' * 10_000, b"9" * 60_000, b'"' + b"\\u0000" * 10_000 + b'"', b"null", b"[]",
                                 b'{"id":"\xff"}', b"\xef\xbb\xbf{}", b"NaN", b'{"data":{"counters":{"' + b"k" * 60_000 + b'":"x"}}}',
                                 b'{"data":{"counters":{' + b'"a":"b",' * 8000 + b'"c":1}}}'])  # fmt: skip
def test_hostile_json_is_refused_quickly(raw: bytes) -> None:
    begun = time.perf_counter()
    error = _refused("instore/ginza/hub/main/status", raw)
    assert error.reason in {"not_json", "schema"}
    assert len(error.detail) < 500
    assert time.perf_counter() - begun < 0.5


@each_row
def test_the_largest_message_fits(channel: Channel) -> None:
    """Every text and list at its bound, in Japanese: nothing honest is refused for its size."""
    ids = dict.fromkeys(topics.fields(channel), "a" * 64)
    numbering = Numbering("e" * 32, 2**31 - 1, 2**31 - 1) if channel.stream else None
    schema = channel.payload.model_json_schema()
    data = channel.payload.model_validate(_largest(schema, schema.get("$defs", {})))
    message = Message(channel, ids, data, "i" * 128, source_of(channel, ids), None, "v" * 128, "c" * 128, numbering)
    raw = encode(message)
    assert len(raw) <= MAX_BYTES
    assert decode(topics.topic(channel, "s" * 64, **ids), raw) == message


def _largest(schema: dict[str, Any], definitions: dict[str, Any]) -> Any:
    largest = partial(_largest, definitions=definitions)
    if "$ref" in schema:
        return largest(definitions[schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return largest(schema["anyOf"][0])
    if "const" in schema or "enum" in schema:
        return schema.get("const") or max(schema["enum"], key=len)
    match schema["type"]:
        case "object" if "properties" in schema:
            return {name: largest(kind) for name, kind in schema["properties"].items()}
        case "object":
            return {
                f"{number:040}": largest(schema["additionalProperties"]) for number in range(schema["maxProperties"])
            }
        case "array":
            return [largest(schema["items"])] * schema["maxItems"]
        case "string" if "format" in schema:
            return "2026-10-10" if schema["format"] == "date" else "2026-10-10T10:10:10.123456Z"
        case "string" if "pattern" in schema:
            return "a" * 64
        case "string":
            return "客" * schema["maxLength"]
        case "boolean":
            return False
    return schema.get("maximum", 10**15)


def test_decoding_costs_a_few_times_a_bare_json_parse() -> None:
    """A ratio within one run, the best of several: a machine's speed and its other work cancel out."""
    channel = BY_NAME["sighting"]
    heard = "2026-11-22T03:04:05.678901Z"
    sighting = {"beacon": "f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:2", "event": "arrived", "rssi_dbm": -61.5,
                "distance_m": 1.25, "zone": "near", "heard": heard}  # fmt: skip
    ids = {"agent": "door-1"}
    message = Message(channel, ids, channel.payload.model_validate(sighting), "0192f3c4-7d1e-7000-8000-0242ac120002",
                      source_of(channel, ids), numbering=Numbering("e1", 17, 3))  # fmt: skip
    raw, topic = encode(message), _topic(message)

    def best(work: Any) -> float:
        return min(_timed(work) for _ in range(7))

    ratio = best(lambda: decode(topic, raw)) / best(lambda: json.loads(raw))
    assert ratio < 8, f"decode takes {ratio:.1f} times json.loads"


def _timed(work: Any) -> float:
    begun = time.perf_counter()
    for _ in range(500):
        work()
    return time.perf_counter() - begun


def test_the_strategies_reach_every_row() -> None:
    assert {channel.name for channel in CHANNELS if payloads(channel) is not None} == set(BY_NAME)
