"""A store for a busy hour: the demo's programs and simulated hardware, each program with a network, a disk and a clock of its own
that can fail, and a stand-in for systemd (`Restart=always`) that starts whatever died."""

from __future__ import annotations

import asyncio
import csv
import json
import random
import re
import socket
import sqlite3
from collections.abc import Sequence
from contextlib import AsyncExitStack, chdir, closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from instore.demo.hardware import Simulator
from instore.demo.layout import BEACONS, CLERKS, BrokerPlace, Layout, make_layout
from instore.demo.past import HANAKO
from instore.demo.record import Record
from instore.demo.stage import Stage
from instore.processes import RESTART_S, Processes, Program
from tests.system.full_disk import SmallDisk
from tests.system.network_cut import Wire
from tests.system.wall_clock import WallClock, sweep

ON_WIRES = ("hub", "edge-entrance", "edge-exit", "handheld")
WITH_DISK = ("hub", "edge-exit", "edge-entrance")
WITH_CLOCK = WITH_DISK
BEACON_INTERVAL_MS = 300
PRINTER_MM_PER_S = 250
"""A slip takes a third of a second, so that a kill can hit it."""


@dataclass(frozen=True)
class Customer:
    """One of the busy hour's customers. `member` False: nobody knows her. A VIP is worth a service request."""

    number: int
    member: bool
    vip: bool
    amount_minor: int

    @property
    def id(self) -> str | None:
        return f"C{self.number:04}" if self.member else None

    @property
    def beacon(self) -> str | None:
        return f"{BEACONS}:1:{self.number}" if self.member else None


class Units(Processes):
    """As systemd with `Restart=always`: never gives up. `ends` holds every end that was no kill of ours: name and code."""

    def __init__(self, on_change: Any) -> None:
        super().__init__(on_change)
        self.ends: list[tuple[str, int | None]] = []
        self.excused: set[str] = set()
        """Programs that may end with an error now: one that finds its disk full when it starts says so and ends."""

    async def _keep(self, program: Program) -> None:
        while True:
            began = asyncio.get_running_loop().time()
            code = await self._one_life(program)
            if code != -9 and program.name not in self.excused:
                self.ends.append((program.name, code))
            self._on_change(program.name, "died", code)
            lived_s = asyncio.get_running_loop().time() - began
            await asyncio.sleep(RESTART_S if lived_s > 3 or code == -9 else 2.0)


class BusyStage(Stage):
    """Every message that the observer sees is kept in `heard`; printed paper and the gate's movements in `events`."""

    def __init__(self, layout: Layout, customers: Sequence[Customer]) -> None:
        super().__init__(layout, Record(lambda _: None))
        self.customers = customers
        self.processes: Units = Units(self._on_process)
        self.wires = {name: Wire(name, spare_port(), layout.broker.port) for name in ON_WIRES}
        self.clocks = {name: WallClock(layout.path(f"clock-{name}")) for name in WITH_CLOCK}
        self.disks = {
            name: SmallDisk(layout.path(f"disk-{name}"), lambda name=name: self.processes.pids().get(name))  # type: ignore[misc]
            for name in WITH_DISK
        }
        self.heard: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.printer = Simulator("printer", layout.path("sim/printer.sock"), self._on_hardware, self._slow_printer)
        self.last_fault = 0.0
        """When something was broken or put right, in monotonic seconds."""
        self._moments: dict[str, asyncio.Event] = {}
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        for disk in self.disks.values():
            self._stack.enter_context(disk)
        for wire in self.wires.values():
            await self._stack.enter_async_context(wire)
        self._write_customers()
        for file, program in (("hub", "hub"), ("entrance", "edge-entrance"), ("exit", "edge-exit")):
            self._rewire(self.layout.path(f"{file}.toml"), program)
        await super().start()

    async def stop(self) -> None:
        await super().stop()
        await self._stack.aclose()
        sweep()

    def database(self, program: str) -> Path:
        name = {"hub": "hub", "edge-exit": "exit", "edge-entrance": "entrance"}[program]
        return self.layout.path(f"disk-{program}/{name}.sqlite")

    def _rewire(self, settings: Path, program: str) -> None:
        """Its broker is behind its own wire, its database on its own disk."""
        text = settings.read_text(encoding="utf-8")
        port = f"port = {self.layout.broker.port}\n"
        assert text.count(port) == 1, settings
        text = text.replace(port, f"port = {self.wires[program].port}\n")
        text, found = re.subn(r'(?m)^database = ".*"$', f"database = {json.dumps(str(self.database(program)))}", text)
        assert found == 1, settings
        settings.write_text(text, encoding="utf-8")

    def _write_customers(self) -> None:
        with self.layout.path("customers.csv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(
                [
                    "customer",
                    "name",
                    "language",
                    "visits",
                    "average_purchase",
                    "points",
                    "rank",
                    "main_clerk",
                    "beacons",
                ]
            )
            rows.writerow(
                [HANAKO, "山田 花子", "ja", 48, 12400, 0, "gold", CLERKS[0], ""]
            )  # of the demo: has a past, stays away
            for customer in self.customers:
                if customer.member:
                    rank, visits = ("gold", 40) if customer.vip else ("regular", 1)
                    rows.writerow([customer.id, f"客{customer.number}", "ja" if customer.number % 2 else "en", visits, 1000, 0,
                                   rank, CLERKS[0], customer.beacon])  # fmt: skip

    def _programs(self) -> list[Program]:
        return [
            replace(program, environment={**program.environment, **self.clocks[program.name].environment})
            if program.name in self.clocks
            else program
            for program in super()._programs()
        ]

    def _handheld(self) -> Program:
        program = super()._handheld()
        broker, own = str(self.layout.broker.port), str(self.wires["handheld"].port)
        return replace(program, arguments=[own if argument == broker else argument for argument in program.arguments])

    async def _slow_printer(self, printer: Simulator) -> None:
        await printer.call({"do": "slow", "mm_per_s": PRINTER_MM_PER_S})

    async def appear(self, who: str, frame: str, at: tuple[float, float]) -> None:
        self.present[who] = {"id": who, "frame": frame, "interval_ms": BEACON_INTERVAL_MS, "at": list(at)}
        await self.beacons.call({"do": "add", **self.present[who]})

    # --- what is seen

    def _on_message(self, type_: str, message: dict[str, Any], ids: dict[str, str]) -> None:
        self.heard.append((type_, message, ids))
        if (moment := self._moments.pop(type_, None)) is not None:
            moment.set()
        super()._on_message(type_, message, ids)

    def _on_hardware(self, name: str, event: dict[str, Any]) -> None:
        self.events.append((name, event))
        super()._on_hardware(name, event)

    def _picture(self, coupon: str) -> str | None:
        return None  # the demo shows it beside the message; here papers are counted at the end

    def look(self, program: str, sql: str) -> int | None:
        """One number from the database of a running program; None while it can't be read."""
        try:
            with closing(sqlite3.connect(f"file:{self.database(program)}?mode=ro", uri=True, timeout=2)) as db:
                return int(db.execute(sql).fetchone()[0])
        except sqlite3.Error:
            return None

    async def moment(self, type_: str, timeout_s: float) -> None:
        """Wait until the next message of this type, but no longer."""
        waiting = self._moments.setdefault(type_, asyncio.Event())
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await waiting.wait()


def spare_port() -> int:
    """A port that nobody listens on, and that the system gives to no connection that goes out: while a killed program is away, a
    connection of somebody else could take its port, or one that is tried again and again reach itself there."""
    while True:
        port = random.randrange(15_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def busy_layout(folder: Path, broker: str) -> Layout:
    """Settings of the demo's store, with the lane's usual patience for the hub."""
    with chdir(folder):  # the layout notes the newest demo in the working directory
        layout = make_layout(folder / "store", BrokerPlace(broker, "127.0.0.1", spare_port(), spare_port()))
    path, hub_port = layout.path("hub.toml"), spare_port()
    path.write_text(path.read_text(encoding="utf-8").replace(f"port = {layout.hub_port}\n", f"port = {hub_port}\n"))
    layout = replace(layout, hub_port=hub_port)
    path = layout.path("exit.toml")
    text, found = re.subn(r"(?m)^decide_s = 10.*$", "decide_s = 2", path.read_text(encoding="utf-8"))
    assert found == 1
    path.write_text(text, encoding="utf-8")
    return layout
