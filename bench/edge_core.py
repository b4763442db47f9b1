"""The edge's own core and delivery in this process, without devices: what stands between an advertisement and the wire."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.store import STORE, BenchError, BenchStore
from config.edge_settings import BeaconSettings
from contract.access import Principal
from contract.messages import Role
from delivery.engine import Engine
from delivery.journal import Journal
from delivery.node import Node
from devices.advert_frames import FrameKind
from devices.beacon_scanner import Advert
from edge.sightings import Sightings

READY_S = 20.0
STRONG_DBM, POWER_DBM = -40, -59
"""So near that one advertisement is an arrival."""


async def until_up(node: Node) -> None:
    """Wait for a connection. Raises BenchError."""
    try:
        async with asyncio.timeout(READY_S):
            while not node.link.up:  # noqa: ASYNC110  # a node tells this to its program only
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise BenchError(f"no connection to the broker: {node.link.trouble}") from None


@asynccontextmanager
async def edge_node(store: BenchStore, agent: str) -> AsyncIterator[Node]:
    """A connected node of this agent, with a journal on disk."""
    me = Principal(Role.AGENT, agent)
    journal = Journal(store.path(f"{agent}.sqlite"))
    try:
        node = Node(Engine(journal, me, STORE, lambda _message, _tx: None), store.address(me))
        async with _running(asyncio.create_task(node.run(), name=f"node {agent}")):
            await until_up(node)
            yield node
    finally:
        journal.close()


@asynccontextmanager
async def edge_sightings(node: Node) -> AsyncIterator[Sightings]:
    """The part of an agent that makes sightings of advertisements."""
    sightings = Sightings(BeaconSettings(), node)
    async with _running(asyncio.create_task(sightings.run(), name="sightings")):
        yield sightings


def advert(beacon: str, now: float) -> Advert:
    """One strong advertisement."""
    return Advert(beacon, FrameKind.IBEACON, STRONG_DBM, POWER_DBM, "00:00:00:00:00:00", "bench", now)


@asynccontextmanager
async def _running(task: asyncio.Task[None]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
