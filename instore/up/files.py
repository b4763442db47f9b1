"""What `instore up` writes: folders, users, passwords, keys, the settings of each program. A second run keeps them all."""

from __future__ import annotations

import fcntl
import os
import pwd
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from broker.credentials import Credentials
from config.edge_settings import EdgeSettings
from config.hub_settings import HubSettings
from config.load import SettingsError, read_toml
from config.writing import PRIVATE, give_to_owner, toml_text, write_private, write_settings
from contract.access import Principal
from contract.messages import Role
from instore.up.plan import Plan

NOTE = "Written by `instore up` from {path}: change it there, not here."
FOLDER = 0o700


class NoPassword(SettingsError):
    """This machine has not been given the password of one of its programs."""


def prepare(plan: Plan) -> None:
    """Everything that the programs of this machine need before they start. Raises SettingsError, BrokerError, OSError."""
    check_mode(plan.path, holds_passwords=bool(plan.file.passwords))
    _folder(plan.data)
    _folder(plan.data / "secrets")
    _passwords(plan)
    note = NOTE.format(path=plan.path)
    if "hub" in plan.parts:
        _api_keys(plan.data / "api-keys.toml")
        write_settings(plan.data / "hub.toml", plan.hub_document(), HubSettings, note)
    for agent in plan.agents:
        write_settings(settings_file(plan, agent.name), plan.agent_document(agent), EdgeSettings, note)


def check_mode(path: Path, *, holds_passwords: bool) -> None:
    """Raises SettingsError when others may read passwords."""
    if holds_passwords and path.stat().st_mode & 0o077:
        raise SettingsError(path, [f"holds passwords, and others may read it: chmod 600 {path}"])


def check_owner(plan: Plan) -> None:
    """Root runs nothing in somebody's folder: its databases could not be read by their service. Raises SettingsError."""
    owner = plan.data.stat().st_uid
    if os.geteuid() == 0 and owner != 0:
        try:
            name = pwd.getpwuid(owner).pw_name
        except KeyError:
            name = str(owner)
        raise SettingsError(
            plan.path, [f"{plan.data} belongs to {name}; run it as {name}: runuser -u {name} -- instore up …"]
        )


def settings_file(plan: Plan, agent: str) -> Path:
    """Of an agent."""
    return plan.data / f"agent-{agent}.toml"


def users_file(plan: Plan) -> Path:
    """Of the broker."""
    return plan.data / "credentials.json"


def _folder(path: Path) -> None:
    if not path.exists():
        if not path.parent.exists():
            _folder(path.parent)
        path.mkdir()
        path.chmod(FOLDER)
        give_to_owner(path, path.parent)


def _passwords(plan: Plan) -> None:
    if plan.file.broker.kind == "elsewhere":
        if not plan.secret("").is_file():
            raise SettingsError(plan.path, [f"broker.password_file: {plan.secret('')}: there is no such file"])
        return
    if plan.home:
        _issue(plan)
        return
    for person in plan.of_machine(plan.machine):
        given = plan.file.passwords.get(person.username)
        if given is not None:
            write_private(plan.secret(person.username), f"{given}\n")
        elif not plan.secret(person.username).exists():
            home = plan.file.where("broker").name
            raise NoPassword(plan.path, [
                f"{person.username} has no password on this machine; on {home!r} run "
                f"`instore up --export-machine {plan.machine.name}` and use here the file that it writes"])  # fmt: skip


def _issue(plan: Plan) -> None:
    """A password for everybody who has none. Where the hash or the password is gone, a new one: half of it is of no use."""
    credentials = Credentials(users_file(plan))
    for person in plan.everybody():
        secret = plan.secret(person.username)
        if person not in credentials or not secret.exists():
            write_private(secret, f"{credentials.issue(person)}\n")


def strangers(plan: Plan) -> list[str]:
    """Agents that the broker lets in and the file does not name any more."""
    if not plan.home or plan.file.broker.kind == "elsewhere":
        return []
    known = set(plan.everybody())
    return [person.username for person in Credentials(users_file(plan)).principals
            if person.role is Role.AGENT and person not in known]  # fmt: skip


def _api_keys(path: Path) -> None:
    """For the first till and the first manager; more are added by hand."""
    if not path.exists():
        keys = {"pos": secrets.token_urlsafe(24), "managers": {"manager": secrets.token_urlsafe(24)}}
        write_private(path, "# Who may post sales, and who may open the manager's page. `instore up` reads it at its start.\n"
                      + toml_text(keys))  # fmt: skip


def manager_key(plan: Plan) -> Path | None:
    """Where the manager's key stands, if it was made here."""
    path = plan.data / "api-keys.toml"
    return path if path.exists() else None


def export(plan: Plan, name: str) -> Path:
    """The file for another machine: the store's, which machine it is, and its passwords. Raises SettingsError."""
    machines = {machine.name: machine for machine in plan.file.machine}
    if name not in machines:
        raise SettingsError(plan.path, [f"--export-machine {name}: there is no such machine; known are {', '.join(machines)}"])  # fmt: skip
    if not plan.home:
        raise SettingsError(plan.path, [f"--export-machine: passwords are kept on {plan.file.where('broker').name!r}; run it there"])  # fmt: skip
    if machines[name] == plan.machine:
        raise SettingsError(plan.path, [f"--export-machine {name}: that is this machine; it needs no file"])
    prepare(plan)
    people = plan.of_machine(machines[name]) if plan.file.broker.kind != "elsewhere" else []
    document = read_toml(plan.path) | {"this": name}
    if not plan.file.data.is_absolute():
        document["data"] = "data"
    document["passwords"] = {person.username: _read(plan, person) for person in people}
    path = plan.path.with_name(f"{name}.store.toml")
    write_private(path, f"# Machine {name!r} of the store. It holds passwords: carry it safely, keep its mode 600.\n"
                  + toml_text(document))  # fmt: skip
    return path


def _read(plan: Plan, person: Principal) -> str:
    return plan.secret(person.username).read_text(encoding="utf-8").strip()


@contextmanager
def alone(plan: Plan) -> Iterator[None]:
    """Each part runs once: a second `instore up` of it ends here. The locks end with the process, however it ends."""
    with ExitStack() as stack:
        for part in plan.parts:
            name = plan.data / f".{part.replace(':', '-')}.lock"
            handle = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
            stack.callback(os.close, handle)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise SettingsError(plan.path, [f"{part} of this store runs already (it holds {name}); stop that `instore up` first"]) from None  # fmt: skip
        yield
