"""Mosquitto's configuration, made from the contract: `mosquitto.conf` and `dynamic-security.json`.

Works on Mosquitto 2.0.11 (Debian 12) and later. Roles: one for each principal, because this version's dynamic security
plugin puts no user name into a topic. Everything that a role does not grant is denied, to send, to subscribe and to receive.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker.credentials import Credentials
from broker.errors import MosquittoError
from broker.files import write_atomically
from contract.access import Principal, grants
from contract.envelope import MAX_BYTES

CONFIGURATION = "mosquitto.conf"
DYNAMIC_SECURITY = "dynamic-security.json"
_PLUGIN = "mosquitto_dynamic_security.so"
_PLUGIN_FOLDERS = ("/usr/lib/*-linux-gnu*", "/usr/lib64", "/usr/lib", "/usr/local/lib", "/opt/homebrew/lib")

# What Mosquitto holds for one client: about 4 s of the aimed 5,000 events a second while a hub pauses, in 20 MiB of
# events of 1 KiB. The default of 1000 was measured to drop the newest messages silently, 0 (no bound) fills the memory.
MAX_QUEUED_MESSAGES = 20_000
MAX_QUEUED_BYTES = 32 * 1024 * 1024
MEMORY_LIMIT = 512 * 1024 * 1024
# A payload is at most the contract's; topic, properties and a will come on top in a packet.
MAX_PACKET_BYTES = MAX_BYTES + 16 * 1024


@dataclass(frozen=True, slots=True)
class Tls:
    """Certificate of the broker, for both listeners: needed as soon as they are reached over a network."""

    certfile: Path
    keyfile: Path


def write_mosquitto_config(
    directory: Path,
    store: str,
    credentials: Credentials,
    *,
    host: str = "127.0.0.1",
    tcp_port: int = 1883,
    ws_port: int = 9001,
    persistence_dir: Path | None = None,
    plugin: Path | None = None,
    tls: Tls | None = None,
) -> Path:
    """Writes both files into `directory` and returns the path of `mosquitto.conf`.

    Run it again after a password was issued or withdrawn, then restart Mosquitto: it reads the security file at its start.
    `persistence_dir` (sessions, retained messages) is `directory/data` unless given. Mosquitto's user must be able to read
    the two files, which only their owner may, and to write the persistence folder.
    Raises MosquittoError when the dynamic security plugin is not installed, OSError when a file can't be written.
    """
    directory = directory.resolve()
    data = (persistence_dir or directory / "data").resolve()
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    security = directory / DYNAMIC_SECURITY
    document = json.dumps(dynamic_security(store, credentials), indent=1).encode()
    write_atomically(security, document + b"\n", mode=0o600)
    lines = _configuration(host, tcp_port, ws_port, data, security, plugin or find_plugin(), tls)
    path = directory / CONFIGURATION
    write_atomically(path, lines.encode(), mode=0o600)
    return path


def find_plugin() -> Path:
    """Mosquitto's dynamic security plugin. Raises MosquittoError when it is not installed."""
    for folder in _PLUGIN_FOLDERS:
        for found in sorted(Path("/").glob(f"{folder.removeprefix('/')}/{_PLUGIN}")):
            return found
    raise MosquittoError(
        f"{_PLUGIN} was not found below {', '.join(_PLUGIN_FOLDERS)}; install Mosquitto 2 (Debian: apt install mosquitto)"
    )


def dynamic_security(store: str, credentials: Credentials) -> dict[str, Any]:
    """The document of the dynamic security plugin: a client and a role for each principal, and no administrator."""
    principals = credentials.principals
    return {
        "defaultACLAccess": {
            "publishClientSend": False,
            "publishClientReceive": False,
            "subscribe": False,
            "unsubscribe": True,
        },
        "clients": [
            {
                "username": principal.username,
                "roles": [{"rolename": principal.username, "priority": 0}],
                **credentials.stored(principal).to_json(),
            }
            for principal in principals
        ],
        "groups": [],
        "roles": [{"rolename": principal.username, "acls": _acls(principal, store)} for principal in principals],
    }


def _acls(principal: Principal, store: str) -> list[dict[str, Any]]:
    kinds = {"publish": ("publishClientSend",), "subscribe": ("subscribePattern", "publishClientReceive")}
    return [
        {"acltype": kind, "topic": grant.filter, "priority": 0, "allow": True}
        for grant in grants(principal, store)
        for kind in kinds[grant.action]
    ]


def _configuration(
    host: str, tcp_port: int, ws_port: int, data: Path, security: Path, plugin: Path, tls: Tls | None
) -> str:
    secured = f"certfile {tls.certfile.resolve()}\nkeyfile {tls.keyfile.resolve()}\n" if tls else ""
    return f"""\
# Written by `instore broker --mosquitto-config`; change the settings there, not here.

per_listener_settings false
allow_anonymous false
plugin {plugin}
plugin_opt_config_file {security}

# MQTT for hub, agents and tools
listener {tcp_port} {host}
protocol mqtt
{secured}
# MQTT over WebSocket for the clerks' pages
listener {ws_port} {host}
protocol websockets
{secured}
# Without it every small message waits 44 ms for the one before it (Nagle's algorithm; measured).
set_tcp_nodelay true

# The default window of 20 is announced to MQTT 5 clients, and gmqtt fails at its end.
max_inflight_messages 1000
# For a client that is away or slow. More than that is dropped, the newest first: the numbered streams send it again.
max_queued_messages {MAX_QUEUED_MESSAGES}
max_queued_bytes {MAX_QUEUED_BYTES}
queue_qos0_messages false
memory_limit {MEMORY_LIMIT}
message_size_limit {MAX_BYTES}
max_packet_size {MAX_PACKET_BYTES}

# Sessions and retained messages on disk within a second (the default is 30 minutes).
persistence true
persistence_location {data}/
autosave_interval 1
persistent_client_expiration 14d

# A retained message of somebody whose access was withdrawn is not given out any more.
check_retain_source true
retain_available true
allow_zero_length_clientid true
sys_interval 10

log_dest stderr
log_type error
log_type warning
log_type notice
connection_messages true
"""
