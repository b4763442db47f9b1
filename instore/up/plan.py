"""What of a store runs on this machine, and with which settings. Pure: reads the file and nothing else."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.edge_settings import EdgeSettings
from config.hub_settings import HubSettings
from config.load import SettingsError, parse, resolve
from config.store_file import AgentTable, MachineSettings, StoreFile, load_store
from config.writing import plain
from contract.access import Principal
from contract.messages import Role
from instore.store_files import HUB, BrokerPlace, agent_settings, hub_settings, mqtt, principals

_PATHS = frozenset({"api_keys_file", "key_files", "secret_file", "password_file", "consents"})
"""Keys of the hub's sections that name files: relative to the store's file, as everything in it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`parts` of the store run here, on `machine`; paths are absolute."""

    path: Path
    file: StoreFile
    machine: MachineSettings
    parts: tuple[str, ...]

    @property
    def data(self) -> Path:
        return resolve(self.path, self.file.data)

    @property
    def home(self) -> bool:
        """Whether the users of the broker are kept here: where the broker runs, or where the hub does if that is elsewhere."""
        own = self.file.broker.kind != "elsewhere"
        return ("broker" if own else "hub") in self.machine.runs

    @property
    def broker(self) -> BrokerPlace:
        """How the programs of this machine reach the broker."""
        given = self.file.broker
        if given.kind == "elsewhere":
            assert given.host is not None
            return BrokerPlace("elsewhere", given.host, given.port, given.ws_port, given.username, tls=given.tls,
                               others=given.others)  # fmt: skip
        machine = self.file.where("broker")
        host = "127.0.0.1" if given.kind == "embedded" and not machine.local else machine.address
        return BrokerPlace(given.kind, host, given.port, given.ws_port, tls=given.tls_cert is not None)

    @property
    def broker_listens(self) -> str:
        """Where it does on this machine; the embedded one for this machine only, whatever the machine's address is."""
        return self.broker.host if self.file.broker.kind == "embedded" else self.machine.listens

    @property
    def agents(self) -> list[AgentTable]:
        """Those that run here."""
        return [agent for agent in self.file.agent if f"agent:{agent.name}" in self.parts]

    @property
    def hub_port(self) -> int:
        http = self.file.hub.sections.get("http", {})
        return int(http.get("port", 8080)) if isinstance(http, dict) else 8080

    @property
    def hub_url(self) -> str:
        return f"http://{_bracketed(self.file.where('hub').address)}:{self.hub_port}"

    @property
    def pages_url(self) -> str:
        """Where people open the pages: the web's, or the hub's own."""
        try:
            machine = self.file.where("web")
        except KeyError:
            return self.hub_url
        scheme = "https" if self.file.web.tls_cert else "http"
        return f"{scheme}://{_bracketed(machine.address)}:{self.file.web.port}"

    @property
    def ws_url(self) -> str:
        """Where clerks' pages find the broker: by the same way as the page, if there is one."""
        if any("web" in machine.runs for machine in self.file.machine):
            return f"ws{self.pages_url.removeprefix('http')}/mqtt"
        broker = self.broker
        return f"{'wss' if broker.tls else 'ws'}://{_bracketed(broker.host)}:{broker.ws_port}"

    def file_path(self, path: Path) -> Path:
        """A path that stands in the store's file."""
        return resolve(self.path, path)

    # --- who has a user at the broker

    def everybody(self) -> list[Principal]:
        """Of the whole store."""
        return principals([agent.name for agent in self.file.agent], self.file.clerks)

    def of_machine(self, machine: MachineSettings) -> list[Principal]:
        """Whose passwords a machine needs."""
        agents = [part.removeprefix("agent:") for part in machine.runs if part.startswith("agent:")]
        hub = [Principal(Role.HUB, HUB)] if "hub" in machine.runs else []
        return [*hub, *(Principal(Role.AGENT, agent) for agent in agents)]

    def secret(self, username: str) -> Path:
        """Where a user's password lies on this machine."""
        if self.file.broker.password_file is not None:
            return self.file_path(self.file.broker.password_file)
        return self.data / "secrets" / username

    # --- settings of the programs

    def hub_document(self) -> dict[str, Any]:
        """The hub's settings."""
        sections = _absolute(self.file.hub.sections, self.path)
        here = self.file.where("hub")
        http = {"host": here.listens, "port": 8080, "api_keys_file": self.data / "api-keys.toml", "ws_url": self.ws_url}
        given = sections.pop("http", {})
        http = {**http, **given} if isinstance(given, dict) else given
        places = {agent.name: agent.place.model_dump() for agent in self.file.agent if agent.place is not None}
        store = self.file.store.model_dump(mode="json")
        own = Principal(Role.HUB, HUB).username
        return hub_settings(store, mqtt(self.broker, own, self.secret(own)), policy=self.file_path(self.file.hub.policy),
                            http=http, places=places, **sections)  # fmt: skip

    def agent_document(self, agent: AgentTable) -> dict[str, Any]:
        """An agent's settings."""
        own = Principal(Role.AGENT, agent.name).username
        return agent_settings(
            self.file.store.id, agent.name, mqtt(self.broker, own, self.secret(own)), **agent.sections
        )


def plan_of(path: Path, only: Sequence[str] = ()) -> Plan:
    """What runs here: everything of this machine, or what `only` names of it: machines, or parts. Raises SettingsError."""
    path = path.resolve()
    file = load_store(path)
    machines = {machine.name: machine for machine in file.machine}
    parts = {part for machine in file.machine for part in machine.runs}
    unknown = [name for name in only if name not in machines and name not in parts]
    if unknown:
        known = ", ".join([*machines, *sorted(parts)])
        raise SettingsError(path, [f"--only {unknown[0]}: there is no such machine or part; known are {known}"])
    machine = _this(path, file, [machines[name] for name in only if name in machines], only)
    wanted = [name for name in only if name in parts]
    elsewhere = [part for part in wanted if part not in machine.runs]
    if elsewhere:
        raise SettingsError(path, [f"--only {elsewhere[0]}: that runs on machine {file.where(elsewhere[0]).name!r}, not on {machine.name!r}"])  # fmt: skip
    made = Plan(path, file, machine, tuple(part for part in machine.runs if not wanted or part in wanted))
    _check(made)
    return made


def home_of(path: Path) -> tuple[str, ...]:
    """The machine that keeps the users, unless the file says itself which machine this is. Raises SettingsError."""
    file = load_store(path)
    return () if file.this is not None else (file.where("hub" if file.broker.kind == "elsewhere" else "broker").name,)


def _this(path: Path, file: StoreFile, named: Sequence[MachineSettings], only: Sequence[str]) -> MachineSettings:
    """Which machine this is: named, noted in the file, the only one, the one that runs what is asked for, or by host name."""
    if len(named) > 1:
        raise SettingsError(path, [f"--only {', '.join(each.name for each in named)}: this is one machine, not {len(named)}"])  # fmt: skip
    if named:
        return named[0]
    if file.this is not None:
        found = [machine for machine in file.machine if machine.name == file.this]
        if not found:
            raise SettingsError(path, [f"this: there is no machine {file.this!r}; known are {_names(file)}"])
        return found[0]
    if len(file.machine) == 1:
        return file.machine[0]
    running = {machine.name: machine for machine in file.machine for part in only if part in machine.runs}
    if len(running) == 1:
        return next(iter(running.values()))
    host = socket.gethostname().partition(".")[0]
    for machine in file.machine:
        if host in (machine.name, machine.address):
            return machine
    raise SettingsError(path, [f"which machine is this? None is called {host!r}; say --only with one of {_names(file)}"])  # fmt: skip


def _check(plan: Plan) -> None:
    """Whether every program would take its settings. Raises SettingsError with the key as it stands in the store's file."""
    problems: list[str] = []
    try:
        parse(plain(plan.hub_document()), HubSettings, plan.path)
    except SettingsError as error:
        problems += [f"[hub] {problem}" for problem in error.problems]
    for agent in plan.file.agent:
        try:
            parse(plain(plan.agent_document(agent)), EdgeSettings, plan.path)
        except SettingsError as error:
            problems += [f"[[agent]] {agent.name}: {problem}" for problem in error.problems]
    ports = _ports(plan)
    problems += [f"port {port} of {plan.machine.name!r} is wanted by {' and '.join(who)}; give each its own"
                 for port, who in ports.items() if len(who) > 1]  # fmt: skip
    if problems:
        raise SettingsError(plan.path, problems)


def _ports(plan: Plan) -> dict[int, list[str]]:
    """Who listens where on this machine."""
    found: dict[int, list[str]] = {}
    given = plan.file.broker
    wanted = {"broker": [("broker.port", given.port), ("broker.ws_port", given.ws_port)],
              "hub": [("hub.http.port", plan.hub_port)], "web": [("web.port", plan.file.web.port)]}  # fmt: skip
    for part, ports in wanted.items():
        for name, port in ports if part in plan.machine.runs else ():
            found.setdefault(port, []).append(name)
    return found


def listening(plan: Plan) -> list[tuple[str, str, int]]:
    """(what, address, port) of what will listen here."""
    at, given = plan.machine.listens, plan.file.broker
    found = (
        [("the broker", at, given.port), ("the broker's WebSocket", at, given.ws_port)]
        if "broker" in plan.parts
        else []
    )
    if "hub" in plan.parts:
        http = plan.hub_document()["http"]
        found.append(("the hub's pages (hub.http.port)", str(http["host"]), plan.hub_port))
    if "web" in plan.parts:
        found.append(("web (web.port)", at, plan.file.web.port))
    return found


def _absolute(table: dict[str, Any], beside: Path) -> dict[str, Any]:
    """With files named from the root."""

    def one(key: str, value: Any) -> Any:
        if isinstance(value, dict):
            return _absolute(value, beside)
        if key in _PATHS and isinstance(value, str):
            return resolve(beside, Path(value))
        if key in _PATHS and isinstance(value, list):
            return [resolve(beside, Path(each)) if isinstance(each, str) else each for each in value]
        return value

    return {key: one(key, value) for key, value in table.items()}


def _names(file: StoreFile) -> str:
    return ", ".join(machine.name for machine in file.machine)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
