"""The displays of an agent, made from what the agent knows of its lanes, devices and connection."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from config.edge_settings import LaneSettings
from contract.payloads import DeviceStatus
from edge.display.board import Board
from edge.display.server import DisplayServer
from edge.display.view import Call, Devices
from edge.lane_calls import Calls

if TYPE_CHECKING:
    from edge.agent import Agent


def displays(agent: Agent) -> DisplayServer | None:
    """None when the settings want none."""
    settings, lanes = agent.settings.display, {lane.id: lane for lane in agent.settings.lane}
    if settings is None or not lanes:
        return None

    def look_at(lane: str) -> Devices:
        node = agent.node
        return look(lanes[lane], agent.announcer.devices, hub=node.link.up, disk=not node.disk_trouble)

    def called_at(lane: str) -> Call | None:
        return called(agent.lanes[lane].desk.calls)

    board = Board(settings, agent.lanes, look_at, called_at, agent.engine.clock.monotonic)
    for name, runner in agent.lanes.items():
        runner.desk.changed = board.poke
        agent.lane_devices[name].on_keys = partial(board.typed, name)
    return DisplayServer(board)


def look(lane: LaneSettings, devices: Mapping[str, DeviceStatus], *, hub: bool, disk: bool) -> Devices:
    """How a lane is. `hub`: it can be reached. `disk`: the database takes transactions."""
    gate = devices.get(f"gate-{lane.id}")
    return Devices(
        reader=_online(devices.get(f"reader-{lane.id}")),
        keypad=lane.keypad is not None and _online(devices.get(f"keypad-{lane.id}")) is True,
        nfc=lane.nfc is not None and _online(devices.get(f"nfc-{lane.id}")) is True,
        gate=True if lane.gate is None else _online(gate),
        fire=gate is not None and "fire_alarm" in gate.flags,
        disk=disk,
        hub=hub or lane.offline == "open",
    )


_FOR_CUSTOMERS = ("help", "gate", "no_decision", "stuck")
"""Reasons of calls that concern who stands there, the most urgent first. Devices that wait for a clerk do not."""


def called(calls: Calls) -> Call | None:
    """The call that a customer is to know of."""
    mine = {each.reason: each for each in calls.open}
    reason = next((reason for reason in _FOR_CUSTOMERS if reason in mine), None)
    return Call(reason, mine[reason].state) if reason is not None else None


def _online(told: DeviceStatus | None) -> bool | None:
    if told is None or told.power.value == "unknown":
        return None
    return told.power.value == "online" and not {"gate_malfunction", "no_answer"}.intersection(told.flags)
