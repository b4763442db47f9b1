"""The far end of a serial line: a pseudo-terminal behind a link, as `/dev/serial/by-id/…` would be, that can be unplugged.

What a driver opens is the link. Bytes pass a `Wire` in each direction, which may chop, lose, damage or delay them by
a seed, and may be paced at a baud rate (10 bits a byte), so that wire time is real.
"""

from __future__ import annotations

import asyncio
import os
import random
import tty
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

__all__ = ["ByteAtATime", "Delayed", "Lossy", "Perfect", "PtyPort", "Wire"]

BITS_PER_BYTE = 10  # start, 8 data, stop
#: What a UART driver and its adapter hold for a reader that is slow; beyond it the writer feels back-pressure.
IN_LIMIT_BYTES = 4_096
#: A sender without flow control does not wait: beyond this its bytes are dropped and counted.
OUT_LIMIT_BYTES = 1 << 20
READ_BYTES = 4_096


class Wire(Protocol):
    """`carry(data)` gives the pieces that arrive: (seconds after the piece before, bytes)."""

    def carry(self, data: bytes) -> list[tuple[float, bytes]]: ...


class Perfect:
    """Everything, at once, in one piece."""

    def carry(self, data: bytes) -> list[tuple[float, bytes]]:
        return [(0.0, data)]


class ByteAtATime:
    """Every byte alone, `gap_s` apart: what a slow line does to a frame."""

    def __init__(self, gap_s: float = 0.0) -> None:
        self._gap_s = gap_s

    def carry(self, data: bytes) -> list[tuple[float, bytes]]:
        return [(self._gap_s, data[i : i + 1]) for i in range(len(data))]


class Lossy:
    """A share `lose` of the writes vanishes, a share `damage` arrives with one bit flipped. Rates 0 to 1."""

    def __init__(self, seed: int, *, lose: float = 0.05, damage: float = 0.05) -> None:
        self._random = random.Random(seed)
        self._lose, self._damage = lose, damage
        self.lost = self.damaged = 0

    def carry(self, data: bytes) -> list[tuple[float, bytes]]:
        dice = self._random.random()
        if dice < self._lose:
            self.lost += 1
            return []
        if dice < self._lose + self._damage and data:
            self.damaged += 1
            broken = bytearray(data)
            broken[self._random.randrange(len(broken))] ^= 1 << self._random.randrange(8)
            return [(0.0, bytes(broken))]
        return [(0.0, data)]


class Delayed:
    """Random pieces, each up to `max_s` after the one before."""

    def __init__(self, seed: int, *, max_s: float = 0.01) -> None:
        self._random = random.Random(seed)
        self._max_s = max_s

    def carry(self, data: bytes) -> list[tuple[float, bytes]]:
        pieces, at = [], 0
        while at < len(data):
            size = self._random.randint(1, max(1, len(data) - at))
            pieces.append((self._random.uniform(0, self._max_s), data[at : at + size]))
            at += size
        return pieces


class _Line:
    """One direction: pieces in order, each delivered when the wire and the baud rate let it."""

    def __init__(self, wire: Wire, baud: int | None, deliver: Callable[[bytes], None]) -> None:
        self._wire, self._deliver = wire, deliver
        self._s_per_byte = BITS_PER_BYTE / baud if baud else 0.0
        # a slice is about 2 ms of wire: timers are no finer, and a frame still arrives in parts
        self._slice = max(1, int(0.002 / self._s_per_byte)) if baud else 0
        self._queue: deque[tuple[float, bytes]] = deque()
        self._free_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.waiting_bytes = 0
        self.idle = asyncio.Event()
        self.idle.set()

    def send(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        at = max(self._free_at, loop.time())
        for after_s, piece in self._wire.carry(data):
            at += after_s
            step = self._slice or len(piece)
            for i in range(0, len(piece), max(1, step)):
                part = piece[i : i + step]
                at += len(part) * self._s_per_byte
                self._queue.append((at, part))
                self.waiting_bytes += len(part)
        self._free_at = at
        self.idle.clear()
        if self._timer is None:
            self._pump()

    def clear(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._queue.clear()
        self.waiting_bytes = 0
        self._free_at = 0.0
        self.idle.set()

    def _pump(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        while self._queue:
            due, part = self._queue[0]
            if due > loop.time():
                self._timer = loop.call_at(due, self._pump)
                return
            self._queue.popleft()
            self.waiting_bytes -= len(part)
            self._deliver(part)
        self.idle.set()


class PtyPort:
    """The device's side of a serial line whose other side a driver opens at `link`.

    `on_bytes(data)` gets what the driver wrote. Nothing is there until `plug()`. `baud` paces both directions; `wire_out`
    carries what the device sends, `wire_in` what the driver sends. `dropped_bytes` counts what nobody read in time.
    Needs a running event loop. 8N1 only: a pty knows no parity.
    """

    def __init__(
        self,
        link: Path,
        *,
        on_bytes: Callable[[bytes], None],
        baud: int | None = None,
        wire_out: Wire | None = None,
        wire_in: Wire | None = None,
    ) -> None:
        self.link = Path(link)
        self._on_bytes = on_bytes
        self._out_line = _Line(wire_out or Perfect(), baud, self._to_driver)
        self._in_line = _Line(wire_in or Perfect(), baud, self._from_driver)
        self._master = self._slave = -1
        self._out = bytearray()
        self._held = False  # by the simulator: a device that does not take bytes
        self._reading = False
        self.dropped_bytes = 0

    @property
    def plugged(self) -> bool:
        return self._master >= 0

    def plug(self) -> None:
        """Create the port and its link. A stale link is replaced; anything else at its place raises FileExistsError."""
        if self.plugged:
            return
        if self.link.exists() and not self.link.is_symlink():
            raise FileExistsError(f"{self.link}: a file is in the way of the simulated port: remove it")
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)  # the slave stays open here: else the master reads EIO while no driver is attached
        os.set_blocking(self._master, False)
        self.link.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.link.with_name(f".{self.link.name}.{os.getpid()}")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(os.ttyname(self._slave))
        self._update_reading()
        fresh.replace(self.link)

    def unplug(self) -> None:
        """Hang up as a pulled cable does: the link vanishes, what was on its way is lost."""
        if not self.plugged:
            return
        # only our own link: a second simulator may have taken the place
        if self.link.is_symlink() and os.readlink(self.link) == os.ttyname(self._slave):
            self.link.unlink()
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._master)
        loop.remove_writer(self._master)
        os.close(self._slave)
        os.close(self._master)
        self._master = self._slave = -1
        self._reading = False
        self._out.clear()
        self._out_line.clear()
        self._in_line.clear()

    close = unplug

    def write(self, data: bytes) -> None:
        """Send to the driver. Nobody waits for a reader: what does not fit is dropped and counted."""
        if not self.plugged or self._out_line.waiting_bytes + len(self._out) + len(data) > OUT_LIMIT_BYTES:
            self.dropped_bytes += len(data)
            return
        self._out_line.send(data)

    async def drain(self) -> None:
        """Wait until the last byte has left the wire on the driver's side (or was lost to an unplug)."""
        await self._out_line.idle.wait()

    def hold(self) -> None:
        """Stop taking bytes from the driver (a busy or offline device); it feels back-pressure after some 14 kB."""
        self._held = True
        self._update_reading()

    def release(self) -> None:
        """Take bytes again."""
        self._held = False
        self._update_reading()

    async def __aenter__(self) -> Self:
        self.plug()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _to_driver(self, data: bytes) -> None:
        if not self.plugged:
            return
        waiting = bool(self._out)
        self._out += data
        if not waiting:
            self._flush()
            if self._out:
                asyncio.get_running_loop().add_writer(self._master, self._flush)

    def _flush(self) -> None:
        try:
            sent = os.write(self._master, self._out)
        except BlockingIOError:
            return
        del self._out[:sent]
        if not self._out:
            asyncio.get_running_loop().remove_writer(self._master)

    def _readable(self) -> None:
        try:
            data = os.read(self._master, READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        self._in_line.send(data)
        self._update_reading()

    def _from_driver(self, data: bytes) -> None:
        self._on_bytes(data)
        self._update_reading()

    def _update_reading(self) -> None:
        want = self.plugged and not self._held and self._in_line.waiting_bytes < IN_LIMIT_BYTES
        if want == self._reading or not self.plugged:
            return
        self._reading = want
        loop = asyncio.get_running_loop()
        if want:
            loop.add_reader(self._master, self._readable)
        else:
            loop.remove_reader(self._master)
