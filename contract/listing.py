"""The access control as a person reads it, and as other brokers' tools may read it."""

from __future__ import annotations

import json
from typing import Any

from contract.access import Grant, Principal, grants
from contract.messages import BY_NAME, Role

_OWN = "ID"
"""Stands for the principal's own ID."""


def contract_acl(store: str, *, as_json: bool = False) -> str:
    """What each role may publish and subscribe to in this store; what is not listed is forbidden.

    `ID` stands for the principal's own ID, `+` for any one level. Raises ValueError when the store's name is not one level
    of a topic.
    """
    rows = [_row(role, grant) for role in Role for grant in grants(Principal(role, _OWN), store)]
    if as_json:
        return json.dumps({"store": store, "own_id": _OWN, "default": "deny", "rules": rows}, indent=2) + "\n"
    width = max(len(row["topic"]) for row in rows)
    lines = [f"Store {store}. {_OWN} is the principal's own ID, + any one level; what is not listed is forbidden.", ""]
    for role in dict.fromkeys(Role(row["role"]) for row in rows):
        lines.append(f"{role.value}  (user name {role.value}-{_OWN})")
        lines += [
            f"  {row['action']:<9}  {row['topic']:<{width}}  {_notes(row)}" for row in rows if row["role"] == role
        ]
        lines.append("")
    return "\n".join(lines)


def _row(role: Role, grant: Grant) -> dict[str, Any]:
    channel = BY_NAME[grant.channel]
    return {
        "role": role.value,
        "action": grant.action,
        "topic": grant.filter,
        "message": channel.event_type,
        "qos": channel.qos,
        "retain": channel.retain,
        "personal": channel.personal,
    }


def _notes(row: dict[str, Any]) -> str:
    marks = [f"QoS {row['qos']}", *(name for name in ("retain", "personal") if row[name])]
    return f"{row['message']}  ({', '.join(marks)})"
