"""A network that can be cut: a TCP proxy between one program and the broker.

whole       bytes pass at once
cut         connections are reset, new ones refused: a cable pulled out of the machine, a switch without power
black_hole  nothing passes and nothing is said of it, open connections stay open: a firewall or an access point gone mad
half_open   as `black_hole`, towards the broker only: the program still hears, but nobody hears it
slow        every piece arrives late and in order, a few kilobytes a second
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, get_args

Mode = Literal["whole", "cut", "black_hole", "half_open", "slow"]
CUTS: tuple[Mode, ...] = tuple(mode for mode in get_args(Mode) if mode != "whole")

PIECE_BYTES = 4096
SLOW_S = 0.4
"""Delay of each piece on a slow line: with `PIECE_BYTES` 10 kB/s at most."""
HELD_PIECES = 64
"""Pieces under way in one direction; beyond, the sender waits, as with a full window."""


class Wire:
    """Listens at `port`; every connection goes on to the broker at `target_port`. Use with `async with`."""

    def __init__(self, name: str, port: int, target_port: int) -> None:
        self.name, self.port = name, port
        self._target_port = target_port
        self.mode: Mode = "whole"
        self.connections = 0
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Wire:
        await self._listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop_listening()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def become(self, mode: Mode) -> None:
        """From now on the line is like this. What a black hole has swallowed does not come back: such connections end."""
        if mode == self.mode:
            return
        before, self.mode = self.mode, mode
        self._changed.set()
        self._changed = asyncio.Event()
        if mode == "cut":
            await self._stop_listening()
        if mode == "cut" or before in ("black_hole", "half_open"):
            self._reset_all()
        if before == "cut":
            await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _reset_all(self) -> None:
        for writer in list(self._writers):
            _abort(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        self.connections += 1
        try:
            await self._connected(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # either side is gone, or we close: both ends close below
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            await reset(writer)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while self.mode in ("black_hole", "half_open"):  # not even the first packet gets through
            await self._changed.wait()
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        self._writers.add(far_writer)
        try:
            up = self._pass(reader, far_writer, lambda: self.mode in ("black_hole", "half_open"))
            down = self._pass(far_reader, writer, lambda: self.mode == "black_hole")
            both = [asyncio.create_task(up), asyncio.create_task(down)]
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for one in both:
                    one.cancel()
                await asyncio.gather(*both, return_exceptions=True)
        finally:
            self._writers.discard(far_writer)
            await reset(far_writer)

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, swallows: Callable[[], bool]
    ) -> None:
        """Until the end of one direction."""
        loop = asyncio.get_running_loop()
        held: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(HELD_PIECES)

        async def deliver() -> None:
            while True:
                due, piece = await held.get()
                if (wait_s := due - loop.time()) > 0:
                    await asyncio.sleep(wait_s)
                if not swallows():
                    writer.write(piece)
                    await writer.drain()

        task, last = asyncio.create_task(deliver()), 0.0
        try:
            with suppress(OSError):
                while piece := await reader.read(PIECE_BYTES):
                    now = loop.time()
                    last = max(last, now) + SLOW_S if self.mode == "slow" else max(last, now)
                    await held.put((last, piece))
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection at once, and not in order: the other end gets an error, not an end of file."""
    _abort(writer)
    with suppress(OSError):
        await writer.wait_closed()


def _abort(writer: asyncio.StreamWriter) -> None:
    if not writer.transport.is_closing():
        own = writer.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
