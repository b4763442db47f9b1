"""The demo's store on disk: settings, users, ports, sockets. Everything lies in one folder that can be deleted."""

from __future__ import annotations

import json
import secrets
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from broker.credentials import Credentials
from contract.access import Principal
from contract.messages import Role

STORE = "ginza"
HUB, ENTRANCE, EXIT, LANE = "main", "entrance", "exit", "1"
CLERKS = ("c01", "c02", "c03")
BEACONS = "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e"
HEARTBEAT = f"{BEACONS}:9:1"
SHIPPED = Path(__file__).resolve().parents[2] / "config" / "shipped"
DEFAULT_FOLDER = Path("run/demo")
LAST_DEMO = Path("run/last-demo")
"""Names the folder of the newest demo, for `instore explain --last`."""


@dataclass(frozen=True, slots=True)
class BrokerPlace:
    """Where the broker is, and with which user; `username` None: each program has its own."""

    kind: str
    host: str
    port: int
    ws_port: int
    username: str | None = None
    password: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths and ports of one demo."""

    folder: Path
    broker: BrokerPlace
    store: str
    hub_port: int
    api_key: str
    passwords: dict[str, str]

    def path(self, name: str) -> Path:
        return self.folder / name

    def account(self, role: Role, own: str) -> tuple[str, str]:
        """User name and password of a program at the broker."""
        if self.broker.username is not None:
            return self.broker.username, self.broker.password
        username = Principal(role, own).username
        return username, self.passwords[username]

    @property
    def hub_url(self) -> str:
        return f"http://127.0.0.1:{self.hub_port}"


def free_port() -> int:
    """A TCP port of this machine that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
    people = [Principal(Role.HUB, HUB), Principal(Role.AGENT, ENTRANCE), Principal(Role.AGENT, EXIT),
              Principal(Role.OBSERVER, "demo"), *(Principal(Role.CLERK, clerk) for clerk in CLERKS)]  # fmt: skip
    passwords = {person.username: credentials.issue(person) for person in people}
    # On a broker of somebody else a store of its own: nothing of another store there, nor of an earlier demo, is heard.
    store = STORE if broker.username is None else f"demo-{secrets.token_hex(4)}"
    layout = Layout(folder, broker, store, free_port(), secrets.token_urlsafe(24), passwords)
    for name in ("rules.toml", "messages.toml", "incentives.toml", "coupons.toml", "customers.csv", "clerks.csv"):
        shutil.copy(SHIPPED / name, folder / name)
    _write(folder / "hub.toml", _hub(layout))
    _write(folder / "entrance.toml", _entrance(layout))
    _write(folder / "exit.toml", _exit(layout))
    _write(folder / "api-keys.toml", f'demo-pos = "{layout.api_key}"\n')
    LAST_DEMO.parent.mkdir(exist_ok=True)
    LAST_DEMO.write_text(str(folder), encoding="utf-8")
    # For a person who wants to look into the broker while the demo runs.
    _write(folder / "passwords.json", json.dumps(passwords, indent=1) + "\n")
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


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def _mqtt(layout: Layout, role: Role, own: str) -> str:
    username, password = layout.account(role, own)
    return f"""
[mqtt]
host = {json.dumps(layout.broker.host)}
port = {layout.broker.port}
username = {json.dumps(username)}
shared_user = {json.dumps(layout.broker.username is not None)}
password = {json.dumps(password)}
"""


def _hub(layout: Layout) -> str:
    return f"""id = "{HUB}"
database = "hub.sqlite"
rules = "rules.toml"
messages = "messages.toml"
incentives = "incentives.toml"
coupons = "coupons.toml"

[store]
id = "{layout.store}"
name = {{ ja = "銀座店", en = "Ginza" }}
time_zone = "Asia/Tokyo"
{_mqtt(layout, Role.HUB, HUB)}
[http]
port = {layout.hub_port}
api_keys_file = "api-keys.toml"
ws_url = "ws://127.0.0.1:{layout.broker.ws_port or 9001}"

[alerts]
reoffer_s = 2

[places]
{ENTRANCE} = {{ ja = "正面入口", en = "Main entrance" }}
{EXIT} = {{ ja = "出口", en = "Exit" }}
"""


def _entrance(layout: Layout) -> str:
    return f"""store = "{layout.store}"
agent = "{ENTRANCE}"
database = "entrance.sqlite"
heartbeat_s = 2
{_mqtt(layout, Role.AGENT, ENTRANCE)}
[beacons]
adapter = "hci0"
heartbeat = "{HEARTBEAT}"
silence_s = 2
"""


def _exit(layout: Layout) -> str:
    return f"""store = "{layout.store}"
agent = "{EXIT}"
database = "exit.sqlite"
heartbeat_s = 2
{_mqtt(layout, Role.AGENT, EXIT)}
[[lane]]
id = "{LANE}"
decide_s = 10  # a hub that is killed for show is back within this, so that the lane need not decide alone
reader = {{ port = "{layout.path("dev/reader")}" }}
printer = {{ port = "{layout.path("dev/printer")}" }}
gate = {{ port = "{layout.path("dev/gate")}" }}
"""
