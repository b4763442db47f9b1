"""A running broker of either kind, with a user for each role and a view that no access control limits."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from broker.credentials import Credentials, StoredPassword
from broker.embedded import BrokerSettings, EmbeddedBroker
from broker.mosquitto import DYNAMIC_SECURITY, write_mosquitto_config
from broker.mosquitto_process import MosquittoProcess, start_mosquitto
from contract.access import Principal
from contract.messages import Role
from tests.broker.wire import Client, connected, mark

STORE = "ginza"
AGENT = Principal(Role.AGENT, "a1")
NEIGHBOUR = Principal(Role.AGENT, "a1-b")
HUB = Principal(Role.HUB, "main")
CLERK = Principal(Role.CLERK, "c1")
OBSERVER = Principal(Role.OBSERVER, "o1")
PRINCIPALS = (AGENT, NEIGHBOUR, HUB, CLERK, OBSERVER)

both = pytest.mark.parametrize("kind", ["mosquitto", "embedded"])


@dataclass
class Stage:
    kind: str
    port: int
    ws_port: int
    credentials: Credentials
    passwords: dict[Principal, str]
    accepted: list[tuple[str, bytes, bool]] = field(default_factory=list)
    """Everything that the broker took from clients and would give to whoever may have it: topic, payload, -."""
    embedded: EmbeddedBroker | None = None
    mosquitto: MosquittoProcess | None = None
    auditor: Client | None = None

    def connect(self, principal: Principal, client_id: str | None = None, **options: Any) -> Any:
        return connected(self.port, principal.username, self.passwords[principal], client_id, **options)

    async def inject(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publishes with no access control."""
        if self.auditor:
            self.auditor.publish(topic, payload, retain=retain)
        elif self.embedded:
            await self.embedded._amqtt.internal_message_broadcast(topic, payload)
            if retain:
                await self.embedded._amqtt.retain_message(None, topic, payload, 0)

    async def settled(self, client: Client, client_id: str) -> None:
        """Returns when all that the client has sent was decided about and what was taken stands in `accepted`."""
        await client.ping()
        if self.embedded:
            while self.embedded._amqtt.backlog(client_id):  # noqa: ASYNC110 - amqtt tells nobody
                await asyncio.sleep(0)
        elif self.auditor:
            last = mark()
            self.auditor.publish("auditor", last)
            await self.auditor.until(lambda: ("auditor", last, False) in self.accepted)


@contextlib.asynccontextmanager
async def running(kind: str, folder: Path) -> AsyncIterator[Stage]:
    """A broker of this kind on free ports of this machine."""
    credentials = Credentials(folder / "credentials.json")
    passwords = {principal: credentials.issue(principal) for principal in PRINCIPALS}
    if kind == "embedded":
        async with EmbeddedBroker(BrokerSettings(STORE, credentials.path, tcp_port=0, ws_port=0)) as broker:
            stage = Stage(kind, broker.tcp_port, broker.ws_port, credentials, passwords, embedded=broker)
            _record(broker, stage)
            yield stage
        return
    tcp_port, ws_port = free_ports(2)
    write_mosquitto_config(folder, STORE, credentials, tcp_port=tcp_port, ws_port=ws_port)
    _add_auditor(folder / DYNAMIC_SECURITY)
    with start_mosquitto(folder) as process:
        stage = Stage(kind, tcp_port, ws_port, credentials, passwords, mosquitto=process)
        async with connected(tcp_port, "auditor", "audit") as auditor:
            assert all((await auditor.subscribe(["#", "$CONTROL/#", "$SYS/forged/#"])).values())
            stage.auditor, stage.accepted = auditor, auditor.messages
            yield stage


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [found.getsockname()[1] for found in sockets]


def _record(broker: EmbeddedBroker, stage: Stage) -> None:
    amqtt = broker._amqtt
    give_out = amqtt._broadcast_message

    async def recorded(session: Any, topic: str, data: bytes, force_qos: int | None = None) -> None:
        if session is not None:
            stage.accepted.append((topic, bytes(data), False))
        await give_out(session, topic, data, force_qos)

    amqtt._broadcast_message = recorded


def _add_auditor(path: Path) -> None:
    document = json.loads(path.read_text())
    kinds = ("publishClientSend", "publishClientReceive", "subscribePattern")
    everything = [
        {"acltype": kind, "topic": topic, "priority": 0, "allow": True}
        for kind in kinds
        for topic in ("#", "$SYS/#", "$CONTROL/#")
    ]
    document["roles"].append({"rolename": "auditor", "acls": everything})
    password = StoredPassword.of("audit").to_json()
    document["clients"].append({"username": "auditor", "roles": [{"rolename": "auditor", "priority": 0}], **password})
    path.write_text(json.dumps(document))
