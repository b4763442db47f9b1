"""The whole agent on a Pi, as a parts list: devices and beacons on one side, MQTT on the other."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import structlog

from config.edge_settings import (
    BeaconSettings,
    DetectorSettings,
    EdgeSettings,
    FaceDetector,
    MemberCodes,
    PeopleCounter,
)
from config.load import SettingsError
from contract import topics
from contract.access import Principal
from contract.envelope import Message, encode
from contract.messages import BY_NAME, Role
from contract.payloads import (
    AgentHeartbeat,
    AgentStatus,
    ClientState,
    CouponRead,
    ExitKeys,
    LaneCallAnswered,
    LaneDecision,
)
from delivery.clock import Clock
from delivery.engine import Engine, Publication, Tx
from delivery.journal import Journal
from delivery.link import Link
from delivery.node import Node
from delivery.notify import Notifier
from delivery.watchdog import Watchdog
from devices import beacon_scanner
from devices.beacon_scanner import BeaconScanner
from devices.pulse import Pulse
from devices.status import DeviceStatus
from edge.announcer import Announcer
from edge.codes import Keyring
from edge.detectors import member_codes as members
from edge.detectors import plugin
from edge.detectors.bluetooth import Bluetooth
from edge.detectors.detection import Detection
from edge.detectors.detector import Counted, Detector, Event
from edge.detectors.people import People
from edge.detectors.plugin import NoPlugin, Plugin
from edge.display.looking import displays
from edge.health import Health, keep_running
from edge.health_page import checks, page, status_line
from edge.lane_devices import LaneDevices
from edge.lane_runner import LaneRunner
from edge.metrics import Metrics
from edge.metrics_server import MetricsServer
from edge.store import MIGRATIONS, EdgeStore

log = structlog.get_logger()

VERSION = "0.1.0"


@dataclass(frozen=True)
class World:
    """Whatever of the world an agent touches, each made as the class of that name is. A simulation brings its own."""

    journal: Callable[..., Journal] = Journal
    link: Callable[..., Link] = Link
    devices: Callable[..., LaneDevices] = LaneDevices
    scanner: Callable[..., BeaconScanner] = BeaconScanner


class Watched(Protocol):
    """A worker of the agent itself: its pulse is looked at, and it can be made to go round."""

    pulse: Pulse

    def poke(self) -> None: ...


class Agent:
    """Everything of one agent. `await run()` until cancelled or told to stop by a signal.

    Raises SettingsError, JournalError with a sentence for the installer.
    """

    def __init__(
        self, settings: EdgeSettings, settings_file: Path, *, clock: Clock | None = None, world: World = World()
    ) -> None:  # frozen
        self.settings = settings
        self._clock = clock or Clock()
        self._started_at = self._clock.monotonic()
        address = settings.mqtt.address(settings_file)
        scanning = _scanning(settings.beacons, settings_file) if settings.beacons else None
        journal = world.journal(settings.database, MIGRATIONS)
        me = Principal(Role.AGENT, settings.agent)
        self.engine = Engine(journal, me, settings.store, self._handle, clock=self._clock)
        self.announcer = Announcer(
            AgentStatus(state=ClientState.READY, version=VERSION, started=self._clock.utc()),
        )
        self.node = Node(self.engine, address, will=self._last_words(ClientState.LOST),
                         goodbye=self._last_words(ClientState.DISCONNECTED), on_link=self._on_link,
                         make_link=world.link)  # fmt: skip
        self.store = EdgeStore(journal.db)
        self.keys = Keyring(settings.store, self.store.keys())
        self._tasks: set[asyncio.Task[None]] = set()
        self.health = Health()
        self.lane_devices = {lane.id: world.devices(lane, self.announcer.device) for lane in settings.lane}
        for devices in self.lane_devices.values():
            devices.health = self.health
        self.lanes = {
            lane.id: LaneRunner(lane, self.node, self.store, self.keys, self.lane_devices[lane.id], self._spawn)
            for lane in settings.lane
        }
        for runner in self.lanes.values():
            runner.policy = replace(runner.policy, display=settings.display is not None)
            runner.others = lambda own=runner: [lane for lane in self.lanes.values() if lane is not own]  # type: ignore[misc]
        self.display = displays(self)
        self.sightings = Bluetooth(settings.beacons, partial(world.scanner, scanning)) if settings.beacons else None
        detectors: list[Detector] = [self.sightings] if self.sightings is not None else []
        detectors += [self._detector(each, settings_file) for each in settings.detector]
        self.detection = Detection(detectors, self.node, self._also) if detectors else None

    def connect_devices(self) -> None:
        """Make the drivers of all lanes and tell them whom to tell."""
        for name, devices in self.lane_devices.items():
            runner = self.lanes[name]
            devices.on_typed, devices.on_near, devices.on_help = runner.on_typed, runner.on_near, runner.on_help
            devices.on_device = runner.on_device
            devices.connect(runner.on_scan, runner.put, runner.put, runner.known)

    def _detector(self, settings: DetectorSettings, settings_file: Path) -> Detector:
        match settings:
            case MemberCodes():
                return members.MemberCodes(settings)
            case PeopleCounter():
                return People(settings, self.store.counter(settings.id))
            case FaceDetector():
                try:
                    return Plugin(settings, plugin.find(settings.plugin), self._clock.monotonic)
                except NoPlugin as error:
                    raise SettingsError(settings_file, [f"detector {settings.id}: plugin: {error}"]) from None

    def _also(self, event: Event, _tx: Tx) -> None:
        """With the message of an event, in its transaction."""
        if isinstance(event, Counted):
            self.store.save_counter(event.device, event.totals)

    async def run(self) -> None:
        """Until cancelled. The last that the broker hears is that we left on purpose."""
        self.connect_devices()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.node.run(), name="node")
                tasks.create_task(self._keep("announcer", lambda: self.announcer.run(self.node), self.announcer))
                tasks.create_task(self._beat(), name="heartbeat")
                for name, devices in self.lane_devices.items():
                    tasks.create_task(devices.run(), name=f"devices of lane {name}")
                    tasks.create_task(self._keep(f"lane-{name}", self.lanes[name].run, self.lanes[name]))
                if self.display is not None:
                    board = self.display.board
                    tasks.create_task(self._keep("display", board.run, board))
                    tasks.create_task(keep_running("display server", self.display.run, health=self.health))
                if self.detection is not None:
                    tasks.create_task(self._keep("detection", self.detection.run, self.detection))
                    for detector in self.detection.detectors:
                        tasks.create_task(self._keep_detecting(detector, self.detection.poke), name=detector.name)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._close()

    async def _keep(self, name: str, run: Callable[[], Awaitable[None]], worker: Watched) -> None:
        await keep_running(name, run, pulse=lambda: worker.pulse, poke=worker.poke, health=self.health)

    async def _keep_detecting(self, detector: Detector, wake: Callable[[], None]) -> None:
        def tell(status: DeviceStatus) -> None:
            self.announcer.device(detector.name, detector.category, status)

        made = [detector.driver(wake, tell)]

        def renew() -> None:
            made[0] = detector.driver(wake, tell)

        watched = hasattr(made[0], "pulse")  # a plugin's driver may have none
        await keep_running(detector.name, lambda: made[0].run(), tell, renew=renew, health=self.health,
                           pulse=(lambda: made[0].pulse) if watched else None)  # type: ignore[attr-defined]  # fmt: skip

    def _close(self) -> None:
        try:
            self.engine.flush()
        except sqlite3.Error as error:
            log.error("the last sightings could not be saved", error=str(error))
        self.engine.journal.close()

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(self._guarded(work, name), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _guarded(self, work: Coroutine[Any, Any, None], name: str) -> None:
        # A fault in one piece of work must not end the agent: the lane's own patience deals with its silence.
        try:
            await work
        except Exception as error:
            self.engine.counters["work_failed"] += 1
            log.error("a piece of work failed", work=name, error=repr(error), exc_info=True)

    # --- what the hub says

    def _handle(self, message: Message, tx: Tx) -> None:
        match message.data:
            case LaneDecision():
                self._lane(message).decided(message.data, message.id, message.visit, tx)
            case CouponRead():
                self._lane(message).coupon_read(message.data, tx)
            case LaneCallAnswered():
                self._lane(message).call_answered(message.data, tx)
            case ExitKeys():
                if message.data.store != self.settings.store:
                    raise ValueError(f"keys of store {message.data.store!r}; this is {self.settings.store!r}")
                self.store.save_keys(message.data.keys)
                tx.after_commit(lambda keys=message.data.keys: self.keys.replace(keys))  # type: ignore[misc]
            case _:
                pass  # the hub's status: hearing it is enough, the engine sends again what waits

    def _lane(self, message: Message) -> LaneRunner:
        lane = self.lanes.get(message.ids["lane"])
        if lane is None:
            raise ValueError(f"this agent has no lane {message.ids['lane']!r}")
        return lane

    # --- what we say of ourselves

    def _last_words(self, state: ClientState) -> Publication:
        channel = BY_NAME["agent_status"]
        ids = {"agent": self.settings.agent}
        me = self.engine.me
        message = Message(channel, ids, AgentStatus(state=state, version=VERSION),
                          f"{me.username}.{self.engine.epoch}.{state.value}", f"agent/{me.id}")  # fmt: skip
        return Publication(topics.topic(channel, self.settings.store, **ids), encode(message), 1, retain=True)

    def _on_link(self, up: bool, tx: Tx) -> None:
        if up:
            self.announcer.everything(tx)
            tx.send("agent_heartbeat", self._heartbeat())  # its answer tells what time it is

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self.settings.heartbeat_s)
            for device in self.announcer.devices:
                self.announcer.counters(device, self._counted(device))
            try:
                with self.node.transaction() as tx:
                    tx.send("agent_heartbeat", self._heartbeat())
            except sqlite3.Error as error:
                # Whoever listens misses a heartbeat, which is the truth: this agent can't work.
                log.error("no heartbeat: the database takes no transaction", error=str(error))

    def uptime_s(self) -> float:
        return self._clock.monotonic() - self._started_at

    def _counted(self, device: str) -> dict[str, int]:
        """What the agent has counted beside a device's driver."""
        restarts = {"driver_restarts": restarted} if (restarted := self.health.restarts(device)) else {}
        for detector in self.detection.detectors if self.detection is not None else ():
            if detector.name == device:
                shed = {"dropped_events": self.detection.dropped_events} if detector is self.sightings else {}  # type: ignore[union-attr]
                return restarts | shed | dict(detector.counted())
        lane = self.lanes.get(device.removeprefix("reader-"))
        return restarts | (dict(lane.counters) if lane is not None and device.startswith("reader-") else {})

    def _heartbeat(self) -> AgentHeartbeat:
        engine = self.engine
        return AgentHeartbeat(
            uptime_s=self.uptime_s(),
            unacknowledged=engine.unacknowledged(),
            oldest_unacknowledged_s=engine.oldest_unacknowledged_s(),
            dropped_sightings=engine.counters["dropped_sightings"],
            quarantined=engine.counters["quarantined"],
            reconnects=max(0, self.node.link.connects - 1),
            declared_lost=engine.counters["declared_lost"],
            disk_errors=engine.counters["disk_errors"] + engine.counters["flush_failed"],
            dropped_inbox=self.node.link.dropped,
            dropped_adverts=self.detection.shed() if self.detection is not None else 0,
            worker_restarts=self.health.all_restarts(),
            epoch=engine.epoch,
        )


def _scanning(beacons: BeaconSettings, settings_file: Path) -> beacon_scanner.BeaconSettings:
    try:
        return beacon_scanner.BeaconSettings(adapter=beacons.adapter, passive=beacons.passive,
                                             heartbeat_id=beacons.heartbeat, silence_s=beacons.silence_s)  # fmt: skip
    except ValueError as error:
        raise SettingsError(settings_file, [f"beacons: {error}"]) from None


async def run_edge(settings: EdgeSettings, settings_file: Path) -> None:
    """Run one agent until SIGTERM or SIGINT. Raises JournalError, SettingsError with a sentence for the installer."""
    notifier = Notifier()
    agent = Agent(settings, settings_file)
    watchdog = Watchdog(checks(agent), lambda: status_line(agent), notifier=notifier)
    task = asyncio.current_task()
    assert task is not None

    def stop() -> None:
        notifier.stopping()
        task.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        async with AsyncExitStack() as stack:
            if settings.metrics is not None:
                numbers = Metrics(agent)
                server = MetricsServer(settings.metrics.host, settings.metrics.port, numbers.text,
                                       lambda: page(agent, watchdog))  # fmt: skip
                await stack.enter_async_context(server)
            log.info("agent started", agent=settings.agent, store=settings.store, lanes=len(settings.lane))
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            tasks.create_task(watchdog.run(), name="watchdog")
            await agent.run()
    except asyncio.CancelledError:
        log.info("agent stopped", agent=settings.agent)
    finally:
        agent.engine.journal.close()  # if it came to nothing before it ran
