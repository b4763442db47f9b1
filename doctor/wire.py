"""Broker and hub, as this agent finds them: connection, password, access control, the hub's answer and clock, exit-code keys."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from config.edge_settings import EdgeSettings
from contract import topics
from contract.access import Principal
from contract.envelope import Message, decode, encode
from contract.errors import ContractError
from contract.messages import BY_NAME, Role
from contract.payloads import AgentHeartbeat, ExitKeys, HubStatus, Receipt
from delivery.engine import Publication
from delivery.inbox import Item
from delivery.link import Link
from doctor.finding import Finding, Level

ANSWER_S = 5.0
CLOCKS_APART_S = 5.0
"""From here on an agent takes the hub's time in place of its own (`delivery.engine`)."""


async def broker_and_hub(settings: EdgeSettings, settings_file: Path) -> list[Finding]:
    """Connects under a client ID of its own, so that an agent that runs is not pushed out. Raises SettingsError."""
    me = Principal(Role.AGENT, settings.agent)
    address = replace(settings.mqtt.address(settings_file), client_id=me.client_id("doctor"))
    names = ("receipt_up", "hub_status", "exit_keys")
    ids = {"agent": settings.agent}
    loop = asyncio.get_running_loop()
    up: asyncio.Future[str] = loop.create_future()

    def first(trouble: str) -> None:
        if not up.done():
            up.set_result(trouble)

    wire = Link(
        address,
        [(topics.pattern(BY_NAME[name], settings.store, **ids), 1) for name in names],
        will=None,
        on_up=lambda: first(""),
        on_down=first,
        on_wake=lambda: None,
    )
    talk = _Talk(wire)
    wire.take = talk.take
    began = loop.time()
    async with _running(wire):
        trouble = await up
        if trouble:
            return [Finding("broker", Level.ERROR, "broker_bad", {"why": trouble})]
        values = {
            "where": f"{address.host}:{address.port}",
            "user": address.username,
            "ms": 1000 * (loop.time() - began),
        }
        found = [Finding("broker", Level.OK, "broker_good", values)]
        asked = loop.time()
        wire.publish(_heartbeat(settings, me))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                await talk.answered.wait()
        return found + talk.findings(asked, lanes=bool(settings.lane))


@contextlib.asynccontextmanager
async def _running(wire: Link) -> AsyncIterator[None]:
    task = asyncio.create_task(wire.run(), name="doctor's link")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _heartbeat(settings: EdgeSettings, me: Principal) -> Publication:
    """Without an epoch: nothing that the hub keeps of this agent is touched by it."""
    channel, ids = BY_NAME["agent_heartbeat"], {"agent": settings.agent}
    message = Message(channel, ids, AgentHeartbeat(uptime_s=0.0, unacknowledged=0), f"{me.username}.doctor",
                      f"agent/{me.id}", datetime.now(UTC))  # fmt: skip
    return Publication(topics.topic(channel, settings.store, **ids), encode(message), 0, retain=False)


class _Talk:
    """What the broker and the hub have said."""

    def __init__(self, wire: Link) -> None:
        self.answered = asyncio.Event()
        self._wire = wire
        self._state = "unknown"
        self._keys: int | None = None
        self._answer: tuple[float, float] | None = None
        """When the hub's answer came (s, of the loop), and how far its clock was from ours then (s)."""

    def take(self, item: Item) -> bool:
        try:
            message = decode(*item)
        except ContractError:
            return True  # not for us to judge; the agent puts it aside and counts it
        match message.data:
            case HubStatus():
                self._state = message.data.state.value
            case ExitKeys():
                self._keys = len(message.data.keys)
            case Receipt() if message.time is not None and self._answer is None:
                apart_s = abs((datetime.now(UTC) - message.time).total_seconds())
                self._answer = asyncio.get_running_loop().time(), apart_s
                self.answered.set()
        return True

    def findings(self, asked: float, *, lanes: bool) -> list[Finding]:
        found = [self._hub(asked)]
        if lanes and not self._keys:
            found.append(Finding("exit codes", Level.ERROR, "keys_missing"))
        elif lanes:
            found.append(Finding("exit codes", Level.OK, "keys_good", {"count": self._keys}))
        return found

    def _hub(self, asked: float) -> Finding:
        if self._answer is None:
            return Finding("hub", Level.ERROR, "hub_silent", {"state": self._state})
        at, apart_s = self._answer
        values = {"ms": 1000 * (at - asked), "apart_s": apart_s}
        far = apart_s > CLOCKS_APART_S
        return Finding("hub", Level.WARNING if far else Level.OK, "hub_clock" if far else "hub_good", values)
