"""What was refused while somebody shopped stands in the trace of her visit, with its reason (row C7)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from hub.explain import as_dict, explain_from
from hub.shopping.signing import signed
from tests.hub.conftest import HANAKO, Store
from tests.members.conftest import serving
from tests.shopping.paying import Till

pytestmark = [pytest.mark.row("C7"), pytest.mark.row("B4"), pytest.mark.usefixtures("products")]
SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def provider(with_settings: Callable[[str], None]) -> None:
    with_settings('\n[shopping.payment]\nprovider = "simulated"\n')


def noted(store: Store, story: str) -> list[str]:
    return [row[0] for row in store.all("SELECT summary FROM trace WHERE visit = ? ORDER BY row", story)]


def visit_of(store: Store) -> str:
    (visit,) = store.one("SELECT visit FROM visit")
    assert isinstance(visit, str)
    return visit


async def call(
    store: Store, payment: str, fields: dict[str, Any], *, secret: str = SECRET, nonce: str = "a" * 16
) -> httpx.Response:
    async with serving(store, payment_secret=SECRET) as address, httpx.AsyncClient() as client:
        path, body = f"/api/v1/payments/{payment}", json.dumps(fields).encode()
        headers = signed(secret, "POST", path, body, now_s=int(store.now.timestamp()), nonce=nonce)
        return await client.post(address + path, content=body, headers=headers)


async def test_every_way_a_payment_call_is_wrong(store: Store) -> None:
    store.sight(HANAKO)
    till = Till(store)
    till.add(quantity=2)
    payment = till.pay().payment
    paid = {"outcome": "paid", "amount_minor": 300, "currency": "JPY"}
    for nonce, fields, secret, kind in (
        ("b" * 16, paid, "f" * 32, "bad_signature"),
        ("c" * 16, {**paid, "amount_minor": 299}, SECRET, "amount"),
        ("d" * 16, {**paid, "tenders": [{"method": "card", "amount_minor": 1}]}, SECRET, "tenders"),
        ("e" * 16, {"outcome": "maybe"}, SECRET, "malformed"),
    ):
        answer = await call(store, payment, fields, secret=secret, nonce=nonce)
        assert answer.json()["kind"] == kind
        assert any(f"refused, {kind}: " in line for line in noted(store, visit_of(store))), kind
    assert store.all("SELECT * FROM sale") == []
    assert (await call(store, payment, paid)).status_code == 200
    assert (await call(store, payment, paid)).json()["kind"] == "replayed"
    assert any("refused, replayed: " in line for line in noted(store, visit_of(store)))
    assert len(store.all("SELECT * FROM sale")) == 1


async def test_of_who_is_not_in_the_store_under_the_payment_and_of_strangers_nothing(store: Store) -> None:
    till = Till(store)
    till.add()
    payment = till.pay().payment
    till.cancel(payment)
    assert any("cancelled; the list is open again" in line for line in noted(store, payment))
    late = await call(store, payment, {"outcome": "paid", "amount_minor": 150, "currency": "JPY"})
    assert late.json()["kind"] == "late"
    assert any("refused, late: " in line for line in noted(store, payment))
    told = json.dumps(as_dict(explain_from(store.journal.db, payment)))
    assert "refused, late: " in told
    assert (await call(store, "PNOBODYS", {"outcome": "failed"}, nonce="b" * 16)).status_code == 404
    assert noted(store, "PNOBODYS") == []
