"""The hub as a program: its parts, put together once."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import signal
import socket
import sqlite3
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import structlog
import uvicorn
from fastapi import FastAPI

from config.hub_settings import HubSettings, load_api_keys, load_manager_keys
from config.load import SettingsError
from contract import topics
from contract.access import Principal
from contract.envelope import Message, encode, source_of
from contract.messages import BY_NAME, Role
from contract.payloads import ClientState, HubStatus
from delivery.engine import Engine, Publication, Tx
from delivery.journal import Journal
from delivery.node import Node
from delivery.notify import Notifier
from delivery.watchdog import Check, Watchdog
from hub import web
from hub.core import Hub
from hub.database.schema import MIGRATIONS
from hub.eid.resolving import keep_ahead
from hub.exit_keys import read_keys
from hub.giving import service as giving
from hub.giving.courier import Courier
from hub.members.gateway import FRAME_MAX_BYTES
from hub.rules.reload import RunningPolicy

log = structlog.get_logger()

TICK_S = 1.0
CLEAN_EVERY_TICKS = 600
STATUS_EVERY_S = 5.0
"""The hub's counters go to every agent and handheld: as often as heartbeats. That it is there, or not, is said at once."""


async def run_hub(settings: HubSettings, settings_path: Path) -> None:
    """Until SIGTERM, SIGINT or cancellation. `settings` from `config.hub_settings.load_hub`.

    Raises SettingsError, JournalError: sentences for whoever starts it. A broker that is away is no error: it is waited for.
    """
    policy = RunningPolicy(settings)
    api_keys, manager_keys = load_api_keys(settings), load_manager_keys(settings)
    keys = read_keys(settings_path, settings.exit_code.key_files)
    address = settings.mqtt.address(settings_path)
    with _alone(settings_path, settings.database), contextlib.closing(_listen(settings_path, settings)) as listener:
        journal = Journal(settings.database, MIGRATIONS)
        try:
            hub = Hub(settings, keys, lambda: policy.current, version=_version())
            journal.db.execute("PRAGMA secure_delete=ON")  # what is deleted is overwritten: who is erased is gone
            engine = Engine(journal, Principal(Role.HUB, settings.id), settings.store.id, hub.handle)
            hub.forgetting.outgoing = engine.outgoing
            node = Node(engine, address, will=last_will(settings), on_link=on_link(hub, engine), express=True)
            mail, pays = settings.members.mail, settings.shopping.payment
            app = web.build(hub, node, policy, api_keys, mail_password=mail.secret(settings_path) if mail else "",
                            manager_keys=manager_keys, payment_secret=pays.secret(settings_path) if pays else "")  # fmt: skip
            courier = giving.courier(hub, node, mail_password=mail.secret(settings_path) if mail else "",
                                     key=giving.push_key(settings))  # fmt: skip
            await _run(hub, node, policy, app, listener, courier)
            engine.flush()
        finally:
            journal.close()


async def _run(
    hub: Hub, node: Node, policy: RunningPolicy, app: FastAPI, listener: socket.socket, courier: Courier
) -> None:
    stop = asyncio.Event()
    with _signals(stop, policy):
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(node.run(), name="node"),
                tasks.create_task(tick(hub, node, policy), name="tick"),
                tasks.create_task(courier.run(), name="giving"),
                tasks.create_task(
                    keep_ahead(hub.eids, node.engine.journal.db, node.engine.clock), name="rotating beacons"
                ),
            ]
            server = _Server(
                uvicorn.Config(
                    app,
                    log_config=None,
                    access_log=False,
                    lifespan="off",
                    timeout_graceful_shutdown=1,
                    ws_max_size=FRAME_MAX_BYTES,
                    ws_per_message_deflate=False,
                )
            )
            serving = tasks.create_task(server.serve(sockets=[listener]), name="http")
            notifier = Notifier()
            watchdog = Watchdog([Check("node", lambda: node.rounds, node.poke)], lambda: status_line(hub, node),
                                notifier=notifier, serves=lambda: server.started)  # fmt: skip
            running.append(tasks.create_task(watchdog.run(), name="watchdog"))
            host, port = listener.getsockname()[:2]
            log.info(
                "hub started",
                store=hub.settings.store.id,
                http=f"http://{host}:{port}",
                database=str(hub.settings.database),
            )
            try:
                await stop.wait()
                notifier.stopping()
                _good_bye(hub, node)
                await asyncio.sleep(0.05)  # let the library write it
            finally:
                server.should_exit = True
                for task in running:
                    task.cancel()
                await serving
    log.info("hub stopped", store=hub.settings.store.id)


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the hub stops as a whole."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def tick(hub: Hub, node: Node, policy: RunningPolicy) -> None:
    """What time brings: alerts, changed rules, the hub's own counters when they have changed, old traces."""
    shown: dict[str, int] = {}
    said, ticks = -STATUS_EVERY_S, 0
    while True:
        await asyncio.sleep(TICK_S)
        ticks += 1
        policy.check()
        hub.counters["rules_refused"] = policy.refusals
        try:
            with node.transaction() as tx:
                hub.tick(tx)
                now = hub.shown(node.engine.counters) if tx.now - said >= STATUS_EVERY_S else shown
                if now != shown:
                    hub.say_status(tx, node.engine.counters)
                    said = tx.now
            shown = now
            if ticks % CLEAN_EVERY_TICKS == 0:
                with node.transaction() as tx:
                    hub.clean(tx)
        except sqlite3.Error as error:
            if not node.disk_trouble:  # the node says it once, and when it is over
                log.error("the database can't be written", error=str(error))
                node.disk_trouble = str(error)


def status_line(hub: Hub, node: Node) -> str:
    """One line for the service manager: the broker, the agents, what waits."""
    there = sum(state is ClientState.READY for state in hub.agents.values())
    trouble = f"database: {node.disk_trouble}; " if node.disk_trouble else ""
    return (
        f"{trouble}{'connected' if node.link.up else 'no broker'}; {there} of {len(hub.agents)} agents there; "
        f"{node.engine.unacknowledged()} messages wait"
    )


def on_link(hub: Hub, engine: Engine) -> Callable[[bool, Tx], None]:
    """What the hub says when the connection is there."""

    def tell(up: bool, tx: Tx) -> None:
        if up:
            hub.say_state(tx, engine.counters)

    return tell


def _good_bye(hub: Hub, node: Node) -> None:
    with contextlib.suppress(sqlite3.Error), node.transaction() as tx:
        hub.say_status(tx, node.engine.counters, ClientState.DISCONNECTED)


def last_will(settings: HubSettings) -> Publication:
    """What the broker says when the hub vanishes."""
    channel, ids = BY_NAME["hub_status"], {"hub": settings.id}
    data = HubStatus(state=ClientState.LOST)
    message = Message(channel, ids, data, f"hub-{settings.id}.will", source_of(channel, ids))
    topic = topics.topic(channel, settings.store.id, **ids)
    return Publication(topic, encode(message), channel.qos, channel.retain)


def _listen(settings_path: Path, settings: HubSettings) -> socket.socket:
    """The HTTP port, taken before anything else happens, so that a taken one is a sentence."""
    host, port = settings.http.host, settings.http.port
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise SettingsError(
            settings_path,
            [f"http: {host}:{port} can't be used: {error.strerror}; is another program there? choose another port"],
        ) from None


@contextlib.contextmanager
def _alone(settings_path: Path, database: Path) -> Iterator[None]:
    """Two hubs on one database would each miss what the other has taken. The lock ends with the process, however it ends."""
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
        lock = open(f"{database}.lock", "w")  # noqa: SIM115  # held until the end of the block
    except OSError as error:
        raise SettingsError(settings_path, [f"database: {database}: {error.strerror}"]) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SettingsError(settings_path, [f"database: another hub runs on {database}; stop it first"]) from None
        yield


@contextlib.contextmanager
def _signals(stop: asyncio.Event, policy: RunningPolicy) -> Iterator[None]:
    """SIGTERM and SIGINT stop, SIGHUP reads the rules again at once. Elsewhere than in the main thread: none."""
    loop = asyncio.get_running_loop()
    wanted = {signal.SIGTERM: stop.set, signal.SIGINT: stop.set, signal.SIGHUP: policy.check}
    taken = []
    for number, act in wanted.items():
        with contextlib.suppress(ValueError, RuntimeError):
            loop.add_signal_handler(number, act)
            taken.append(number)
    try:
        yield
    finally:
        for number in taken:
            loop.remove_signal_handler(number)


def _version() -> str:
    try:
        return version("instore")
    except PackageNotFoundError:
        return ""
