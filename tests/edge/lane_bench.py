"""A lane runner with a real journal, engine and node (without a broker), its devices played by the test."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from config.edge_settings import LaneSettings
from contract.access import Principal
from contract.envelope import Message, decode
from contract.exit_code import ExitClaims, issue, key_id, new_code_id, public_text
from contract.messages import Role
from delivery.clock import Clock
from delivery.engine import Engine
from delivery.journal import Journal
from delivery.link import Address
from delivery.node import Node
from devices.gate import CommandResult
from devices.gate_map import GateCounters
from devices.printer_job import Evidence, JobResult, JobState
from devices.reader_frames import Scan, ScanDataType
from edge.codes import Keyring
from edge.lane_runner import LaneRunner
from edge.lane_types import Phase
from edge.store import MIGRATIONS, EdgeStore
from tests.edge.lane_ways import decision

STORE = "ginza"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KID = key_id(KEY.public_key())
KEYS = {KID: public_text(KEY.public_key())}


def exit_code(*, code_id: str = "", store: str = STORE, life_s: float = 600.0, sale: str = "S-1") -> str:
    now = datetime.now(UTC).replace(microsecond=0)
    claims = ExitClaims(store, sale, now, now + timedelta(seconds=life_s), code_id or new_code_id())
    return issue(claims, KEY, KID)


def scan(text: str, *, age_s: float = 0.0) -> Scan:
    return Scan(text, text.encode(), ScanDataType.QRCODE, "", time.monotonic() - age_s)


class PlayedPrinter:
    """Answers what the test says. `results` are taken one after the other; without one it hangs."""

    def __init__(self) -> None:
        self.results: list[JobState] = []
        self.resolved: list[JobState] = []
        self.jobs: list[str] = []
        self.asked: list[str] = []
        self.counter: int | None = 41

    async def cut_counter(self) -> int | None:
        return self.counter

    async def print_job(self, job_id: str, document: object, *, timeout_s: float) -> JobResult:
        self.jobs.append(job_id)
        return await self._result(job_id, self.results)

    async def resolve(self, job_id: str, before: int | None) -> JobResult:
        self.asked.append(job_id)
        return await self._result(job_id, self.resolved)

    async def _result(self, job_id: str, results: list[JobState]) -> JobResult:
        if not results:
            await asyncio.Event().wait()
        return JobResult(job_id, results.pop(0), "played", Evidence.PROCESS_ID)


class PlayedDevices:
    """A printer and a gate that takes every command."""

    def __init__(self) -> None:
        self.printer: PlayedPrinter | None = PlayedPrinter()
        self.counters: GateCounters | None = None
        self.opened: list[int] = []
        self.answer: Callable[[int], CommandResult] = lambda command: CommandResult("accepted")
        self.dealt = 0
        self.unread = False

    async def printer_back(self) -> None:
        """It was never away."""

    def gate_counters(self) -> GateCounters | None:
        return self.counters

    def gate_unread(self) -> bool:
        return self.unread

    def dealt_with(self, command: int) -> int:
        return self.dealt

    async def open_gate(self, command: int, seconds: float) -> CommandResult:
        self.opened.append(command)
        return self.answer(command)


class Bench:
    """`async with Bench(folder)`; leaving it without more is a loss of power: only the file stays."""

    def __init__(self, folder: Path, *, clock: Clock | None = None, **settings: Any) -> None:
        self.folder, self._clock = folder, clock
        wanted = {"id": "1", "reader": {"port": "/r"}, "printer": {"port": "/p"}, "gate": {"port": "/g"}, **settings}
        self.settings = LaneSettings.model_validate(wanted)
        self.devices = PlayedDevices()
        self.tasks: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Bench:
        self.journal = Journal(self.folder / "agent.db", MIGRATIONS)
        self.engine = Engine(self.journal, Principal(Role.AGENT, "exit"), STORE, lambda message, tx: None,
                             clock=self._clock or Clock())  # fmt: skip
        self.node = Node(self.engine, Address("127.0.0.1", 1, "agent-exit", "x"))
        self.store = EdgeStore(self.journal.db)
        self.runner = LaneRunner(self.settings, self.node, self.store, Keyring(STORE, KEYS), self.devices, self.spawn)  # type: ignore[arg-type]
        self.spawn(self.runner.run(), "lane")
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.journal.close()

    def another_lane(self, name: str) -> LaneRunner:
        """Of the same agent."""
        settings = self.settings.model_copy(update={"id": name})
        made = LaneRunner(settings, self.node, self.store, Keyring(STORE, KEYS), PlayedDevices(), self.spawn)  # type: ignore[arg-type]
        self.runner.others, made.others = (lambda: [made]), (lambda: [self.runner])
        self.spawn(made.run(), f"lane {name}")
        return made

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> object:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self.tasks.add(task)
        return task

    @property
    def phase(self) -> Phase:
        return self.runner.lane.phase

    async def until(self, holds: Callable[[], object], timeout_s: float = 30.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not holds():  # noqa: ASYNC110 - what is awaited has no event of its own
                await asyncio.sleep(0.002)

    async def accepted(self, text: str = "") -> str:
        """A code is read and taken; its scan's ID."""
        self.runner.on_scan(scan(text or exit_code()))
        await self.until(lambda: self.phase is Phase.DECIDING)
        return self.runner.lane.scan

    def decide(self, **options: Any) -> None:
        with self.engine.transaction() as tx:
            self.runner.decided(decision(self.runner.lane.scan, **options), "hub-main.e.1", "v1", tx)

    def said(self) -> list[Message]:
        """Everything of the outbox, in order."""
        rows = self.journal.db.execute("SELECT topic, body FROM outbox ORDER BY row").fetchall()
        return [decode(topic, bytes(body)) for topic, body in rows]

    def names(self) -> list[str]:
        return [message.channel.name.removeprefix("lane_") for message in self.said()]
