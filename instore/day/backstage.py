"""Behind every scripted day: broker, hub and agents as real processes, what they say of themselves, and the first imports."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from instore.demo.hardware import Simulator
from instore.demo.layout import Layout
from instore.demo.observer import Observer
from instore.processes import Processes, Program, listening
from instore.programs import broker_program, hub_program

FAILURES_MAX = 3
"""Ends with an error: programs that can't run; nobody waits for them."""
TOGETHER = 8
"""Requests to the hub at once, as from so many tills."""


class DayFailed(RuntimeError):
    """The day could not be played; the sentence says why."""


class Backstage:
    """`said(type, message, ids)` hears everything on MQTT."""

    def __init__(self, layout: Layout, said: Callable[[str, dict[str, Any], dict[str, str]], None]) -> None:
        self.layout = layout
        self._said = said
        self.processes = Processes(self._on_process)
        self.observer = Observer(layout, self._heard)
        self.status: dict[str, str] = {}
        self._changed = asyncio.Event()
        self._given_up, self._failures = "", 0
        self._tasks: list[asyncio.Task[None]] = []

    # --- programs

    def program(self, name: str, *arguments: str, **more: Any) -> Program:
        """One of ours, with its log in its place."""
        return Program(name, arguments, self.layout.path(f"logs/{name}.log"), **more)

    async def open_hub(self, *more: Coroutine[Any, Any, None]) -> None:
        """Broker and hub are there; `more` runs until `close`."""
        layout = self.layout
        for name in ("logs", "sim"):
            layout.path(name).mkdir()
        users, log = layout.path("credentials.json"), layout.path("logs/broker.log")
        self.processes.start(broker_program(layout.broker, layout.store, users, layout.path("mosquitto"), log))
        await listening(layout.broker.host, layout.broker.port)
        self.processes.start(self.hub())
        self._tasks = [asyncio.create_task(run) for run in (self.observer.run(), *more)]
        await self.ready(["hub"])

    def hub(self) -> Program:
        """The hub."""
        return hub_program(self.layout.path("hub.toml"), self.layout.path("logs/hub.log"))

    async def close(self) -> None:
        """End everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.processes.stop()

    async def bring_in(self, what: str) -> None:
        """Import a file of the store's folder, by the command that a manager uses, while the hub runs. Raises DayFailed."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "instore", what, "import", str(self.layout.path(f"{what}.csv"))),
            *("--config", str(self.layout.path("hub.toml"))),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        if process.returncode:
            raise DayFailed(f"the import of {what} refused something: {said.decode(errors='replace')[:1000]}")

    # --- what is told

    def _on_process(self, name: str, state: str, code: int | None) -> None:
        if state == "died" and (code or 0) > 0:  # killed on purpose: below 0
            self._failures += 1
        if state == "gave up" or self._failures >= FAILURES_MAX:
            self._given_up = f"{name} can't run; see {self.layout.path(f'logs/{name}.log')}"
            self._changed.set()

    def _heard(self, type_: str, message: dict[str, Any], ids: dict[str, str]) -> None:
        data, channel = message.get("data", {}), ids.get("channel")
        if channel == "hub_status":
            self.status["hub"] = data["state"]
        elif channel == "agent_status":
            self.status[f"agent/{ids['agent']}"] = data["state"]
        elif channel == "device_status":
            self.status[f"{ids['agent']}/{ids['device']}"] = {"online": "ready"}.get(data["power"], data["power"])
        elif channel == "clerk_status":
            self.status[f"clerk/{ids['clerk']}"] = data["state"]
        self._changed.set()
        self._said(type_, message, ids)

    async def ready(self, names: list[str], timeout_s: float = 150.0) -> None:
        """Wait until all these are. Raises DayFailed."""

        def missing() -> list[str]:
            return [name for name in names if self.status.get(name) != "ready"]

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while missing() and not self._given_up:
                    self._changed.clear()
                    await self._changed.wait()
        if self._given_up or missing():
            raise DayFailed(self._given_up or f"not ready: {', '.join(missing())}; see {self.layout.path('logs')}")

    async def there(self, simulator: Simulator, timeout_s: float = 60.0) -> None:
        """Wait for a simulator. Raises DayFailed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await simulator.there.wait()
                return
        raise DayFailed(self._given_up or f"{simulator.name} do not answer; see {self.layout.path('logs')}")


async def some_at_once(work: list[Any]) -> None:
    """All of it, `TOGETHER` at a time."""
    turns = asyncio.Semaphore(TOGETHER)

    async def one(each: Any) -> None:
        async with turns:
            await each

    async with asyncio.TaskGroup() as tasks:
        for each in work:
            tasks.create_task(one(each))
