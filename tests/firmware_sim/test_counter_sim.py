"""The simulated people counter's commands."""

from __future__ import annotations

import asyncio

import pytest

from firmware_sim.control import ControlClient
from firmware_sim.counter import run_counter


@pytest.fixture
async def client(tmp_path):
    task = asyncio.create_task(run_counter(tmp_path / "counter", tmp_path / "sock"))
    async with ControlClient(tmp_path / "sock") as client:
        yield client
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({"do": "pass", "direction": "up"}, "in or out"),
        ({"do": "pass", "people": 0}, "1 to 100000"),
        ({"do": "pass", "people": "many"}, "1 to 100000"),
        ({"do": "set", "in": -1}, "4294967295"),
        ({"do": "noise", "hex": "zz"}, "hexadecimal"),
        ({"do": "dance"}, "unknown command 'dance'"),
    ],
)
async def test_wrong_commands(client, request_, sentence):
    assert sentence in (await client.call(request_))["error"]


async def test_people_are_told(client):
    await client.call({"do": "pass", "direction": "out", "people": 2})
    event = await client.event("passed")
    assert (event["direction"], event["in"], event["out"]) == ("out", 0, 2)
    await client.call({"do": "set", "in": 4294967295})
    assert (await client.call({"do": "pass"}))["in"] == 0
    await client.call({"do": "restart"})
    state = await client.call({"do": "state"})
    assert (state["in"], state["out"], state["plugged"]) == (0, 0, True)
