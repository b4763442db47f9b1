"""One exit lane for real: Mosquitto, a small hub, an agent, and simulated devices behind pseudo-terminals."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from config.edge_settings import load_edge
from contract.envelope import Message
from contract.payloads import ExitKeys, LaneScan
from delivery.engine import Engine, Tx
from delivery.journal import Journal
from delivery.node import Node
from edge.agent import Agent
from firmware_sim.control import ControlClient
from firmware_sim.gate import run_gate
from firmware_sim.printer import run_printer
from firmware_sim.reader import run_reader
from tests.broker.wire import Client, connected
from tests.delivery.real import AGENT, HUB, OBSERVER, STORE, RealBroker, _end, until
from tests.edge.lane_bench import KEYS, exit_code
from tests.edge.lane_ways import decision

_RUN = """
import asyncio, pathlib, sys
from config.edge_settings import load_edge
from edge.agent import run_edge
file = pathlib.Path(sys.argv[1])
asyncio.run(run_edge(load_edge(file), file))
"""
DEVICE = f"instore/{STORE}/agent/exit/device/"


class SmallHub:
    """The real engine and node of a hub; it decides every scan in the same way, or when it is told to."""

    def __init__(self, folder: Path, broker: RealBroker) -> None:
        self.journal = Journal(
            folder / "hub.db", (("h", "CREATE TABLE heard (n INTEGER PRIMARY KEY, id TEXT, name TEXT, data TEXT)"),)
        )
        self.engine = Engine(self.journal, HUB, STORE, self.handle)
        self.node = Node(self.engine, broker.address(HUB), on_link=self.on_link)
        self.answers = True
        self.give: str | None = "print"

    def on_link(self, up: bool, tx: Tx) -> None:
        if up:
            tx.send("exit_keys", ExitKeys(keys=KEYS, store=STORE))

    def handle(self, message: Message, tx: Tx) -> None:
        if message.channel.stream is None:
            return
        tx.db.execute("INSERT INTO heard (id, name, data) VALUES (?, ?, ?)",
                      (message.id, message.channel.name.removeprefix("lane_"), message.data.model_dump_json()))  # fmt: skip
        if isinstance(message.data, LaneScan) and self.answers:
            self.decide(message.id, tx)

    def decide(self, scan: str, tx: Tx) -> None:
        tx.send("lane_decision", decision(scan, give=self.give), agent="exit", lane="1", cause=scan)

    def heard(self, name: str = "") -> list[dict[str, Any]]:
        rows = self.journal.db.execute("SELECT id, name, data FROM heard ORDER BY n")
        return [{"id": i, "name": n, **json.loads(d)} for i, n, d in rows if name in ("", n)]

    def told(self) -> list[str]:
        return [line["name"] + (f" {line['outcome']}" if "outcome" in line else "") for line in self.heard()]


class Shop:
    """`async with Shop(folder)`: broker, devices and hub run; agents are started by the test."""

    hub_type: type[SmallHub] = SmallHub

    def __init__(self, folder: Path, lane: str = "") -> None:
        self.folder = folder
        self.broker = RealBroker("mosquitto", folder / "broker")
        self.settings = folder / "exit.toml"
        (folder / "password").write_text(self.broker.passwords[AGENT.username])
        self.settings.write_text(
            f'store = "{STORE}"\nagent = "exit"\ndatabase = "exit.db"\nheartbeat_s = 0.5\n'
            f'[mqtt]\nport = {self.broker.port}\nusername = "agent-exit"\npassword_file = "password"\n'
            f'[[lane]]\nid = "1"\n{lane}\n'
            + "".join(f'[lane.{kind}]\nport = "{folder / kind}"\n' for kind in ("reader", "printer", "gate"))
        )
        self.sims: dict[str, ControlClient] = {}
        self.tasks: dict[str, asyncio.Task[Any]] = {}
        self.processes: list[asyncio.subprocess.Process] = []
        self.receipts: list[dict[str, Any]] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Shop:
        await self._stack.enter_async_context(self.broker)
        runs: dict[str, Callable[[Path, Path], Any]] = {
            "reader": run_reader,
            "printer": lambda link, control: run_printer(
                link, control, out_dir=self.folder / "paper", state_file=self.folder / "printer.json"
            ),
            "gate": lambda link, control: run_gate(link, control, state_file=self.folder / "gate.json"),
        }
        for name, run in runs.items():
            control = self.folder / f"{name}.sock"
            self.start(name, run(self.folder / name, control))
            self.sims[name] = await self._stack.enter_async_context(ControlClient(control))
        await self.do("printer", "slow", mm_per_s=0)
        self.start("receipts", self._collect())
        self.hub = self.hub_type(self.folder, self.broker)
        self._stack.callback(self.hub.journal.close)
        self.start("hub", self.hub.node.run())
        observer = connected(self.broker.port, OBSERVER.username, self.broker.passwords[OBSERVER.username])
        self.observer: Client = await self._stack.enter_async_context(observer)
        granted = await self.observer.subscribe(
            [f"instore/{STORE}/agent/+/status", f"instore/{STORE}/agent/+/device/+/status"]
        )
        assert all(granted.values())
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self.processes:
            if process.returncode is None:
                await self.kill(process)
        for name in reversed(list(self.tasks)):
            await self.stop(name)
        await self._stack.aclose()

    def start(self, name: str, run: Any) -> None:
        self.tasks[name] = asyncio.create_task(run, name=name)

    async def stop(self, name: str) -> None:
        await _end(self.tasks.pop(name))

    async def _collect(self) -> None:
        while True:
            event = await self.sims["printer"].events.get()
            if event["event"] == "printed":
                self.receipts.append(event)

    def agent(self) -> Agent:
        """An agent in this process."""
        made = Agent(load_edge(self.settings), self.settings)
        self.start("agent", made.run())
        return made

    async def process(self) -> asyncio.subprocess.Process:
        """An agent in a process of its own."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _RUN, str(self.settings), stdout=asyncio.subprocess.DEVNULL
        )
        self.processes.append(process)
        return process

    async def kill(self, process: asyncio.subprocess.Process) -> None:
        process.send_signal(signal.SIGKILL)
        await process.wait()

    async def do(self, sim: str, what: str, **more: Any) -> dict[str, Any]:
        reply = await self.sims[sim].call({"do": what, **more})
        assert "error" not in reply, reply
        return reply

    async def show(self, code: str = "") -> str:
        """Hold an exit code over the reader."""
        code = code or exit_code(store=STORE)
        await self.do("reader", "present", code=code)
        return code

    async def walk(self) -> None:
        assert (await self.do("gate", "walk", wait_s=5))["passed"]

    async def pulses(self) -> int:
        return int((await self.do("gate", "state"))["pulses"])

    def coupons(self) -> list[str]:
        """What the QR codes of all receipts that came out say, read from their pictures."""
        return [code for receipt in self.receipts for code in receipt["qr"]]

    def state(self, device: str) -> dict[str, Any]:
        """The newest state of a device that a client of the broker has seen."""
        found = [p for t, p, _ in self.observer.messages if t == f"{DEVICE}{device}-1/status"]
        return dict(json.loads(found[-1])["data"]) if found else {"power": "not told"}

    def agent_states(self) -> list[str]:
        topic = f"instore/{STORE}/agent/exit/status"
        return [json.loads(p)["data"]["state"] for t, p, _ in self.observer.messages if t == topic]

    async def ready(self, *devices: str) -> None:
        await until(lambda: all(self.state(d)["power"] == "online" for d in devices or ("reader", "printer", "gate")))
        await until(lambda: self.hub.node.link.up)

    async def told(self, *expected: str, timeout_s: float = 30.0) -> None:
        """Wait until the hub has heard this, and nothing else."""
        try:
            await until(lambda: len(self.hub.told()) >= len(expected), timeout_s)
        except TimeoutError:
            pass  # the comparison below says more
        assert self.hub.told() == list(expected)
