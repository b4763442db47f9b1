"""The simulated reader's commands: wrong ones are answered with what is right."""

from __future__ import annotations

import asyncio
import time

import pytest

from firmware_sim.control import ControlClient, ControlError
from firmware_sim.reader import ReaderSim, run_reader


@pytest.fixture
async def client(tmp_path):
    task = asyncio.create_task(run_reader(tmp_path / "reader", tmp_path / "sock", baud=9600))
    async with ControlClient(tmp_path / "sock") as client:
        yield client
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({"do": "present"}, "a code is missing"),
        ({"do": "present", "code": "日本", "encoding": "ascii"}, "cannot be sent as ascii"),
        ({"do": "noise", "hex": "zz"}, "hexadecimal"),
        ({"do": "wave"}, "unknown command 'wave'"),
    ],
)
async def test_wrong_commands(client, request_, sentence):
    assert sentence in (await client.call(request_))["error"]


async def test_sent_is_told_when_the_last_byte_has_left_the_wire(client):
    started = time.monotonic()
    await client.call({"do": "present", "code": "X" * 95})
    event = await client.event("sent")
    assert 0.1 <= event["t"] - started < 0.4  # 96 bytes at 9600 baud
    assert await client.call({"do": "state"}) == {"plugged": True, "sent": 1, "held": False}


async def test_an_unknown_framing_is_refused(tmp_path):
    with pytest.raises(ControlError, match="known are cr, lf, crlf"):
        ReaderSim(tmp_path / "x", lambda _: None, framing="smoke signals")
