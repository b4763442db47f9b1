"""The control socket: replies, events, mistakes, stale sockets."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest

from firmware_sim.control import ControlClient, ControlError, ControlServer, commands


async def later(request):
    await asyncio.sleep(0)
    return {"ok": True, "echo": request["what"]}


def fails(request):
    raise ControlError("the paper is out: load a roll")


HANDLE = commands({"echo": later, "fail": fails, "bug": lambda request: {"never": request["missing"]}})


@pytest.fixture
async def both(tmp_path):
    path = tmp_path / "run" / "x.sock"
    async with ControlServer(path, HANDLE) as server, ControlClient(path) as client:
        yield server, client


async def test_calls_are_answered_each_with_its_own_reply(both):
    _, client = both
    replies = await asyncio.gather(*(client.call({"do": "echo", "what": n}) for n in range(50)))
    assert [reply["echo"] for reply in replies] == list(range(50))


async def test_mistakes_are_sentences(both):
    _, client = both
    assert (await client.call({"do": "dance"}))["error"] == "unknown command 'dance'; known are bug, echo, fail"
    assert "load a roll" in (await client.call({"do": "fail"}))["error"]
    assert "the simulator failed" in (await client.call({"do": "bug"}))["error"]
    assert (await client.call({"do": "echo", "what": "日本"}))["echo"] == "日本"  # still alive


async def test_a_bare_socket_is_enough(both):
    server, _ = both
    reader, writer = await asyncio.open_unix_connection(server.path)
    for line, expected in [(b"{", "not JSON"), (b"[1]", "JSON object"), (b"\xff\xfe", "not JSON")]:
        writer.write(line + b"\n")
        assert expected in json.loads(await reader.readline())["error"]
    writer.write(b'{"do":"echo","what":1,"call":"mine"}\n')
    assert json.loads(await reader.readline()) == {"ok": True, "echo": 1, "call": "mine"}
    writer.close()
    await writer.wait_closed()


async def test_events_reach_every_client(both):
    server, client = both
    async with ControlClient(server.path) as second:
        await second.call({"do": "echo", "what": 0})
        server.broadcast({"event": "noise"})
        server.broadcast({"event": "sent", "code": "A"})
        for one in (client, second):
            event = await one.event("sent")
            assert event["code"] == "A"
            assert isinstance(event["t"], float)


async def test_a_client_that_does_not_read_loses_events_not_the_server(both):
    server, client = both
    _reader, writer = await asyncio.open_unix_connection(server.path)
    writer.transport.pause_reading()
    await client.call({"do": "echo", "what": 0})
    for _ in range(40):
        server.broadcast({"event": "big", "x": "y" * 65_536})
    assert server.dropped_events > 0
    writer.transport.abort()
    assert (await client.call({"do": "echo", "what": 2}))["echo"] == 2


async def test_a_stale_socket_is_replaced_a_live_one_is_not(tmp_path):
    path = tmp_path / "x.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    async with ControlServer(path, HANDLE):
        with pytest.raises(ControlError, match="another simulator listens"):
            await ControlServer(path, HANDLE).start()
    assert not path.exists()
    path.write_text("x")
    with pytest.raises(ControlError, match="in the way"):
        await ControlServer(path, HANDLE).start()


async def test_calls_end_when_the_simulator_dies(tmp_path):
    path = tmp_path / "x.sock"
    with pytest.raises(ControlError, match="no simulator answers"):
        await ControlClient(path).open(timeout_s=0.05)

    async def never(request):
        await asyncio.sleep(60)
        return {}

    server = ControlServer(path, never)
    await server.start()
    async with ControlClient(path) as client:
        call = asyncio.create_task(client.call({"do": "x"}))
        await asyncio.sleep(0.02)
        await server.close()
        with pytest.raises(ControlError, match="no reply to 'x'"):
            await call


async def test_a_client_that_leaves_before_its_reply(tmp_path):
    asked, answer = asyncio.Event(), asyncio.Event()

    async def slow(request):
        asked.set()
        await answer.wait()
        return {"ok": True}

    path = tmp_path / "x.sock"
    async with ControlServer(path, commands({"wait": slow, "echo": later})), ControlClient(path) as other:
        async with ControlClient(path) as leaving:
            call = asyncio.create_task(leaving.call({"do": "wait"}))
            await asked.wait()
        answer.set()
        with pytest.raises(ControlError):
            await call
        assert (await other.call({"do": "echo", "what": 1}))["echo"] == 1
