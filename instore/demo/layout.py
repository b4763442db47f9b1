"""The demo's store on disk: settings, users, ports, sockets. Everything lies in one folder that can be deleted."""

from __future__ import annotations

import json
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from broker.credentials import Credentials
from config.edge_settings import EdgeSettings
from config.hub_settings import HubSettings
from config.writing import write_private, write_settings
from contract.access import Principal
from contract.messages import Role
from instore.store_files import (
    HUB,
    POLICY,
    BrokerPlace,
    agent_settings,
    copy_shipped,
    free_port,
    hub_settings,
    issue,
    mqtt,
    principals,
)

STORE = "ginza"
ENTRANCE, EXIT, LANE = "entrance", "exit", "1"
CLERKS = ("c01", "c02", "c03")
BEACONS = "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e"
HEARTBEAT = f"{BEACONS}:9:1"
DEFAULT_FOLDER = Path("run/demo")
LAST_DEMO = Path("run/last-demo")
"""Names the folder of the newest demo, for `instore explain --last`."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths and ports of one demo."""

    folder: Path
    broker: BrokerPlace
    store: str
    hub_port: int
    api_key: str
    passwords: dict[str, str]
    display_port: int = 0

    def path(self, name: str) -> Path:
        return self.folder / name

    def account(self, role: Role, own: str) -> tuple[str, str]:
        """User name and password of a program at the broker."""
        if self.broker.username is not None:
            return self.broker.username, self.broker.password
        username = Principal(role, own).username
        return username, self.passwords[username]

    def mqtt(self, role: Role, own: str) -> dict[str, Any]:
        """A program's [mqtt] section."""
        return mqtt(self.broker, *self.account(role, own))

    @property
    def hub_url(self) -> str:
        return f"http://127.0.0.1:{self.hub_port}"

    @property
    def display_url(self) -> str:
        """Of the display at the exit lane, which its agent serves."""
        return f"http://127.0.0.1:{self.display_port}/lane/{LANE}"


def broker_place(text: str) -> BrokerPlace:
    """`amqtt`, `mosquitto`, or `mqtt://user:password@host:port`. Raises ValueError for anything else."""
    if text in ("amqtt", "mosquitto"):
        return BrokerPlace(text, "127.0.0.1", free_port(), free_port())
    try:
        url = urlsplit(text)
        port = url.port or 1883
    except ValueError:  # a port out of range, a broken IPv6 address
        url, port = urlsplit(""), 0
    if url.scheme != "mqtt" or not url.hostname or not url.username:
        # Not the text itself: there may be a password in it.
        raise ValueError("--broker: expected amqtt, mosquitto or mqtt://user:password@host:port")
    return BrokerPlace("other", url.hostname, port, 0, unquote(url.username), unquote(url.password or ""))


def make_layout(folder: Path, broker: BrokerPlace) -> Layout:
    """Write a fresh store into `folder`; what an earlier demo left there is deleted."""
    folder = folder.resolve()
    _clear(folder)
    folder.mkdir(parents=True)
    credentials = Credentials(folder / "credentials.json")
    passwords = issue(credentials, principals((ENTRANCE, EXIT), CLERKS, "demo"))
    # On a broker of somebody else a store of its own: nothing of another store there, nor of an earlier demo, is heard.
    store = STORE if broker.username is None else f"demo-{secrets.token_hex(4)}"
    layout = Layout(folder, broker, store, free_port(), secrets.token_urlsafe(24), passwords, free_port())
    copy_shipped(folder, *POLICY, "customers.csv", "clerks.csv")
    write_settings(folder / "hub.toml", _hub(layout), HubSettings)
    write_settings(folder / "entrance.toml", _entrance(layout), EdgeSettings)
    write_settings(folder / "exit.toml", _exit(layout), EdgeSettings)
    write_private(folder / "api-keys.toml", f'demo-pos = "{layout.api_key}"\n')
    LAST_DEMO.parent.mkdir(exist_ok=True)
    LAST_DEMO.write_text(str(folder), encoding="utf-8")
    # For a person who wants to look into the broker while the demo runs.
    write_private(folder / "passwords.json", json.dumps(passwords, indent=1) + "\n")
    return layout


def last_hub_config() -> Path:
    """The hub's settings file of the newest demo. Raises ValueError when there was none."""
    try:
        return Path(LAST_DEMO.read_text(encoding="utf-8")) / "hub.toml"
    except OSError:
        raise ValueError("no demo was played here yet; name the hub's settings with --config") from None


def _clear(folder: Path) -> None:
    if not folder.exists():
        return
    if any(folder.iterdir()) and not (folder / "credentials.json").exists():
        raise ValueError(f"{folder} is not empty and no demo of ours; give --dir an empty folder")
    shutil.rmtree(folder)


def _hub(layout: Layout) -> dict[str, Any]:
    names = {"id": layout.store, "name": {"ja": "銀座店", "en": "Ginza"}, "time_zone": "Asia/Tokyo"}
    places = {ENTRANCE: {"ja": "正面入口", "en": "Main entrance"}, EXIT: {"ja": "出口", "en": "Exit"}}
    http = {"port": layout.hub_port, "api_keys_file": "api-keys.toml",
            "ws_url": f"ws://127.0.0.1:{layout.broker.ws_port or 9001}"}  # fmt: skip
    return hub_settings(names, layout.mqtt(Role.HUB, HUB), http=http, alerts={"reoffer_s": 2}, places=places)


def _entrance(layout: Layout) -> dict[str, Any]:
    beacons = {"adapter": "hci0", "heartbeat": HEARTBEAT, "silence_s": 2}
    return agent_settings(layout.store, ENTRANCE, layout.mqtt(Role.AGENT, ENTRANCE), heartbeat_s=2, beacons=beacons)


def _exit(layout: Layout) -> dict[str, Any]:
    devices = {name: {"port": layout.path(f"dev/{name}")} for name in ("reader", "printer", "gate")}
    # A hub that is killed for show is back within ten seconds, so that the lane need not decide alone.
    lane = {"id": LANE, "decide_s": 10, **devices}
    return agent_settings(layout.store, EXIT, layout.mqtt(Role.AGENT, EXIT), heartbeat_s=2, lane=[lane],
                          display={"port": layout.display_port})  # fmt: skip
