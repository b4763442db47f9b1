"""From the registration form to the drink: a member's visit over the real web server, with a simulated phone (rows A2, A4, A8, A9, C11)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from contract.payloads import Sighting
from firmware_sim.phones import PhonesSim
from hub.importing import import_file
from hub.offers.redeeming import RedeemPost
from tests.hub.conftest import Store, folder
from tests.members.conftest import serving

__all__ = ["folder"]

CANARIES = {"heart_rate_per_min": 133.4375, "ambient_temperature_c": 36.5703125, "humidity_percent": 81.15625}
FORM = {"name": "高橋 葵", "email": "aoi@example.com", "language": "ja"}


class Visit:
    """The hub, one phone, and all that any of them said."""

    def __init__(self, store: Store, phones: PhonesSim, events: list[dict[str, Any]]) -> None:
        self.store, self.phones, self.events = store, phones, events

    async def until(self, event: str) -> dict[str, Any]:
        async with asyncio.timeout(30):
            while True:
                for found in self.events:
                    if found["event"] == event:
                        self.events.remove(found)
                        return found
                await asyncio.sleep(0.01)

    async def member(self, *consents: str) -> str:
        reply = await self.phones.command({"do": "register", "phone": "p", "form": FORM, "consents": list(consents)})
        await self.until("connected")
        self.store.journal.db.execute("UPDATE customer SET rank = 'gold', rank_imported = 'gold', rank_imported_on = '2026-03-01', "
                                      "main_clerk = 'c01' WHERE customer = ?", (reply["customer"],))  # fmt: skip
        self.token = reply["code"].removeprefix("MEMBER:")
        return str(reply["customer"])

    def at_the_reader(self) -> None:
        data = Sighting(beacon=f"member:{self.token}", event="arrived", detector="member_code", heard=self.store.now)
        self.store.hear(self.store.bytes_of("sighting", data, agent="door-1"))

    async def seconds(self, count: int) -> None:
        """Time goes by, and what is said on the wire arrives."""
        for _ in range(count):
            self.store.later(seconds=1)
            self.store.tick()
            await asyncio.sleep(0.02)
        self.store.listen()


@pytest.fixture
async def visit(folder: Path) -> AsyncIterator[Visit]:
    store = Store(folder)
    import_file(store.journal.db, folder / "customers.csv", store.settings)
    events: list[dict[str, Any]] = []
    async with serving(store) as address:
        phones = PhonesSim(address, events.append)
        yield Visit(store, phones, events)
        await phones.close()
    store.stop()


@pytest.mark.row("A2", "A4", "A7", "A8", "A9", "A10", "C11")
async def test_she_registers_shows_her_code_at_the_door_and_is_brought_a_drink(visit: Visit) -> None:
    with structlog.testing.capture_logs() as logs:
        customer = await visit.member("service", "sensing")
        await visit.phones.command({"do": "readings", "phone": "p", "readings": CANARIES})
        visit.at_the_reader()
        await visit.seconds(20)
        await visit.until("answered")
        await visit.seconds(2)
    store = visit.store
    assert [(message.data.customer, message.data.good) for message in store.of("visit_opened")] == [(customer, True)]
    kinds = {message.data.kind: message.ids["clerk"] for message in store.of("alert")}
    assert kinds == {"service_request": "c01", "special_treatment": "c01"}
    [drink] = [message.data for message in store.of("alert") if message.data.kind == "special_treatment"][-1:]
    assert "飲み物" in drink.message.ja
    held = store.one("SELECT consent FROM consent WHERE customer = ? AND purpose = 'sensing'", customer)[0]
    assert [message.data.consent for message in store.of("treatment_decided")] == [held]
    # The readings were in memory; they are in no file, no topic, no log, and nothing that a tester hears.
    disk = b"".join(path.read_bytes() for path in store.folder.iterdir())
    said = json.dumps([message.data.model_dump(mode="json") for message in store.said])
    for canary in CANARIES.values():
        for where in (disk, said.encode(), str(logs).encode(), str(visit.events).encode()):
            assert str(canary).encode() not in where
    assert {message.channel.name for message in store.said if "customer" in message.ids} == {"sensing_request"}


@pytest.mark.row("A8", "C11")
async def test_who_has_not_agreed_is_not_asked(visit: Visit) -> None:
    await visit.member("service")
    visit.at_the_reader()
    await visit.seconds(20)
    assert {message.data.kind for message in visit.store.of("alert")} == {"service_request"}
    assert visit.store.of("sensing_request") == []
    assert visit.store.of("treatment_decided") == []


@pytest.mark.row("A13", "C11")
async def test_her_phone_says_that_she_is_here_with_consent(visit: Visit) -> None:
    customer = await visit.member("service", "position")
    await visit.phones.command({"do": "presence", "phone": "p", "event": "arrived"})
    await visit.seconds(3)
    assert [message.data.customer for message in visit.store.of("visit_opened")] == [customer]


LINES = [{"product": "4901", "name": "茶碗", "category": "tableware", "quantity": 2, "amount_minor": 3000}]


@pytest.mark.row("A2", "A11")
async def test_a_coupon_from_what_she_bought_is_on_her_phone_and_is_used(visit: Visit) -> None:
    customer = await visit.member("service", "coupons")
    visit.store.sell(customer=customer, lines=LINES)
    visit.at_the_reader()
    await visit.seconds(2)
    told = await visit.until("coupon")
    assert told["state"] == "offered"
    [kept] = (await visit.phones.command({"do": "coupons", "phone": "p"}))["coupons"]
    assert (kept["customer"], kept["code"]) == (customer, told["code"])
    assert visit.store.one("SELECT kept FROM coupon WHERE coupon = ?", told["coupon"]) == (told["revision"],)
    await visit.phones.command({"do": "off", "phone": "p"})
    with visit.store.engine.transaction() as tx:
        post = RedeemPost.model_validate({"sale": "S-2", "customer": customer})
        assert visit.store.hub.redeeming.redeem(tx, told["code"], post, "pos-1").usable
    await visit.phones.command({"do": "on", "phone": "p"})
    assert (await visit.until("coupon"))["state"] == "redeemed"
