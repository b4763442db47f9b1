"""A terminal's WebSocket: what the hub says, what a terminal may say, and what never touches a disk (rows A8, A11, C11)."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest
import structlog
import websockets

from contract import topics
from contract.envelope import Message, decode, encode, source_of
from contract.messages import BY_NAME
from contract.payloads import (
    Bilingual,
    MemberCoupon,
    Payload,
    Readings,
    SensingAnswer,
    SensingRequest,
    TerminalPresence,
)
from delivery.engine import Tx
from tests.hub.conftest import Store
from tests.members.conftest import Phone

CANARY = 77.3125


def request_of(customer: str) -> SensingRequest:
    return SensingRequest(request="r1", customer=customer, readings=["heart_rate"], deadline="2026-03-01T01:01:00Z")


def coupon_of(customer: str) -> MemberCoupon:
    return MemberCoupon(coupon="k1", customer=customer, title=Bilingual(ja="食器 500円引き", en="500 yen off tableware"), code="K7QX",
                        kind="discount", amount_minor=500, valid_from="2026-03-01T00:00:00Z", valid_until="2026-04-01T00:00:00Z")  # fmt: skip


def frame(name: str, data: Payload, customer: str, topic: str = "") -> str:
    channel, ids = BY_NAME[name], {"customer": customer}
    body = encode(Message(channel, ids, data, "m1", source_of(channel, ids)))
    return json.dumps({"topic": topic or topics.topic(channel, "ginza", **ids), "message": json.loads(body)})


async def heard(socket: Any) -> Message:
    async with asyncio.timeout(30):
        found = json.loads(await socket.recv())
    return decode(found["topic"], json.dumps(found["message"]).encode())


async def refused(socket: Any) -> str:
    async with asyncio.timeout(30):
        found: str = json.loads(await socket.recv())["refused"]
        return found


async def closed(socket: Any) -> int:
    async with asyncio.timeout(30):
        with suppress(websockets.ConnectionClosed):
            while True:
                await socket.recv()
    assert socket.close_code is not None
    return int(socket.close_code)


def say(store: Store, name: str, data: Payload, customer: str) -> None:
    with store.engine.transaction() as tx:
        tx.send(name, data, customer=customer)


@pytest.fixture
def taken(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    found: list[Message] = []
    handle = store.engine.handle

    def both(message: Message, tx: Tx) -> None:
        found.append(message)
        handle(message, tx)

    monkeypatch.setattr(store.engine, "handle", both)
    return found


@pytest.mark.row("A11")
async def test_on_connection_the_hub_says_what_is_open(phone: Phone, store: Store) -> None:
    customer = await phone.register()
    store.hub.on_terminal.append(lambda who, tx: tx.send("member_coupon", coupon_of(who), customer=who) and None)
    async with phone.socket() as socket:
        message = await heard(socket)
        assert (message.channel.name, message.data) == ("member_coupon", coupon_of(customer))
        assert store.hub.terminals.is_there(customer)
        assert len(store.hub.terminals) == 1
    for _ in range(100):
        if not store.hub.terminals.is_there(customer):
            break
        await asyncio.sleep(0.01)
    assert len(store.hub.terminals) == 0


@pytest.mark.row("A8")
async def test_all_terminals_of_the_customer_hear_and_no_others(phone: Phone, stranger: Phone, store: Store) -> None:
    mine, other = await phone.register(), await stranger.register(email="x@example.com", phone="")
    async with phone.socket() as one, phone.socket() as two, stranger.socket() as third:
        say(store, "sensing_request", request_of(mine), mine)
        say(store, "sensing_request", request_of(other), other)
        assert [(await heard(each)).data.customer for each in (one, two, third)] == [mine, mine, other]
        assert store.engine.poll() == []
    say(store, "sensing_request", request_of(mine), mine)
    assert store.hub.counters["terminals_not_there"] >= 1


@pytest.mark.row("A8", "A13")
async def test_what_a_terminal_says_reaches_the_hub(phone: Phone, taken: list[Message]) -> None:
    customer = await phone.register()
    answer = SensingAnswer(request="r1", customer=customer, readings=Readings(heart_rate_per_min=88.0))
    presence = TerminalPresence(customer=customer, event="arrived", at="2026-03-01T01:00:00Z")
    async with phone.socket() as socket:
        await socket.send(frame("sensing_answer", answer, customer))
        await socket.send(frame("terminal_presence", presence, customer))
        for _ in range(200):
            if len(taken) == 2:
                break
            await asyncio.sleep(0.01)
    assert [message.data for message in taken] == [answer, presence]


@pytest.mark.row("A8", "C11")
async def test_a_terminal_speaks_only_for_itself_and_only_in_the_contract(
    phone: Phone, store: Store, taken: list[Message]
) -> None:
    customer = await phone.register()
    own = SensingAnswer(request="r1", customer=customer, readings=Readings(heart_rate_per_min=CANARY))
    others = own.model_copy(update={"customer": "C0001"})
    bent = json.loads(frame("sensing_answer", own, customer))
    bent["message"]["data"]["readings"] = {"heart_rate_per_min": str(CANARY), "air_pressure_hpa": CANARY}
    cases = [
        (frame("sensing_answer", others, "C0001"), "not_mine"),
        (frame("sensing_answer", others, customer), "not_mine"),
        (frame("sensing_request", request_of(customer), customer), "wrong_source"),
        (frame("sensing_answer", own, customer, topic=f"instore/ginza/customer/{customer}/{CANARY}"), "unknown_topic"),
        (json.dumps(bent), "schema"),
        (f"{CANARY}", "frame"), ("", "frame"), ("[" * 2000, "frame"), ('{"topic": 1, "message": {}}', "frame"),
        ('{"topic": "x"}', "frame"), (b"\x00\x01", "frame"),
    ]  # fmt: skip
    with structlog.testing.capture_logs() as logs:
        async with phone.socket() as socket:
            for sent, _ in cases:
                await socket.send(sent)
            reasons = [await refused(socket) for _ in cases]
    assert reasons[0:2] + reasons[3:] == [reason for _, reason in cases[0:2] + cases[3:]]
    assert reasons[2] in ("wrong_source", "not_mine")
    assert taken == []
    disk = b"".join(path.read_bytes() for path in store.folder.glob("hub.sqlite*"))
    assert b"77.3125" not in disk + str(logs).encode()


@pytest.mark.row("C11")
async def test_readings_are_nowhere_but_in_memory(
    phone: Phone, store: Store, taken: list[Message], caplog: Any
) -> None:
    customer = await phone.register()
    caplog.set_level("DEBUG")
    answer = SensingAnswer(
        request="r1", customer=customer, readings=Readings(heart_rate_per_min=CANARY, body_temperature_c=36.6640625)
    )
    with structlog.testing.capture_logs() as logs:
        async with phone.socket() as socket:
            await socket.send(frame("sensing_answer", answer, customer))
            for _ in range(200):
                if taken:
                    break
                await asyncio.sleep(0.01)
    assert taken[0].data == answer
    server = "".join(
        record.getMessage() for record in caplog.records if not record.name.startswith("websockets.client")
    )
    disk = b"".join(path.read_bytes() for path in store.folder.iterdir())
    for canary in (b"77.3125", b"36.6640625"):
        assert canary not in disk
        assert canary not in str(logs).encode() + server.encode()
    assert not [p for p in store.engine.poll() if "customer" in p.topic]


async def test_who_is_not_signed_in_or_comes_from_elsewhere_gets_no_connection(phone: Phone, stranger: Phone) -> None:
    await phone.register()
    for attempt in (
        stranger.socket(),
        phone.socket(Origin="http://evil.example"),
        phone.socket(Cookie="instore_member=x"),
    ):
        with pytest.raises(websockets.InvalidStatus) as error:
            async with attempt:
                pass
        assert error.value.response.status_code == 403


async def test_a_session_that_ends_ends_the_connection(phone: Phone, store: Store) -> None:
    customer = await phone.register()
    async with phone.socket() as socket:
        await phone.post("/sign-out")
        assert await closed(socket) == 4401
    await phone.register(email="y@example.com", phone="")
    async with phone.socket() as socket:
        store.journal.db.execute("DELETE FROM customer")  # as by another program
        say(store, "sensing_request", request_of(customer), customer)
        await socket.send("x")
        assert await closed(socket) == 4401


async def test_too_fast_too_large_too_many(phone: Phone, store: Store) -> None:
    await phone.register()
    async with phone.socket() as socket:
        for _ in range(40):
            await socket.send("x")
        assert await closed(socket) == 4429
    async with phone.socket() as socket:
        await socket.send("x" * 80_000)
        assert await closed(socket) == 1009
    sockets = [await phone.socket() for _ in range(6)]
    assert await closed(sockets[0]) == 1013
    for socket in sockets[1:]:
        await socket.close()
    assert store.hub.counters["terminals_too_fast"] == 1


async def test_a_terminal_that_reads_nothing_is_let_go(phone: Phone, store: Store) -> None:
    from hub.members.gateway import WAITING_MAX

    customer = await phone.register()
    async with phone.socket() as socket:
        for _ in range(WAITING_MAX * 2):  # in one turn of the loop: nobody can write meanwhile
            say(store, "sensing_request", request_of(customer), customer)
        assert await closed(socket) == 1013
