"""A printer that was lost a moment ago is waited for; one that stays away costs the customers nothing more."""

from __future__ import annotations

import asyncio

import pytest

from config.edge_settings import LaneSettings
from devices.status import DeviceStatus, PowerState
from edge import lane_devices
from edge.lane_devices import LaneDevices

LOST, THERE = DeviceStatus(PowerState.OFF_OFFLINE), DeviceStatus(PowerState.ONLINE)


@pytest.fixture
def lane(monkeypatch: pytest.MonkeyPatch) -> LaneDevices:
    monkeypatch.setattr(lane_devices, "PRINTER_BACK_S", 0.2)
    return LaneDevices(LaneSettings.model_validate({"id": "1", "reader": {"port": "/r"}}), lambda *_: None)


async def waited_s(lane: LaneDevices) -> float:
    began = asyncio.get_running_loop().time()
    await lane.printer_back()
    return asyncio.get_running_loop().time() - began


async def test_a_printer_that_is_there_costs_no_time(lane: LaneDevices) -> None:
    assert await waited_s(lane) < 0.05
    lane._teller("printer", "pos_printer")(THERE)
    lane._teller("gate", "gate")(LOST)
    assert await waited_s(lane) < 0.05


async def test_a_printer_comes_back(lane: LaneDevices) -> None:
    tell = lane._teller("printer", "pos_printer")
    tell(LOST)
    asyncio.get_running_loop().call_later(0.05, tell, THERE)
    assert 0.04 < await waited_s(lane) < 0.19


async def test_a_printer_that_stays_away_is_waited_for_once(lane: LaneDevices) -> None:
    tell = lane._teller("printer", "pos_printer")
    tell(LOST)
    assert 0.15 < await waited_s(lane) < 1
    tell(LOST)  # its counters have changed
    assert await waited_s(lane) < 0.05
