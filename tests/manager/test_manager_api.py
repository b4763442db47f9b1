"""What the manager's page asks for: only with a manager's key, and in the numbers of the tables (row C7)."""

from __future__ import annotations

import httpx
import pytest

from config.hub_settings import load_api_keys, load_hub, load_manager_keys
from config.load import SettingsError
from delivery.link import Address
from delivery.node import Node
from hub import web
from tests.hub.conftest import folder, store

__all__ = ["folder", "store"]

TILL, MANAGER = ({"Authorization": f"Bearer {key}"} for key in ("0123456789abcdef", "manager-0123456789"))


@pytest.fixture
async def client(store):
    node = Node(store.engine, Address("127.0.0.1", 1, "hub-main", "x"))
    app = web.build(
        store.hub, node, store.policy, {"0123456789abcdef": "pos-1"}, manager_keys={"manager-0123456789": "anna"}
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hub") as made:
        yield made


@pytest.fixture
def beacons():
    return [f"ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:{n}" for n in (1, 2, 3)]


@pytest.mark.parametrize("path", ["overview", "days", "visits", "visits/C0001"])
async def test_a_till_and_a_stranger_see_nothing(client, path):
    for headers in (TILL, {}, {"Authorization": "Bearer x"}):
        assert (await client.get(f"/manager/api/{path}", headers=headers)).status_code == 401
    sale = {"sale": "S-1", "amount_minor": 1, "currency": "JPY", "paid_on": "terminal"}
    assert (await client.post("/api/v1/sales", json=sale, headers=MANAGER)).status_code == 401


@pytest.mark.row("C7")
async def test_visits_of_the_day_with_what_was_decided(client, store, beacons):
    store.sight(beacons[0])
    store.later(seconds=1)
    store.sight(beacons[2])
    store.tick()
    found = (await client.get("/manager/api/visits", headers=MANAGER)).json()
    assert [visit["customer"] for visit in found] == ["C0003", "C0001"]
    assert found[1]["good"] is True
    assert found[1]["decided"].startswith("vip: yes, rank >= gold")
    assert [(alert["kind"], alert["state"]) for alert in found[1]["alerts"]] == [("service_request", "offered")]
    assert found[0]["decided"].startswith("no, nearest vip")
    assert found[0]["coupons"].startswith("no, ")
    found = (await client.get("/manager/api/visits", params={"search": "山田"}, headers=MANAGER)).json()
    assert [visit["customer"] for visit in found] == ["C0001"]
    assert (await client.get("/manager/api/visits", params={"search": "%"}, headers=MANAGER)).json() != []
    assert (await client.get("/manager/api/visits", params={"day": "2026-02-28"}, headers=MANAGER)).json() == []
    assert (await client.get("/manager/api/visits", params={"day": "x"}, headers=MANAGER)).status_code == 422
    assert (await client.get("/manager/api/days", headers=MANAGER)).json() == ["2026-03-01"]


@pytest.mark.row("C7")
async def test_why_by_visit_or_by_customer(client, store, beacons):
    store.sight(beacons[0])
    store.tick()
    by_customer = (await client.get("/manager/api/visits/C0001", headers=MANAGER)).json()
    by_visit = (await client.get(f"/manager/api/visits/{by_customer['visit']}", headers=MANAGER)).json()
    assert by_customer == by_visit
    assert any("good customer? vip: yes" in hop["summary"] for hop in by_visit["hops"])
    assert (await client.get("/manager/api/visits/nobody", headers=MANAGER)).status_code == 404


async def test_the_overview_counts_and_says_what_is_wrong(client, store, beacons):
    store.sight(beacons[0])
    store.sell(amount=3000)
    (store.folder / "rules.toml").write_text("[[rank]", encoding="utf-8")
    store.policy.check()
    found = (await client.get("/manager/api/overview", headers=MANAGER)).json()
    assert found["store"]["name"] == {"ja": "銀座店", "en": "Ginza"}
    assert (
        found["numbers"] | {"visits": 1, "good_customers": 1, "here_now": 1, "requests": 1, "sold_minor": 3000}
        == found["numbers"]
    )
    assert (found["calls"], found["incidents"], found["numbers"]["lane_calls"]) == ([], [], 0)
    assert "rules.toml" in found["trouble"]["rules"]
    assert found["trouble"]["database"] == ""


def test_managers_keys_stand_in_a_table_of_their_own(folder):
    (folder / "api-keys.toml").write_text('pos-1 = "0123456789abcdef"\n[managers]\nanna = "manager-0123456789"\n')
    settings = load_hub(folder / "hub.toml")
    assert load_api_keys(settings) == {"0123456789abcdef": "pos-1"}
    assert load_manager_keys(settings) == {"manager-0123456789": "anna"}
    (folder / "api-keys.toml").write_text('pos-1 = "0123456789abcdef"\n[managers]\nanna = "0123456789abcdef"\n')
    with pytest.raises(SettingsError, match="two names have the same key"):
        load_manager_keys(settings)
