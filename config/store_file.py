"""The file of a whole store, `store.toml` (row B13): what there is, and on which machine each part of it runs.

From it `instore up` writes the settings of each program. Tables of the hub and of agents are those of `config.hub_settings`
and `config.edge_settings`, without what follows from the rest of the file: IDs, databases, the broker's address, passwords.
"""

from __future__ import annotations

import difflib
import ipaddress
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from config.edge_settings import EdgeSettings, Id
from config.hub_settings import HubSettings, StoreSettings
from config.load import Section, load
from config.mqtt import Node
from config.words import Words

Port = Annotated[int, Field(ge=1, le=65535)]
Address = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z.:-]{0,252}$")]
Part = Annotated[str, StringConstraints(pattern=r"^(broker|hub|web|agent:[A-Za-z0-9][A-Za-z0-9_.-]{0,63})$")]
"""Something that runs: `broker`, `hub` (with the pages), `web` (the way to the pages from outside), `agent:NAME`."""

_FOLLOWS = {
    "agent": frozenset({"store", "agent", "database", "mqtt"}),
    "hub": frozenset({"id", "store", "database", "mqtt", "rules", "messages", "incentives", "coupons", "places"}),
}


class MachineSettings(Section):
    """One computer."""

    name: Id
    address: Address = "127.0.0.1"
    """How the others reach it: an IP address, or a name."""
    listen: Address | None = None
    """Where its programs listen. None: at `address` if that is an IP address, else everywhere."""
    runs: Annotated[tuple[Part, ...], Field(min_length=1, max_length=200)]

    @property
    def listens(self) -> str:
        """The address to listen at."""
        if self.listen is not None:
            return self.listen
        return "0.0.0.0" if _ip(self.address) is None and self.address != "localhost" else self.address

    @property
    def local(self) -> bool:
        """Whether only programs of this computer reach it."""
        found = _ip(self.address)
        return self.address == "localhost" or (found is not None and found.is_loopback)


class BrokerSettings(Section):
    """The MQTT broker."""

    kind: Literal["embedded", "mosquitto", "elsewhere"] = "embedded"
    """`embedded`: for one machine, without anything to install; `mosquitto`: started by us, for a store; `elsewhere`: one that is
    there already, at `host`."""
    port: Port = 1883
    ws_port: Port = 9001
    """MQTT over WebSocket, for clerks' pages."""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    """Certificate and key of a Mosquitto that other machines reach. Without them passwords cross the network in the clear."""
    host: Address | None = None
    others: Annotated[tuple[Node, ...], Field(max_length=16)] = ()
    username: str | None = None
    password_file: Path | None = None
    tls: bool = False
    """Of a broker elsewhere: where, the other nodes of it (`HOST:PORT`) if it is a cluster, and the one user that it knows for all
    programs."""

    @model_validator(mode="after")
    def _fits(self) -> BrokerSettings:
        there = {"host": self.host, "username": self.username, "password_file": self.password_file}
        given = [key for key, value in there.items() if value is not None]
        missing = ", ".join(key for key in there if key not in given)
        if self.kind == "elsewhere" and missing:
            raise ValueError(f'kind = "elsewhere" needs {missing}')
        given += [key for key in ("others", "tls") if getattr(self, key)]
        if self.kind != "elsewhere" and given:
            raise ValueError(f'{given[0]} is for kind = "elsewhere"; this broker is {self.kind}')
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key belong together")
        if self.tls_cert is not None and self.kind != "mosquitto":
            raise ValueError('tls_cert and tls_key are for kind = "mosquitto"')
        if self.port == self.ws_port:
            raise ValueError(f"port and ws_port are both {self.port}; each needs one of its own")
        return self


class WebSettings(Section):
    """The way to the hub's pages from outside: HTTPS, which phones want before they lend a page their camera."""

    port: Port = 8443
    tls_cert: Path | None = None
    tls_key: Path | None = None
    """None: plain HTTP."""

    @model_validator(mode="after")
    def _fits(self) -> WebSettings:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key belong together")
        return self


class HubTable(Section):
    """[hub]: the sections of `config.hub_settings.HubSettings`; checked when its settings are made of it."""

    model_config = ConfigDict(frozen=True, extra="allow")
    policy: Path = Path()
    """Folder of rules.toml, messages.toml, incentives.toml, coupons.toml."""

    @model_validator(mode="before")
    @classmethod
    def _known(cls, table: Any) -> Any:
        return _checked(table, "hub", set(HubSettings.model_fields) | {"policy"})

    @property
    def sections(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class AgentTable(Section):
    """[[agent]]: a name, what people call its place, and the parts of `config.edge_settings.EdgeSettings`."""

    model_config = ConfigDict(frozen=True, extra="allow")
    name: Id
    place: Words | None = None

    @model_validator(mode="before")
    @classmethod
    def _known(cls, table: Any) -> Any:
        return _checked(table, "agent", set(EdgeSettings.model_fields) | {"name", "place"})

    @property
    def sections(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class StoreFile(Section):
    """The whole file."""

    store: StoreSettings
    machine: Annotated[tuple[MachineSettings, ...], Field(min_length=1, max_length=500)]
    broker: BrokerSettings = BrokerSettings()
    hub: HubTable = Field(default_factory=HubTable)
    web: WebSettings = WebSettings()
    agent: Annotated[tuple[AgentTable, ...], Field(max_length=500)] = ()
    clerks: Annotated[tuple[Id, ...], Field(max_length=1000)] = ()
    """Who gets a password for a handheld."""
    data: Path = Path("data")
    """What the programs write: databases, keys, passwords. On the machine's own disk."""
    this: Id | None = None
    """Which machine this one is; `instore up --export-machine` writes it."""
    passwords: dict[str, str] = Field(default={}, max_length=1000)
    """By user at the broker, for a machine without the broker; `instore up --export-machine` writes it."""

    @field_validator("agent")
    @classmethod
    def _agents(cls, agents: tuple[AgentTable, ...]) -> tuple[AgentTable, ...]:
        _once([agent.name for agent in agents], "two agents are called")
        return agents

    @model_validator(mode="after")
    def _everything_runs_once(self) -> StoreFile:
        _once([machine.name for machine in self.machine], "two machines are called")
        runs = Counter(part for machine in self.machine for part in machine.runs)
        known = {"broker", "hub", "web", *(f"agent:{agent.name}" for agent in self.agent)}
        for part, times in sorted(runs.items()):
            if part not in known:
                raise ValueError(f"machine.runs: {part!r} has no [[agent]] with that name")
            if times > 1 and part != "web":
                raise ValueError(f"machine.runs: {part!r} is to run {times} times; it runs once in a store")
        own = self.broker.kind != "elsewhere"
        if not own and runs["broker"]:
            raise ValueError('machine.runs: "broker" is there, but broker.kind = "elsewhere" runs none')
        for part in sorted(known - {"web"} - (set() if own else {"broker"})):
            if not runs[part]:
                raise ValueError(f"machine.runs: nothing runs {part!r}; add it to one machine's list")
        if self.broker.kind == "embedded":
            far = [machine.name for machine in self.machine if not machine.local]
            if far and len(self.machine) > 1:
                raise ValueError(
                    f'broker.kind: "embedded" serves one machine only, and {far[0]!r} is another; use "mosquitto"'
                )
        return self

    def where(self, part: str) -> MachineSettings:
        """The machine that runs a part. Raises KeyError."""
        for machine in self.machine:
            if part in machine.runs:
                return machine
        raise KeyError(part)


def load_store(path: Path) -> StoreFile:
    """Raises SettingsError."""
    return load(path, StoreFile)


def _checked(table: Any, what: Literal["hub", "agent"], known: set[str]) -> Any:
    for key in table if isinstance(table, dict) else ():
        if key in _FOLLOWS[what]:
            raise ValueError(f"{key} does not belong here: it follows from the rest of the file")
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = (
                f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(sorted(known - _FOLLOWS[what]))}"
            )
            raise ValueError(f"{key} is not a known key; {hint}")
    return table


def _once(names: list[str], what: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{what} {twice[0]!r}")


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
