"""What a POS does wrong, takes back, asks for, and reads in the OpenAPI document (rows A3, B1)."""

from __future__ import annotations

import json
import sqlite3
from datetime import timedelta

import httpx
import jsonschema
import pytest

from delivery.link import Address
from delivery.node import Node
from hub import web

KEY = "0123456789abcdef"
BEARER = {"Authorization": f"Bearer {KEY}"}
SALE = {"sale": "S-1", "customer": "C0003", "amount_minor": 3000, "currency": "JPY", "paid_on": "terminal"}


@pytest.fixture
async def client(store):
    app = web.build(
        store.hub, Node(store.engine, Address("127.0.0.1", 1, "hub-main", "x")), store.policy, {KEY: "pos-1"}
    )
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://hub",
        headers=BEARER,
        event_hooks={"response": [documented]},
    ) as made:
        if documented.document is None:  # the same for all of them, and making it takes longer than most
            documented.document = (await made.get("/openapi.json")).json()
        yield made


async def documented(response: httpx.Response) -> None:
    """Every answer of these tests has the status and the shape that the document promises."""
    path, method = response.request.url.path, response.request.method.lower()
    if not path.startswith("/api/v1/"):
        return
    await response.aread()
    paths = documented.document["paths"]
    template = next(each for each in paths if fits(each, path))
    answer = paths[template][method]["responses"][str(response.status_code)]
    schema = answer["content"]["application/json"]["schema"]
    jsonschema.validate(response.json(), {**schema, "components": documented.document["components"]})
    assert paths[template][method]["security"] == [{"api-key": []}]


documented.document = None


def fits(template: str, path: str) -> bool:
    pairs = list(zip(template.split("/"), path.split("/"), strict=False))
    return template.count("/") == path.count("/") and all(a == b or a.startswith("{") for a, b in pairs)


async def post(client, **change):
    return await client.post("/api/v1/sales", json={**SALE, **change})


def record(store, customer="C0003"):
    return store.one(
        "SELECT visits, spent_minor, points, rank, terminal_payments FROM customer WHERE customer = ?", customer
    )


# --- bad input


@pytest.mark.row("A3")
@pytest.mark.parametrize(
    ("change", "status", "field", "kind"),
    [
        ({"amount_minor": -1}, 422, "amount_minor", "invalid"),
        ({"amount_minor": 10**13}, 422, "amount_minor", "invalid"),
        ({"amount_minor": "many"}, 422, "amount_minor", "invalid"),
        ({"customer": "a/b"}, 422, "customer", "invalid"),
        ({"currency": "EUR"}, 422, "currency", "currency"),
        ({"currency": "yen"}, 422, "currency", "invalid"),
        ({"lines": [{"product": "p", "amount_minor": 1}]}, 422, "lines", "lines"),
        ({"lines": [{"product": "p", "amount_minor": -3000}]}, 422, "lines.0.amount_minor", "invalid"),
        ({"lines": [{"product": "p", "quantity": 0, "amount_minor": 3000}]}, 422, "lines.0.quantity", "invalid"),
        ({"tenders": [{"method": "cash", "amount_minor": 1}]}, 422, "tenders", "tenders"),
        ({"sold": "2026-03-01T10:00:00"}, 422, "sold", "invalid"),
        ({"sold": "1970-01-01T00:00:00Z"}, 422, "sold", "clock"),
    ],
)
async def test_what_is_refused_is_said_counted_and_kept(client, store, change, status, field, kind):
    answer = await post(client, **change)
    assert (answer.status_code, answer.json()["field"]) == (status, field)
    assert store.counters[f"sales_refused_{kind}"] == 1
    assert store.one("SELECT count(*) FROM sale") == (0,)
    topic, reason, payload = store.one("SELECT topic, reason, payload FROM quarantine")
    assert (topic, reason) == ("POST /api/v1/sales", kind)
    assert json.loads(payload)["sale"] == "S-1"


async def test_strangers_leave_nothing(client, store):
    for headers in ({"Authorization": "Bearer x"}, {"Authorization": ""}):
        assert (await client.post("/api/v1/sales", json={"sale": 1}, headers=headers)).status_code == 401
        answer = await client.post(
            "/api/v1/sales", content=b"{", headers={**headers, "Content-Type": "application/json"}
        )
        assert answer.status_code in (401, 422)
    assert store.one("SELECT count(*) FROM quarantine") == (0,)


@pytest.mark.row("A3")
async def test_the_same_id_with_another_content(client, store):
    await post(client)
    answer = await post(client, amount_minor=4000)
    assert (answer.status_code, answer.json()["field"]) == (409, "sale")
    assert "posted before with another content" in answer.json()["error"]
    assert store.counters["sales_refused_contradicting"] == 1
    assert record(store) == (4, 9300, 93, "regular", 1)


@pytest.mark.row("A3")
async def test_an_unknown_customer_is_said_and_credited_when_she_is_entered(client, store):
    answer = await post(client, customer="C9999")
    assert answer.status_code == 201
    assert not answer.json()["customer_known"]
    assert answer.json()["problems"][0]["field"] == "customer"
    assert answer.json()["exit_code"]
    assert store.counters["sales_unknown_customer"] == 1
    again = await post(client, customer="C9999")
    assert (again.status_code, again.json()["problems"]) == (200, answer.json()["problems"])
    store.journal.db.execute("INSERT INTO customer (customer) VALUES ('C9999')")
    for _ in range(2):
        known = await post(client, customer="C9999")
        assert (known.status_code, known.json()["customer_known"], known.json()["problems"]) == (200, True, [])
    assert record(store, "C9999") == (1, 3000, 30, "regular", 1)


@pytest.mark.row("A3")
async def test_a_clock_that_is_ahead_does_not_lock_the_customer_in(client, store):
    answer = await post(client, sold=(store.now + timedelta(hours=2)).isoformat())
    assert answer.status_code == 201
    assert answer.json()["problems"] == [
        {"field": "sold", "problem": "lies 2:00:00 ahead of the hub's clock; the hub's time was taken"}
    ]
    assert store.counters["sales_clock_ahead"] == 1
    assert store.one("SELECT day FROM sale") == ("2026-03-01",)


@pytest.mark.row("A3")
async def test_a_pos_that_was_alone_for_weeks_tells_when_it_sold(client, store):
    await post(client, sold=(store.now - timedelta(days=40)).isoformat())
    assert store.one("SELECT day FROM sale") == ("2026-01-20",)


async def test_a_full_disk_is_no_refusal(client, store, monkeypatch):
    def full(*_args, **_more):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("hub.database.sales.add", full)
    assert (await post(client)).status_code == 503


# --- voids


@pytest.mark.row("A3")
async def test_a_void_takes_back_what_the_sale_brought_once(client, store):
    before = record(store)
    await post(client, amount_minor=300_000)
    assert record(store)[3] == "gold"
    first = await client.post("/api/v1/sales/S-1/void", json={"void": "V-1"})
    again = await client.post("/api/v1/sales/S-1/void", json={"void": "V-1"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert (first.json()["created"], again.json()["created"]) == (True, False)
    assert record(store) == before
    assert (await client.get("/api/v1/sales/S-1")).json()["void"] == "V-1"


@pytest.mark.row("A3")
async def test_a_day_with_another_purchase_stays_a_visit(client, store):
    await post(client)
    await post(client, sale="S-2")
    await client.post("/api/v1/sales/S-1/void", json={"void": "V-1"})
    assert record(store) == (4, 9300, 93, "regular", 1)
    await client.post("/api/v1/sales/S-2/void", json={"void": "V-2"})
    assert record(store) == (3, 6300, 63, "regular", 0)


async def test_voids_that_cannot_be(client, store):
    assert (await client.post("/api/v1/sales/S-9/void", json={"void": "V-1"})).status_code == 404
    await post(client)
    await post(client, sale="S-2")
    assert (await client.post("/api/v1/sales/S-1/void", json={})).status_code == 422
    await client.post("/api/v1/sales/S-1/void", json={"void": "V-1"})
    for sale, void in (("S-1", "V-2"), ("S-2", "V-1")):
        answer = await client.post(f"/api/v1/sales/{sale}/void", json={"void": void})
        assert answer.status_code == 409
    answer = await post(client)
    assert (answer.status_code, answer.json()["error"]) == (409, "sale S-1 was voided by V-1")
    assert store.counters["sales_refused_voided"] == 2


async def test_points_that_are_spent_are_said(client, store):
    await post(client)
    store.journal.db.execute("UPDATE customer SET points = 10 WHERE customer = 'C0003'")
    answer = await client.post("/api/v1/sales/S-1/void", json={"void": "V-1"})
    assert answer.json()["problems"][0]["problem"].startswith("20 of its 30 points are spent")
    assert record(store)[2] == 0


async def test_a_voided_sale_opens_no_gate(client, store):
    code = (await post(client)).json()["exit_code"]
    await client.post("/api/v1/sales/S-1/void", json={"void": "V-1"})
    assert store.scan(code)[0].data.outcome == "refuse"


async def test_a_coupon_in_her_hand_stays_and_is_said(client, store):
    code = (await post(client)).json()["exit_code"]
    store.scan(code)
    store.passage()
    answer = await client.post("/api/v1/sales/S-1/void", json={"void": "V-1"})
    assert "was given at the exit and stays so" in answer.json()["problems"][0]["problem"]


@pytest.mark.row("C7")
async def test_a_void_stands_in_the_trace(client, store, beacons):
    store.sight(beacons[2])
    await post(client)
    await client.post("/api/v1/sales/S-1/void", json={"void": "V-1"})
    hops = store.all("SELECT id, cause, type, summary FROM trace WHERE type IN ('sale', 'void')")
    assert hops[1] == ("void-V-1", "sale-S-1", "void", "V-1: S-1 was voided")


# --- to look at


@pytest.mark.row("B1")
async def test_a_sale_is_read_back(client, store):
    lines = [{"product": "4901", "name": "Cup", "category": "tableware", "quantity": 3, "amount_minor": 3000}]
    tenders = [
        {"method": "cash", "amount_minor": 1000, "paid_on": "settlement"},
        {"method": "card", "amount_minor": 2000, "paid_on": "settlement"},
    ]
    await post(client, lines=lines, tenders=tenders, device="till-2")
    read = (await client.get("/api/v1/sales/S-1")).json()
    taken = [tender | {"device": "till-2"} for tender in tenders]  # what names no device was taken on the sale's
    assert (read["lines"], read["tenders"], read["device"]) == (lines, taken, "till-2")
    assert (read["customer"], read["points"], read["void"]) == ("C0003", 30, None)
    assert (await client.get("/api/v1/sales/S-9")).status_code == 404


@pytest.mark.row("A3")
async def test_a_till_sees_rank_and_points_and_not_who_she_is(client, store):
    answer = await client.get("/api/v1/customers/C0001")
    assert answer.json() == {
        "customer": "C0001", "rank": "gold", "rank_label_ja": "ゴールド", "rank_label_en": "Gold",
        "points": 5952, "visits": 48, "average_purchase_minor": 12400,
    }  # fmt: skip
    assert (await client.get("/api/v1/customers/C9999")).status_code == 404
    assert (await client.get("/api/v1/customers/C0001", headers={"Authorization": ""})).status_code == 401


@pytest.mark.row("A3")
async def test_the_document_names_every_answer(client):
    sales = documented.document["paths"]["/api/v1/sales"]["post"]
    assert set(sales["responses"]) == {"200", "201", "401", "409", "413", "422", "503"}
    assert documented.document["components"]["securitySchemes"]["api-key"]["scheme"] == "bearer"
