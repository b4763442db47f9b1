"""A chain of stores on one clustered broker (row C13): three NATS nodes, two stores with the same names, a node that is killed."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from config.writing import toml_text
from instore.store_files import free_port
from tests.broker.wire import Client, connected
from tests.delivery.real import until
from tests.system.commands import instore
from tests.system.nats_cluster import PASSWORDS, NatsCluster
from tests.system.playing import leftovers
from tests.system.store import Running, answers, program
from tests.up.way_out import devices, lane, paid

pytestmark = [pytest.mark.row("C13"), pytest.mark.system]
LEADERS_S = 150.0
"""A cluster that has lost a node chooses leaders for a dozen streams; beside other tests that takes its time."""


class Branch:
    """One store of the chain, from its one file."""

    def __init__(self, folder: Path, store: str, cluster: NatsCluster) -> None:
        self.folder, self.store, self.port = folder / store, store, free_port()
        self.devices = folder / f"{store}-devices"
        self.devices.mkdir()
        self._mqtt = cluster.mqtt
        self.up: Running
        self.lane: tuple[Any, ...] = ()

    async def start(self, stack: AsyncExitStack) -> None:
        assert (await instore("up", "--new", str(self.folder), cwd=self.devices)).code == 0
        (self.folder / "password").write_text(PASSWORDS[self.store])
        (self.folder / "password").chmod(0o600)
        first, *others = self._mqtt
        document = {
            "store": {"id": self.store, "name": {"ja": "店", "en": self.store}},
            "machine": [{"name": "here", "runs": ["hub", "agent:exit.1"]}],
            "broker": {"kind": "elsewhere", "host": "127.0.0.1", "port": first, "username": f"store-{self.store}",
                       "password_file": "password", "others": [f"127.0.0.1:{port}" for port in others]},
            "hub": {"http": {"port": self.port}},
            "agent": [{"name": "exit.1", "lane": [lane(self.devices)]}],
        }  # fmt: skip
        config = self.folder / "store.toml"
        config.write_text(toml_text(document), encoding="utf-8")
        self.lane = await stack.enter_async_context(devices(self.devices))
        self.up = await stack.enter_async_context(program("up", "--config", str(config), cwd=self.devices))

    async def ready(self) -> None:
        await self.up.says("all programs of this machine are ready", within_s=LEADERS_S)
        await self.healthy()

    async def healthy(self, within_s: float = LEADERS_S) -> None:
        url = f"http://127.0.0.1:{self.port}/healthz"
        await answers(url, lambda status, said: status == 200 and said["broker"] == "ok", within_s)

    async def sell_and_leave(self, sale: str, heard: Client) -> None:
        """Somebody pays, shows her code, the gate opens, and whoever listens to this store hears that she has passed. With her
        coupon on paper or, when the cluster was slow, electronic."""
        key = re.search(r'pos = "(.+)"', (self.folder / "data/api-keys.toml").read_text())
        assert key is not None
        code = await paid(self.up, f"http://127.0.0.1:{self.port}", key[1], sale)
        before = passages(heard)
        _, reader, gate = self.lane
        await reader({"do": "present", "code": code})
        assert (await gate({"do": "walk", "direction": "exit", "wait_s": 30})).get("passed")
        await until(lambda: passages(heard) > before, LEADERS_S)


def passages(heard: Client) -> int:
    return sum(topic.endswith("/passage") for topic, _, _ in heard.messages)


async def test_two_stores_on_one_cluster_and_a_node_is_killed(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(NatsCluster(tmp_path))
        ginza, umeda = (Branch(tmp_path, store, cluster) for store in ("ginza", "umeda"))
        for branch in (ginza, umeda):
            await branch.start(stack)
        for branch in (ginza, umeda):
            await branch.ready()
        observers = {}
        for branch in (ginza, umeda):
            user = f"store-{branch.store}"
            listening = connected(cluster.mqtt[2], user, PASSWORDS[branch.store], "looking-on")
            observers[branch] = await stack.enter_async_context(listening)
            await observers[branch].subscribe(["instore/#"])
        # The same agent, lane and sale in both: neither store hears of the other.
        for branch, heard in observers.items():
            await branch.sell_and_leave("S1", heard)
        for branch, heard in observers.items():
            assert {topic.split("/")[1] for topic, _, _ in heard.messages} == {branch.store}
            assert passages(heard) == 1
        # The node that both are at dies. Customers leave all the same, and as soon as the others have chosen new leaders, hub and
        # agent are there and know of it.
        await cluster.kill(0)
        for branch, heard in observers.items():
            await branch.sell_and_leave("S2", heard)
            await branch.healthy()
        for branch in (ginza, umeda):
            assert await branch.up.end() == 0
    for branch in (ginza, umeda):
        assert leftovers(branch.folder) == []
