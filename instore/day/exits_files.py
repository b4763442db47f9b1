"""The store of a day of exits on disk. The incentives' arithmetic is again in `instore.day.exits_oracle`."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from broker.credentials import Credentials
from config.edge_settings import EdgeSettings, load_edge
from config.hub_settings import HubSettings
from config.writing import write_private, write_settings
from contract.messages import Role
from instore.day.exits_oracle import DISPLAY_FROM, GOLD_FROM, LUCKY_FROM, MAIL_FROM, POINT_PER, lucky_budget
from instore.day.exits_script import UUID, ExitsScript, agent_of
from instore.demo.layout import STORE, Layout
from instore.store_files import (
    HUB,
    BrokerPlace,
    agent_settings,
    copy_shipped,
    free_port,
    hub_settings,
    issue,
    principals,
)

DEVICES = ("reader", "keypad", "nfc", "printer", "gate")
DOOR = "door"
HEARTBEAT = f"ibeacon:{UUID}:9:1"
OPEN_S = 2.0
"""Whoever has not passed by then is not coming."""
RULES = f"""
[[rank]]
name = "regular"
label = {{ ja = "レギュラー", en = "Regular" }}

[[rank]]
name = "gold"
from_spent = {GOLD_FROM}
label = {{ ja = "ゴールド", en = "Gold" }}

[points]
spent_per_point = {POINT_PER}
"""
_SLIP = """
[incentive.receipt]
ja = [["title", "{title}"], ["text", "有効期限 {valid_until}"], ["qr", "{coupon}"], ["center", "{coupon}"]]
en = [["title", "{title}"], ["text", "Valid until {valid_until}"], ["qr", "{coupon}"], ["center", "{coupon}"]]
"""
INCENTIVES = f"""
combine = "first"

[[incentive]]
name = "guest"
when = "!member && amount >= 2000"
kind = "discount"
amount_minor = 100
title = {{ ja = "100円引き", en = "100 yen off" }}
give = ["print"]
{_SLIP}
[[incentive]]
name = "third-exit"
when = "member"
every = {{ exits = 3 }}
kind = "product"
title = {{ ja = "コーヒー1杯", en = "A cup of coffee" }}
give = ["print", "app"]
{_SLIP}
[[incentive]]
name = "gold-10"
when = "rank >= gold"
per_customer = {{ count = 1, period = "all" }}
kind = "discount"
percent = 10
minimum_minor = 1000
title = {{ ja = "10%引き", en = "10 percent off" }}
give = ["email", "app"]

[[incentive]]
name = "lucky"
when = 'member && paid_on == "terminal" && amount >= {LUCKY_FROM}'
budget_count = LUCKY_BUDGET
budget_period = "all"
kind = "discount"
amount_minor = 777
title = {{ ja = "777円引き", en = "777 yen off" }}
give = ["print", "app"]
{_SLIP}
[[incentive]]
name = "by-amount"
when = 'member && paid_on == "terminal"'
kind = "discount"
table = [[3000, 200], [6000, 400], [12000, 1000]]
title = {{ ja = "{{amount}}引き", en = "{{amount}} off" }}
give = ["print", "app"]
{_SLIP}
[[incentive]]
name = "on-display"
when = 'member && paid_on == "terminal" && amount >= {DISPLAY_FROM}'
kind = "discount"
amount_minor = 50
title = {{ ja = "50円引き", en = "50 yen off" }}
give = ["display", "app"]

[[incentive]]
name = "by-mail"
when = 'member && paid_on == "settlement" && amount >= {MAIL_FROM}'
kind = "discount"
amount_minor = 30
title = {{ ja = "30円引き", en = "30 yen off" }}
give = ["email", "app"]

[[incentive]]
name = "by-paying"
when = "member"
kind = "points"
by_paying = {{ settlement = 10, terminal_payment = 30, terminal = 50 }}
title = {{ ja = "{{points}}ポイント", en = "{{points}} points" }}
give = ["app"]
"""


def agents(script: ExitsScript) -> list[str]:
    """Agents that drive lanes."""
    return [f"exit-{number + 1}" for number in range(agent_of(script.lanes - 1) + 1)]


def address_of(customer: str) -> str:
    """Where a customer gets her letters."""
    return f"{customer}@example.com"


def make_exits_store(folder: Path, broker: BrokerPlace, script: ExitsScript, mail_port: int) -> Layout:
    """A fresh store with an entrance and its lanes. `mail_port`: of the server that takes its letters, on this machine."""
    folder.mkdir(parents=True)
    credentials = Credentials(folder / "credentials.json")
    passwords = issue(credentials, principals((DOOR, *agents(script)), (), "demo"))
    layout = Layout(folder, broker, STORE, free_port(), "the-till-of-the-day-has-this-key", passwords)
    copy_shipped(folder, "messages.toml")
    write_private(folder / "rules.toml", RULES)
    write_private(folder / "incentives.toml", INCENTIVES.replace("LUCKY_BUDGET", str(lucky_budget(script))))
    write_private(folder / "coupons.toml", "period_days = 30\n")
    write_private(folder / "api-keys.toml", f'till = "{layout.api_key}"\n')
    write_settings(folder / "hub.toml", _hub(layout, mail_port), HubSettings)
    write_settings(folder / f"{DOOR}.toml", _door(layout), EdgeSettings)
    for number, agent in enumerate(agents(script)):
        lanes = [lane for lane in range(script.lanes) if agent_of(lane) == number]
        write_settings(folder / f"{agent}.toml", _lanes(layout, agent, lanes), EdgeSettings)
    with (folder / "products.csv").open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["code", "name", "price"])
        out.writerows([product.code, product.name, product.price_minor] for product in script.products)
    return layout


def display_port(layout: Layout, lane: int) -> int:
    """Where the agent of a lane serves its displays."""
    settings = load_edge(layout.path(f"exit-{agent_of(lane) + 1}.toml"))
    assert settings.display is not None
    return settings.display.port


def lane_folder(layout: Layout, lane: int) -> Path:
    """Ports, sockets and receipts of a lane's simulated devices."""
    return layout.path(f"lane-{lane + 1}")


def _hub(layout: Layout, mail_port: int) -> dict[str, Any]:
    mail = {"host": "127.0.0.1", "port": mail_port, "sender": "store@example.com", "security": "none"}
    names = {"id": layout.store, "name": {"ja": "銀座店", "en": "Ginza"}, "time_zone": "Asia/Tokyo"}
    return hub_settings(
        names, layout.mqtt(Role.HUB, HUB), http={"port": layout.hub_port, "api_keys_file": "api-keys.toml"},
        members={"registrations_per_minute": 10_000, "mail": mail}, lane={"open_s": OPEN_S, "busy_s": 20.0},
        shopping={"payment": {"provider": "simulated"}},
    )  # fmt: skip


def _door(layout: Layout) -> dict[str, Any]:
    beacons = {"adapter": "hci0", "heartbeat": HEARTBEAT, "leave_after_s": 10}
    return agent_settings(layout.store, DOOR, layout.mqtt(Role.AGENT, DOOR), heartbeat_s=5, beacons=beacons)


def _lanes(layout: Layout, agent: str, lanes: list[int]) -> dict[str, Any]:
    made = []
    for lane in lanes:
        devices = {name: {"port": lane_folder(layout, lane) / name} for name in DEVICES}
        made.append(
            {
                "id": str(lane + 1),
                "decide_s": 1.0,
                "print_patience_s": 4.0,
                "gate_patience_s": 4.0,
                "show_s": 4.0,
                **devices,
            }
        )
    return agent_settings(layout.store, agent, layout.mqtt(Role.AGENT, agent), heartbeat_s=5, lane=made,
                          display={"port": free_port(), "sound": "off"})  # fmt: skip
