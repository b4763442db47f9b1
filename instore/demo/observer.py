"""Watches the store over MQTT as an observer, and asks the hub for what it missed."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from contract.access import Principal, grants
from contract.envelope import decode
from contract.errors import ContractError
from contract.messages import BY_NAME, Role
from contract.topics import parse
from delivery.engine import Publication
from delivery.link import Address, Link
from instore.demo.layout import Layout


class Observer:
    """`on_message(type, message, ids)` for everything that is said in the store."""

    def __init__(self, layout: Layout, on_message: Callable[[str, dict[str, Any], dict[str, str]], None]) -> None:
        self._on_message = on_message
        me = Principal(Role.OBSERVER, "demo")
        username, password = layout.account(Role.OBSERVER, "demo")
        address = Address(layout.broker.host, layout.broker.port, username, password, client_id=me.client_id("watch"))
        wanted = [(g.filter, BY_NAME[g.channel].qos) for g in grants(me, layout.store) if g.action == "subscribe"]
        self._wake = asyncio.Event()
        self._tried = asyncio.Event()
        self._retained: set[str] = set()
        """Topics where the broker keeps something for this store."""
        self._forgotten = asyncio.Event()
        self.link = Link(address, wanted, will=None, on_up=self._tried.set, on_down=lambda _: self._tried.set(),
                         on_wake=self._wake.set)  # fmt: skip

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.link.run(), name="observer's link")
            tasks.create_task(self._read(), name="observer")

    async def let_in(self, timeout_s: float) -> str:
        """Wait for the first try to connect; returns "" when it succeeded, else a sentence."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._tried.wait()
        return "" if self.link.up else self.link.trouble

    async def clear(self, timeout_s: float) -> None:
        """Leave nothing of this store on the broker."""
        for topic in self._retained:
            self.link.publish(Publication(topic, b"", 1, retain=True))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._retained:
                    self._forgotten.clear()
                    await self._forgotten.wait()

    async def _read(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self.link.inbox:
                self._one(*self.link.inbox.popleft())

    def _one(self, topic: str, payload: bytes) -> None:
        try:
            channel, ids = parse(topic)
            if not payload:  # the broker forgets what it kept there
                self._retained.discard(topic)
                self._forgotten.set()
                return
            if channel.retain:
                self._retained.add(topic)
            decode(topic, payload)
        except ContractError:
            return  # the hub quarantines and counts it
        self._on_message(channel.event_type, json.loads(payload), {**ids, "channel": channel.name})


async def get_json(url: str, *, body: dict[str, Any] | None = None, key: str | None = None) -> Any:
    """The JSON answer of the hub, or None when it does not answer or refuses."""
    status, answer = await ask_json(url, body, key)
    return answer if 200 <= status < 300 else None


async def ask_json(url: str, body: dict[str, Any] | None = None, key: str | None = None) -> tuple[int, Any]:
    """Status and JSON of the hub's answer; (0, None) when there is none."""

    def ask() -> tuple[int, Any]:
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=3) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _json(error.read())
        except (OSError, ValueError, http.client.HTTPException):  # killed in the middle of its answer, too
            return 0, None

    return await asyncio.to_thread(ask)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
