"""The AsyncAPI document: valid by the initiative's own JSON Schema, whole, and true to what `encode` sends."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.asyncapi import contract_asyncapi, document
from contract.envelope import encode
from contract.messages import CHANNELS, Channel, Role
from tests.contract.strategies import messages

VENDORED = Path(__file__).parent / "vendor" / "asyncapi-3.0.0.json"
variants = pytest.mark.parametrize(("store", "role"), [(None, None), ("ginza", None), *((None, role) for role in Role)])


@cache
def _official() -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(json.loads(VENDORED.read_text(encoding="utf-8")))


def test_the_official_schema_is_unchanged() -> None:
    expected = re.search(r"[0-9a-f]{64}", (VENDORED.parent / "README.md").read_text())
    assert expected is not None
    assert hashlib.sha256(VENDORED.read_bytes()).hexdigest() == expected[0]


@pytest.mark.row("C12")
@variants
def test_the_document_is_valid(store: str | None, role: Role | None) -> None:
    problems = [
        f"{list(error.absolute_path)}: {error.message[:200]}"
        for error in _official().iter_errors(document(store, role))
    ]
    assert problems == []


@pytest.mark.parametrize("damage", [
    lambda found: found.pop("info"),
    lambda found: found["operations"]["agent_sends_sighting"].update(action="publish"),
    lambda found: found["operations"]["agent_sends_sighting"]["bindings"]["mqtt"].update(qos=7),
    lambda found: found["channels"]["sighting"].update(foo=1),
    lambda found: found["components"]["schemas"]["Sighting"].update(type="objekt"),
    lambda found: found["components"]["securitySchemes"]["password"].update(type="password"),
    lambda found: found["servers"]["mqtt"].pop("protocol"),
])  # fmt: skip
def test_the_validator_sees_damage(damage: Any) -> None:
    found = copy.deepcopy(document())
    damage(found)
    assert list(_official().iter_errors(found))


@variants
def test_what_a_schema_cannot_say_references_and_parameters(store: str | None, role: Role | None) -> None:
    found = document(store, role)
    for reference in _references(found):
        target = found
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
    for channel in found["channels"].values():
        assert set(re.findall(r"\{(\w+)\}", channel["address"])) == set(channel.get("parameters", {}))


def _references(value: Any) -> Any:
    if isinstance(value, dict):
        yield from (item for name, item in value.items() if name == "$ref")
        for item in value.values():
            yield from _references(item)
    if isinstance(value, list):
        for item in value:
            yield from _references(item)


def test_operations_are_the_table() -> None:
    found = document()["operations"]
    expected = {f"{row.publisher.value}_sends_{row.name}" for row in CHANNELS}
    expected |= {f"{role.value}_receives_{row.name}" for row in CHANNELS for role in row.subscribers}
    assert set(found) == expected
    assert all(
        "bindings" not in found[f"{row.publisher.value}_sends_{row.name}"] for row in CHANNELS if not row.at_broker
    )
    for row in filter(lambda row: row.at_broker, CHANNELS):
        mqtt = found[f"{row.publisher.value}_sends_{row.name}"]["bindings"]["mqtt"]
        assert (mqtt["qos"], mqtt["retain"], mqtt.get("messageExpiryInterval")) == (row.qos, row.retain, row.expiry_s)


@pytest.mark.parametrize("role", list(Role))
def test_a_role_sees_its_own_rows_only(role: Role) -> None:
    found = document(role=role)
    assert set(found["channels"]) == {row.name for row in CHANNELS if role in (row.publisher, *row.subscribers)}
    assert all(name.startswith(role.value) for name in found["operations"])


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_is_sent_fits_the_document_and_little_else_does(channel: Channel, data: st.DataObject) -> None:
    validator = _payload_validator(channel)
    sent = json.loads(encode(data.draw(messages(channel))))
    validator.validate(sent)
    for name in ("specversion", "id", "source", "type", "data", *(("seq", "epoch") if channel.stream else ())):
        assert not validator.is_valid({key: value for key, value in sent.items() if key != name}), name
    assert not validator.is_valid(sent | {"source": "somebody/else"})
    assert not validator.is_valid(sent | {"type": "instore.other.v1"})


@cache
def _payload_validator(channel: Channel) -> jsonschema.Draft202012Validator:
    found = document()
    schema = {**found["components"]["messages"][channel.name]["payload"], "components": found["components"]}
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_as_text_and_with_a_bad_store() -> None:
    assert json.loads(contract_asyncapi("ginza")) == document("ginza")
    assert document("ginza")["channels"]["sighting"]["address"] == "instore/ginza/agent/{agent}/sighting"
    with pytest.raises(ValueError, match="is no name of a store"):
        document("a/b")
