"""The commands of docs/handheld.md, as they stand there, with Mosquitto's own tools (row A12)."""

from __future__ import annotations

import asyncio
import json
import os
import re
from pathlib import Path

import pytest

from tests.handheld.far_end import STORE, HubVoice, Store, alert

DOCUMENT = Path(__file__).parents[2] / "docs" / "handheld.md"


def commands() -> list[str]:
    found = re.findall(r"```sh\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.S)
    assert [command.split()[0] for command in found] == ["mosquitto_sub", "mosquitto_pub", "mosquitto_pub"]
    return found


async def begin(store: Store, command: str) -> asyncio.subprocess.Process:
    said = {"HOST": "127.0.0.1", "PORT": str(store.tcp_port), "STORE": STORE, "CLERK": "c01", "ALERT": "a1",
            "PASSWORD": store.passwords["clerk-c01"]}  # fmt: skip
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec("sh", "-c", f"exec {command}", stdout=pipe, env=os.environ | said)


@pytest.mark.row("A12", "C6")
async def test_the_documented_commands_make_a_handheld(store: Store, hub: HubVoice) -> None:
    listen, ready, accept = commands()
    listening = await begin(store, listen)
    assert listening.stdout is not None
    try:
        announced = await begin(store, ready)
        await announced.communicate()
        assert announced.returncode == 0
        await hub.until_status("ready")
        for _ in range(50):  # the tool does not tell when it has subscribed; an alert is state and is sent again
            hub.say(alert("a1"))
            try:
                line = await asyncio.wait_for(listening.stdout.readline(), 0.2)
                break
            except TimeoutError:
                continue
        assert json.loads(line)["data"]["customer"]["name"] == "佐藤 花子"
        answered = await begin(store, accept)
        await answered.communicate()
        assert answered.returncode == 0
        await hub.until_answer("a1", "accept")
        listening.kill()
        await hub.until_status("lost")
    finally:
        if listening.returncode is None:
            listening.kill()
        await listening.communicate()


@pytest.mark.row("A12")
async def test_another_clerks_topic_stays_silent(store: Store, hub: HubVoice) -> None:
    listen = commands()[0].replace("clerk/$CLERK/alert", "clerk/c02/alert")
    listening = await begin(store, listen)
    try:
        assert listening.stdout is not None
        hub.say(alert("a1"), clerk="c02")
        output, _ = await asyncio.wait_for(listening.communicate(), 30)  # refused at SUBACK, the tool ends by itself
        assert output == b""
    finally:
        if listening.returncode is None:
            listening.kill()
            await listening.wait()
