"""Settings of the hub: one TOML file, read once (`config.load.load`). A sample is `config/shipped/hub.toml`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, StringConstraints, field_validator, model_validator

from config.giving_settings import GivingSettings, PushSettings
from config.load import Section, SettingsError, load, parse, read_toml, resolve
from config.member_settings import MembersSettings
from config.mqtt import MqttSettings
from config.shopping_settings import ShoppingSettings
from config.words import Words

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class StoreSettings(Section):
    """Which store this is. Its day begins at midnight of its time zone."""

    id: Id
    name: Words
    time_zone: str = "Asia/Tokyo"
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = "JPY"
    """ISO 4217. Money is in its minor units (the yen has none: 1 = 1 yen)."""
    language: Literal["ja", "en"] = "ja"
    """For customers who are not known."""

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ValueError, OSError, KeyError):
            raise ValueError("is no time zone of the IANA database, such as Asia/Tokyo or Europe/Berlin") from None
        return name

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


class HttpSettings(Section):
    """Where the hub's pages and its API are served."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """0: any free port (tests)."""
    api_keys_file: Path | None = None
    """A TOML file `name = "key"`, one line for each program that may post sales, and a table [managers] of the same for people
    who may open the manager's page. None: the API takes no sales."""
    ws_url: str = "ws://127.0.0.1:9001"
    """Where a handheld's page finds the broker's WebSocket."""

    @field_validator("ws_url")
    @classmethod
    def _websocket(cls, url: str) -> str:
        if not re.match(r"wss?://[^/\s]+", url):
            raise ValueError("is no WebSocket address, such as ws://192.168.0.10:9001")
        return url


class ExitCodeSettings(Section):
    """Exit codes: how long they hold, and the keys that sign them."""

    lifetime_s: Annotated[int, Field(ge=60, le=7 * 86_400)] = 3600
    leeway_s: Annotated[float, Field(ge=0, le=600)] = 60.0
    key_files: Annotated[tuple[Path, ...], Field(min_length=1, max_length=16)] = (Path("exit-code-key.pem"),)
    """The first signs; the public halves of all are given to the lanes. The first is made if it is not there."""
    unknown_sale: Literal["open", "refuse"] = "open"
    """A code that is signed by us for a sale that this database does not have: open without an incentive, or refuse."""


class LaneSettings(Section):
    """What a decision tells a lane."""

    open_s: Annotated[float, Field(gt=0, le=120)] = 8.0
    """How long the gate stays open for the passage."""
    busy_s: Seconds = 120.0
    """So long a scan whose end was not reported blocks its code at other lanes."""
    rank_within_minor: Annotated[int, Field(ge=0, le=10**12)] = 50_000
    rank_within_visits: Annotated[int, Field(ge=0, le=1000)] = 10
    """The display speaks of the next rank when no more than this is missing to it; 0: never."""
    call_group: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    """A group of clerks who are called to a lane. None: the group of `alerts.escalate_to`."""
    agent_lost_s: Seconds = 60.0
    """An agent with lanes that is lost for so long: a clerk is called by the hub."""
    call_expire_s: Seconds = 180.0
    """So long a call waits for a clerk; then the lane's display says that nobody came."""


class AlertSettings(Section):
    """Requests to clerks."""

    reoffer_s: Seconds = 10.0
    """An open alert is sent again this often: a handheld may be any MQTT client."""
    expire_s: Seconds = 900.0
    """An alert that nobody has accepted is over after this time since the customer was heard."""
    left_grace_s: Annotated[float, Field(ge=0, le=3600)] = 60.0
    """No agent has heard the customer for this long: she has left, and her alerts are over."""
    fallback_clerks: Annotated[tuple[Id, ...], Field(max_length=20)] = ()
    """Asked for good customers who have no clerk in charge. Without any: the group of `escalate_to`."""
    escalate_s: Seconds = 120.0
    """A request that nobody has accepted for so long goes to the group as well; at once when all who were asked declined."""
    escalate_to: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    """A group of clerks, such as floor managers. None: it waits until it expires."""


class SensingSettings(Section):
    """Readings of a good customer's terminal, if she has agreed to that (row A8). What they mean: [[treatment]] in the rules."""

    wait_s: Annotated[float, Field(gt=0, le=600)] = 30.0
    """So long the terminal may take to answer."""
    requests: Annotated[int, Field(ge=1, le=10)] = 2
    """At most so many in a visit that bring nothing: the second when a terminal that was away has come."""
    every_s: Annotated[float, Field(ge=60, le=86_400)] | None = None
    """Asked again so long after an answer, while she is here. None: once a visit."""


class HubSettings(Section):
    """The whole file."""

    id: Id = "main"
    database: Path
    store: StoreSettings
    mqtt: MqttSettings
    http: HttpSettings = HttpSettings()
    exit_code: ExitCodeSettings = ExitCodeSettings()
    lane: LaneSettings = LaneSettings()
    alerts: AlertSettings = AlertSettings()
    sensing: SensingSettings = SensingSettings()
    members: MembersSettings = MembersSettings()
    shopping: ShoppingSettings = ShoppingSettings()
    giving: GivingSettings = GivingSettings()
    push: PushSettings | None = None
    """None: no notifications on members' terminals."""
    rules: Path
    messages: Path
    incentives: Path
    coupons: Path | None = None
    """Coupons from purchase history; None: there are none."""
    places: dict[Id, Words] = Field(default={}, max_length=1000)
    """What people call the place where an agent stands, by the agent's name. Without: they read the agent's name."""
    trace_days: Annotated[int, Field(ge=1, le=3650)] = 30
    """Traces older than this are deleted."""

    @model_validator(mode="after")
    def _files_differ(self) -> HubSettings:
        files = [path for path in (self.rules, self.messages, self.incentives, self.coupons) if path]
        if len(set(files)) != len(files):
            raise ValueError("rules, messages, incentives and coupons must be different files")
        return self


Key = Annotated[str, StringConstraints(min_length=16, max_length=200)]


class ApiKeys(Section):
    """Who may post sales, and who may see everything."""

    keys: dict[Id, Key]
    managers: dict[Id, Key] = {}  # noqa: RUF012  # pydantic copies it


def load_hub(settings_file: Path) -> HubSettings:
    """The settings with all paths made absolute. Raises SettingsError."""
    read = load(settings_file, HubSettings)
    paths = {
        name: resolve(settings_file, getattr(read, name)) for name in ("database", "rules", "messages", "incentives")
    }
    keys = tuple(resolve(settings_file, path) for path in read.exit_code.key_files)
    coupons = read.coupons and resolve(settings_file, read.coupons)
    api = read.http.api_keys_file and resolve(settings_file, read.http.api_keys_file)
    agreed = read.members.consents and resolve(settings_file, read.members.consents)
    push = read.push and read.push.model_copy(update={"key_file": resolve(settings_file, read.push.key_file)})
    return read.model_copy(
        update={
            "push": push,
            **paths,
            "coupons": coupons,
            "exit_code": read.exit_code.model_copy(update={"key_files": keys}),
            "http": read.http.model_copy(update={"api_keys_file": api}),
            "members": read.members.model_copy(update={"consents": agreed}),
        }
    )


def load_api_keys(settings: HubSettings) -> dict[str, str]:
    """Name by key: who may post sales. Empty when there is no file. Raises SettingsError."""
    return {key: name for name, key in _read_keys(settings).keys.items()}


def load_manager_keys(settings: HubSettings) -> dict[str, str]:
    """Name by key: who may open the manager's page, table [managers] of the same file. Raises SettingsError."""
    return {key: name for name, key in _read_keys(settings).managers.items()}


def _read_keys(settings: HubSettings) -> ApiKeys:
    path = settings.http.api_keys_file
    if path is None:
        return ApiKeys(keys={})
    found = read_toml(path)
    managers = found.pop("managers", {})
    read = parse({"keys": found, "managers": managers}, ApiKeys, path)
    every = [*read.keys.values(), *read.managers.values()]
    if len(set(every)) != len(every):
        raise SettingsError(path, ["two names have the same key; a key must tell who is asking"])
    return read
