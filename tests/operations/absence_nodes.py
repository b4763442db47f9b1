"""Many agents' real delivery in one process: `python -m tests.operations.absence_nodes ORDERS.json`, for `absence_agents`.

At SIGUSR1 each writes the backlog of an absence to its file; at SIGTERM the process prints what it has seen, as JSON, and ends.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import uvloop

from bench.events import sightings
from bench.measure import quiet
from bench.store import STORE
from contract.access import Principal
from contract.messages import Role
from delivery.engine import Engine, Publication
from delivery.journal import Journal
from delivery.link import Address, Link
from delivery.node import Node
from edge.store import MIGRATIONS

AT_ONCE = 200
LOOK_S = 0.05


@dataclass
class Seen:
    """Monotonic seconds; `sent` are numbered messages put on the wire, also those sent again."""

    attempts: list[float] = field(default_factory=list)
    ups: list[float] = field(default_factory=list)
    drained: dict[str, float] = field(default_factory=dict)
    sent: int = 0
    connects: int = 0


class WatchedLink(Link):
    """The product's, and notes when it tries to connect and how much goes out."""

    def __init__(self, seen: Seen, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._seen = seen

    async def _connect(self, client: Any) -> None:
        self._seen.attempts.append(time.monotonic())
        await super()._connect(client)
        self._seen.ups.append(time.monotonic())

    def publish(self, publication: Publication) -> None:
        self._seen.sent += publication.topic.endswith("/sighting")
        super().publish(publication)


async def main(orders: dict[str, Any]) -> None:
    seen, loop = Seen(), asyncio.get_running_loop()
    fill, stop = asyncio.Event(), asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, fill.set)
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    nodes: dict[str, Node] = {}
    for agent, password in orders["agents"].items():
        me = Principal(Role.AGENT, agent)
        engine = Engine(Journal(Path(orders["folder"]) / f"{agent}.sqlite", MIGRATIONS), me, STORE, lambda _m, _t: None)
        address = Address("127.0.0.1", orders["port"], me.username, password)
        nodes[agent] = Node(engine, address, make_link=partial(WatchedLink, seen))
    tasks = [loop.create_task(node.run(), name=agent) for agent, node in nodes.items()]
    tasks.append(loop.create_task(_absence(nodes, orders["backlog"], fill, seen)))
    await stop.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for node in nodes.values():
        node.engine.journal.close()
    seen.connects = sum(node.link.connects for node in nodes.values())
    print(json.dumps(asdict(seen)), flush=True)


async def _absence(nodes: dict[str, Node], backlog: int, fill: asyncio.Event, seen: Seen) -> None:
    await fill.wait()
    for node in nodes.values():
        events = sightings(range(500), range(500, 600))
        for at in range(0, backlog, AT_ONCE):
            with node.transaction() as tx:
                for name, data, ids in islice(events, min(AT_ONCE, backlog - at)):
                    tx.send(name, data, **ids)
            await asyncio.sleep(0)
        node.engine.flush()
    print("filled", flush=True)
    while len(seen.drained) < len(nodes):
        await asyncio.sleep(LOOK_S)
        for agent, node in nodes.items():
            if agent not in seen.drained and not node.engine.unacknowledged():
                seen.drained[agent] = time.monotonic()
    print("drained", flush=True)


if __name__ == "__main__":
    quiet()
    uvloop.run(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
