"""Command lines of a store's programs, for whatever runs them as children."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from broker.credentials import Credentials
from broker.mosquitto import Tls, write_mosquitto_config
from broker.mosquitto_process import mosquitto_command
from instore.processes import Program
from instore.store_files import BrokerPlace


def broker_program(place: BrokerPlace, store: str, users: Path, folder: Path, log: Path | None, *, host: str = "",
                   tls: Tls | None = None) -> Program:  # fmt: skip
    """The store's broker: amqtt embedded, or a Mosquitto that is configured in `folder`; it listens on `host` (as `place`).

    Raises MosquittoError when that is not installed.
    """
    host = host or place.host
    if place.kind != "mosquitto":
        ports = ("--host", host, "--port", str(place.port), "--ws-port", str(place.ws_port))
        return Program("broker", ("broker", "--store", store, "--credentials", str(users), *ports), log)
    folder.mkdir(exist_ok=True)
    write_mosquitto_config(
        folder, store, Credentials(users), host=host, tcp_port=place.port, ws_port=place.ws_port, tls=tls
    )
    return Program("broker", (), log, command=mosquitto_command(folder))


def hub_program(settings: Path, log: Path | None, environment: Mapping[str, str] | None = None) -> Program:
    """The hub with its pages."""
    return Program("hub", ("hub", "--config", str(settings)), log, environment or {})


def agent_program(name: str, settings: Path, log: Path | None, environment: Mapping[str, str] | None = None) -> Program:
    """An edge agent."""
    return Program(name, ("edge", "--config", str(settings)), log, environment or {})
