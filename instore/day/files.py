"""The store of a day on disk: settings of hub and agents, customers, rules. The rules' arithmetic is again in `oracle`."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from broker.credentials import Credentials
from config.edge_settings import EdgeSettings
from config.hub_settings import HubSettings
from config.writing import write_private, write_settings
from contract.messages import Role
from instore.day.oracle import FALLBACK
from instore.day.script import CLERKS, LEFT, PLACES, ROTATION_EXPONENT, Person, Script
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

HEARTBEAT = "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:9:{number}"
RULES = """
[[rank]]
name = "regular"
label = { ja = "レギュラー", en = "Regular" }

[[rank]]
name = "gold"
from_spent = 300_000
label = { ja = "ゴールド", en = "Gold" }

[[good_customer]]
name = "vip"
when = "rank >= gold || visits >= 30 && average_purchase >= 8000"

[[treatment]]
name = "thirsty"
when = "ambient_temperature >= 30 && heart_rate >= 100"
message = "drink"

[[treatment]]
name = "unwell"
when = "speed < 0.3 && (systolic_mmhg < 90 || systolic_mmhg > 160)"
message = "rest_room"
"""
COUPONS = """
period_days = 30

[categories]
clothes = ["婦人服"]
tableware = ["食器"]

[[coupon]]
name = "womens-clothes-40s"
when = 'clothes_share >= 0.4 && clothes_days >= 2 && age >= 40 && age < 50'
title = { ja = "婦人服 1,000円引き", en = "1,000 yen off women's clothes" }
amount_minor = 1000

[[coupon]]
name = "tableware"
when = 'tableware_pieces >= 3 || tableware_share >= 0.5'
title = { ja = "食器プレゼント", en = "A free piece of tableware" }
kind = "product"
"""


def make_store(folder: Path, broker: BrokerPlace) -> Layout:
    """A fresh store with three entrances and three floors."""
    folder.mkdir(parents=True)
    credentials = Credentials(folder / "credentials.json")
    passwords = issue(credentials, principals(PLACES, (*CLERKS, LEFT), "demo"))
    layout = Layout(folder, broker, STORE, free_port(), "the-till-of-the-day-has-this-key", passwords)
    copy_shipped(folder, "messages.toml", "incentives.toml")
    write_private(folder / "rules.toml", RULES)
    write_private(folder / "coupons.toml", COUPONS)
    write_settings(folder / "hub.toml", _hub(layout), HubSettings)
    write_private(folder / "api-keys.toml", f'till = "{layout.api_key}"\n')
    for number, place in enumerate(PLACES):
        write_settings(folder / f"{place}.toml", _agent(layout, place, number), EdgeSettings)
    return layout


def write_customers(path: Path, script: Script, ids: Mapping[str, str], today: datetime) -> None:
    """What the store knew before: one line a customer, under the IDs that they have (`ids` by key)."""
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["customer", "name", "gender", "born", "language", "visits", "average_purchase", "main_clerk", "deputies",
                      "beacons", "rotating_beacons"])  # fmt: skip
        for person in script.people:
            out.writerow(_line(person, ids[person.key], today))


def _line(person: Person, customer: str, today: datetime) -> list[object]:
    return [customer, person.name, person.gender, f"{today.year - person.age}-01-01", person.language, person.visits, person.average_minor,
            person.main_clerk, " ".join(person.deputies), person.frame, rotating_key(person)]  # fmt: skip


def write_clerks(path: Path) -> None:
    """Who works here, and who does no more."""
    path.write_text(
        "\n".join(["clerk,name,groups,left_on", *(f"{clerk},,," for clerk in CLERKS), f"{LEFT},,,2020-01-01", ""])
    )


def rotating_key(person: Person) -> str:
    """Her rotating beacon as it is written down (`hub.eid.keys`): its counter shows the UNIX time; "" for none."""
    return f"{person.identity_key}/{ROTATION_EXPONENT}/1970-01-01T00:00:00Z" if person.identity_key else ""


def _hub(layout: Layout) -> dict[str, Any]:
    names = {"id": layout.store, "name": {"ja": "銀座店", "en": "Ginza"}, "time_zone": "Asia/Tokyo"}
    alerts = {"reoffer_s": 5, "expire_s": 3600, "left_grace_s": 3600, "fallback_clerks": [FALLBACK]}
    return hub_settings(names, layout.mqtt(Role.HUB, HUB), alerts=alerts, members={"registrations_per_minute": 10000},
                        http={"port": layout.hub_port, "api_keys_file": "api-keys.toml"})  # fmt: skip


def _agent(layout: Layout, place: str, number: int) -> dict[str, Any]:
    beacons = {"adapter": f"hci{number}", "heartbeat": HEARTBEAT.format(number=number + 1), "leave_after_s": 10}
    return agent_settings(layout.store, place, layout.mqtt(Role.AGENT, place), heartbeat_s=5, beacons=beacons)
