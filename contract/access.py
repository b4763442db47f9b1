"""Who may say and hear what, made from the table: the one place that every broker's access control comes from.

A principal's user name at the broker is `{role}-{id}` (`agent-door-1`, `clerk-c01`, `hub-main`, `observer-demo`). A client ID
is the user name alone, or the user name, `:` and the program (`clerk-c01:page`), so that two programs of one principal can be
connected at once. No ID can contain `:`, so nobody's client ID is also somebody else's (`agent-1` and `agent-1-b`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from contract import topics
from contract.messages import CHANNELS, Channel, Role

Action = Literal["publish", "subscribe"]
_WILD = re.compile(r"[+#\0]")


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody with a user name and a password at the broker."""

    role: Role
    id: str

    def __post_init__(self) -> None:
        """Raises ValueError for an ID that is not one level of a topic: `+` would be everybody."""
        if not topics.is_level(self.id):
            raise ValueError(
                f"{self.id!r} is no ID: 1 to 64 letters, digits, '_', '.', '-', beginning with a letter or digit"
            )

    @property
    def username(self) -> str:
        return f"{self.role.value}-{self.id}"

    @classmethod
    def of_username(cls, username: str) -> Principal:
        """The principal of a user name. Raises ValueError when its first part is no role or nothing follows."""
        role, dash, own = username.partition("-")
        if not dash or not own or role not in set(Role):
            raise ValueError(
                f"{username!r} is no user name of this store: expected <role>-<id>, role one of {', '.join(Role)}"
            )
        return cls(Role(role), own)

    def client_id(self, program: str = "") -> str:
        """The client ID of one of this principal's programs: `clerk-c01`, `clerk-c01:page`."""
        return f"{self.username}:{program}" if program else self.username

    def owns_client_id(self, client_id: str) -> bool:
        """Whether this principal may connect as `client_id`: whoever holds a client ID pushes its holder out."""
        return client_id == self.username or client_id.startswith(f"{self.username}:")


@dataclass(frozen=True, slots=True)
class Grant:
    """One permission: to publish on, or to subscribe to, topics that match `filter` (`+` is one level)."""

    action: Action
    filter: str
    channel: str


def _own(channel: Channel, principal: Principal) -> dict[str, str]:
    """The levels that a principal's own ID fixes. A hub owns `hub/{id}`, and speaks to all agents and clerks."""
    return {principal.role.value: principal.id} if principal.role.value in topics.fields(channel) else {}


def grants(principal: Principal, store: str) -> tuple[Grant, ...]:
    """Everything this principal may do in this store, row by row. What is not listed is forbidden.

    Raises ValueError when the store's name is not one level of a topic.
    """
    if not topics.is_level(store):
        raise ValueError(f"{store!r} is no name of a store: 1 to 64 letters, digits, '_', '.', '-'")
    found: list[Grant] = []
    for channel in CHANNELS:
        if not channel.at_broker:
            continue
        where = topics.pattern(channel, store, **_own(channel, principal))
        if channel.publisher is principal.role:
            found.append(Grant("publish", where, channel.name))
        if principal.role in channel.subscribers:
            found.append(Grant("subscribe", where, channel.name))
    return tuple(found)


def covers(granted: str, asked: str) -> bool:
    """True when every topic that `asked` (a topic or a subscription filter) can mean also matches `granted`.

    `+` as in MQTT 3.1.1 section 4.7; `granted` has no `#` in this contract, so that nothing with a `#` is covered. A level
    that mixes a wildcard with other signs (`a+`) is no filter and is never covered.
    """
    mine, theirs = granted.split("/"), asked.split("/")
    return len(mine) == len(theirs) and all(
        (b == "+" or not _WILD.search(b)) if a == "+" else a == b for a, b in zip(mine, theirs, strict=True)
    )


def allowed(principal: Principal, store: str, action: Action, topic: str) -> bool:
    """Whether a principal may publish on a topic or subscribe to a filter."""
    if action == "publish" and _WILD.search(topic):
        return False
    return any(covers(where, topic) for where in _filters(principal, store, action))


@lru_cache(maxsize=1024)
def _filters(principal: Principal, store: str, action: Action) -> tuple[str, ...]:
    return tuple(grant.filter for grant in grants(principal, store) if grant.action == action)
