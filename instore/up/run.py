"""Runs this machine's part of a store: children under supervision, from start to a clean end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from broker.errors import BrokerError, PortInUse
from broker.mosquitto import Tls
from broker.mosquitto_process import check_port_is_free
from config.load import SettingsError
from delivery.notify import Notifier
from instore.processes import Processes, Program, Restart, listening
from instore.programs import agent_program, broker_program, hub_program
from instore.up.files import alone, check_owner, prepare, settings_file, users_file
from instore.up.notices import Notices
from instore.up.plan import Plan
from instore.up.plan import listening as listens
from instore.up.reload import reloaded
from instore.up.telling import cautions, overview, to_open

log = structlog.get_logger()

WATCHDOG_S = 20.0
"""A program that was alive and says nothing for so long hangs (as in deploy/systemd)."""
LOOK_S = 1.0
RESTART = Restart(first_s=0.5, longest_s=30.0, give_up=None)
"""A store does not give up."""
_SERVICE = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


def check_ports(plan: Plan) -> None:
    """Raises SettingsError when somebody listens already where a program of this machine would."""
    problems = []
    for what, host, port in listens(plan):
        try:
            check_port_is_free("127.0.0.1" if host == "localhost" else host, port)
        except PortInUse as error:
            who = str(error).replace(" for the broker", "")
            problems.append(f"{what}: {who}")
        except OSError as error:
            problems.append(f"{what}: {host} is no address of this machine ({error.strerror})")
    if problems:
        raise SettingsError(plan.path, problems)


class Up:
    """The children of one `instore up`. `say(line)` takes what a person should read."""

    def __init__(self, plan: Plan, say: Callable[[str], None]) -> None:
        self._plan, self._say = plan, say
        self.notifier = Notifier()
        for name in _SERVICE:  # they are about us, not about our children
            os.environ.pop(name, None)
        self.notices = Notices(WATCHDOG_S, self._noticed)
        self.processes = Processes(self._changed, RESTART)
        self.changed = asyncio.Event()
        """Set when the store's file is to be read anew."""
        self._users_at = 0
        self._told_ready: set[str] = set()
        self._all_said = False

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set; nobody is left over then."""
        try:
            await self._start()
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S):
                        await stop.wait()
                await self._look()
        finally:
            self.notifier.stopping()
            await self.processes.stop(last=("broker",))
            self.notices.close()

    async def _start(self) -> None:
        plan = self._plan
        if "broker" in plan.parts:
            self.processes.start(self._broker())
            await listening(plan.broker_listens, plan.file.broker.port)  # it saves the others' first back-off
        for part in plan.parts:
            if part != "broker":
                self.processes.start(self._program(part))

    def _program(self, part: str) -> Program:
        plan, name = self._plan, _name(part)
        if part == "hub":
            trusted = [machine.address for machine in plan.file.machine if "web" in machine.runs]
            heard = self.notices.environment(name) | {"FORWARDED_ALLOW_IPS": ",".join(["127.0.0.1", *trusted])}
            made = hub_program(plan.data / "hub.toml", None, heard)
        elif part == "web":
            made = self._web()
        else:
            own = part.removeprefix("agent:")
            made = agent_program(name, settings_file(plan, own), None, self.notices.environment(name))
        made.on_line = lambda line: self._line(name, line)
        return made

    def _broker(self) -> Program:
        plan, given = self._plan, self._plan.file.broker
        tls = (
            Tls(plan.file_path(given.tls_cert), plan.file_path(given.tls_key))
            if given.tls_cert and given.tls_key
            else None
        )
        self._users_at = _stamp(users_file(plan))
        made = broker_program(plan.broker, plan.file.store.id, users_file(plan), plan.data / "mosquitto", None,
                              host=plan.broker_listens, tls=tls)  # fmt: skip
        made.on_line = lambda line: self._line("broker", line)
        return made

    def _web(self) -> Program:
        plan, web = self._plan, self._plan.file.web
        hub, broker = plan.file.where("hub").address, plan.broker
        arguments = [
            "web",
            "--listen",
            plan.machine.listens,
            "--port",
            str(web.port),
            "--hub",
            f"{hub}:{plan.hub_port}",
        ]
        if not broker.tls and broker.kind != "elsewhere":  # a clerk's page speaks to the broker by the same way
            arguments += ["--broker", f"{broker.host}:{broker.ws_port}"]
        if web.tls_cert is not None and web.tls_key is not None:
            arguments += [
                "--tls-cert",
                str(plan.file_path(web.tls_cert)),
                "--tls-key",
                str(plan.file_path(web.tls_key)),
            ]
        return Program("web", arguments, None)

    # --- how they are

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        for name in self.notices.hung(loop.time()):
            self._say(f"{name}: says nothing any more; it is ended and started again")
            self.processes.kill(name)
            self.notices.begins(name)
        if self.changed.is_set():
            self.changed.clear()
            await self._take_up()
        await self._users_changed()
        self.notifier.alive(self.status())

    async def _take_up(self) -> None:
        """The file as it is now; when it can't be, everything goes on as before."""
        try:
            self._plan, parts = reloaded(self._plan)
        except (SettingsError, BrokerError, OSError) as error:
            self._say(f"not taken up, everything goes on as before: {error}")
            return
        self._say(f"{self._plan.path.name} was read anew; {', '.join(parts) or 'nothing'} is started anew")
        for part in parts:
            await self.processes.stop_one(_name(part))
            self.processes.start(self._program(part))

    async def _users_changed(self) -> None:
        """Mosquitto reads its users at its start; the embedded broker sees a changed file by itself."""
        plan = self._plan
        if (
            "broker" not in plan.parts
            or plan.file.broker.kind != "mosquitto"
            or _stamp(users_file(plan)) == self._users_at
        ):
            return
        self._say("broker: its users have changed; it starts again with them")
        await self.processes.stop_one("broker")
        self.processes.start(self._broker())

    def status(self) -> str:
        """One line on everything."""
        running = self.processes.pids()
        down = [_name(part) for part in self._plan.parts if _name(part) not in running]
        waiting = [name for name, notice in self.notices.known.items() if not notice.ready and name not in down]
        words = [f"{len(self._plan.parts) - len(down)} of {len(self._plan.parts)} programs run"]
        words += [f"down: {', '.join(down)}"] if down else []
        words += [f"not ready: {', '.join(waiting)}"] if waiting else []
        return "; ".join(words)

    def _changed(self, name: str, state: str, pid: int | None) -> None:
        if state == "started":
            if name in self.notices.known:
                self.notices.begins(name)
            self._say(f"{name}: started (process {pid})")
        elif state == "died":
            self._told_ready.discard(name)
            how = f"signal {signal.Signals(-pid).name}" if pid is not None and pid < 0 else f"exit code {pid}"
            self._say(f"{name}: ended by itself ({how}); it is started again")

    def _noticed(self, name: str) -> None:
        notice = self.notices.known[name]
        if notice.ready:
            again = name in self._told_ready
            self._told_ready.add(name)
            self._say(f"{name}: {notice.status}" if again else f"{name}: ready; {notice.status}")
        if not self._all_said and all(each.ready for each in self.notices.known.values()):
            self._all_said = True
            self.notifier.ready(self.status())
            self._say("all programs of this machine are ready")

    def _line(self, name: str, line: str) -> None:
        sys.stderr.write(f"{name:<16} {line.rstrip()}\n")
        sys.stderr.flush()


async def run_up(plan: Plan, *, qr: bool) -> None:
    """Until SIGTERM or SIGINT. Raises SettingsError, BrokerError, OSError before anything runs."""
    prepare(plan)
    check_owner(plan)
    with alone(plan):
        check_ports(plan)
        _print(overview(plan))
        for caution in cautions(plan):
            _print(f"! {caution}")
        if "hub" in plan.parts or "web" in plan.parts or plan.agents:
            _print("\nopen\n" + to_open(plan, qr=qr) + "\n")
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        up = Up(plan, _say)
        loop.add_signal_handler(signal.SIGHUP, up.changed.set)
        if not up.notices.known and plan.parts in (("broker",), ("web",), ("broker", "web")):
            up.notifier.ready()
        await up.run(stop)
        _say("everything has ended")


def _say(line: str) -> None:
    _print(f"{time.strftime('%H:%M:%S')}  {line}")


def _print(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # a terminal that has gone ends no store
        print(text, flush=True)


def _name(part: str) -> str:
    """Of the program that is a part: `agent:exit` is called `agent-exit`."""
    return part.replace(":", "-")


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
