"""SerialPort and keep_open over a pty that is plugged, unplugged, occupied, and not read."""

from __future__ import annotations

import asyncio
import contextlib
import os
import termios
import time
from pathlib import Path

import pytest

from devices.errors import DeviceOffline, WriteBufferFull, offline_from
from devices.serial_port import SerialPort, keep_open
from firmware_sim.pty_port import PtyPort


class Ends:
    """A driver's port and the simulated device at its other end, with what each of them received."""

    def __init__(self, link: Path) -> None:
        self.at_device = bytearray()
        self.at_driver = bytearray()
        self.losses: list[DeviceOffline] = []
        self.news = asyncio.Event()
        self.device = PtyPort(link, on_bytes=lambda data: self._got(self.at_device, data))
        self.port = SerialPort(
            link,
            on_bytes=lambda data: self._got(self.at_driver, data),
            on_lost=self.losses.append,
        )

    def _got(self, where: bytearray, data: bytes) -> None:
        where += data
        self.news.set()

    async def until(self, condition: object, timeout_s: float = 30.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not condition():  # type: ignore[operator]
                self.news.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.news.wait(), 0.01)

    def close(self) -> None:
        self.port.close()
        self.device.close()


@pytest.fixture
async def ends(tmp_path):
    both = Ends(tmp_path / "by-id" / "dev")
    yield both
    both.close()


async def test_bytes_pass_both_ways(ends):
    ends.device.plug()
    await ends.port.open()
    ends.port.write(b"ping")
    await ends.port.drain()
    await ends.until(lambda: ends.at_device == b"ping")
    ends.device.write(bytes(range(256)))
    await ends.until(lambda: ends.at_driver == bytes(range(256)))


async def test_an_absent_port_says_what_to_do(ends):
    with pytest.raises(DeviceOffline, match=r"no such port: is the cable plugged in\?") as caught:
        await ends.port.open()
    assert caught.value.path.endswith("by-id/dev")
    assert caught.value.reason == "no such port"
    with pytest.raises(DeviceOffline, match="not open"):
        ends.port.write(b"x")


async def test_a_port_in_use_is_refused_with_a_sentence(ends, tmp_path):
    ends.device.plug()
    await ends.port.open()
    other = SerialPort(ends.device.link, on_bytes=lambda _: None)
    with pytest.raises(DeviceOffline, match="in use by another process"):
        await other.open()


async def test_what_is_not_a_serial_port_is_refused(tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("x")
    with pytest.raises(DeviceOffline, match="not a serial port"):
        await SerialPort(plain, on_bytes=lambda _: None).open()
    with pytest.raises(DeviceOffline):
        await SerialPort(tmp_path, on_bytes=lambda _: None).open()


def test_settings_that_the_port_does_not_take_are_refused():
    error = termios.error(22, "Invalid argument")  # what parity gives on many ptys; it is no OSError
    assert "does not take these settings" in str(offline_from("/dev/ttyUSB0", error))


def test_permission_denied_names_the_group():
    assert "dialout" in str(offline_from("/dev/ttyUSB0", PermissionError(13, "Permission denied")))


async def test_a_device_that_takes_nothing_fills_a_bounded_buffer(ends):
    ends.device.plug()
    ends.device.hold()
    await ends.port.open()
    with pytest.raises(WriteBufferFull, match="the device takes none"):
        for _ in range(100):
            ends.port.write(b"x" * 4096)
    drain = asyncio.create_task(ends.port.drain())
    await asyncio.sleep(0)
    assert not drain.done()
    ends.device.release()
    await drain
    await ends.until(lambda: len(ends.at_device) > 65_536)


async def test_drain_ends_when_the_port_is_lost(ends):
    ends.device.plug()
    ends.device.hold()
    await ends.port.open()
    ends.port.write(b"x" * 60_000)
    drain = asyncio.create_task(ends.port.drain())
    await asyncio.sleep(0)
    ends.device.unplug()
    with pytest.raises(DeviceOffline, match="unplugged"):
        await asyncio.wait_for(drain, 30)


async def test_unplug_is_told_once_and_at_once(ends):
    ends.device.plug()
    await ends.port.open()
    started = time.monotonic()
    ends.device.unplug()
    await ends.until(lambda: ends.losses)
    assert time.monotonic() - started < 0.2
    assert not ends.port.is_open
    with pytest.raises(DeviceOffline):
        ends.port.write(b"x")
    ends.port.close()
    assert len(ends.losses) == 1


class Watched:
    """keep_open running, with its ups and downs."""

    def __init__(self, ends: Ends) -> None:
        self.ups: list[float] = []
        self.downs: list[DeviceOffline] = []
        self.task = asyncio.create_task(
            keep_open(ends.port, on_up=lambda: self.ups.append(time.monotonic()), on_down=self.downs.append)
        )

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def test_a_replugged_port_comes_back_by_itself(ends):
    watched = Watched(ends)
    await ends.until(lambda: watched.downs)  # absent at the start
    assert watched.downs[0].reason == "no such port"
    await asyncio.sleep(1.2)  # into the longest back-off
    for round_ in range(1, 4):
        plugged = time.monotonic()
        ends.device.plug()
        await ends.until(lambda n=round_: len(watched.ups) == n)
        assert watched.ups[-1] - plugged < 1.0
        downs, unplugged = len(watched.downs), time.monotonic()
        ends.device.unplug()
        await ends.until(lambda n=downs: len(watched.downs) > n)
        assert time.monotonic() - unplugged < 2.0
    await watched.stop()
    assert not ends.port.is_open


async def test_a_path_that_vanishes_without_hang_up_is_a_loss(ends):
    ends.device.plug()
    watched = Watched(ends)
    await ends.until(lambda: watched.ups)
    target = os.readlink(ends.device.link)
    ends.device.link.unlink()
    await ends.until(lambda: watched.downs, 1.0)
    assert len(ends.losses) == 1
    ends.device.link.symlink_to(target)
    await ends.until(lambda: len(watched.ups) == 2, 1.0)
    await watched.stop()


async def test_a_port_freed_by_another_program_is_taken(ends):
    ends.device.plug()
    other = SerialPort(ends.device.link, on_bytes=lambda _: None)
    await other.open()
    watched = Watched(ends)
    await ends.until(lambda: watched.downs)
    assert watched.downs[0].reason == "in use by another process"
    other.close()
    await ends.until(lambda: watched.ups, 1.5)
    assert len(watched.downs) == 1  # told once, though tried often
    await watched.stop()
