"""The proxy that plays a bad network does what it says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from tests.system.busy_store import spare_port
from tests.system.network_cut import SLOW_S, Wire, reset


@pytest.fixture
async def heard() -> AsyncIterator[tuple[Wire, list[bytes]]]:
    """A wire to somebody who echoes, and what has reached him."""
    arrived: list[bytes] = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(100):
                arrived.append(piece)
                writer.write(piece)
        await reset(writer)

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with Wire("wire", spare_port(), server.sockets[0].getsockname()[1]) as wire:
        yield wire, arrived
    server.close()
    await server.wait_closed()


class Line:
    """A connection over the wire."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def over(cls, wire: Wire) -> Line:
        return cls(*await asyncio.open_connection("127.0.0.1", wire.port))

    async def answers(self, text: bytes, within_s: float = 5.0) -> bool:
        self.writer.write(text)
        try:
            async with asyncio.timeout(within_s):
                return await self.reader.read(100) == text
        except TimeoutError:
            return False

    async def close(self) -> None:
        await reset(self.writer)


async def test_cut(heard: tuple[Wire, list[bytes]]) -> None:
    wire, _ = heard
    line = await Line.over(wire)
    assert await line.answers(b"1")
    await wire.become("cut")
    with pytest.raises(ConnectionResetError):
        await line.reader.read(100)
    with pytest.raises(ConnectionRefusedError):
        await Line.over(wire)
    await wire.become("whole")
    again = await Line.over(wire)
    assert await again.answers(b"2")
    await line.close()
    await again.close()


@pytest.mark.parametrize(("mode", "reaches"), [("black_hole", False), ("half_open", False)])
async def test_holes_swallow_and_say_nothing(heard: tuple[Wire, list[bytes]], mode: str, reaches: bool) -> None:
    wire, arrived = heard
    line = await Line.over(wire)
    assert await line.answers(b"1")
    await wire.become("black_hole" if mode == "black_hole" else "half_open")
    assert not await line.answers(b"2", 0.3)
    late = await Line.over(wire)  # the proxy's machine takes it, nobody behind it does
    assert not await late.answers(b"3", 0.3)
    assert (b"2" in arrived) is reaches
    await wire.become("whole")
    with pytest.raises(ConnectionResetError):
        await line.reader.read(100)
    again = await Line.over(wire)
    assert await again.answers(b"4")
    for one in (line, late, again):
        await one.close()


async def test_slow(heard: tuple[Wire, list[bytes]]) -> None:
    wire, _ = heard
    line = await Line.over(wire)
    await wire.become("slow")
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await line.answers(b"1")
    assert loop.time() - began >= 2 * SLOW_S
    await line.close()
