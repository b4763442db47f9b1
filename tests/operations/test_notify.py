"""Real programs at a real notify socket: told as ready, alive while they work, and silent when they hang."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import socket
import statistics
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from contract.access import Principal
from contract.messages import Role
from delivery.engine import Engine
from delivery.journal import Journal
from delivery.link import Address
from delivery.node import Node
from delivery.notify import Notifier
from delivery.watchdog import Check, Watchdog
from tests.delivery.real import free_ports, until

WATCHDOG_S = 0.6
# A signal handler of Python runs in the main thread, between two steps of the loop: there it holds up everything.
_RUN = """
import asyncio, pathlib, signal, sys, time
from {module} import {load}
from {program} import {run}
signal.signal(signal.SIGUSR1, lambda *_: time.sleep(1.5))
signal.signal(signal.SIGUSR2, lambda *_: time.sleep(3600))
file = pathlib.Path(sys.argv[1])
asyncio.run({run}({load}(file), file))
"""
EDGE = {"module": "config.edge_settings", "load": "load_edge", "program": "edge.agent", "run": "run_edge"}
HUB = {"module": "config.hub_settings", "load": "load_hub", "program": "hub.service", "run": "run_hub"}


class ServiceManager:
    """systemd's end of the socket: what was told, and when."""

    def __init__(self, address: str) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind("\0" + address[1:] if address.startswith("@") else address)
        self.sock.setblocking(False)
        self.address, self.told = address, [("", 0.0)]
        self.told.clear()

    def read(self) -> list[str]:
        with contextlib.suppress(BlockingIOError):
            while True:
                data = self.sock.recv(4096).decode()
                self.told += [(line, time.monotonic()) for line in data.splitlines()]
        return [line for line, _ in self.told]

    def count(self, word: str) -> int:
        return self.read().count(word)


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceManager]:
    found = ServiceManager(f"@instore-{os.getpid()}" if request.param == "abstract" else str(tmp_path / "notify"))
    yield found
    found.sock.close()


def settings(folder: Path, program: dict[str, str]) -> Path:
    mqtt = f'[mqtt]\nport = {free_ports(1)[0]}\npassword = "x"\n'
    if program is EDGE:
        text = f'store = "s1"\nagent = "a"\ndatabase = "a.db"\n{mqtt}username = "agent-a"\n'
        text += f'[[lane]]\nid = "1"\n[lane.reader]\nport = "{folder}/reader"\n[metrics]\nport = 0\n'
    else:
        shipped = (Path(__file__).parents[2] / "config" / "shipped").resolve()
        names = "".join(f'{n} = "{shipped}/{n}.toml"\n' for n in ("rules", "messages", "incentives"))
        text = f'database = "h.db"\n{names}[store]\nid = "s1"\nname = {{ ja = "店", en = "Store" }}\n'
        text += f'[http]\nport = 0\n{mqtt}username = "hub-main"\n'
    path = folder / "settings.toml"
    path.write_text(text)
    return path


@contextlib.asynccontextmanager
async def started(
    program: dict[str, str], file: Path, manager: ServiceManager, *, faults: bool = False
) -> AsyncIterator[asyncio.subprocess.Process]:
    environment = {
        **os.environ,
        "PYTHONFAULTHANDLER": "1",
        "NOTIFY_SOCKET": manager.address,
        "WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6)),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _RUN.format(**program),
        str(file),
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE if faults else None,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize("program", [EDGE, HUB], ids=["edge", "hub"])
async def test_a_program_is_told_as_ready_alive_and_stopping_and_falls_silent_when_it_hangs(
    program: dict[str, str], manager: ServiceManager, tmp_path: Path
) -> None:
    async with started(program, settings(tmp_path, program), manager) as process:
        await until(lambda: manager.count("READY=1"))
        assert manager.count("WATCHDOG=1") <= 2  # not before it serves, but at once when it does
        await until(lambda: manager.count("WATCHDOG=1") >= 4)
        alive = [at for line, at in manager.told if line == "WATCHDOG=1"]
        # Half the limit apart; a machine that does other things too makes it a whole one now and then.
        assert statistics.median(b - a for a, b in itertools.pairwise(alive)) < WATCHDOG_S
        assert any(line.startswith("STATUS=no broker; ") for line in manager.read())

        process.send_signal(signal.SIGUSR1)
        await asyncio.sleep(0.2)
        before = manager.count("WATCHDOG=1")
        await asyncio.sleep(2 * WATCHDOG_S - 0.1)
        assert manager.count("WATCHDOG=1") == before  # systemd would have ended it
        await until(lambda: manager.count("WATCHDOG=1") > before)  # and it would not have been a timer that goes on

        process.terminate()
        await asyncio.wait_for(process.wait(), 30)
        assert manager.count("STOPPING=1") == 1
        assert process.returncode == 0


@pytest.mark.row("C9")
async def test_a_program_that_hangs_for_good_is_ended_with_a_stack_trace_and_serves_again(tmp_path: Path) -> None:
    """What the unit makes systemd do: SIGABRT when the time limit is over, then a start."""
    manager, file = ServiceManager(str(tmp_path / "notify")), settings(tmp_path, EDGE)
    async with started(EDGE, file, manager, faults=True) as process:
        await until(lambda: manager.count("WATCHDOG=1") >= 2)
        process.send_signal(signal.SIGUSR2)
        hung_at = time.monotonic()
        await until(lambda: manager.read() and time.monotonic() - manager.told[-1][1] > WATCHDOG_S)
        assert time.monotonic() - hung_at < 3 * WATCHDOG_S
        process.send_signal(signal.SIGABRT)
        _, said = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == -signal.SIGABRT
        assert b"Fatal Python error: Aborted" in said
        assert b"<lambda>" in said  # it says where it hung
    before = manager.count("READY=1")
    async with started(EDGE, file, manager):
        await until(lambda: manager.count("READY=1") > before)
    manager.sock.close()


async def test_a_pump_that_hangs_ends_the_signs_of_life_though_the_loop_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = ServiceManager(str(tmp_path / "notify"))
    journal = Journal(tmp_path / "a.db")
    engine = Engine(journal, Principal(Role.AGENT, "a"), "s1", lambda message, tx: None)
    node = Node(engine, Address("127.0.0.1", free_ports(1)[0], "agent-a", "x"))
    notifier = Notifier({"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "200000", "WATCHDOG_PID": str(os.getpid())})
    watchdog = Watchdog([Check("node", lambda: node.rounds, node.poke)], lambda: "well", notifier=notifier)
    go_on = asyncio.Event()
    right = node._wait

    async def hang() -> None:
        await go_on.wait()
        monkeypatch.setattr(node, "_wait", right)

    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(node.run()), tasks.create_task(watchdog.run())]
        await until(lambda: manager.count("WATCHDOG=1") >= 3)
        monkeypatch.setattr(node, "_wait", hang)
        node.poke()
        await until(lambda: "STATUS=hung: node" in manager.read())
        before = manager.count("WATCHDOG=1")
        await asyncio.sleep(0.5)
        assert (manager.count("WATCHDOG=1"), watchdog.hung) == (before, ("node",))
        go_on.set()
        await until(lambda: manager.count("WATCHDOG=1") > before)
        assert watchdog.hung == ()
        for task in running:
            task.cancel()
    journal.close()
    manager.sock.close()


def test_without_a_service_manager_nothing_is_told() -> None:
    notifier = Notifier({})
    assert (notifier.active, notifier.watchdog_s) == (False, None)
    notifier.ready("a")
    notifier.alive()
    notifier.stopping()


@pytest.mark.parametrize(
    ("given", "limit_s"),
    [
        ({"WATCHDOG_USEC": "20000000"}, 20.0),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "1"}, None),  # it was meant for our parent
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({}, None),
    ],
)
def test_the_time_limit_is_the_service_managers(given: dict[str, str], limit_s: float | None) -> None:
    assert Notifier({"NOTIFY_SOCKET": "/run/x", **given}).watchdog_s == limit_s


def test_a_service_manager_that_is_gone_or_full_ends_nobody(tmp_path: Path) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).alive("well")
    manager = ServiceManager(str(tmp_path / "notify"))
    notifier = Notifier({"NOTIFY_SOCKET": manager.address})
    for _ in range(10_000):
        notifier.alive("a\nb" * 500)  # nobody reads: the socket is full after some of them
    first = manager.sock.recv(4096).decode()
    assert first.startswith("WATCHDOG=1\nSTATUS=a b")
    assert len(first) < 250
    manager.sock.close()
