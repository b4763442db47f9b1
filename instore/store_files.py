"""The settings of a store's programs as documents, for whatever sets up a store: `instore up`, the demo, scripted days.

Nothing else writes settings files: what a program needs to know is said here once, and checked before it is written.
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import config
from broker.credentials import Credentials
from contract.access import Principal
from contract.messages import Role

HUB = "main"
"""ID of a store's hub."""
SHIPPED = Path(config.__file__).parent / "shipped"
POLICY = ("rules.toml", "messages.toml", "incentives.toml", "coupons.toml")
"""Files that a manager writes."""


@dataclass(frozen=True, slots=True)
class BrokerPlace:
    """Where the broker is, and with which user; `username` None: each program has its own."""

    kind: str
    host: str
    port: int
    ws_port: int
    username: str | None = None
    password: str = ""
    tls: bool = False
    others: tuple[str, ...] = ()
    """Other nodes of a clustered broker, `HOST:PORT`."""


def free_port() -> int:
    """A TCP port of this machine that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def principals(agents: Iterable[str], clerks: Iterable[str], *observers: str) -> list[Principal]:
    """Everybody of a store who has a user at the broker."""
    return [
        Principal(Role.HUB, HUB),
        *(Principal(Role.AGENT, agent) for agent in agents),
        *(Principal(Role.OBSERVER, observer) for observer in observers),
        *(Principal(Role.CLERK, clerk) for clerk in clerks),
    ]


def issue(credentials: Credentials, people: Iterable[Principal]) -> dict[str, str]:
    """New passwords, by user name."""
    return {person.username: credentials.issue(person) for person in people}


def mqtt(broker: BrokerPlace, username: str, password: str | Path) -> dict[str, Any]:
    """The [mqtt] section; a path is the file where the password stands."""
    own = {"username": broker.username or username, "shared_user": True if broker.username is not None else None}
    secret = {"password_file" if isinstance(password, Path) else "password": password}
    return {"host": broker.host, "port": broker.port, "others": list(broker.others) or None, **own, **secret,
            "tls": True if broker.tls else None}  # fmt: skip


def hub_settings(store: Mapping[str, Any], mqtt: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A hub's settings; `more` are its other sections, `policy` where the manager's files are (beside the settings)."""
    policy = Path(more.pop("policy", ""))
    files = {name.removesuffix(".toml"): policy / name for name in POLICY}
    return {"id": HUB, "database": "hub.sqlite", **files, **more, "store": store, "mqtt": mqtt}


def agent_settings(store: str, agent: str, mqtt: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """An agent's settings; `more` are its parts: beacons, detector, lane …"""
    return {"store": store, "agent": agent, "database": f"{agent}.sqlite", **more, "mqtt": mqtt}


def copy_shipped(folder: Path, *names: str) -> None:
    """Shipped files into a folder; one that is there already stays as it is."""
    for name in names:
        if not (folder / name).exists():
            shutil.copy(SHIPPED / name, folder / name)
