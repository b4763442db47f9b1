"""The contract as an AsyncAPI 3.0 document, for integrators and their tools. Made from the table, never written by hand.

One document describes the whole store; with a role, what a program of this role does. In both, `send` and `receive` are
meant from the view of the program that has the role, never of the broker: `agent_sends_sighting`, `hub_receives_sighting`.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter

from contract import topics
from contract.envelope import MAX_BYTES, adapter
from contract.messages import CHANNELS, Channel, Role

CONTENT_TYPE = "application/cloudevents+json"
_MQTT_BINDING = "0.2.0"
_SCHEMAS = "#/components/schemas/"
_LEVELS = {
    "store": "Name of the store.",
    "agent": "ID of an agent: the computer at an entrance or a lane.",
    "device": "ID of a device on its agent.",
    "lane": "ID of an exit lane.",
    "clerk": "ID of a clerk.",
    "customer": "ID of a customer.",
    "hub": "ID of the store's hub.",
}
_ROLES = {
    Role.AGENT: "A computer near the hardware: beacon scanners, readers, printers, gates.",
    Role.HUB: "The store's brain: customers, rules, decisions.",
    Role.CLERK: "A clerk's handheld, any MQTT client.",
    Role.CUSTOMER: "A member's terminal, signed in at the hub; never at the broker.",
    Role.OBSERVER: "A tester's view: reads everything, says nothing.",
}


def document(store: str | None = None, role: Role | None = None) -> dict[str, Any]:
    """The document as a JSON value. With a store its name stands in every address; with a role only that role's rows.

    Raises ValueError when the store's name is not one level of a topic.
    """
    if store is not None and not topics.is_level(store):
        raise ValueError(f"{store!r} is no name of a store: 1 to 64 letters, digits, '_', '.', '-'")
    rows = [row for row in CHANNELS if role is None or role in (row.publisher, *row.subscribers)]
    roles = [role] if role else list(Role)
    payloads, schemas = _schemas(rows)
    return {
        "asyncapi": "3.0.0",
        "info": _info(role),
        "defaultContentType": CONTENT_TYPE,
        "servers": _servers(),
        "channels": {row.name: _channel(row, store) for row in rows},
        "operations": {
            name: operation for row in rows for one in roles for name, operation in _operations(row, one).items()
        },
        "components": {
            "messages": {row.name: _message(row, payloads[row.name]) for row in rows},
            "schemas": schemas,
            "securitySchemes": {
                "password": {
                    "type": "userPassword",
                    "description": "User name `{role}-{id}`; the client ID is the user name, or the user name, `:` and the"
                    " program. Issued and withdrawn by the store.",
                },
                "session": {
                    "type": "httpApiKey",
                    "in": "cookie",
                    "name": "instore_member",
                    "description": "Set when a member registers or signs in.",
                },
            },
        },
    }


def contract_asyncapi(store: str | None = None, role: Role | None = None) -> str:
    """The document as text (JSON, which is YAML too)."""
    return json.dumps(document(store, role), ensure_ascii=False, indent=2) + "\n"


def _info(role: Role | None) -> dict[str, Any]:
    who = f" This document shows it to a program with the role {role.value}." if role else ""
    return {
        "title": f"instore, role {role.value}" if role else "instore",
        "version": "1",
        "description": "What is said over MQTT in a store. Messages are CloudEvents 1.0 in the structured JSON form, at most"
        f" {MAX_BYTES} bytes. Unknown extra fields are allowed and ignored. No MQTT 5 property carries meaning.{who}",
        "tags": [{"name": one.value, "description": _ROLES[one]} for one in ([role] if role else Role)],
    }


def _servers() -> dict[str, Any]:
    security = [{"$ref": "#/components/securitySchemes/password"}]
    host = {"host": {"description": "Name or address of the store's broker.", "default": "localhost"}}
    return {
        "mqtt": {
            "host": "{host}:1883",
            "protocol": "mqtt",
            "protocolVersion": "3.1.1",
            "description": "The broker, for programs. Mosquitto takes MQTT 5 as well.",
            "variables": host,
            "security": security,
        },
        "websocket": {
            "host": "{host}:9001",
            "pathname": "/mqtt",
            "protocol": "ws",
            "protocolVersion": "13",
            "description": "The same broker, for pages: MQTT 3.1.1 in binary WebSocket frames, subprotocol `mqtt`.",
            "variables": host,
            "security": security,
        },
        "members": {
            "host": "{host}:8080",
            "pathname": "/member/ws",
            "protocol": "ws",
            "protocolVersion": "13",
            "description": 'The hub, for members\' terminals: one text frame is `{"topic": …, "message": …}`. Signed in by'
            ' session. A frame that does not fit is answered with `{"refused": reason}`.',
            "variables": {"host": {"description": "Name or address of the store's hub.", "default": "localhost"}},
            "security": [{"$ref": "#/components/securitySchemes/session"}],
        },
    }


def _channel(row: Channel, store: str | None) -> dict[str, Any]:
    levels = [*(("store",) if store is None else ()), *topics.fields(row)]
    found: dict[str, Any] = {
        "address": f"{topics.PREFIX}/{store or '{store}'}/{row.topic}",
        "title": row.name,
        "summary": row.summary,
        "messages": {row.name: {"$ref": f"#/components/messages/{row.name}"}},
        "parameters": {level: {"description": _LEVELS[level]} for level in levels},
        "x-personal-data": row.personal,
        "servers": [
            {"$ref": f"#/servers/{name}"} for name in (("mqtt", "websocket") if row.at_broker else ("members",))
        ],
    }
    if row.stream is not None:
        found["x-numbered-stream"] = row.stream.value
    if not levels:
        del found["parameters"]
    return found


def _operations(row: Channel, role: Role) -> dict[str, Any]:
    found = {}
    if role is row.publisher:
        found[f"{role.value}_sends_{row.name}"] = _operation(row, role, "send")
    if role in row.subscribers:
        found[f"{role.value}_receives_{row.name}"] = _operation(row, role, "receive")
    return found


def _operation(row: Channel, role: Role, action: str) -> dict[str, Any]:
    if not row.at_broker:
        return _said(row, role, action, {})
    mqtt: dict[str, Any] = {"qos": row.qos, "bindingVersion": _MQTT_BINDING}
    if action == "send":
        mqtt["retain"] = row.retain
        if row.expiry_s is not None:
            mqtt["messageExpiryInterval"] = row.expiry_s
    return _said(row, role, action, {"bindings": {"mqtt": mqtt}})


def _said(row: Channel, role: Role, action: str, bindings: dict[str, Any]) -> dict[str, Any]:
    return {
        "action": action,
        "summary": row.summary,
        "channel": {"$ref": f"#/channels/{row.name}"},
        "messages": [{"$ref": f"#/channels/{row.name}/messages/{row.name}"}],
        "tags": [{"name": role.value}],
        **bindings,
    }


def _message(row: Channel, payload: dict[str, Any]) -> dict[str, Any]:
    mqtt = {"bindings": {"mqtt": {"contentType": CONTENT_TYPE, "bindingVersion": _MQTT_BINDING}}}
    return {
        "name": row.event_type,
        "title": row.name,
        "summary": row.summary,
        "contentType": CONTENT_TYPE,
        "payload": payload,
        **(mqtt if row.at_broker else {}),
    }


def _schemas(rows: list[Channel]) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """The payload schema of each row, and the schemas that they share."""
    inputs: list[tuple[str, Any, TypeAdapter[Any]]] = [(row.name, "validation", adapter(row)) for row in rows]
    by_name, shared = TypeAdapter.json_schemas(inputs, ref_template=_SCHEMAS + "{model}")
    definitions: dict[str, Any] = shared.get("$defs", {})
    payloads = {row.name: _resolved(by_name[row.name, "validation"], definitions) for row in rows}
    for row in rows:
        _say_what_the_table_says(row, payloads[row.name])
    used = json.dumps(payloads)
    tops = {name for name in definitions if name.endswith("_message")}
    assert not any(f'"{_SCHEMAS}{name}"' in used for name in tops), "a message inside a message"
    return payloads, {name: schema for name, schema in definitions.items() if name not in tops}


def _resolved(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    return dict(definitions[reference.removeprefix(_SCHEMAS)]) if reference else dict(schema)


def _say_what_the_table_says(row: Channel, schema: dict[str, Any]) -> None:
    """What `decode` checks beside the models: who may speak, and the numbers of a stream."""
    own = row.publisher.value if row.publisher.value in topics.fields(row) else None
    source = {"pattern": f"^{own}/{topics.LEVEL_PATTERN}$"} if own else {"const": row.publisher.value}
    properties = dict(schema["properties"])
    properties["source"] = {"type": "string", "maxLength": 140, "description": "The sender.", **source}
    required = list(schema["required"])
    if row.stream is not None:
        for name in ("epoch", "seq"):
            properties[name] = next(kind for kind in properties[name]["anyOf"] if kind.get("type") != "null")
            required.append(name)
    schema["properties"], schema["required"] = properties, required
