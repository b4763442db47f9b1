"""`instore up --check`: whatever would keep a store from starting, without starting it."""

from __future__ import annotations

from pathlib import Path

from broker.mosquitto import find_plugin
from broker.mosquitto_process import find_mosquitto
from config.hub_settings import HubSettings
from config.load import SettingsError, parse
from config.writing import plain
from hub.rules.policy import read_policy
from instore.up.files import check_mode
from instore.up.plan import Plan


def check_all(plan: Plan) -> None:
    """The file itself was read with the plan; here is what it points to. Raises SettingsError, BrokerError."""
    check_mode(plan.path, holds_passwords=bool(plan.file.passwords))
    missing = [f"{key}: {path}: there is no such file" for key, path in _files(plan) if not path.is_file()]
    if missing:
        raise SettingsError(plan.path, missing)
    if "broker" in plan.parts and plan.file.broker.kind == "mosquitto":
        find_mosquitto()
        find_plugin()
    if "hub" in plan.parts:
        read_policy(parse(plain(plan.hub_document()), HubSettings, plan.path))


def _files(plan: Plan) -> list[tuple[str, Path]]:
    """Files that the programs of this machine need and that nobody makes."""
    broker, web = plan.file.broker, plan.file.web
    found = {"broker.password_file": broker.password_file}
    if "broker" in plan.parts:
        found |= {"broker.tls_cert": broker.tls_cert, "broker.tls_key": broker.tls_key}
    if "web" in plan.parts:
        found |= {"web.tls_cert": web.tls_cert, "web.tls_key": web.tls_key}
    return [(key, plan.file_path(path)) for key, path in found.items() if path is not None]
