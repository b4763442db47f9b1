"""Watches the store over MQTT as an observer, and asks the hub for what it missed."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from contract.access import Principal, grants
from contract.errors import ContractError
from contract.messages import BY_NAME, Role
from contract.topics import parse
from delivery.link import Address, Link
from instore.demo.layout import STORE, Layout


class Observer:
    """`on_message(type, message, ids)` for everything that is said in the store."""

    def __init__(self, layout: Layout, on_message: Callable[[str, dict[str, Any], dict[str, str]], None]) -> None:
        self._on_message = on_message
        me = Principal(Role.OBSERVER, "demo")
        username, password = layout.account(Role.OBSERVER, "demo")
        address = Address(layout.broker.host, layout.broker.port, username, password, client_id=me.client_id("watch"))
        wanted = [(g.filter, BY_NAME[g.channel].qos) for g in grants(me, STORE) if g.action == "subscribe"]
        self._wake = asyncio.Event()
        self.link = Link(address, wanted, will=None, on_up=lambda: None, on_down=lambda _: None, on_wake=self._wake.set)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.link.run(), name="observer's link")
            tasks.create_task(self._read(), name="observer")

    async def _read(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self.link.inbox:
                self._one(*self.link.inbox.popleft())

    def _one(self, topic: str, payload: bytes) -> None:
        try:
            channel, ids = parse(topic)
            message = json.loads(payload)
        except (ContractError, ValueError):
            return  # the hub quarantines and counts it
        if isinstance(message, dict):
            self._on_message(channel.event_type, message, {**ids, "channel": channel.name})


async def get_json(url: str, *, body: dict[str, Any] | None = None, key: str | None = None) -> Any:
    """The JSON answer of the hub, or None when it does not answer or refuses."""

    def ask() -> Any:
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=3) as answer:
                return json.load(answer)
        except (urllib.error.URLError, OSError, ValueError):
            return None

    return await asyncio.to_thread(ask)
