"""What cannot work is said in a sentence: a typo, a port in use, a wrong password, a broker that is away (row C8)."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from tests.system.commands import Told, instore, instore_here
from tests.system.store import answers, layout_in, program

pytestmark = [pytest.mark.system, pytest.mark.row("C8")]


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(
    ("command", "file", "old", "new", "sentence"),
    [
        ("edge", "exit.toml", "reader =", "raeder =", "lane.0.raeder is not a known key; did you mean 'reader'?"),
        ("edge", "entrance.toml", "silence_s", "silense_s", "beacons.silense_s is not a known key; did you mean 'silence_s'?"),
        ("edge", "exit.toml", "agent = ", "agent ", "no valid TOML"),
        ("hub", "hub.toml", "reoffer_s", "re_offer_s", "alerts.re_offer_s is not a known key; did you mean 'reoffer_s'?"),
        ("hub", "hub.toml", "Asia/Tokyo", "Asia/Tokio", "store.time_zone"),
    ],
)  # fmt: skip
def test_a_typo(tmp_path: Path, command: str, file: str, old: str, new: str, sentence: str) -> None:
    layout = layout_in(tmp_path)
    change(layout.path(file), old, new)
    told = instore_here(command, "--config", str(layout.path(file)), cwd=tmp_path)
    assert told.err.startswith(f"instore: {layout.folder}")
    assert sentence in told.err
    refused(told)


def refused(told: Told) -> None:
    assert told.code == 2, told
    assert "Traceback" not in told.err


async def test_a_typo_ends_the_programs_themselves(tmp_path: Path) -> None:
    layout = layout_in(tmp_path)
    change(layout.path("exit.toml"), "reader =", "raeder =")
    change(layout.path("hub.toml"), 'rules = "rules.toml"', 'rules = "rulez.toml"')
    edge, hub = await asyncio.gather(
        instore("edge", "--config", str(layout.path("exit.toml")), cwd=tmp_path),
        instore("hub", "--config", str(layout.path("hub.toml")), cwd=tmp_path),
    )
    for told, sentence in ((edge, "did you mean 'reader'?"), (hub, f"instore: {layout.folder}/rulez.toml: ")):
        assert told.err.startswith(f"instore: {layout.folder}")
        assert sentence in told.err
        refused(told)


async def test_ports_in_use(tmp_path: Path) -> None:
    layout = layout_in(tmp_path)
    with socket.create_server(("127.0.0.1", layout.hub_port)), socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        hub, broker, demo = await asyncio.gather(
            instore("hub", "--config", str(layout.path("hub.toml")), cwd=tmp_path),
            instore("broker", "--credentials", str(layout.path("credentials.json")), "--port", str(port), cwd=tmp_path),
            instore("demo", "--port", str(port), "--dir", "d", cwd=tmp_path),
        )
    for told, number, hint in [
        (hub, layout.hub_port, "choose another port"),
        (broker, port, "choose another port"),
        (demo, port, "--port"),
    ]:
        assert f"{number}" in told.err
        assert hint in told.err
        assert "in use" in told.err
        refused(told)


async def test_a_broker_that_is_away_is_waited_for(tmp_path: Path) -> None:
    """Hub and agent run on, say once what they wait for, and recover without anybody's help."""
    layout = layout_in(tmp_path, "amqtt")
    place, healthz = layout.broker, f"{layout.hub_url}/healthz"
    where = f"no broker at 127.0.0.1:{place.port}"
    async with (
        program("hub", "--config", str(layout.path("hub.toml")), cwd=tmp_path) as hub,
        program("edge", "--config", str(layout.path("exit.toml")), cwd=tmp_path) as edge,
    ):
        await hub.says(where, "is it running?")
        await edge.says(where, "is it running?")
        health = await answers(healthz, lambda status, answer: status == 200)
        assert where in health["broker"]
        assert hub.runs
        assert edge.runs
        broker = ("--store", layout.store, "--credentials", str(layout.path("credentials.json")), "--port", str(place.port),
                  "--ws-port", str(place.ws_port))  # fmt: skip
        async with program("broker", *broker, cwd=tmp_path):
            await answers(healthz, lambda _, answer: answer.get("broker") == "ok")
            await edge.says("connected to the broker")
        await answers(healthz, lambda _, answer: answer.get("broker", "ok") != "ok")
        assert hub.said.count("no connection to the broker") < 5, "once for each loss, not for each try"
        assert await hub.end() == 0
        assert await edge.end() == 0
    assert "Traceback" not in hub.said + edge.said


async def test_a_wrong_password_is_named_and_nobody_gives_up(tmp_path: Path) -> None:
    layout = layout_in(tmp_path, "amqtt")
    place = layout.broker
    change(layout.path("hub.toml"), layout.passwords["hub-main"], "wr0ng-hub")
    change(layout.path("exit.toml"), layout.passwords["agent-exit"], "wr0ng-edge")
    broker = ("--store", layout.store, "--credentials", str(layout.path("credentials.json")), "--port", str(place.port),
              "--ws-port", str(place.ws_port))  # fmt: skip
    async with program("broker", *broker, cwd=tmp_path):
        async with (
            program("hub", "--config", str(layout.path("hub.toml")), cwd=tmp_path) as hub,
            program("edge", "--config", str(layout.path("exit.toml")), cwd=tmp_path) as edge,
        ):
            await hub.says("the broker refuses this user", "'hub-main'")
            await edge.says("the broker refuses this user", "'agent-exit'")
            # Between two tries it is not connected yet; in the end it says why.
            await answers(
                f"{layout.hub_url}/healthz", lambda status, told: status == 200 and "password" in told["broker"]
            )
            assert hub.runs
            assert edge.runs
        handheld = await instore("handheld", "--clerk", "c01", "--store", layout.store, "--port", str(place.port), "--json",
                                 cwd=tmp_path, environment={"INSTORE_PASSWORD": "wr0ng"})  # fmt: skip
    assert handheld.code == 3
    assert "password" in handheld.out + handheld.err
    assert "wr0ng" not in hub.said + edge.said + handheld.out + handheld.err
    assert "Traceback" not in hub.said + edge.said + handheld.err
