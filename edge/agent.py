"""The whole agent on a Pi, as a parts list: devices and beacons on one side, MQTT on the other."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from collections.abc import Coroutine
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from config.edge_settings import EdgeSettings
from contract import topics
from contract.access import Principal
from contract.envelope import Message, encode
from contract.messages import BY_NAME, Role
from contract.payloads import AgentHeartbeat, AgentStatus, ClientState, ExitKeys, LaneDecision
from contract.payloads import DeviceStatus as DeviceStatusMessage
from delivery.clock import Clock
from delivery.engine import Engine, Publication, Tx
from delivery.journal import Journal
from delivery.link import Address
from delivery.node import Node
from devices.beacon_scanner import BeaconScanner, ScannerSettings
from devices.status import DeviceStatus
from edge.codes import Keyring
from edge.lane_devices import LaneDevices
from edge.lane_runner import LaneRunner
from edge.sightings import Sightings
from edge.store import MIGRATIONS, EdgeStore

log = structlog.get_logger()

VERSION = "0.1.0"


class Agent:
    """Everything of one agent. `await run()` until cancelled or told to stop by a signal."""

    def __init__(self, settings: EdgeSettings, settings_file: Path, *, clock: Clock | None = None) -> None:
        self.settings = settings
        self._clock = clock or Clock()
        self.started = self._clock.utc()
        self._started_at = self._clock.monotonic()
        journal = Journal(settings.database, MIGRATIONS)
        me = Principal(Role.AGENT, settings.agent)
        self.engine = Engine(journal, me, settings.store, self._handle, clock=self._clock)
        mqtt = settings.mqtt
        address = Address(mqtt.host, mqtt.port, mqtt.username, mqtt.secret(settings_file), mqtt.tls,
                          mqtt.connect_timeout_s, mqtt.keepalive_s)  # fmt: skip
        self.node = Node(self.engine, address, will=self._will(), on_link=self._on_link)
        self.store = EdgeStore(journal.db)
        self.keys = Keyring(settings.store, self.store.keys())
        self._tasks: set[asyncio.Task[None]] = set()
        self._devices: dict[str, DeviceStatusMessage] = {}
        self.lane_devices = {lane.id: LaneDevices(lane, self._on_device) for lane in settings.lane}
        self.lanes = {
            lane.id: LaneRunner(lane, self.node, self.store, self.keys, self.lane_devices[lane.id], self._spawn)
            for lane in settings.lane
        }
        self.sightings = Sightings(settings.beacons, self.node) if settings.beacons else None

    def connect_devices(self) -> None:
        """Make the drivers of all lanes and tell them whom to tell."""
        for name, devices in self.lane_devices.items():
            runner = self.lanes[name]
            devices.connect(runner.on_scan, runner.put, runner.put, runner.known)

    async def run(self) -> None:
        """Until cancelled."""
        self.connect_devices()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.node.run(), name="node")
                tasks.create_task(self._beat(), name="heartbeat")
                for name, devices in self.lane_devices.items():
                    tasks.create_task(devices.run(), name=f"devices of lane {name}")
                    tasks.create_task(self.lanes[name].run(), name=f"lane {name}")
                if self.sightings is not None:
                    tasks.create_task(self.sightings.run(), name="sightings")
                    tasks.create_task(self._scanner().run(), name="beacon scanner")
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._close()

    def _close(self) -> None:
        try:
            self.engine.flush()
        except sqlite3.Error as error:
            log.error("the last sightings could not be saved", error=str(error))
        self.engine.journal.close()

    def _scanner(self) -> BeaconScanner:
        beacons = self.settings.beacons
        assert beacons is not None
        assert self.sightings is not None
        settings = ScannerSettings(adapter=beacons.adapter, passive=beacons.passive, heartbeat_id=beacons.heartbeat,
                                   silence_s=beacons.silence_s)  # fmt: skip
        return BeaconScanner(settings, self.sightings.on_advert, self._on_scanner)

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
                lane = self.lanes.get(message.ids["lane"])
                if lane is None:
                    raise ValueError(f"this agent has no lane {message.ids['lane']!r}")
                lane.decided(message.data, message.id, message.visit, tx)
            case ExitKeys():
                self.store.save_keys(message.data.keys)
                tx.after_commit(lambda keys=message.data.keys: self.keys.replace(keys))  # type: ignore[misc]
            case _:
                pass  # the hub's status: hearing it is enough, the engine sends again what waits

    # --- what we say of ourselves

    def _status(self, state: ClientState, started: datetime | None) -> AgentStatus:
        return AgentStatus(state=state, version=VERSION, started=started)

    def _will(self) -> Publication:
        channel = BY_NAME["agent_status"]
        ids = {"agent": self.settings.agent}
        data = self._status(ClientState.LOST, None)
        me = self.engine.me
        will = Message(channel, ids, data, f"{me.username}.{self.engine.epoch}.will", f"agent/{me.id}")
        return Publication(topics.topic(channel, self.settings.store, **ids), encode(will), 1, retain=True)

    def _on_link(self, up: bool, tx: Tx) -> None:
        # Announced again on every connection: what a broker retained may be older than we are.
        if up:
            tx.send("agent_status", self._status(ClientState.READY, self.started))
            for name, status in self._devices.items():
                tx.send("device_status", status, device=name)

    def _on_scanner(self, status: DeviceStatus) -> None:
        self._on_device("beacons", "beacon_scanner", status)

    def _on_device(self, name: str, category: str, status: DeviceStatus) -> None:
        message = DeviceStatusMessage.model_validate(
            {"category": category, "power": status.power.value, "flags": sorted(status.flags),
             "reason": status.reason[:500], "counters": dict(status.counters)}
        )  # fmt: skip
        self._devices[name] = message
        with self.node.transaction() as tx:
            tx.send("device_status", message, device=name)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self.settings.heartbeat_s)
            engine = self.engine
            data = AgentHeartbeat(
                uptime_s=self._clock.monotonic() - self._started_at,
                unacknowledged=engine.unacknowledged(),
                oldest_unacknowledged_s=engine.oldest_unacknowledged_s(),
                dropped_sightings=engine.counters["dropped_sightings"],
                quarantined=engine.counters["quarantined"],
                reconnects=max(0, self.node.link.connects - 1),
            )
            with self.node.transaction() as tx:
                tx.send("agent_heartbeat", data)


async def run_edge(settings: EdgeSettings, settings_file: Path) -> None:
    """Run one agent until SIGTERM or SIGINT. Raises JournalError, SettingsError with a sentence for the installer."""
    agent = Agent(settings, settings_file)
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    log.info("agent started", agent=settings.agent, store=settings.store, lanes=len(settings.lane))
    try:
        await agent.run()
    except asyncio.CancelledError:
        log.info("agent stopped", agent=settings.agent)
