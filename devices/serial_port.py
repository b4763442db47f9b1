"""One serial port for every driver: asyncio over pyserial, without threads, with one error for "it is gone".

pyserial opens and configures the port (exclusive lock included); reading and writing go straight to the
file descriptor by the loop's readers and writers. An own transport, because the ready-made ones ignore writes after a
loss (pyserial-asyncio-fast 0.16), and `is_open` of pyserial stays true after an unplug.
"""

from __future__ import annotations

import asyncio
import os
import random
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import serial
import structlog

from devices.errors import DeviceOffline, WriteBufferFull, offline_from

__all__ = ["Reopenable", "SerialPort", "keep_open"]

log = structlog.get_logger()

#: 64 KiB is 56 s of wire at 9600 baud and more than any receipt; beyond it the device is not reading.
WRITE_LIMIT_BYTES = 65_536
READ_BYTES = 4_096
#: How often a port is compared with its path: an unplugged adapter loses its link before (or without) a hang-up.
PATH_CHECK_S = 0.1
_OPEN_ERRORS = (OSError, termios.error, ValueError)  # serial.SerialException is an OSError


class SerialPort:
    """A serial port on a stable path such as `/dev/serial/by-id/…`.

    `on_bytes(data)` gets what was read, `on_lost(error)` is called once when an open port is lost (never on `close`).
    Both run in the event loop and must not block. `open` may be called again after a loss.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        baud: int = 115200,
        bytesize: int = 8,
        parity: str = "N",
        stopbits: float = 1.0,
        on_bytes: Callable[[bytes], None],
        on_lost: Callable[[DeviceOffline], None] | None = None,
    ) -> None:
        self.path = str(path)
        self._line = {"baudrate": baud, "bytesize": bytesize, "parity": parity, "stopbits": stopbits}
        self._on_bytes = on_bytes
        self._on_lost = on_lost
        self._serial: serial.Serial | None = None
        self._fd = -1
        self._out = bytearray()
        self._loss: asyncio.Future[DeviceOffline] | None = None
        self._drained = asyncio.Event()
        self._drained.set()

    @property
    def is_open(self) -> bool:
        return self._serial is not None

    async def open(self) -> None:
        """Open exclusively. Raises `DeviceOffline`. Bytes that waited in the port from before are thrown away."""
        if self._serial is not None:
            return
        try:
            port = serial.Serial(None, timeout=0, write_timeout=0, exclusive=True, **self._line)  # type: ignore[arg-type]
            port.port = self.path
            port.open()
        except _OPEN_ERRORS as error:
            raise offline_from(self.path, error) from error
        self._serial, self._fd = port, port.fileno()
        os.set_blocking(self._fd, False)
        _ask_low_latency(port)
        loop = asyncio.get_running_loop()
        self._loss = loop.create_future()
        loop.add_reader(self._fd, self._readable)

    def write(self, data: bytes) -> None:
        """Hand `data` to the wire now, or buffer what it does not take. Raises `DeviceOffline`, `WriteBufferFull`."""
        if self._serial is None:
            raise DeviceOffline(self.path, "not open", "it is taken up again by itself")
        if len(self._out) + len(data) > WRITE_LIMIT_BYTES:
            raise WriteBufferFull(self.path, WRITE_LIMIT_BYTES)
        waiting = bool(self._out)
        self._out += data
        if not waiting:
            self._writable()
            if self._out:
                self._drained.clear()
                asyncio.get_running_loop().add_writer(self._fd, self._writable)

    async def drain(self) -> None:
        """Wait until the system has taken every byte. Raises `DeviceOffline` when the port is lost instead."""
        loss = self._loss
        await self._drained.wait()
        if loss is not None and loss.done():
            raise loss.result()
        if self._serial is None:
            raise DeviceOffline(self.path, "not open", "it is taken up again by itself")

    async def lost(self) -> DeviceOffline:
        """Wait until the open port is lost or closed, and say why."""
        if self._loss is None:
            return DeviceOffline(self.path, "not open")
        return await asyncio.shield(self._loss)

    def close(self) -> None:
        """Close at once; what was not written is thrown away. Safe to call twice."""
        self._shut(DeviceOffline(self.path, "closed"))

    def path_is_ours(self) -> bool:
        """Whether `path` still leads to the device that is open. False once the link or the device is gone."""
        if self._serial is None:
            return False
        try:
            return os.stat(self.path).st_rdev == os.fstat(self._fd).st_rdev
        except OSError:
            return False

    def lose(self, error: DeviceOffline) -> None:
        """Give the port up as lost: closed, `on_lost` told, `lost()` answered."""
        if self._serial is None:
            return
        self._shut(error)
        if self._on_lost is not None:
            self._on_lost(error)

    def _shut(self, why: DeviceOffline) -> None:
        port, self._serial = self._serial, None
        if port is None:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._fd)
        loop.remove_writer(self._fd)
        self._fd = -1
        self._out.clear()
        if self._loss is not None and not self._loss.done():
            self._loss.set_result(why)
        self._drained.set()
        try:
            port.reset_output_buffer()  # else closing waits (up to 30 s) for a device that no longer reads
        except _OPEN_ERRORS:
            pass  # a port that is gone has no buffer
        try:
            port.close()
        except _OPEN_ERRORS:
            pass  # gone already

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self.lose(offline_from(self.path, error))
            return
        if data:
            self._on_bytes(data)
        else:  # ready to read and nothing to read: hang-up
            self.lose(DeviceOffline(self.path, "unplugged", "plug it back in; it is taken up again by itself"))

    def _writable(self) -> None:
        try:
            sent = os.write(self._fd, self._out)
        except BlockingIOError:
            return
        except OSError as error:
            self.lose(offline_from(self.path, error))
            return
        del self._out[:sent]
        if not self._out and not self._drained.is_set():
            asyncio.get_running_loop().remove_writer(self._fd)
            self._drained.set()


def _ask_low_latency(port: serial.Serial) -> None:
    """USB adapters hold bytes back (FTDI: 16 ms) unless told not to. Best effort: ptys and some drivers cannot."""
    try:
        port.set_low_latency_mode(True)
    except (*_OPEN_ERRORS, AttributeError, NotImplementedError):
        pass  # not on this kind of port


class Reopenable(Protocol):
    """What `keep_open` keeps open: a `SerialPort`, or a library's client made to look like one."""

    path: str

    @property
    def is_open(self) -> bool: ...
    async def open(self) -> None: ...
    async def lost(self) -> DeviceOffline: ...
    def path_is_ours(self) -> bool: ...
    def lose(self, error: DeviceOffline) -> None: ...
    def close(self) -> None: ...


async def keep_open(
    port: Reopenable,
    *,
    on_up: Callable[[], None],
    on_down: Callable[[DeviceOffline], None] | None = None,
    on_round: Callable[[], None] = lambda: None,
    first_delay_s: float = 0.1,
    max_delay_s: float = 1.0,
) -> None:
    """Keep `port` open for ever; cancel to end, which closes it.

    `on_up()` after each opening; `on_down(error)` when it is lost, when the first opening fails, and when the reason why
    it cannot be opened changes; `on_round()` many times a second, as a sign of life. A loss shows at once on a hang-up,
    within 0.1 s when only the path vanishes. Delays between attempts double from `first_delay_s` to `max_delay_s` with jitter
    downwards; a path that appears is tried at once.
    """
    reason, delay_s = "", first_delay_s
    try:
        while True:
            on_round()
            try:
                await port.open()
            except DeviceOffline as error:
                down, was = error, reason
                reason = error.reason
                if reason != was and was != "unplugged":  # that it is absent then goes without saying
                    log.warning("port offline", path=port.path, error=str(error))
            else:
                if reason:
                    log.info("port back", path=port.path)
                reason, delay_s, was = "", first_delay_s, ""
                on_up()
                down = await _watch(port, on_round)
                reason = down.reason
                log.warning("port lost", path=port.path, error=str(down))
            if on_down is not None and reason != was:
                on_down(down)
            if await _path_appeared(port.path, delay_s * random.uniform(0.5, 1.0)):
                delay_s = first_delay_s
            else:
                delay_s = min(delay_s * 2, max_delay_s)
    finally:
        port.close()


async def _watch(port: Reopenable, on_round: Callable[[], None]) -> DeviceOffline:
    """Until the open port is lost, by a hang-up or because its path no longer leads to it."""
    while True:
        on_round()
        try:
            async with asyncio.timeout(
                PATH_CHECK_S
            ):  # not wait_for: on 3.11 it swallows a cancellation that meets a loss
                return await port.lost()
        except TimeoutError:
            if not port.path_is_ours() and port.is_open:
                port.lose(DeviceOffline(port.path, "unplugged", "its path is gone; plug it back in"))


async def _path_appeared(path: str, delay_s: float) -> bool:
    """Sleep `delay_s`, less if a path that was absent comes up meanwhile; whether it did."""
    there = _exists(path)
    loop = asyncio.get_running_loop()
    end = loop.time() + delay_s
    while (left_s := end - loop.time()) > 0:
        await asyncio.sleep(min(0.05, left_s))
        was, there = there, _exists(path)
        if there and not was:
            return True
    return False


def _exists(path: str) -> bool:
    return os.path.exists(path)  # a stat in /dev does not block
