"""The clustered broker of a chain of stores: three nats-servers on loopback, configured by the very files in deploy/nats."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from instore.store_files import free_port

SERVER = Path(sys.executable).with_name("nats-server")
DEPLOY = Path(__file__).parents[2] / "deploy" / "nats"
PASSWORDS = {"ginza": "p-ginza", "umeda": "p-umeda", "admin": "p-admin"}
NODES = 3


class NatsCluster:
    """`async with`: three nodes run. `mqtt[n]` is the port of node `n`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._nats, self._routes, self.mqtt, self._ws = ([free_port() for _ in range(NODES)] for _ in range(4))
        self._nodes: dict[int, asyncio.subprocess.Process] = {}

    async def __aenter__(self) -> Self:
        for node in range(NODES):
            await self.start(node)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for node in list(self._nodes):
            await self.kill(node)

    async def start(self, node: int) -> None:
        routes = [f"nats://127.0.0.1:{port}" for n, port in enumerate(self._routes) if n != node]
        own: dict[str, Any] = {
            "NODE": f"n{node}", "ADDRESS": "127.0.0.1", "NATS_PORT": self._nats[node], "CLUSTER_PORT": self._routes[node],
            "MQTT_PORT": self.mqtt[node], "WS_PORT": self._ws[node], "STORE_DIR": self._folder / f"n{node}",
            "ROUTES": f"[{', '.join(routes)}]", **{f"PASSWORD_{name.upper()}": word for name, word in PASSWORDS.items()},
        }  # fmt: skip
        self._nodes[node] = await asyncio.create_subprocess_exec(
            SERVER, "-c", DEPLOY / "node.conf", "-l", self._folder / f"n{node}.log",
            env=os.environ | {name: str(value) for name, value in own.items()},
        )  # fmt: skip

    async def kill(self, node: int) -> None:
        """kill -9."""
        process = self._nodes.pop(node)
        process.send_signal(signal.SIGKILL)
        await process.wait()
