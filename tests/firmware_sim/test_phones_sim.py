"""Simulated members' terminals against the hub's real web server (rows A2, A8, A11, C11)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from contract.envelope import Message
from contract.payloads import SensingRequest
from delivery.engine import Tx
from firmware_sim.control import ControlClient, ControlError
from firmware_sim.phones import run_phones
from tests.hub.conftest import Store, folder, store
from tests.members.conftest import serving
from tests.members.test_gateway import coupon_of

__all__ = ["folder", "store"]

FORM = {"name": "P1", "email": "p1@example.com", "language": "en"}
ALL = ["service", "sensing", "position", "coupons"]


@pytest.fixture
async def address(store: Store) -> AsyncIterator[str]:
    async with serving(store) as running:
        yield running


@pytest.fixture
async def phones(address: str, tmp_path: Path) -> AsyncIterator[ControlClient]:
    task = asyncio.create_task(run_phones(address, tmp_path / "phones.sock"))
    async with ControlClient(tmp_path / "phones.sock") as client:
        yield client
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def heard(store: Store) -> asyncio.Queue[Message]:
    """What terminals say to the hub."""
    found: asyncio.Queue[Message] = asyncio.Queue()
    handle = store.engine.handle

    def both(message: Message, tx: Tx) -> None:
        found.put_nowait(message)
        handle(message, tx)

    store.engine.handle = both
    return found


async def next_of(heard: asyncio.Queue[Message]) -> Any:
    async with asyncio.timeout(30):
        return (await heard.get()).data


def say(store: Store, name: str, data: Any, customer: str) -> None:
    with store.engine.transaction() as tx:
        tx.send(name, data, customer=customer)


def request_of(store: Store, customer: str, request: str = "r1") -> SensingRequest:
    readings = ["heart_rate", "ambient_temperature", "blood_pressure"]
    return SensingRequest.model_validate(
        {"request": request, "customer": customer, "readings": readings, "deadline": store.now + timedelta(seconds=5)}
    )


async def registered(phones: ControlClient, name: str = "p1", **more: Any) -> str:
    form = {**FORM, "email": f"{name}@example.com"}
    reply = await phones.call({"do": "register", "phone": name, "form": form, "consents": ALL, **more})
    assert "error" not in reply, reply
    assert reply["code"].startswith("MEMBER:")
    await phones.event("connected")
    customer: str = reply["customer"]
    return customer


@pytest.mark.row("A2", "A8")
async def test_scripted_readings_answer_what_was_asked(
    phones: ControlClient, store: Store, heard: asyncio.Queue[Message]
) -> None:
    customer = await registered(phones)
    readings = {"heart_rate_per_min": 120.0, "ambient_temperature_c": 34.5, "humidity_percent": 80.0,
                "blood_pressure": {"systolic_kpa": 18.0, "diastolic_kpa": 11.0}}  # fmt: skip
    await phones.call({"do": "readings", "phone": "p1", "readings": readings})
    say(store, "sensing_request", request_of(store, customer), customer)
    answer = await next_of(heard)
    assert answer.readings.model_dump(exclude_none=True) == {
        k: v for k, v in readings.items() if k != "humidity_percent"
    }
    told = await phones.event("answered")
    assert told["readings"] == ["ambient_temperature_c", "blood_pressure", "heart_rate_per_min"]
    assert "120" not in str({key: value for key, value in told.items() if key != "t"})


@pytest.mark.row("A8", "C11")
async def test_own_id_and_consent_only(phones: ControlClient, store: Store, heard: asyncio.Queue[Message]) -> None:
    customer = await registered(phones)
    await phones.call({"do": "readings", "phone": "p1", "readings": {"heart_rate_per_min": 120.0}})
    say(store, "sensing_request", request_of(store, "C0001", "r0"), customer)
    await phones.event("not_mine")
    await phones.call({"do": "consent", "phone": "p1", "purpose": "sensing", "given": False})
    say(store, "sensing_request", request_of(store, customer), customer)
    answer = await next_of(heard)
    assert (answer.request, answer.refused, answer.readings.model_dump(exclude_none=True)) == ("r1", "no_consent", {})
    await phones.call({"do": "consent", "phone": "p1", "purpose": "sensing", "given": True})
    await phones.call({"do": "readings", "phone": "p1", "readings": {}})
    say(store, "sensing_request", request_of(store, customer, "r2"), customer)
    assert (await next_of(heard)).refused == "no_sensors"


@pytest.mark.row("A8", "C11")
async def test_a_broken_sensor_is_refused_by_the_hub(
    phones: ControlClient, store: Store, heard: asyncio.Queue[Message]
) -> None:
    customer = await registered(phones)
    for bad in (999.0, "fast", -1, True):
        await phones.call({"do": "readings", "phone": "p1", "readings": {"heart_rate_per_min": bad}})
        say(store, "sensing_request", request_of(store, customer), customer)
        assert (await phones.event("refused"))["reason"] == "schema"
    assert heard.empty()
    assert store.engine.counters["quarantined_schema"] == 4


@pytest.mark.row("A11")
async def test_coupons_are_kept_while_off_and_told_again(
    phones: ControlClient, store: Store, heard: asyncio.Queue[Message]
) -> None:
    customer = await registered(phones)
    say(store, "member_coupon", coupon_of(customer), customer)
    assert (await next_of(heard)).revision == 1
    await phones.call({"do": "off", "phone": "p1"})
    say(store, "member_coupon", coupon_of(customer).model_copy(update={"revision": 2, "state": "redeemed"}), customer)
    kept = (await phones.call({"do": "coupons", "phone": "p1"}))["coupons"]
    assert [(each["coupon"], each["state"]) for each in kept] == [("k1", "offered")]
    newest = coupon_of(customer).model_copy(update={"revision": 2, "state": "redeemed"})
    store.hub.on_terminal.append(lambda who, tx: tx.send("member_coupon", newest, customer=who) and None)
    await phones.call({"do": "on", "phone": "p1"})
    assert (await next_of(heard)).revision == 2
    [state] = {each["state"] for each in (await phones.call({"do": "coupons", "phone": "p1"}))["coupons"]}
    assert state == "redeemed"


@pytest.mark.row("A13")
async def test_presence_only_with_consent(phones: ControlClient, heard: asyncio.Queue[Message]) -> None:
    customer = await registered(phones)
    assert await phones.call({"do": "presence", "phone": "p1", "event": "arrived"}) == {"ok": True}
    told = await next_of(heard)
    assert (told.customer, told.event) == (customer, "arrived")
    await phones.call({"do": "consent", "phone": "p1", "purpose": "position", "given": False})
    assert "no consent" in (await phones.call({"do": "presence", "phone": "p1", "event": "left"}))["error"]


async def test_a_session_that_is_there_many_phones_and_mistakes(phones: ControlClient, store: Store) -> None:
    from config.member_settings import load_consents
    from hub.members.desk import Desk

    desk = Desk(store.settings, load_consents(None), store.hub.counters)
    with store.engine.transaction() as tx:
        sessions = [desk.open_session(tx, "C0001") for _ in range(4)]
    for number, session in enumerate(sessions):
        reply = await phones.call({"do": "sign_in", "phone": f"p{number}", "session": session})
        assert reply["customer"] == "C0001"
        await phones.event("connected")
    state = await phones.call({"do": "state"})
    assert (state["phones"], state["connected"]) == (4, 4)
    for request, sentence in (
        ({"do": "sign_in", "phone": "x", "session": "nobody"}, "answered with 401"),
        ({"do": "register", "phone": "x", "form": {}}, "answered with 422"),
        ({"do": "readings", "phone": "nobody", "readings": {}}, "there is no phone"),
        ({"do": "readings", "phone": "p0", "readings": {"mood": 1}}, "readings are an object"),
        ({"do": "delay", "phone": "p0"}, "needs 'for_s'"),
        ({"do": "on", "phone": "x"}, "not signed in"),
        ({"do": "juggle"}, "unknown command"),
    ):
        assert sentence in (await phones.call(request))["error"]


async def test_who_breaks_the_rules_is_told_so(phones: ControlClient) -> None:
    await registered(phones)
    await phones.call({"do": "send", "phone": "p1", "frame": "nonsense"})
    assert (await phones.event("refused"))["reason"] == "frame"


async def test_first_commands_and_a_hub_that_is_away(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match=r"line 1 of the first commands: .*member/api/me"):
        await run_phones("http://127.0.0.1:1", tmp_path / "c", first=['{"do":"sign_in","phone":"p1","session":"x"}'])
    with pytest.raises(ValueError, match="no address of a hub"):
        await run_phones("here", tmp_path / "c")
