"""The other end of a handheld in tests: a real Mosquitto with the contract's access control, and a hub's voice on it."""

from __future__ import annotations

import asyncio
import socket
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho

from broker.credentials import Credentials
from broker.embedded import BrokerSettings, EmbeddedBroker
from broker.mosquitto import write_mosquitto_config
from broker.mosquitto_process import MosquittoProcess, start_mosquitto
from contract import topics
from contract.access import Principal
from contract.envelope import Message, decode, encode, source_of
from contract.messages import BY_NAME, Role
from contract.payloads import Alert, Bilingual, ClientState, CustomerCard, HubStatus, Payload

STORE = "ginza"
CLERKS = ("c01", "c02")


def alert(alert_id: str = "a1", **changes: Any) -> Alert:
    """An open service request of a customer who has waited 5 s."""
    fields: dict[str, Any] = {
        "alert": alert_id,
        "kind": "service_request",
        "state": "offered",
        "role": "main",
        "message": Bilingual(
            ja="大切なお客様、佐藤 花子様がご来店です。ご対応をお願いします。",
            en="Our valued customer Hanako Sato has arrived. Please attend.",
        ),
        "customer": CustomerCard(
            customer="m-1001", name="佐藤 花子", rank="ゴールド", visits=42, average_purchase_minor=18500, points=12480,
            note="紅茶がお好き。前回はワンピースをお直し。",
        ),
        "raised": datetime.now(UTC) - timedelta(seconds=5),
    }  # fmt: skip
    return Alert.model_validate(fields | changes)


def lane_alert(alert_id: str = "l1", **changes: Any) -> Alert:
    """A lane that calls: about no customer."""
    said = Bilingual(ja="出口 レーン1 に係員が必要です: お客様が呼んでいます",
                     en="A clerk is needed at Exit, lane 1: a customer has pressed the help button")  # fmt: skip
    about: dict[str, Any] = {"customer": None, "place": "出口 レーン1 / Exit, lane 1", "message": said}
    return alert(alert_id, kind="lane", role="group", **about, **changes)


def full_alert(alert_id: str = "a1", **changes: Any) -> Alert:
    """One with everything that an alert may carry."""
    card = {
        **alert().customer.model_dump(),
        "preferences": "紺色、シルク",
        "history": [{"day": "2026-03-01", "products": "ワンピース、スカーフ", "amount_minor": 38000},
                    {"day": "2026-02-11", "products": "ブラウス", "amount_minor": 12800}],
    }  # fmt: skip
    more = {
        "place": "2階 婦人服",
        "holder_name": "",
        "expires": datetime.now(UTC) + timedelta(minutes=15),
        "coupon": {"coupon": "H0123456789ABCDEF", "title": {"ja": "婦人服 1,000円引き", "en": "1,000 yen off"}},
    }
    return alert(alert_id, **{"customer": card, **more, **changes})


def encoded(data: Payload, name: str = "alert", message_id: str | None = None, **ids: str) -> tuple[str, bytes]:
    """Topic and bytes of a message of the hub."""
    channel = BY_NAME[name]
    message = Message(channel, ids, data, message_id or uuid.uuid4().hex, source_of(channel, ids), datetime.now(UTC))
    return topics.topic(channel, STORE, **ids), encode(message)


def free_ports(count: int) -> list[int]:
    """TCP ports of loopback that nobody uses at this moment."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


class Store:
    """A store's broker, which can be killed and started again on the same ports."""

    def __init__(self, directory: Path, clerks: tuple[str, ...] = CLERKS) -> None:
        self.directory = directory
        self.tcp_port, self.ws_port = free_ports(2)
        self.credentials = Credentials(directory / "credentials.json")
        people = [Principal(Role.HUB, "main"), *(Principal(Role.CLERK, clerk) for clerk in clerks)]
        self.passwords = {person.username: self.credentials.issue(person) for person in people}
        self._broker: MosquittoProcess | None = None

    def start(self) -> None:
        write_mosquitto_config(
            self.directory, STORE, self.credentials, tcp_port=self.tcp_port, ws_port=self.ws_port
        )  # fmt: skip
        self._broker = start_mosquitto(self.directory)

    def kill(self) -> None:
        if self._broker is not None:
            self._broker.kill()
        self._broker = None


class HubVoice:
    """Speaks as the hub, and hears what clerks say. Use it in `async with`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Condition()
        self.heard: list[Message] = []
        """Every message of a clerk, decoded by the contract: one that breaks it fails the test."""
        self.broken: list[str] = []

    async def __aenter__(self) -> HubVoice:
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="hub-main:test", protocol=paho.MQTTv311)
        self._client.username_pw_set("hub-main", self._store.passwords["hub-main"])
        self._client.on_message = self._on_message
        subscribed = asyncio.Event()
        self._client.on_connect = lambda c, *_: c.subscribe(
            [(topics.pattern(BY_NAME[name], STORE), 1) for name in ("alert_answer", "clerk_status")]
        )
        self._client.on_subscribe = lambda *_: self._loop.call_soon_threadsafe(subscribed.set)
        self._client.reconnect_delay_set(1, 1)
        await asyncio.to_thread(self._client.connect, "127.0.0.1", self._store.tcp_port)
        self._client.loop_start()
        await asyncio.wait_for(subscribed.wait(), 30)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)

    def _on_message(self, _client: object, _userdata: object, message: paho.MQTTMessage) -> None:
        self._loop.call_soon_threadsafe(
            lambda: self._loop.create_task(self._hear(message.topic, bytes(message.payload)))
        )

    async def _hear(self, topic: str, payload: bytes) -> None:
        async with self._news:
            try:
                self.heard.append(decode(topic, payload))
            except ValueError as error:
                self.broken.append(str(error))
            self._news.notify_all()

    def say(self, data: Payload, clerk: str = "c01", message_id: str | None = None) -> None:
        """Publishes an alert to one clerk."""
        self.say_raw(*encoded(data, "alert", message_id, clerk=clerk))

    def status(self, state: str) -> None:
        """Publishes the hub's own retained status."""
        topic, payload = encoded(HubStatus(state=ClientState(state)), "hub_status", hub="main")
        self._client.publish(topic, payload, qos=1, retain=True)

    def say_raw(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, qos=1)

    async def until(self, wanted: Callable[[Message], bool], timeout_s: float = 30.0) -> Message:
        """The first message heard that is wanted, now or within the time."""

        async def wait() -> Message:
            async with self._news:
                while True:
                    assert not self.broken, self.broken
                    for message in self.heard:
                        if wanted(message):
                            return message
                    await self._news.wait()

        return await asyncio.wait_for(wait(), timeout_s)

    async def until_answer(self, alert_id: str, answer: str, clerk: str = "c01") -> Message:
        return await self.until(
            lambda m: m.channel.name == "alert_answer" and m.ids["clerk"] == clerk
            and (m.data.alert, m.data.answer) == (alert_id, answer)  # type: ignore[attr-defined]
        )  # fmt: skip

    async def until_status(self, state: str, clerk: str = "c01") -> Message:
        return await self.until(
            lambda m: m.channel.name == "clerk_status" and m.ids["clerk"] == clerk and m.data.state == state  # type: ignore[attr-defined]
        )

    def forget(self) -> None:
        """Drops what was heard so far, to wait for something new."""
        self.heard.clear()


@asynccontextmanager
async def embedded_store(directory: Path) -> AsyncIterator[Store]:
    """The same store on the embedded broker (amqtt), for as long as the block runs. It can't be killed."""
    store = Store(directory)
    settings = BrokerSettings(STORE, store.credentials.path, tcp_port=0, ws_port=0)
    async with EmbeddedBroker(settings) as broker:
        store.tcp_port, store.ws_port = broker.tcp_port, broker.ws_port
        yield store
