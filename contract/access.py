"""Who may say and hear what, made from the table: the one place that every broker's access control comes from.

A principal's user name at the broker is `{role}-{id}` (`agent-door-1`, `clerk-c01`, `hub-main`, `observer-demo`). Client IDs
begin with the user name, so that two programs of one principal (a terminal and a page) can be told apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from contract import topics
from contract.messages import CHANNELS, Channel, Role

Action = Literal["publish", "subscribe"]


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody with a user name and a password at the broker."""

    role: Role
    id: str

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
    """Everything this principal may do in this store, row by row. What is not listed is forbidden."""
    found: list[Grant] = []
    for channel in CHANNELS:
        where = topics.pattern(channel, store, **_own(channel, principal))
        if channel.publisher is principal.role:
            found.append(Grant("publish", where, channel.name))
        if principal.role in channel.subscribers:
            found.append(Grant("subscribe", where, channel.name))
    return tuple(found)


def covers(granted: str, asked: str) -> bool:
    """True when every topic that `asked` (a topic or a subscription filter) can mean also matches `granted`.

    `+` and `#` as in MQTT 3.1.1 section 4.7; `granted` has no `#` in this contract.
    """
    mine, theirs = granted.split("/"), asked.split("/")
    return len(mine) == len(theirs) and all(
        (a == "+" and b != "#") or a == b for a, b in zip(mine, theirs, strict=True)
    )  # fmt: skip


def allowed(principal: Principal, store: str, action: Action, topic: str) -> bool:
    """Whether a principal may publish on a topic or subscribe to a filter."""
    return any(grant.action == action and covers(grant.filter, topic) for grant in grants(principal, store))
