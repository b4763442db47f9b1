"""The demo to watch: a live view in the terminal and a page with the events, the receipts, the gate, the handheld."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections import deque

from rich.columns import Columns
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from instore.demo.layout import Layout
from instore.demo.page_server import PageServer
from instore.demo.play import READY_S, shop_for_ever
from instore.demo.record import Happening, Record
from instore.demo.stage import Stage
from instore.demo.visit import Play
from instore.demo.words import tell

CLERK_ANSWERS_MS = 8000
"""Time for a person to press "accept" in the page's handheld before the simulated clerk does."""
LINES = 16
PACE_S = 1.5
"""A person who watches follows one thing at a time."""


class View:
    """What the terminal shows."""

    def __init__(self, url: str, folder: str) -> None:
        self._url, self._folder = url, folder
        self._lines: deque[str] = deque(maxlen=LINES)
        self._programs: dict[str, str] = {}
        self._receipt = ""
        self._gate_open = False
        self.stage: Stage | None = None

    def take(self, happening: Happening) -> None:
        """One happening more."""
        if happening.type == "instore.demo.printer" and happening.message.get("event") == "printed":
            self._receipt = str(happening.message.get("text", ""))
        elif happening.type == "instore.demo.gate" and happening.message.get("event") in ("opened", "closed"):
            self._gate_open = happening.message["event"] == "opened"
        if happening.type == "instore.demo.process":
            self._programs[happening.message["name"]] = happening.message["state"]
        sentence = tell(happening)
        if sentence:
            self._lines.append(f"{happening.t_ms / 1000:7.1f}  {sentence}")

    def __rich__(self) -> Group:
        head = Text.assemble(("instore demo  ", "bold"), ("open ", ""), (self._url, "bold cyan underline"),
                             f"   files in {self._folder}   Ctrl-C ends it")  # fmt: skip
        return Group(head, Columns([self._program_table(), self._device_table(), self._things()], padding=(0, 2)),
                     Panel(Text("\n".join(self._lines) or "starting …"), title="what happens", height=LINES + 2))  # fmt: skip

    def _program_table(self) -> Table:
        table = Table(caption="kill one: it comes back", caption_justify="left")
        table.add_column("program")
        table.add_column("state")
        table.add_column("pid", justify="right")
        pids = self.stage.processes.pids() if self.stage else {}
        for name, state in self._programs.items():
            colour = "green" if state == "started" else "red"
            table.add_row(name, Text("runs" if state == "started" else state, colour), str(pids.get(name, "")))
        return table

    def _device_table(self) -> Table:
        table = Table()
        table.add_column("says of itself")
        table.add_column("state")
        for name, state in sorted((self.stage.status if self.stage else {}).items()):
            colour = "green" if state in ("ready", "online") else "red"
            table.add_row(name, Text(state, colour))
        return table

    def _things(self) -> Group:
        """The gate, and the newest receipt as the printer printed it."""
        flaps = Text("▐   ▌  gate open", "bold green") if self._gate_open else Text("▐█|█▌  gate closed", "bold red")
        paper = Text("\n".join(line.strip() for line in self._receipt.splitlines() if line.strip()) or "no receipt yet")
        return Group(flaps, Panel(paper, title="newest receipt", width=50, height=11))


async def watch(layout: Layout, port: int, *, as_json: bool) -> int:
    """Play until interrupted; returns the exit code. Raises OSError with a sentence when the page's port is taken."""
    listener = _listen(port)
    url = f"http://localhost:{listener.getsockname()[1]}"
    view = View(url, str(layout.folder))
    page = PageServer(layout, listener)

    def take(happening: Happening) -> None:
        page.take(happening)
        if as_json:
            print(happening.line(), flush=True)
        else:
            view.take(happening)

    record = Record(take)
    stage = Stage(layout, record, clerk_answers_ms=CLERK_ANSWERS_MS)
    view.stage = page.stage = stage
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    tasks: list[asyncio.Task[None]] = []
    try:
        await stage.start()
        tasks += [asyncio.create_task(page.run()), asyncio.create_task(_play(stage))]
        if not as_json:
            tasks.append(asyncio.create_task(_draw(view, url)))
        await stop.wait()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await stage.stop()
    return 0


async def _play(stage: Stage) -> None:
    missing = await stage.ready(READY_S)
    if missing:
        stage.record.add("instore.demo.summary", {"ok": False, "failure": f"not ready: {', '.join(missing)}"})
    await shop_for_ever(stage, Play(stage, pace_s=PACE_S))


async def _draw(view: View, url: str) -> None:
    if not sys.stdout.isatty():
        print(f"instore demo: open {url}", flush=True)
        await asyncio.Event().wait()
    with Live(view, console=Console(), screen=True, auto_refresh=False) as live:
        while True:
            live.update(view, refresh=True)
            await asyncio.sleep(0.25)  # four pictures a second are enough for an eye


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port), backlog=64)
    except OSError as error:
        raise OSError(f"the demo's page can't use port {port}: {error.strerror}; choose another with --port") from None
