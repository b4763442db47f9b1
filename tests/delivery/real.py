"""Real brokers that can be killed and made to forget, and programs of a real engine and node at them."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from broker.credentials import Credentials
from broker.embedded import BrokerSettings, EmbeddedBroker
from broker.mosquitto import write_mosquitto_config
from broker.mosquitto_process import MosquittoProcess, start_mosquitto
from contract.access import Principal
from contract.envelope import Message
from contract.messages import Role
from contract.payloads import Bilingual, LaneDecision, LaneScan, Sighting, SightingKind
from delivery.engine import Engine, Tx
from delivery.journal import Journal
from delivery.link import Address
from delivery.node import Node
from tests.delivery.hostile import APPLICATION

STORE = "s1"
AGENT, HUB, OBSERVER = Principal(Role.AGENT, "exit"), Principal(Role.HUB, "main"), Principal(Role.OBSERVER, "o")


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [found.getsockname()[1] for found in sockets]
    for found in sockets:
        found.close()
    return ports


class RealBroker:
    """`kind` is mosquitto or embedded. `start`, `kill` (nothing is saved), `forget` (what was saved is gone)."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.folder = kind, folder
        folder.mkdir(parents=True, exist_ok=True)
        self.port, self.ws_port = free_ports(2)
        self.credentials = Credentials(folder / "credentials.json")
        self.passwords = {who.username: self.credentials.issue(who) for who in (AGENT, HUB, OBSERVER)}
        self._mosquitto: MosquittoProcess | None = None
        self._embedded: EmbeddedBroker | None = None

    @property
    def pid(self) -> int:
        assert self._mosquitto is not None
        return self._mosquitto.pid

    async def start(self) -> None:
        if self.kind == "embedded":
            self._embedded = EmbeddedBroker(
                BrokerSettings(STORE, self.credentials.path, tcp_port=self.port, ws_port=self.ws_port)
            )
            await self._embedded.__aenter__()
        else:
            if not (self.folder / "mosquitto.conf").exists():
                write_mosquitto_config(self.folder, STORE, self.credentials, tcp_port=self.port, ws_port=self.ws_port)
            self._mosquitto = start_mosquitto(self.folder)

    async def kill(self) -> None:
        if self._mosquitto is not None:
            self._mosquitto.kill()
        if self._embedded is not None:
            await self._embedded.__aexit__(None, None, None)
        self._mosquitto = self._embedded = None

    def forget(self) -> None:
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        (self.folder / "data").mkdir(mode=0o700, exist_ok=True)

    async def __aenter__(self) -> RealBroker:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    def address(self, who: Principal, **more: Any) -> Address:
        return Address("127.0.0.1", self.port, who.username, self.passwords[who.username], **more)


class Party:
    """A program with a small application that writes down what reached it. `async with` runs it."""

    def __init__(self, who: Principal, folder: Path, address: Address, answer: bool = True) -> None:
        self.journal = Journal(folder / f"{who.id}.db", APPLICATION)
        self.engine = Engine(self.journal, who, STORE, self.handle)
        self.node = Node(self.engine, address)
        self.answer = answer
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Party:
        task = asyncio.create_task(self.node.run(), name=f"node {self.engine.me.username}")
        self._stack.push_async_callback(_end, task)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()
        self.journal.close()

    def handle(self, message: Message, tx: Tx) -> None:
        if message.channel.stream is None:
            return
        what = {"sighting": "beacon", "lane_scan": "code_id", "lane_decision": "scan"}[message.channel.name]
        tx.db.execute("INSERT INTO applied (sender, what, id) VALUES (?, ?, ?)",
                      (message.source, getattr(message.data, what), message.id))  # fmt: skip
        if isinstance(message.data, LaneScan) and self.answer:
            data = LaneDecision(scan=message.data.code_id, outcome="open", show=Bilingual(ja="", en=""))
            tx.send("lane_decision", data, cause=message.id, agent=message.ids["agent"], lane="1")

    def scan(self, name: str) -> None:
        with self.node.transaction() as tx:
            tx.send("lane_scan", LaneScan(code_id=name, sale="s", code="c", scanned=tx.utc), lane="1")

    def sight(self, name: str) -> None:
        with self.node.transaction() as tx:
            tx.send("sighting", Sighting(beacon=name, event=SightingKind.ARRIVED, heard=tx.utc))

    def cut(self) -> None:
        """The connection breaks, and with it goes whatever the client library holds."""
        client = self.node.link._client
        if client is not None:
            client._connection._transport.abort()

    def applied(self, sender: str = "") -> list[str]:
        rows = self.journal.db.execute("SELECT what, sender FROM applied ORDER BY n")
        return [what for what, by in rows if by.startswith(sender)]


async def _end(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def until(holds: Callable[[], object], timeout_s: float = 15.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not holds():  # noqa: ASYNC110 - what is awaited has no event of its own
            await asyncio.sleep(0.01)
