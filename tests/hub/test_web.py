"""The hub's HTTP side: what the POS posts, what it is told, and every mistake as a sentence (rows A3, B1)."""

from __future__ import annotations

import json
import sqlite3

import httpx
import pytest

from delivery.link import Address
from delivery.node import Node
from hub import web

KEY = "0123456789abcdef"
BEARER = {"Authorization": f"Bearer {KEY}"}
SALE = {"sale": "S-1", "customer": "C0001", "amount_minor": 3000, "currency": "JPY", "paid_on": "terminal"}


@pytest.fixture
def node(store):
    return Node(store.engine, Address("127.0.0.1", 1, "hub-main", "x"))


@pytest.fixture
async def client(store, node):
    app = web.build(store.hub, node, store.policy, {KEY: "pos-1"})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hub") as made:
        yield made


@pytest.mark.row("A3")
async def test_a_sale_is_posted_and_posted_again(client, store):
    first = await client.post("/api/v1/sales", json=SALE, headers=BEARER)
    again = await client.post("/api/v1/sales", json=SALE, headers=BEARER)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["exit_code"] == again.json()["exit_code"]
    assert store.one("SELECT posted_by FROM sale") == ("pos-1",)
    assert store.scan(first.json()["exit_code"])[0].data.outcome == "open"


@pytest.mark.parametrize(
    ("change", "headers", "status", "sentence"),
    [
        ({}, {}, 401, "no valid API key; send one of http.api_keys_file"),
        ({}, {"Authorization": "Bearer wrong"}, 401, "no valid API key"),
        ({}, {"Authorization": f"Basic {KEY}"}, 401, "no valid API key"),
        ({"amount_minor": -1}, BEARER, 422, "amount_minor: Input should be greater than or equal to 0"),
        ({"amout": 1}, BEARER, 422, "amout: Extra inputs are not permitted"),
        ({"sale": "a/b"}, BEARER, 422, "sale: String should match"),
        ({"paid_on": "cash"}, BEARER, 422, "paid_on: Input should be 'terminal' or 'settlement'"),
        ({"currency": "EUR"}, BEARER, 422, "currency is EUR, this store's is JPY"),
        ({"sold": "2026-03-01T10:00:00"}, BEARER, 422, "sold: Input should have timezone info"),
        ({"lines": [{"product": "p", "amount_minor": 1}]}, BEARER, 422, "lines add up to 1, amount_minor is 3000"),
    ],
)
async def test_mistakes_of_a_pos(client, store, change, headers, status, sentence):
    answer = await client.post("/api/v1/sales", json={**SALE, **change}, headers=headers)
    assert answer.status_code == status
    assert sentence in answer.json()["error"]
    assert store.one("SELECT count(*) FROM sale") == (0,)


async def test_no_json_and_too_much(client):
    answer = await client.post("/api/v1/sales", content=b"{", headers={**BEARER, "Content-Type": "application/json"})
    assert answer.status_code == 422
    assert "JSON decode error" in answer.json()["error"]
    answer = await client.post("/api/v1/sales", content=b"x" * (web.BODY_MAX_BYTES + 1), headers=BEARER)
    assert answer.status_code == 413
    assert "larger than" in answer.json()["error"]


async def test_a_full_disk_asks_the_pos_to_try_again(client, store, monkeypatch):
    def full(*_args, **_more):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("hub.database.sales.add", full)
    answer = await client.post("/api/v1/sales", json=SALE, headers=BEARER)
    assert answer.status_code == 503
    assert "nothing was taken, try again" in answer.json()["error"]
    monkeypatch.undo()
    assert (await client.post("/api/v1/sales", json=SALE, headers=BEARER)).status_code == 201


@pytest.mark.row("C7")
async def test_the_trace_of_the_last_visit(client, store, beacons):
    assert (await client.get("/api/v1/trace/last")).status_code == 401
    answer = await client.get("/api/v1/trace/last", headers=BEARER)
    assert (answer.status_code, answer.json()) == (404, {"error": "no visit was traced yet"})
    store.sight(beacons[0])
    found = (await client.get("/api/v1/trace/last", headers=BEARER)).json()
    assert found["visit"] == "2026-03-01.C0001"
    assert [hop["type"] for hop in found["hops"]][:2] == ["instore.sighting.v1", "instore.visit.opened.v1"]


async def test_health_and_metrics(client, store, node, beacons):
    store.sight(beacons[0])
    health = await client.get("/healthz")
    assert (health.status_code, health.json()["database"], health.json()["broker"]) == (200, "ok", "not connected yet")
    node.disk_trouble = "disk I/O error"
    assert (await client.get("/healthz")).status_code == 503
    text = (await client.get("/metrics")).text
    assert 'instore_hub_events_total{what="visits"} 1.0' in text
    assert 'instore_hub_delivery_total{what="received"} 1.0' in text
    assert "instore_hub_database_ok 0.0" in text


async def test_what_a_handheld_must_know(client):
    assert (await client.get("/handheld/config.json")).json() == {"store": "ginza", "ws_url": "ws://127.0.0.1:9001"}
    answer = await client.get("/nowhere")
    assert (answer.status_code, json.loads(answer.text)) == (404, {"error": "Not Found"})
